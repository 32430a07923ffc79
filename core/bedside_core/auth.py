"""Credentials become an Actor: sign-in, opaque tokens, and their end, for HTTP and sockets alike."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from threading import BoundedSemaphore
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bedside_core import errors
from bedside_core.clock import Clock
from bedside_core.database import DB, unit
from bedside_core.ids import uuid7
from bedside_core.live import Topic

COOKIE = "__Host-bedside"
"""Cookie of browsers of our own origin; `__Host-` binds it to this host, path / and Secure (RFC 6265bis)."""

SESSION_STREAM = "session"
"""Kind of live stream that tells the end of a session: position 0 is open, 1 is ended."""

HASHING_THREADS = 2
"""How many passwords are hashed at the same time: on threads of their own, or all cores would be busy with it."""

HASHING_WAITING = 16
"""How many sign-ins more may wait for that, which takes a second or two."""

HASHING_RETRY_SECONDS = 2
"""After how many seconds those who may not should come back."""

_passwords = PasswordHasher()
_hashing = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="bedside-hashing")
_places = BoundedSemaphore(HASHING_THREADS + HASHING_WAITING)


class Role(StrEnum):
    """What a person is in a practice (A12), and the operator of the deployment (A15)."""

    OWNER = "owner"
    MANAGER = "manager"
    PRACTITIONER = "practitioner"
    STAFF = "staff"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, for one practice at a time (A15).

    Args:
        account_id: the account that signed in.
        session_id: the sign-in; its end ends everything done with it.
        role: what the person is in the practice, or the operator.
        practice_id: the practice acted for; None for the operator.
        member_id: the person in that practice; None for the operator.
    """

    account_id: UUID
    session_id: UUID
    role: Role
    practice_id: UUID | None = None
    member_id: UUID | None = None

    @property
    def person_id(self) -> UUID | None:
        """The person by whom shared tables know the actor."""
        return self.member_id

    def in_practice(self) -> tuple[UUID, UUID]:
        """Return practice and person.

        Raises:
            errors.Forbidden: the actor is not a person of a practice (the operator).
        """
        if self.practice_id is None or self.member_id is None:
            raise errors.Forbidden("This is for the people of a practice.", way_on="Sign in as a member of it.")
        return self.practice_id, self.member_id


def token_hash(token: str) -> bytes:
    """Return what is stored of a token: its SHA-256, 32 bytes. Tokens are random, so no salt is needed."""
    return hashlib.sha256(token.encode()).digest()


async def hash_password(password: str) -> str:
    """Return the argon2id hash of a password (about 100 ms, in a thread, once it is its turn)."""
    return await asyncio.wrap_future(_hashing.submit(_passwords.hash, password))


@cache
def _nobody() -> str:
    """Return the hash that unknown addresses are held against."""
    return _passwords.hash(secrets.token_urlsafe())


async def _fits(password: str, stored: str | None) -> bool:
    """Compare in the same time whether or not there is such an account (A6).

    Raises:
        errors.RateLimited: too many comparisons wait already; nothing was compared.
    """

    def verify() -> bool:
        try:
            return _passwords.verify(stored or _nobody(), password) and stored is not None
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


class Auth:
    """Signs people in and out and finds out who a token stands for.

    Args:
        clock: the product's time.
        lasts: how long a sign-in lasts.
        support_contact: whom people can ask who can't sign in (A2); nobody where it is empty.
    """

    def __init__(self, clock: Clock, lasts: timedelta, support_contact: str = "") -> None:
        self._clock = clock
        self._way_on = 'Try again, or use "Reset Password".'
        if support_contact:
            self._way_on += f" If that does not help, ask {support_contact}."
        self.lasts = lasts

    @staticmethod
    async def warm_up() -> None:
        """Make the hash for unknown addresses beforehand, or the first such sign-in would take twice as long (A6)."""
        await asyncio.wrap_future(_hashing.submit(_nobody))

    async def sign_in(self, email: str, password: str) -> tuple[str, Actor]:
        """Open a session.

        Args:
            email: the user name, in any case (A4).
            password: the password.

        Returns:
            The token, 43 characters, told this once; and who it stands for.

        Raises:
            errors.Unauthenticated: unknown address or wrong password, told alike (A6).
            errors.RateLimited: too many people are signing in at this moment; no password was looked at.
        """
        row = await DB.fetchrow("SELECT * FROM auth_account($1)", email.strip()[:320])
        if not await _fits(password[:1024], row["password_hash"] if row else None) or row is None:
            raise errors.Unauthenticated("The e-mail address or the password is wrong.", way_on=self._way_on)
        token, session_id, now = secrets.token_urlsafe(32), uuid7(), self._clock.now()
        await DB.execute(
            "SELECT auth_open_session($1, $2, $3, $4, $5, $6)",
            session_id,
            row["account_id"],
            row["member_id"],
            token_hash(token),
            now,
            now + self.lasts,
        )
        actor = Actor(
            account_id=row["account_id"],
            session_id=session_id,
            role=Role(row["role"]),
            practice_id=row["practice_id"],
            member_id=row["member_id"],
        )
        return token, actor

    async def authenticate(self, token: str | None) -> Actor | None:
        """Return who a token stands for; None where it is unknown, ended or expired. One statement."""
        if not token or len(token) > 200:
            return None
        row = await DB.fetchrow("SELECT * FROM auth_session($1, $2)", token_hash(token), self._clock.now())
        if row is None:
            return None
        return Actor(
            account_id=row["account_id"],
            session_id=row["session_id"],
            role=Role(row["role"]),
            practice_id=row["practice_id"],
            member_id=row["member_id"],
        )

    async def sign_out(self, actor: Actor) -> None:
        """End the session on every process: HTTP at once, sockets within a second (A10)."""
        async with unit() as work:
            await DB.execute("SELECT auth_end_session($1, $2)", actor.session_id, self._clock.now())
            work.publish(Topic(SESSION_STREAM, actor.session_id), 1)


def session_cookie(token: str, lasts: timedelta | None) -> str:
    """Return the value of the `Set-Cookie` header that signs a browser in, or out where `lasts` is None."""
    age = 0 if lasts is None else int(lasts.total_seconds())
    return f"{COOKIE}={token}; Path=/; Max-Age={age}; Secure; HttpOnly; SameSite=Lax"
