"""Consent becomes a code, a code tokens, and tokens end: sessions of applications (RFC 6749, 7009, 7636, 9700)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from bedside_core import audit
from bedside_core.applications.model import Application
from bedside_core.applications.protocol import Fault, ShownCode, code_fault, refresh_fault
from bedside_core.applications.registry import Registry
from bedside_core.auth import Actor, Auth
from bedside_core.auth.tokens import APPLICATION_PREFIX, token_hash
from bedside_core.auth.trail import in_trail_of
from bedside_core.clock import Clock
from bedside_core.database import DB, unit
from bedside_core.ids import uuid7

CODE_LASTS = timedelta(seconds=60)
ACCESS_LASTS = timedelta(hours=1)
"""A socket that was opened with an access token is closed when that expires; a refreshed one opens the next."""
REFRESH_PREFIX = "bedside_rt_"
_CODE_PREFIX = "bedside_code_"


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What an exchange or a refresh gives.

    Args:
        access: good for `ACCESS_LASTS`.
        refresh: good once, until the session ends.
        scopes: what the access token is confined to.
    """

    access: str
    refresh: str
    scopes: Sequence[str]


class Grants:
    """Gives out and takes back codes and tokens.

    Args:
        clock: the product's time.
        lasts: how long a session of an application lasts at most.
        registry: ends sessions.
        auth: tells who a token stands for.
    """

    def __init__(self, clock: Clock, lasts: timedelta, registry: Registry, auth: Auth) -> None:
        self._clock = clock
        self._lasts = lasts
        self._registry = registry
        self._auth = auth

    async def consent(
        self, actor: Actor, application: Application, redirect_uri: str, scopes: Sequence[str], challenge: str
    ) -> str:
        """Return a code: its owner allows an application to act for them, within scopes."""
        code, now = _CODE_PREFIX + secrets.token_urlsafe(32), self._clock.now()
        async with unit():
            await DB.execute(
                "SELECT application_code_make($1, $2, $3, $4, $5, $6, $7, $8)",
                token_hash(code), application.id, actor.session_id, redirect_uri, list(scopes), challenge,
                now, now + CODE_LASTS,
            )  # fmt: skip
            audit.did(
                "applications.consent", kind="application", target=application.id, detail={"scopes": list(scopes)}
            )
        return code

    async def exchange(self, application: Application, fields: Mapping[str, str]) -> Tokens | Fault:
        """Return tokens for a code. One that was shown before ends what it was good for (RFC 6749, 4.1.2)."""
        shown, now = token_hash(fields.get("code", "")), self._clock.now()
        whose = await DB.fetchrow("SELECT * FROM application_code_practice($1, $2)", shown, application.id)
        practice_id: UUID | None = whose["practice_id"] if whose is not None else application.practice_id
        with in_trail_of(practice_id):
            async with unit() as work:
                row = await DB.fetchrow("SELECT * FROM application_code_take($1, $2, $3)", shown, application.id, now)
                if row is not None and row["opened_id"] is not None:
                    await self._registry.end(work, application.id, row["opened_id"])
                    self._stolen(row["opened_id"], "code")
                code = None
                if row is not None and row["fresh"]:
                    code = ShownCode(redirect_uri=row["redirect_uri"], scopes=row["scopes"], challenge=row["challenge"])
                fault = code_fault(application, fields, code)
                if fault is not None or code is None:
                    return fault or Fault(error="invalid_grant", description="The code is unknown.")
                until = now + self._lasts
                session_id = await DB.fetchval(
                    "SELECT application_open_session($1, $2, $3, $4, $5)",
                    uuid7(), shown, secrets.token_bytes(32), now, until,
                )  # fmt: skip
                if session_id is None:
                    return Fault(error="invalid_grant", description="The sign-in that consented has ended.")
                tokens = await self._issue(session_id, code.scopes, now, until)
                actor = await self._auth.authenticate(tokens.access)
                if actor is None or actor.practice_id != practice_id:
                    await self._registry.end(work, application.id, session_id)
                    return Fault(error="invalid_grant", description="The sign-in has become another's meanwhile.")
                audit.did("session.open", kind="session", target=session_id, actor=actor)
        return tokens

    async def refresh(self, application: Application, fields: Mapping[str, str]) -> Tokens | Fault:
        """Return new tokens for a refresh token. One that was used before ends the session (RFC 9700, 4.14.2).

        A refused request uses none. Fewer scopes, if asked for, confine the access token alone (RFC 6749, 6).
        """
        shown, now = token_hash(fields.get("refresh_token", "")), self._clock.now()
        with _trail_of(application):
            async with unit() as work:
                row = await DB.fetchrow(
                    "SELECT * FROM application_refresh_shown($1, $2, $3)", shown, application.id, now
                )
                if row is not None and row["open"] and not row["fresh"]:
                    await self._registry.end(work, application.id, row["session_id"])
                    self._stolen(row["session_id"], "refresh token")
                usable = row is not None and row["fresh"] and row["open"]
                fault = refresh_fault(application, fields, row["scopes"] if row is not None and usable else None)
                if fault is not None or row is None:
                    return fault or Fault(error="invalid_grant", description="The token is unknown.")
                await DB.execute("SELECT application_refresh_use($1, $2)", shown, now)
                wanted = fields.get("scope", "").split()
                scopes = [scope for scope in row["scopes"] if not wanted or scope in wanted]
                return await self._issue(row["session_id"], scopes, now, row["expires_at"])

    async def revoke(self, application: Application, token: str) -> None:
        """End the session of a token, whichever of its tokens it is; an unknown one is no fault (RFC 7009, 2.2)."""
        with _trail_of(application):
            async with unit() as work:
                session_id: UUID | None = await DB.fetchval(
                    "SELECT application_token_session($1, $2)", token_hash(token), application.id
                )
                if session_id is not None and await self._registry.end(work, application.id, session_id):
                    audit.did(
                        "session.end", kind="session", target=session_id, detail={"application": str(application.id)}
                    )

    async def _issue(self, session_id: UUID, scopes: Sequence[str], now: datetime, until: datetime) -> Tokens:
        access = APPLICATION_PREFIX + secrets.token_urlsafe(32)
        refresh = REFRESH_PREFIX + secrets.token_urlsafe(32)
        await DB.execute(
            "SELECT application_tokens_add($1, $2, $3, $4, $5, $6, $7)",
            session_id, token_hash(access), min(now + ACCESS_LASTS, until), token_hash(refresh), until, list(scopes),
            now,
        )  # fmt: skip
        return Tokens(access=access, refresh=refresh, scopes=scopes)

    def _stolen(self, session_id: UUID, what: str) -> None:
        audit.did("session.end", kind="session", target=session_id, detail={"reason": f"{what} shown again"})


def _trail_of(application: Application) -> AbstractContextManager[None]:
    """Act for the practice whose application it is; that of everybody's stands in the deployment's trail."""
    return in_trail_of(application.practice_id)
