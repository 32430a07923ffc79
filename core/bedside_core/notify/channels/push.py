"""Web push (RFC 8030, 8291, 8292): encrypted for the browser, and never sent to an address inside the house."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

# pyright: reportMissingTypeStubs=false
from bedside_core.database import DB
from bedside_core.notify.channels import Letter, Permanent, Receipt, Temporary
from bedside_core.outward import Outward, Reachable, host_of, is_literal, is_public

SECONDS = 10.0
KEPT_SECONDS = 24 * 3600
"""How long the push service keeps a message for a browser that is not there."""


def endpoint_fault(endpoint: str) -> str | None:
    """Return why an endpoint can't be one; names are looked at when something is sent, for they may change."""
    try:
        parts = urlsplit(endpoint)
        host, port = host_of(endpoint), parts.port
    except ValueError:
        return "This is not a URL."
    if parts.scheme != "https" or parts.username is not None or len(endpoint) > 1000:
        return "A push endpoint is an https URL."
    if port not in {None, 443}:
        return "A push endpoint is at the usual port."
    if (is_literal(host) and not is_public(host)) or (not is_literal(host) and "." not in host.rstrip(".")):
        return "A push endpoint is on the Internet."
    return None


class Push:
    """Sends to browsers.

    Args:
        private_key: the VAPID key, 32 bytes in base64url.
        contact: `mailto:` or `https:` URL at which push services reach the operator (RFC 8292, 2.1).
        reachable: where it may go; the Internet.
        tls: whether certificates are checked; only tests don't.
    """

    def __init__(self, private_key: str, contact: str, *, reachable: Reachable = is_public, tls: bool = True) -> None:
        self._key = private_key
        self._contact = contact
        self._reachable = reachable
        self._tls = tls

    async def send(self, letter: Letter) -> Receipt:
        """Hand a message to the browser's push service.

        Raises:
            Temporary: the service is away or busy.
            Permanent: the browser has unsubscribed (404, 410), whereupon the subscription is removed; or it is refused.
        """
        row = await DB.fetchrow(
            "SELECT endpoint, public_key, secret FROM push_subscription WHERE id = $1", UUID(letter.address)
        )
        if row is None:
            raise Permanent("The browser has unsubscribed.")
        content = letter.content
        body = json.dumps({"id": str(letter.id), "title": content.subject, "body": content.text, "link": content.link})
        try:
            sealed, headers = await asyncio.to_thread(self._sealed, dict(row), body)
        except Exception as error:  # keys that a client made up
            raise Permanent(f"The subscription's keys are wrong: {type(error).__name__}") from error
        status = await self._post(row["endpoint"], sealed, headers)
        if status in {404, 410}:
            await DB.execute("DELETE FROM push_subscription WHERE id = $1", UUID(letter.address))
            raise Permanent("The browser has unsubscribed.")
        if status == 429 or status >= 500:
            raise Temporary(f"push service: {status}")
        if status >= 300:  # redirects are not followed
            raise Permanent(f"push service: {status}")
        return Receipt()

    async def _post(self, endpoint: str, body: bytes, headers: dict[str, str]) -> int:
        try:
            host = host_of(endpoint)
        except ValueError as error:
            raise Permanent("The endpoint is not a URL.") from error
        if is_literal(host) and not self._reachable(host):  # nothing is resolved then
            raise Permanent("The endpoint is an inner address.")
        connector = TCPConnector(resolver=Outward(self._reachable), ssl=self._tls)
        try:
            async with (
                ClientSession(connector=connector, timeout=ClientTimeout(total=SECONDS), trust_env=False) as session,
                session.post(endpoint, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                return answer.status
        except (TimeoutError, ClientError, OSError) as error:
            raise Temporary(f"push service: {type(error).__name__}") from error

    def _sealed(self, row: dict[str, Any], body: str) -> tuple[bytes, dict[str, str]]:
        from py_vapid import Vapid02
        from pywebpush import WebPusher

        vapid: Any = Vapid02

        parts = urlsplit(str(row["endpoint"]))
        origin = f"{parts.scheme}://{parts.netloc}"
        keys = {"p256dh": row["public_key"], "auth": row["secret"]}
        made: Any = WebPusher({"endpoint": row["endpoint"], "keys": keys}).encode(body.encode())
        signed: Any = vapid.from_string(self._key).sign({"aud": origin, "sub": self._contact})
        headers = {
            **signed,
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(KEPT_SECONDS),
        }
        return made["body"], headers


def public_key(private_key: str) -> str:
    """Return the VAPID key that browsers subscribe with: the uncompressed point in base64url (RFC 8292, 3.2)."""
    from base64 import urlsafe_b64encode

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from py_vapid import Vapid02

    vapid: Any = Vapid02
    key = vapid.from_string(private_key)
    point: bytes = key.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return urlsafe_b64encode(point).decode().rstrip("=")
