"""Hashes passwords and compares them, a few at a time and unknown addresses as slowly as known ones."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bedside_core import errors

HASHING_THREADS = 2
"""How many passwords are hashed at the same time: on threads of their own, or all cores would be busy with it."""

HASHING_WAITING = 16
"""How many sign-ins more may wait for that, which takes a second or two."""

HASHING_RETRY_SECONDS = 2
"""After how many seconds those who may not should come back."""

_passwords = PasswordHasher()
_hashing = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="bedside-hashing")
_places = BoundedSemaphore(HASHING_THREADS + HASHING_WAITING)


MOST_BYTES = 1024
"""Longest password, in bytes of UTF-8; up to here none is cut."""


async def hash_password(password: str) -> str:
    """Return the argon2id hash of a password (about 100 ms, in a thread, once it is its turn)."""
    return await asyncio.wrap_future(_hashing.submit(_passwords.hash, password))


@cache
def _nobody() -> str:
    """Return the hash that unknown addresses are held against."""
    return _passwords.hash(secrets.token_urlsafe())


async def warm_up() -> None:
    """Make the hash for unknown addresses beforehand, or the first such sign-in would take twice as long (A6)."""
    await asyncio.wrap_future(_hashing.submit(_nobody))


async def fits(password: str, stored: str | None) -> bool:
    """Compare in the same time whether or not there is such an account (A6).

    Raises:
        errors.RateLimited: too many comparisons wait already; nothing was compared.
    """
    possible = stored is not None and len(password.encode()) <= MOST_BYTES

    def verify() -> bool:
        try:
            # What is too long to be anybody's password costs the same.
            return _passwords.verify(stored or _nobody(), password[:MOST_BYTES]) and possible
        except (VerificationError, InvalidHashError):
            return False

    if not _places.acquire(blocking=False):
        raise errors.RateLimited(
            "Too many people are signing in at this moment.",
            way_on=f"Wait {HASHING_RETRY_SECONDS} seconds.",
            detail={"retryAfter": HASHING_RETRY_SECONDS},
        )
    work = _hashing.submit(verify)
    # A caller who goes away frees no thread that is at work: the place is given back when the work is over.
    work.add_done_callback(lambda _: _places.release())
    return await asyncio.wrap_future(work)
