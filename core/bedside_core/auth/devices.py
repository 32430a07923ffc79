"""Known devices: a token that a device keeps from one sign-in to the next, so that others can't lock it out (A5)."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from bedside_core.auth.tokens import LONGEST_TOKEN, token_hash
from bedside_core.database import DB
from bedside_core.ids import uuid7

DEVICE_COOKIE = "__Host-bedside-device"
"""Cookie by which browsers of our own origin are known; `__Host-` binds it to this host (RFC 6265bis)."""

DEVICE_LASTS = timedelta(days=400)
"""How long browsers keep a cookie at most (RFC 6265bis, 5.5)."""

_LONGEST_LABEL = 200


class Client:
    """What a request tells of the program it comes from.

    Args:
        device: the token by which the device is known, if it has one.
        label: what the program calls itself (User-Agent).
    """

    def __init__(self, device: str | None = None, label: str = "") -> None:
        self.device = device if device and len(device) <= LONGEST_TOKEN else None
        self.label = label[:_LONGEST_LABEL]

    @cached_property
    def fresh(self) -> str:
        """The token that the device is known by once somebody has signed in on it."""
        return secrets.token_urlsafe(32)

    @property
    def hash(self) -> bytes | None:
        """What is stored of the token it came with."""
        return token_hash(self.device) if self.device else None


async def device_of(account: UUID, client: Client | None) -> UUID | None:
    """Return the account's device that a client is, if it is one."""
    if client is None or client.hash is None:
        return None
    return await DB.fetchval("SELECT auth_device($1, $2)", account, client.hash)


async def known_device(named: str | UUID, client: Client) -> UUID | None:
    """Return the device of an account that a client is, if it is one; no statement where it came with no token.

    Args:
        named: the account's id or its user name, which may be nobody's.
        client: what asks.
    """
    if isinstance(named, UUID):
        return await device_of(named, client)
    return await DB.fetchval("SELECT auth_device_of($1, $2)", named, client.hash) if client.hash else None


async def know(account: UUID, client: Client, known: UUID | None, now: datetime) -> UUID:
    """Know a device by its fresh token from now on, and return its id."""
    return await DB.fetchval(
        "SELECT auth_know_device($1, $2, $3, $4, $5)", known, uuid7(), account, token_hash(client.fresh), now
    )


def device_cookie(token: str) -> str:
    """Return the value of the `Set-Cookie` header that a browser is known by."""
    age = int(DEVICE_LASTS.total_seconds())
    return f"{DEVICE_COOKIE}={token}; Path=/; Max-Age={age}; Secure; HttpOnly; SameSite=Strict"
