"""One POST to a receiver: to an address that was checked, without redirects, within limits of time and size (G6)."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from bedside_core.config import Config
from bedside_core.outward import InnerAddress, Outward, Reachable, is_literal, is_public

SECONDS = 10.0
"""Longest time from the name's resolution to the end of the answer's headers."""
GONE = 410
_HEADER_BYTES = 8190
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_LONGEST_URL = 1000


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of an attempt.

    Args:
        status: the receiver's HTTP status; None where there was no answer.
        reason: why it failed, without anything that the receiver has said; None where it did not.
        milliseconds: how long it took.
    """

    status: int | None
    reason: str | None
    milliseconds: int

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken it."""
        return self.reason is None


class Sender:
    """Sends to receivers.

    Args:
        config: for the inner networks that the operator lets webhooks reach, none by default.
        tls: how certificates are checked; by default as the machine does.
    """

    def __init__(self, config: Config, *, tls: ssl.SSLContext | None = None) -> None:
        self._networks = [
            ipaddress.ip_network(network) for network in (*config.webhook_networks, *(_LOOPBACK if config.demo else ()))
        ]
        self._tls = tls

    def url_fault(self, url: str, *, plain: bool) -> str | None:
        """Return why an URL can't be a receiver's, or None; its name is looked at when something is sent.

        Args:
            url: the receiver's.
            plain: whether http will do, as it does for a sandbox.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return "This is not a URL."
        if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
            return "This is not a URL."
        if parts.username is not None or parts.password is not None or parts.fragment or port == 0 or not host:
            return "A receiver's URL has a host, and neither a user name nor a fragment."
        plain_too = plain or bool(self._networks)
        if parts.scheme != "https" and not (plain_too and parts.scheme == "http"):
            return "A receiver's URL begins with https://."
        if is_literal(host) and not self._reach(parts.scheme, plain=plain)(host):
            return "A receiver is on the Internet."
        return None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, plain: bool) -> Outcome:
        """Send a body and return what came of it; it never raises for what the receiver does.

        Args:
            url: the receiver's.
            body: what is sent.
            headers: of the signature.
            plain: whether http will do.
        """
        began = time.monotonic()
        status, reason = await self._attempt(url, body, headers, plain)
        return Outcome(status=status, reason=reason, milliseconds=round((time.monotonic() - began) * 1000))

    async def _attempt(
        self, url: str, body: bytes, headers: Mapping[str, str], plain: bool
    ) -> tuple[int | None, str | None]:
        if fault := self.url_fault(url, plain=plain):  # what could be had once may be refused by now
            return None, fault
        sent = {**headers, "content-type": "application/json", "user-agent": "Bedside-Webhooks/1.0"}
        connector = TCPConnector(
            resolver=Outward(self._reach(urlsplit(url).scheme, plain=plain)),
            use_dns_cache=False,
            ssl=self._tls if self._tls is not None else True,
        )
        try:
            async with (
                ClientSession(
                    connector=connector,
                    timeout=ClientTimeout(total=SECONDS),
                    cookie_jar=DummyCookieJar(),
                    auto_decompress=False,
                    trust_env=False,
                    max_line_size=_HEADER_BYTES,
                    max_field_size=_HEADER_BYTES,
                    read_bufsize=_HEADER_BYTES,
                ) as session,
                # Its body is not read: the connection is closed with whatever is still to come.
                session.post(url, data=body, headers=sent, allow_redirects=False) as answer,
            ):
                return answer.status, _reason(answer.status)
        except ClientConnectorError as error:
            inner = isinstance(error.os_error, InnerAddress)
            return None, "The name leads to an inner address." if inner else "The receiver can't be reached."
        except TimeoutError:
            return None, f"The receiver took longer than {SECONDS:g} s."
        except (ClientError, OSError, ValueError) as error:
            return None, f"The receiver can't be talked to: {type(error).__name__}."

    def _reach(self, scheme: str, *, plain: bool) -> Reachable:
        """Return where a request may go: without TLS only to the operator's networks, unless `plain` says otherwise."""

        def reachable(address: str) -> bool:
            if is_public(address):
                return scheme == "https" or plain
            try:
                ip = ipaddress.ip_address(address)
            except ValueError:
                return False
            return any(ip in network for network in self._networks)

        return reachable


def _reason(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return "The receiver redirects, which is not followed."
    return f"The receiver answered {status}."
