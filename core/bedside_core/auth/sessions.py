"""Credentials become an Actor: sign-in, opaque tokens, and their end, for HTTP and sockets alike."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.auth.actor import Actor, Role
from bedside_core.auth.passwords import fits
from bedside_core.clock import Clock
from bedside_core.database import DB, Row, acting, unit
from bedside_core.ids import uuid7
from bedside_core.live import Topic

COOKIE = "__Host-bedside"
"""Cookie of browsers of our own origin; `__Host-` binds it to this host, path / and Secure (RFC 6265bis)."""

SESSION_STREAM = "session"
"""Kind of live stream that tells the end of a session: position 0 is open, 1 is ended."""


def token_hash(token: str) -> bytes:
    """Return what is stored of a token: its SHA-256, 32 bytes. Tokens are random, so no salt is needed."""
    return hashlib.sha256(token.encode()).digest()


class Auth:
    """Signs people in and out and finds out who a token stands for.

    Args:
        clock: the product's time.
        lasts: how long a sign-in lasts.
        support_contact: whom people can ask who can't sign in (A2); nobody where it is empty.
    """

    def __init__(self, clock: Clock, lasts: timedelta, support_contact: str = "") -> None:
        self._clock = clock
        self._way_on = "Try again."
        if support_contact:
            self._way_on += f" If that does not help, ask {support_contact}."
        self.lasts = lasts

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
        if not await fits(password[:1024], row["password_hash"] if row else None) or row is None:
            await self._refused(row)
            raise errors.Unauthenticated("The e-mail address or the password is wrong.", way_on=self._way_on)
        token, session_id, now = secrets.token_urlsafe(32), uuid7(), self._clock.now()
        actor = Actor(
            account_id=row["account_id"],
            session_id=session_id,
            role=Role(row["role"]),
            practice_id=row["practice_id"],
            member_id=row["member_id"],
        )
        with _trail_of(actor.practice_id):
            async with unit():
                await DB.execute(
                    "SELECT auth_open_session($1, $2, $3, $4, $5, $6)",
                    session_id,
                    row["account_id"],
                    row["member_id"],
                    token_hash(token),
                    now,
                    now + self.lasts,
                )
                audit.did("session.open", kind="session", target=session_id, actor=actor)
        return token, actor

    async def _refused(self, row: Row | None) -> None:
        """Enter an attempt that failed; that of an unknown address too, or its answer would come sooner (A6)."""
        with _trail_of(row["practice_id"] if row else None):
            async with unit():
                audit.did("session.refuse", kind="account", target=row["account_id"] if row else None)

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
        with _trail_of(actor.practice_id):
            async with unit() as work:
                await DB.execute("SELECT auth_end_session($1, $2)", actor.session_id, self._clock.now())
                audit.did("session.end", kind="session", target=actor.session_id, actor=actor)
                work.publish(Topic(SESSION_STREAM, actor.session_id), 1)


def _trail_of(practice_id: UUID | None) -> AbstractContextManager[None]:
    """Act for the practice in whose trail a sign-in stands; that of the operator stands in the deployment's."""
    return acting(practice_id or audit.DEPLOYMENT)


def session_cookie(token: str, lasts: timedelta | None) -> str:
    """Return the value of the `Set-Cookie` header that signs a browser in, or out where `lasts` is None."""
    age = 0 if lasts is None else int(lasts.total_seconds())
    return f"{COOKIE}={token}; Path=/; Max-Age={age}; Secure; HttpOnly; SameSite=Lax"
