"""Changes of a session: one unit of work each, under the lock of the session's row, told live and to inboxes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, NotFound, Topic, Work, acting, unit
from bedside_telehealth.api import (
    SESSION_STREAM,
    Place,
    Session,
    SessionPerson,
    SessionPersonKind,
    SessionRole,
    VideoParticipantsChanged,
)
from bedside_telehealth.problems import SessionOver
from bedside_telehealth.rows import MISSING, NOBODY, PERSON, SESSION, person_of, session_of

if TYPE_CHECKING:
    from bedside_core.api import Platform

SESSION_KIND = "telehealth.session"
"""The kind of thing that a session is in an inbox."""

_INSIDE = frozenset({Place.IN, Place.AWAY})
_PUT = """UPDATE video_participant SET place = $2, changed = $3, role = $4, listed = $5, seat = $6, waiting_since = $7,
    joined_at = $8, left_at = $9, admitted_at = coalesce($10, admitted_at) WHERE id = $1"""
_PEOPLE = f"SELECT {PERSON} FROM video_participant p WHERE p.session_id = $1"


class Changing:
    """A session that is being changed; its row is locked until the unit's end.

    Args:
        platform: the clock, guests' sessions.
        work: the unit of work.
        session: as it is under the lock.
        actor: who changes it.
    """

    def __init__(self, platform: Platform, work: Work, session: Session, actor: Actor | None) -> None:
        self.platform = platform
        self.work = work
        self.session = session
        self.actor = actor
        self.position = session.position
        self.now: datetime = platform.clock.now()
        self.told: set[UUID] = set()
        """Whose inboxes are told that the session has changed."""
        self.moved: list[UUID] = []
        """Participants who have changed."""

    def next(self) -> int:
        """Return the session's next position."""
        self.position += 1
        return self.position

    async def by_person(self, person_id: UUID | None) -> SessionPerson | None:
        """Return the participant that a person is."""
        row = await DB.fetchrow(f"{_PEOPLE} AND p.person_id = $2", self.session.id, person_id)
        return person_of(row) if row else None

    async def participant(self, participant_id: UUID) -> SessionPerson:
        """Return a participant by their id.

        Raises:
            NotFound: there is none.
        """
        row = await DB.fetchrow(f"{_PEOPLE} AND p.id = $2", self.session.id, participant_id)
        if row is None:
            raise NotFound(NOBODY, field=("participantId",))
        return person_of(row)

    async def people_at(self, places: Collection[Place]) -> list[SessionPerson]:
        """Return who is at one of these places; who waits in the order in which they came."""
        rows = await DB.fetch(
            f"{_PEOPLE} AND p.place = ANY($2) ORDER BY p.waiting_since, p.id", self.session.id, list(places)
        )
        return [person_of(row) for row in rows]

    async def put(
        self,
        person: SessionPerson,
        place: Place,
        *,
        role: SessionRole | None = None,
        seat: UUID | None = None,
        admitted: bool = False,
    ) -> None:
        """Put a participant at a place, or leave them there and change something else of theirs.

        Args:
            person: as they are under the lock.
            place: where they are from now on.
            role: what they do from now on; a chair is on the list.
            seat: the tab they came by.
            admitted: whether a chair lets them in.
        """
        came = place is Place.IN and person.joined_at is None
        left = person.place in _INSIDE and place not in _INSIDE
        since = person.waiting_since or self.now
        role = role or person.role
        await DB.execute(
            _PUT, person.id, place.value, self.next(), role.value, person.listed or role is SessionRole.CHAIR,
            seat or person.seat, since if place is Place.WAITING else None, self.now if came else person.joined_at,
            self.now if left else person.left_at, self.now if admitted else None,
        )  # fmt: skip
        self.touch(person)

    def touch(self, *people: SessionPerson) -> None:
        """Note that participants have changed: who forwards media, and their own inboxes, are told."""
        self.moved += [each.id for each in people]
        self.told |= {each.person_id for each in people if each.kind is not SessionPersonKind.GUEST}

    async def put_out(self, people: Sequence[SessionPerson], place: Place, *, role: SessionRole | None = None) -> None:
        """Put people out at once, on every process; a guest's bearer ends with it where they may not come back.

        Args:
            people: who is in it, or waits.
            place: `out`, or `removed` where only a chair lets them back.
            role: what they would do if they came back.
        """
        for person in people:
            await self.put(person, place, role=role)
            if person.kind is SessionPersonKind.GUEST:
                await self.platform.auth.guests.end(self.work, bound_to=self.session.id, person_id=person.person_id)

    async def tell_chairs(self) -> None:
        """Have the chairs' inboxes told, wherever they are (T15)."""
        rows = await DB.fetch(
            "SELECT person_id FROM video_participant WHERE session_id = $1 AND role = 'chair' AND place <> 'removed'",
            self.session.id,
        )
        self.told |= {row["person_id"] for row in rows}

    async def tell_everyone(self) -> None:
        """Have the inboxes told of all who take part."""
        rows = await DB.fetch(
            """SELECT person_id FROM video_participant
            WHERE session_id = $1 AND kind <> 'guest' AND place NOT IN ('removed', 'declined')""",
            self.session.id,
        )
        self.told |= {row["person_id"] for row in rows}

    async def finish(self) -> None:
        """Write the position, and tell what has changed once the unit is committed."""
        if self.position != self.session.position:
            await DB.execute('UPDATE video_session SET "position" = $2 WHERE id = $1', self.session.id, self.position)
            self.work.publish(Topic(SESSION_STREAM, self.session.id), self.position)
        if self.moved:
            moved = VideoParticipantsChanged(
                practice_id=self.session.practice_id,
                session_id=self.session.id,
                participant_ids=tuple(dict.fromkeys(self.moved)),
            )
            self.work.emit(moved)
        tell(self.platform, self.work, self.session.id, self.told)


def tell(platform: Platform, work: Work, session_id: UUID, person_ids: Iterable[UUID]) -> None:
    """Tell people's inboxes that a session has changed in their lists (T12, C16)."""
    platform.inbox.tell(work, SESSION_KIND, session_id, person_ids)


async def hold(platform: Platform, patients: Iterable[UUID | None]) -> None:
    """Hold patients' records within a unit, in the order of their ids, before anything is put with them."""
    for each in sorted({each for each in patients if each is not None}):
        await platform.people.hold_patient(each)


@asynccontextmanager
async def changing(
    platform: Platform, session: Session, actor: Actor | None, *, patients: Iterable[UUID | None] = ()
) -> AsyncGenerator[Changing]:
    """Change a session as the practice that owns it, once the actor's right to do so was asked.

    Args:
        platform: the clock, guests' sessions, inboxes.
        session: which, as it was found.
        actor: who changes it; None is a guest who is about to be let in.
        patients: whom something is put with; their records are held first, as merging and erasing do.

    Raises:
        NotFound: it is there no longer.
        SessionOver: it has ended.
    """
    with acting(session.practice_id, actor.person_id if actor else None):
        async with unit() as work:
            await hold(platform, patients)
            row = await DB.fetchrow(
                f"SELECT {SESSION} FROM video_session s WHERE s.id = $1 FOR NO KEY UPDATE", session.id
            )
            if row is None:
                raise NotFound(MISSING)
            if row["ended_at"] is not None:
                raise SessionOver("This session has ended.", way_on="Ask for the link of another one.")
            change = Changing(platform, work, session_of(row), actor)
            yield change
            await change.finish()
