"""Guests: people who came by a link and have no account; a short-lived bearer, bound to one thing (C6, promise A4)."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from bedside_core.auth.actor import Actor, Role
from bedside_core.auth.tokens import GUEST_PREFIX, SESSION_STREAM, token_hash
from bedside_core.clock import Clock
from bedside_core.database import DB, Work
from bedside_core.ids import uuid7
from bedside_core.live import Topic

LASTS = timedelta(hours=1)
"""How long a bearer lasts that is not used; `guest_seen` of the migrations renews it by as much."""


@dataclass(frozen=True, kw_only=True)
class GuestPass:
    """What a link's secret is exchanged for.

    Args:
        token: the bearer, told this once.
        actor: who it stands for.
        expires_at: when it ends unless it is used.
    """

    token: str
    actor: Actor
    expires_at: datetime


async def guest_actor(token: str, now: datetime) -> Actor | None:
    """Return who a guest's token stands for; None where it is unknown, ended or expired. One statement."""
    row = await DB.fetchrow("SELECT * FROM auth_guest($1, $2)", token_hash(token), now)
    if row is None:
        return None
    return _actor(row["session_id"], row["practice_id"], row["person_id"], row["bound_to"], row["scopes"])


class Guests:
    """Opens and ends guests' sessions. Whether a link is good is for the caller to have asked.

    Args:
        clock: the product's time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def open(
        self,
        work: Work,
        *,
        practice_id: UUID,
        person_id: UUID,
        bound_to: UUID,
        until: datetime,
        scopes: Collection[str] | None = None,
    ) -> GuestPass:
        """Let a guest in, within the unit of work that looks at the link.

        Args:
            work: the unit's.
            practice_id: whose guest it is.
            person_id: the patient or contact that the link was sent to, or whoever else came by it.
            bound_to: the one conversation, or whatever else the link leads to.
            until: when the link ends; no bearer outlives it.
            scopes: the permissions they are confined to; None is all that guests have.

        Returns:
            The bearer, and who it stands for. Of a person's bearers for the same thing the ten newest stay.
        """
        _open(work)
        token, session_id, now = f"{GUEST_PREFIX}{secrets.token_urlsafe(32)}", uuid7(), self._clock.now()
        rows = await DB.fetch(
            "SELECT * FROM guest_open($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            session_id, practice_id, person_id, bound_to, token_hash(token), now, min(now + LASTS, until), until,
            None if scopes is None else sorted(scopes),
        )  # fmt: skip
        _told(work, [row["id"] for row in rows])
        return GuestPass(
            token=token,
            actor=_actor(session_id, practice_id, person_id, bound_to, scopes),
            expires_at=min(now + LASTS, until),
        )

    async def end(self, work: Work, *, bound_to: UUID | None = None, person_id: UUID | None = None) -> int:
        """End guests' sessions within a unit: on every process HTTP is refused and sockets are closed after its commit.

        Args:
            work: the unit's.
            bound_to: those bound to this; with a person only that person's.
            person_id: those of this person; without anything they are bound to all of theirs.

        Returns:
            How many were open.
        """
        _open(work)
        if bound_to is None and person_id is None:
            raise ValueError("whose sessions are to end?")
        rows = await DB.fetch("SELECT * FROM guest_end($1, $2)", bound_to, person_id)
        _told(work, [row["id"] for row in rows])
        return len(rows)


def _actor(
    session_id: UUID, practice_id: UUID, person_id: UUID, bound_to: UUID, scopes: Collection[str] | None
) -> Actor:
    return Actor(
        account_id=session_id,
        session_id=session_id,
        role=Role.GUEST,
        practice_id=practice_id,
        guest=person_id,
        bound_to=bound_to,
        scopes=None if scopes is None else frozenset(scopes),
    )


def _told(work: Work, ended: list[UUID]) -> None:
    for session_id in ended:
        work.publish(Topic(SESSION_STREAM, session_id), 1)


def _open(work: Work) -> None:
    if work.over:
        raise RuntimeError("guests' sessions are opened and ended in an open unit of work")
