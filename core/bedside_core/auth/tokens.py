"""Opaque tokens: random, told once, stored as their hash, and the cookie that carries a session's."""

from __future__ import annotations

import hashlib
from datetime import timedelta

COOKIE = "__Host-bedside"
"""Cookie of browsers of our own origin; `__Host-` binds it to this host, path / and Secure (RFC 6265bis)."""

SESSION_STREAM = "session"
"""Kind of live stream that tells that a session became another actor's (by two) or ended (by one)."""

APPLICATION_PREFIX = "bedside_at_"
"""What an application's access token begins with (G1)."""

GUEST_PREFIX = "bedside_guest_"
"""What a guest's token begins with (C6)."""

LONGEST_TOKEN = 200
"""Characters beyond which a token is none of ours."""


def token_hash(token: str) -> bytes:
    """Return what is stored of a token: its SHA-256, 32 bytes. Tokens are random, so no salt is needed."""
    return hashlib.sha256(token.encode()).digest()


def session_cookie(token: str, lasts: timedelta | None) -> str:
    """Return the value of the `Set-Cookie` header that signs a browser in, or out where `lasts` is None."""
    age = 0 if lasts is None else int(lasts.total_seconds())
    return f"{COOKIE}={token}; Path=/; Max-Age={age}; Secure; HttpOnly; SameSite=Lax"
