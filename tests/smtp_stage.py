"""A mail server of a test's own: it keeps what it accepts, and refuses, hangs or goes away as told."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

SENDER = "Bedside <no-reply@clinic.example>"


@dataclass(frozen=True)
class Mail:
    """A mail that was accepted."""

    to: str
    message: EmailMessage

    @property
    def id(self) -> str:
        """Its Message-ID."""
        return str(self.message["Message-ID"])

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """What it says as plain text."""
        body = self.message.get_body(("plain",))
        assert body is not None
        return body.get_content()

    @property
    def html(self) -> str:
        body = self.message.get_body(("html",))
        assert body is not None
        return body.get_content()


Answer = Callable[[str], "str | Awaitable[str | None] | None"]
"""Given the recipient, what the server answers to the mail: None accepts it."""


class MailServer:
    """A running mail server."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.asked = 0
        """How many mails were handed in, accepted or not."""
        self.answer: Answer = lambda _: None
        self.accepted: Callable[[Mail], None] = lambda _: None
        """Called before the client is told that its mail is accepted."""
        self.secure: list[bool] = []
        self.port = 0
        self._listening: asyncio.Server | None = None
        self._connected: list[SMTP] = []
        self._context: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def to(self, address: str) -> list[Mail]:
        """What came for somebody."""
        return [mail for mail in self.mails if mail.to == address]

    def copies(self) -> Counter[str]:
        """How often each mail was accepted, by Message-ID."""
        return Counter(mail.id for mail in self.mails)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take a mail in, or not."""
        self.asked += 1
        self.secure.append(session.ssl is not None)
        [to] = envelope.rcpt_tos  # one recipient each: nobody learns of another
        assert envelope.mail_from == "no-reply@clinic.example"
        said = self.answer(to)
        answer = said if isinstance(said, str) or said is None else await said
        if answer is not None:
            return answer
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        for header in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"):
            assert len(message.get_all(header, [])) == 1, header
        mail = Mail(to, cast("EmailMessage", message))
        self.mails.append(mail)
        self.accepted(mail)
        return "250 2.0.0 taken"

    async def open(self) -> None:
        """Listen, on the same port as before."""
        options: dict[str, Any] = {"tls_context": self._context, "require_starttls": True} if self._context else {}

        def connected() -> SMTP:
            self._connected.append(SMTP(self, hostname="mail.example", enable_SMTPUTF8=True, **options))
            return self._connected[-1]

        self._listening = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", self.port)
        self.port = self._listening.sockets[0].getsockname()[1]

    def hang_up(self) -> None:
        """Drop the newest connection in the middle of what it is at."""
        cast("asyncio.Transport", self._connected[-1].transport).abort()

    async def away(self) -> None:
        """Refuse connections from now on."""
        assert self._listening is not None
        self._listening.close()
        await self._listening.wait_closed()


@asynccontextmanager
async def mail_server(context: ssl.SSLContext | None = None) -> AsyncGenerator[MailServer]:
    """Run a mail server; with a context it takes mail after STARTTLS only."""
    server = MailServer()
    server._context = context
    await server.open()
    try:
        yield server
    finally:
        await server.away()
