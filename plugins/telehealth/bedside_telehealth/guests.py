"""Who comes by a guest link: recognised where they are signed in, else let in under a name they give (T8, T16, A6)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, Forbidden, GuestPass, InvalidInput, LinkOver, Row, acting, audit, checks, uuid7
from bedside_telehealth.admission import insert
from bedside_telehealth.api import Session, SessionAccess, SessionPersonKind
from bedside_telehealth.changing import Changing, changing
from bedside_telehealth.links import is_secret, session_in
from bedside_telehealth.permissions import GUEST_SCOPES
from bedside_telehealth.problems import SessionOver, SignInNeeded
from bedside_telehealth.rows import SESSION, session_of
from bedside_telehealth.rules import qualifies

if TYPE_CHECKING:
    from bedside_core.api import Platform

LASTS = timedelta(days=1)
"""How long a guest's bearer lasts at most; by what the browser is known a further one is had."""
MOST_UNSEEN = 100
"""Guests of a session who came by its link and never joined; of more the oldest are forgotten."""
LONGEST_NAME = 80

_KNOWN = """SELECT id, place, rejoin_hash FROM video_participant
WHERE session_id = $1 AND kind = 'guest' AND (rejoin_hash = $2 OR rejoin_before = $2)"""
_UNSEEN = """DELETE FROM video_participant WHERE id IN (SELECT id FROM video_participant
    WHERE session_id = $1 AND kind = 'guest' AND place = 'out' AND joined_at IS NULL
    ORDER BY id DESC OFFSET $2) RETURNING id"""


@dataclass(frozen=True, kw_only=True)
class Entered:
    """What somebody gets for a guest link's secret.

    Args:
        session_id: the one session it reaches.
        bearer: the guest's token, and how long it lasts; None for who is signed in and joins as themselves.
        rejoin: by what the guest's browser is known next time; it takes the place of the older one.
    """

    session_id: UUID
    bearer: GuestPass | None = None
    rejoin: str | None = None


class GuestLinks:
    """Exchanges guest links' secrets.

    Args:
        platform: sign-in, clock and the deployment's key.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def exchange(
        self, secret: str, *, name: str | None, rejoin: str | None, actor: Actor | None, network: str
    ) -> Entered:
        """Let in whoever has the link: the secret is good until it is renewed or the session ends.

        Args:
            secret: what stands behind `#`.
            name: the display name of who is not signed in (T8).
            rejoin: by what their browser is known, where they came before (T16).
            actor: who is signed in there.
            network: where the caller is; six secrets in a row that are nobody's lock it for a while.

        Raises:
            LinkOver: it leads nowhere, or nowhere any more.
            SessionOver: the session has ended.
            SignInNeeded: the session is not for guests.
            Forbidden: who is signed in does not qualify.
            InvalidInput: no name.
            Locked: too many secrets were tried from there.
        """
        wanted = session_in(secret)
        row = await DB.fetchrow("SELECT * FROM telehealth_link($1)", wanted) if wanted else None
        good = bool(row and wanted and is_secret(self._platform, secret, wanted, row["link_version"]))
        inside = bool(row and wanted and not good and await self._inside(row["practice_id"], wanted, rejoin))
        await self._platform.auth.attempts.settle(f"visit link from {network}", good or inside, account=None)
        if row is None or wanted is None or not (good or inside):
            raise LinkOver(
                "There is no such link.", way_on="Ask for the newest one.", detail={"state": "unknown", "support": None}
            )
        practice_id: UUID = row["practice_id"]
        with acting(practice_id):
            session = await _session(wanted)
            if actor is not None and await _recognised(session, actor):
                return Entered(session_id=wanted)
            if session.access is not SessionAccess.INVITATION:
                raise SignInNeeded("This session is for people of the practice.", way_on="Sign in, and come again.")
            return await self._enter(session, name, rejoin)

    async def _inside(self, practice_id: UUID, session_id: UUID, rejoin: str | None) -> bool:
        """Tell whether an older link's guest is in the session still, or waits: they come back all the same (T16)."""
        if not rejoin:
            return False
        with acting(practice_id):
            row = await DB.fetchrow(_KNOWN, session_id, _hash(rejoin))
        return row is not None and row["place"] in {"in", "away", "waiting"}

    async def _enter(self, session: Session, name: str | None, rejoin: str | None) -> Entered:
        given = _hash(rejoin) if rejoin else None
        async with changing(self._platform, session, None) as change:
            known = await DB.fetchrow(_KNOWN, session.id, given) if given else None
            named = None if known else checks.text(name or "", ("name",), longest=LONGEST_NAME)
            fresh = secrets.token_urlsafe(32)
            participant_id = await _noted(change, known, named)
            await DB.execute(
                "UPDATE video_participant SET rejoin_hash = $2, rejoin_before = $3 WHERE id = $1",
                participant_id, _hash(fresh), given if known else None,
            )  # fmt: skip
            bearer = await self._platform.auth.guests.open(
                change.work,
                practice_id=session.practice_id,
                person_id=participant_id,
                bound_to=session.id,
                until=change.now + LASTS,
                scopes=GUEST_SCOPES,
            )
            audit.did("telehealth.guest_enter", kind="video_session", target=session.id, actor=bearer.actor)
        return Entered(session_id=session.id, bearer=bearer, rejoin=fresh)


async def _session(session_id: UUID) -> Session:
    """Return the session that a link leads to.

    Raises:
        SessionOver: it has ended.
    """
    row = await DB.fetchrow(f"SELECT {SESSION} FROM video_session s WHERE s.id = $1 AND s.ended_at IS NULL", session_id)
    if row is None:
        raise SessionOver("This session has ended.", way_on="Ask for the link of another one.")
    return session_of(row)


async def _recognised(session: Session, actor: Actor) -> bool:
    """Tell whether somebody who is signed in joins as themselves: of the practice, or on the list (T8).

    Raises:
        Forbidden: they do not qualify.
    """
    if actor.guest is not None or actor.pending is not None or actor.person_id is None:
        return False
    row = await DB.fetchrow(
        "SELECT kind, home_id, listed FROM video_participant WHERE session_id = $1 AND person_id = $2",
        session.id,
        actor.person_id,
    )
    if row is None and actor.practice_id != session.practice_id:
        return False
    kind = SessionPersonKind.MEMBER if actor.member_id else SessionPersonKind.PATIENT
    home: UUID = row["home_id"] if row else session.practice_id
    if not qualifies(session, kind, home, listed=bool(row and row["listed"])):
        raise Forbidden("This session is for others.", way_on="Ask whoever gave you the link.")
    return True


async def _noted(change: Changing, known: Row | None, name: str | None) -> UUID:
    """Return the participant a guest is: the one they were, or a new one."""
    if known is not None:
        return known["id"]
    if name is None:
        raise InvalidInput("This is required.", field=("name",))
    participant_id = uuid7()
    await insert(change, participant_id, SessionPersonKind.GUEST, participant_id, name)
    for gone in await DB.fetch(_UNSEEN, change.session.id, MOST_UNSEEN):
        await change.platform.auth.guests.end(change.work, bound_to=change.session.id, person_id=gone["id"])
    return participant_id


def _hash(rejoin: str) -> bytes:
    return hashlib.sha256(rejoin[:100].encode()).digest()
