"""Mail by SMTP (RFC 5321): TLS, time limits, and a Message-ID that is the same however often a mail is tried."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime, parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from bedside_core.notify.attachments import CalendarFile
from bedside_core.notify.channels import Letter, Permanent, Receipt, Temporary

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """Where mail is handed in.

    Args:
        host: its name.
        port: its port.
        username: to sign in with, if at all.
        password: to sign in with.
        tls: `implicit` (smtps), `starttls`, or `none`.
    """

    host: str
    port: int
    tls: str
    username: str | None = None
    password: str | None = None

    @classmethod
    def of(cls, url: str) -> MailServer:
        """Read `smtp://user:password@host:port` or `smtps://…`.

        With `smtp`, STARTTLS is required, except to this machine itself or with `?tls=none`.

        Raises:
            ValueError: it is no such URL; the text does not repeat it, for there is a password in it.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("BEDSIDE_SMTP_URL is like smtp://user:password@mail.example:587 or smtps://…")
        wanted = parse_qs(parts.query).get("tls", [""])[0]
        if wanted not in {"", "none", "starttls"}:
            raise ValueError("BEDSIDE_SMTP_URL: tls is none or starttls")
        tls = "implicit" if parts.scheme == "smtps" else wanted
        tls = tls or ("none" if parts.hostname in _LOOPBACK else "starttls")
        return cls(
            host=parts.hostname,
            port=parts.port or {"implicit": 465, "starttls": 587, "none": 25}[tls],
            tls=tls,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


class Mail:
    """Sends mail.

    Args:
        server: where it is handed in.
        sender: the address in `From`, with or without a name: `Bedside <no-reply@clinic.example>`.
        seconds: longest time that one mail may take.
        context: what TLS trusts; by default what the system does.
    """

    def __init__(
        self, server: MailServer, sender: str, seconds: float, *, context: ssl.SSLContext | None = None
    ) -> None:
        self._server = server
        self._name, self._address = parseaddr(sender)
        self._domain = self._address.rpartition("@")[2]
        self._seconds = seconds
        self._context = context

    async def send(self, letter: Letter) -> Receipt:
        """Hand a mail in.

        Raises:
            Temporary: the server is away, or has said 4xx (RFC 5321, 4.2.1).
            Permanent: it has said 5xx to this mail.
        """
        try:
            message = self.message(letter)
        except (MessageError, ValueError, IndexError) as error:
            raise Permanent("This is not an e-mail address.") from error
        client = aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            use_tls=self._server.tls == "implicit",
            start_tls=self._server.tls == "starttls",
            username=self._server.username,
            password=self._server.password,
            tls_context=self._context,
            timeout=self._seconds,
            local_hostname=self._domain,
        )
        try:
            async with asyncio.timeout(self._seconds):
                try:
                    await client.connect()
                except (aiosmtplib.SMTPException, OSError) as error:
                    raise Temporary(f"no connection: {_told(error)}", channel=True) from error
                await client.sendmail(self._address, [letter.address], message.as_bytes(policy=WIRE))
        except TimeoutError as error:
            raise Temporary("the mail server does not answer", channel=True) from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refusal(error.recipients[0]) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(error) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Temporary(f"connection lost: {_told(error)}", channel=True) from error
        finally:
            # The mail is handed in, or is not; how the conversation ends changes neither.
            with suppress(Exception):
                client.close()
        return Receipt(provider_id=message["Message-ID"])

    def message(self, letter: Letter) -> EmailMessage:
        """Return the mail (RFC 5322).

        Raises:
            MessageError, ValueError, IndexError: the address is none.
        """
        message = EmailMessage(policy=WIRE)
        message["From"] = Address(letter.practice or self._name, addr_spec=self._address)
        message["To"] = Address(addr_spec=letter.address)
        message["Subject"] = letter.content.subject
        message["Date"] = format_datetime(letter.written_at)
        message["Message-ID"] = f"<{letter.id.hex}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice in answer
        message.set_content(letter.content.text)
        if letter.content.html:
            message.add_alternative(letter.content.html, subtype="html")
        if letter.calendar is not None:
            _add_calendar(message, letter.calendar)
        message["Content-Language"] = letter.language  # last: content headers move along with the content
        return message


def _add_calendar(message: EmailMessage, file: CalendarFile) -> None:
    """Add a calendar file twice: as a form of what is said, which calendars offer to take, and as a file to open.

    The first is what Gmail, Outlook and Apple's Mail look for (RFC 6047, 2.4); the second is for everything else.
    """
    message.add_alternative(file.content, subtype="calendar", params={"method": file.method})
    message.add_attachment(file.content.encode(), maintype="application", subtype="ics", filename="appointment.ics")


def _refusal(error: aiosmtplib.SMTPResponseException | aiosmtplib.SMTPRecipientRefused) -> Temporary | Permanent:
    reason = _status(error)
    if error.code == 421:  # RFC 5321, 3.8: the server is about to go
        return Temporary(reason, channel=True)
    return Temporary(reason) if error.code < 500 else Permanent(reason)


def _told(error: BaseException) -> str:
    return _status(error) if isinstance(error, aiosmtplib.SMTPResponseException) else type(error).__name__


def _status(error: aiosmtplib.SMTPResponseException | aiosmtplib.SMTPRecipientRefused) -> str:
    """Return a server's answer without its text, in which it likes to repeat the address in some spelling (A8)."""
    enhanced = _ENHANCED.match(error.message)  # RFC 3463
    return f"{error.code} {enhanced[0]}" if enhanced else str(error.code)
