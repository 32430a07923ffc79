"""Reads sessions: one's own found and listed, who takes part in them, how full they are, and what changes, live."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import (
    DB,
    Actor,
    InvalidInput,
    NotFound,
    Page,
    Topic,
    audit,
    cursor_of,
    follow,
    key_of,
    page_of,
    page_size,
)
from bedside_telehealth.api import SESSION_STREAM, Place, Session, SessionPerson, SessionRole
from bedside_telehealth.links import SessionLinks, links_of
from bedside_telehealth.problems import TakenOver
from bedside_telehealth.rows import MISSING, OWN, PERSON, SESSION, VISIBLE, aliased, person_of, session_of
from bedside_telehealth.rules import INSIDE, KEPT_OUT, Standing, not_there, standing_of

if TYPE_CHECKING:
    from bedside_core.api import Platform

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_TEXT = 200
"""Characters of a search."""
BATCH = 100

_MINE = f"""SELECT {SESSION} FROM video_participant p JOIN video_session s ON {OWN}"""
_BY_NAME = """ AND strpos(lower(s.name), lower($2)) > 0 AND ($3 OR s.ended_at IS NULL)
    AND ($5::timestamptz IS NULL OR (s.created_at, s.id) < ($5, $6::uuid))
ORDER BY s.created_at DESC, s.id DESC LIMIT $4"""
_PEOPLE = f"""SELECT {PERSON}, p.added_at FROM video_participant v
JOIN video_participant p ON p.session_id = v.session_id AND {VISIBLE}
WHERE v.session_id = $1 AND v.person_id = $2 AND v.place NOT IN ('declined', 'removed')
    AND ($4::timestamptz IS NULL OR (p.added_at, p.id) > ($4, $5::uuid))
ORDER BY p.added_at, p.id LIMIT $3"""
_COUNTS = """SELECT session_id, count(*) FILTER (WHERE place IN ('in', 'away')) AS inside,
    count(*) FILTER (WHERE place = 'waiting') AS waiting
FROM video_participant WHERE session_id = ANY($1) AND place IN ('waiting', 'in', 'away') GROUP BY session_id"""
# In one statement, and so at one instant: between two, the one could learn of a later position than the other.
_CHANGED = f"""SELECT {SESSION}, {aliased(PERSON, "own_")}, own_visible FROM video_session s
JOIN video_participant v ON v.session_id = s.id AND v.person_id = $2
LEFT JOIN LATERAL (
    SELECT p.*, {VISIBLE} AS own_visible FROM video_participant p
    WHERE p.session_id = s.id AND p.changed > $3 AND ({VISIBLE} OR (p.listed OR p.joined_at IS NOT NULL)
        AND (v.kind = 'member' OR v.place IN ('in', 'away')))
    ORDER BY p.changed LIMIT $4
) p ON true
WHERE s.id = $1 ORDER BY p.changed"""
# Whose place it is, and how many came before those who wait.
_PLACE = f"""SELECT {SESSION}, {aliased(PERSON, "own_")}, (SELECT count(*) FROM video_participant o
    WHERE o.session_id = s.id AND o.place = 'waiting' AND (o.waiting_since, o.id) < (p.waiting_since, p.id)) AS ahead
FROM video_session s JOIN video_participant p ON p.session_id = s.id AND p.person_id = $2 WHERE s.id = $1"""


@dataclass(frozen=True, kw_only=True)
class Fullness:
    """How many people a session has.

    Args:
        inside: who have a place in it.
        waiting: who wait.
    """

    inside: int = 0
    waiting: int = 0


@dataclass(frozen=True, kw_only=True)
class SessionChange:
    """One thing that has changed in a session; one of session, person and gone is there.

    Args:
        position: of the change.
        session: the session itself, whose settings have changed, or which has ended.
        person: a participant as they are now.
        gone: the participant whom the reader sees no longer.
    """

    position: int
    session: Session | None = None
    person: SessionPerson | None = None
    gone: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class OwnPlace:
    """Where somebody is in a session themselves.

    Args:
        person: they as its participant.
        ahead: how many wait who came before them.
        ended: whether the session has ended.
    """

    person: SessionPerson
    ahead: int
    ended: bool


class Reading:
    """Reads telehealth's tables.

    Args:
        platform: access and live streams.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def session(self, actor: Actor, session_id: UUID) -> Session:
        """Return a session that the actor takes part in, whatever the plan (L5).

        Raises:
            NotFound: none of theirs.
        """
        await self._platform.access.require(actor, "telehealth.read", session_id)
        return (await self.standing(actor, session_id)).session

    async def sessions(
        self, actor: Actor, *, text: str, ended: bool, first: int | None, after: str | None
    ) -> Page[Session]:
        """Return the sessions that the actor takes part in, the newest first (T5, T12).

        Args:
            actor: whose.
            text: those alone whose name holds it, in any case, at most 200 characters.
            ended: those, too, that have ended.
            first: how many.
            after: cursor after which the page begins.

        Raises:
            InvalidInput: the text is too long, or a foreign cursor.
        """
        await self._platform.access.require(actor, "telehealth.read")
        if len(text) > LONGEST_TEXT:
            raise InvalidInput(f"A search has at most {LONGEST_TEXT} characters.", field=("text",))
        size, key = page_size(first), key_of(after, int, UUID)
        rows = await DB.fetch(
            f"{_MINE} AND ($7::uuid IS NULL OR s.id = $7){_BY_NAME}",
            actor.person_id,
            text.strip(),
            ended,
            size + 1,
            _instant(key[0]) if key else None,
            key[1] if key else None,
            actor.bound_to,
        )
        return page_of(
            [session_of(row) for row in rows], size, lambda each: _key(each.created_at, each.id), after=after
        )

    async def sessions_by_id(self, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Session]:
        """Return those of the sessions that the actor takes part in, in one statement."""
        rows = await DB.fetch(f"{_MINE} AND s.id = ANY($2)", actor.person_id, list(ids))
        return {row["id"]: session_of(row) for row in rows}

    async def people(
        self, actor: Actor, session_id: UUID, *, first: int | None, after: str | None
    ) -> Page[SessionPerson]:
        """Return who takes part in a session that the caller was given, as far as the actor sees them (T15).

        Chairs see everybody; others who is in it and on the list; patients and guests who are not in it themselves
        alone.

        Raises:
            InvalidInput: a foreign cursor.
        """
        size, key = page_size(first), key_of(after, int, UUID)
        rows = await DB.fetch(
            _PEOPLE,
            session_id,
            actor.person_id,
            size + 1,
            _instant(key[0]) if key else None,
            key[1] if key else None,
        )
        added = {row["id"]: row["added_at"] for row in rows}
        return page_of([person_of(row) for row in rows], size, lambda each: _key(added[each.id], each.id), after=after)

    async def counts(self, session_ids: Sequence[UUID]) -> Mapping[UUID, Fullness]:
        """Return how many are in sessions and wait, in one statement."""
        rows = await DB.fetch(_COUNTS, list(session_ids))
        found = {row["session_id"]: Fullness(inside=row["inside"], waiting=row["waiting"]) for row in rows}
        return {each: found.get(each, Fullness()) for each in session_ids}

    async def links(self, actor: Actor, session_id: UUID) -> SessionLinks:
        """Return a session's links, to be shared again (T5).

        Raises:
            NotFound: none of theirs.
            Forbidden: the actor is no chair.
        """
        await self._platform.access.require(actor, "telehealth.chair", session_id)
        session = (await self.standing(actor, session_id)).session
        return links_of(self._platform, session.id, session.link_version)

    async def own_places(self, actor: Actor, session_ids: Sequence[UUID]) -> Mapping[UUID, SessionPerson]:
        """Return the actor as participant of sessions, in one statement."""
        rows = await DB.fetch(
            f"SELECT {PERSON} FROM video_participant p WHERE p.session_id = ANY($1) AND p.person_id = $2",
            list(session_ids),
            actor.person_id,
        )
        return {row["session_id"]: person_of(row) for row in rows}

    async def place(self, actor: Actor, session_id: UUID) -> OwnPlace:
        """Return where the actor is in a session.

        Raises:
            NotFound: nowhere.
        """
        await self._platform.access.require(actor, "telehealth.join", session_id)
        found = await self._place(actor, session_id)
        if found is None:
            raise NotFound(MISSING)
        return found[1]

    async def places(self, actor: Actor, session_id: UUID, seat: UUID | None) -> AsyncGenerator[OwnPlace, None]:
        """Follow where the actor is in a session: first as it is, then each time it changes (T15, T16).

        Args:
            actor: a participant.
            session_id: the session.
            seat: the tab's own; the stream ends once a newer one has the place.

        Raises:
            Problem: the refusal, at the start or later.
            TakenOver: another tab has the place.
        """
        last: OwnPlace | None = None

        async def read(position: int) -> list[tuple[int, OwnPlace]]:
            await self._platform.access.require(actor, "telehealth.join", session_id)
            found = await self._place(actor, session_id)
            if found is None:
                raise not_there().problem()
            if seat is not None and found[1].person.seat != seat:
                raise TakenOver("You have come to this session by another tab or device since.")
            return [found] if found[0] > position else []

        topic = Topic(SESSION_STREAM, session_id)
        async with aclosing(follow(self._platform.live, topic, read, -1)) as stream:
            async for place in stream:
                if place != last:
                    yield place
                    last = place

    async def changes(self, actor: Actor, session_id: UUID, after: str | None) -> AsyncGenerator[SessionChange, None]:
        """Follow all that changes in a session, each thing as it is when it is handed out (promise D7).

        A thing that has changed several times meanwhile comes once, so no cursor is too old. Who waits is told to
        chairs alone. Access is asked anew before anything is handed out.

        Args:
            actor: somebody who takes part; patients and guests once they are in it.
            session_id: one of theirs.
            after: cursor of the last change the client has; without it the stream begins with the next.

        Raises:
            Problem: the refusal, at the start or later.
        """
        await self._platform.access.require(actor, "telehealth.read", session_id)
        key, now = key_of(after, int), (await self.standing(actor, session_id)).session.position
        cursor = now if key is None else key[0]
        if cursor > now:
            raise InvalidInput("This cursor is beyond the session's last change.", field=("after",))

        async def read(position: int) -> list[tuple[int, SessionChange]]:
            await self._platform.access.require(actor, "telehealth.read", session_id)
            rows = await DB.fetch(_CHANGED, session_id, actor.person_id, position, BATCH)
            if not rows:
                raise not_there().problem()
            found = [_change(person_of(row, "own_"), row["own_visible"]) for row in rows if row["own_id"] is not None]
            session = session_of(rows[0])
            whole = len(found) < BATCH
            if session.changed > position and (whole or session.changed < found[-1].position):
                found.append(SessionChange(position=session.changed, session=session))
                _saw(session)
            return [(each.position, each) for each in sorted(found, key=lambda each: each.position)]

        topic = Topic(SESSION_STREAM, session_id)
        async with aclosing(follow(self._platform.live, topic, read, cursor)) as stream:
            async for change in stream:
                yield change

    async def standing(self, actor: Actor, session_id: UUID) -> Standing:
        """Return where an actor stands with a session whose right to it was asked.

        Raises:
            NotFound: there is none within their reach.
        """
        found = await standing_of(actor, session_id)
        if found is None:
            raise not_there().problem()
        return found

    async def _place(self, actor: Actor, session_id: UUID) -> tuple[int, OwnPlace] | None:
        row = await DB.fetchrow(_PLACE, session_id, actor.person_id)
        if row is None:
            return None
        person, ended = person_of(row, "own_"), row["ended_at"] is not None
        ahead = row["ahead"] if person.place is Place.WAITING else 0
        return row["position"], OwnPlace(person=person, ahead=ahead, ended=ended)


async def positions(session_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """Return the position of each session, for whoever follows it, across practices."""
    rows = await DB.fetch("SELECT * FROM telehealth_positions($1)", list(session_ids))
    return {row["id"]: row["position"] for row in rows}


def sees_all(person: SessionPerson | None) -> bool:
    """Tell whether a participant sees who waits: as a chair."""
    return person is not None and person.role is SessionRole.CHAIR and person.place not in KEPT_OUT


def is_inside(person: SessionPerson) -> bool:
    """Tell whether a participant has a place in the session."""
    return person.place in INSIDE


def _change(person: SessionPerson, visible: bool) -> SessionChange:
    if visible:
        return SessionChange(position=person.changed, person=person)
    return SessionChange(position=person.changed, gone=person.id)


def _saw(session: Session) -> None:
    if session.about_patient_id is not None:
        audit.saw([session.about_patient_id], practice_id=session.practice_id)


def _key(at: datetime, id: UUID) -> tuple[int, str]:
    return (at - EPOCH) // timedelta(microseconds=1), str(id)


def _instant(microseconds: int) -> datetime:
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise InvalidInput("This is not a cursor of this list.", field=("after",)) from None


def cursor_at(position: int) -> str:
    """Return a position as clients keep it."""
    return cursor_of(position)
