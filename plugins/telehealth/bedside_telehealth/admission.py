"""Who comes into a session: joining, waiting, admitting, leaving, and one place for each person (T8, T15-T17, L6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bedside_core.api import DB, Actor, Conflict, InvalidInput, NotFound, Scope, acting, audit, uuid7
from bedside_telehealth.api import Place, Session, SessionPerson, SessionPersonKind, SessionRole
from bedside_telehealth.changing import Changing, changing
from bedside_telehealth.problems import NotAdmitted, SessionFull, TakenOver
from bedside_telehealth.rows import MISSING, NOBODY, SESSION, session_of
from bedside_telehealth.rules import GROUPS, INSIDE, KEPT_OUT, TELEHEALTH, qualifies
from bedside_telehealth.sessions import Sessions
from bedside_telehealth.settings import TelehealthSettings

PEOPLE_LIMIT = "session_people"
"""The plan's limit of people in one session (L6)."""
PAIR = 2
"""People whom a session has without `group_sessions`."""
OUTSIDERS = frozenset({SessionPersonKind.PATIENT, SessionPersonKind.CONTACT, SessionPersonKind.GUEST})
"""Who waits where there is a waiting room (T15)."""

_COME = """INSERT INTO video_participant
    (id, practice_id, session_id, kind, person_id, home_id, shown_name, role, listed, added_at, place, changed)
VALUES ($1, $2, $3, $4, $5, $2, $6, 'broadcaster', false, $7, 'out', $8)"""

_WHERE = f"""SELECT {SESSION} FROM video_participant p JOIN video_session s ON s.id = p.session_id
WHERE p.person_id = $1 AND p.place IN ('waiting', 'in', 'away') AND s.ended_at IS NULL ORDER BY s.id"""


@dataclass(frozen=True, kw_only=True)
class Seat:
    """What somebody has who has come to a session.

    Args:
        session: the session.
        person: they as its participant, who waits or is in it.
    """

    session: Session
    person: SessionPerson


class Admission(Sessions):
    """Lets people into sessions, and out."""

    async def join(self, actor: Actor, session_id: UUID) -> Seat:
        """Come to a session, or come back to one's place there; an older tab of theirs has it no longer (T16).

        Patients and guests wait at every join where there is a waiting room (T15). Who was cut off has their place
        still, and does not wait.

        Args:
            actor: anyone with the participant link whom the access lets in, or the guest of that session.
            session_id: the session.

        Raises:
            NotFound: no session that the actor could come to.
            SessionOver: it has ended.
            NotAdmitted: a chair has declined or removed them, or its access does not let them in any more.
            SessionFull: the plan has no room for more people.
            FeatureNotInPlan: the practice has no sessions, and nobody is in this one; or none of more than two people.
        """
        await self._platform.access.require(actor, "telehealth.join", session_id)
        session = (await self.standing(actor, session_id)).session
        async with changing(self._platform, session, actor, patients=[actor.patient_id]) as change:
            person = await change.by_person(actor.person_id) or await self._come(change, actor)
            if not qualifies(change.session, person.kind, person.home_id, listed=person.listed):
                raise NotAdmitted("This session is not for you any more.", way_on="Ask a chair of the session.")
            if person.place in KEPT_OUT:
                raise NotAdmitted("You were not let into this session.", way_on="Ask whoever invited you.")
            place = await self._place_for(change, person)
            await change.put(person, place, seat=uuid7())
            if place is Place.WAITING and person.place is not Place.WAITING:
                await change.tell_chairs()
        return await self._seat(actor, session_id)

    async def leave(self, actor: Actor, session_id: UUID, seat: UUID | None = None) -> bool:
        """Leave a session; it goes on, though it was its last chair who left (T17). Who left already stays so.

        Args:
            actor: a participant.
            session_id: the session.
            seat: the tab's own; None is whichever there is.

        Returns:
            True.

        Raises:
            NotFound: none that the actor takes part in.
            TakenOver: another tab has the place.
            SessionOver: it has ended.
        """
        await self._platform.access.require(actor, "telehealth.join", session_id)
        session = (await self.standing(actor, session_id)).session
        async with changing(self._platform, session, actor) as change:
            person = await change.by_person(actor.person_id)
            if person is None:
                raise NotFound(MISSING)
            if seat is not None and person.seat != seat:
                raise TakenOver("You have come to this session by another tab or device since.")
            if person.place is Place.WAITING or person.place in INSIDE:
                never_came = person.listed and person.joined_at is None
                await change.put(person, Place.LISTED if never_came else Place.OUT)
                if person.place is Place.WAITING:
                    await change.tell_chairs()
        return True

    async def deactivated(self, practice_id: UUID, member_id: UUID) -> None:
        """Put a member who was deactivated out of whatever session they are in, of any practice (A10)."""
        with acting(practice_id, member_id):
            there = [session_of(row) for row in await DB.fetch(_WHERE, member_id)]
        for session in there:
            async with changing(self._platform, session, None) as change:
                person = await change.by_person(member_id)
                if person is not None:
                    await change.put_out([person], Place.OUT)

    async def admit(self, actor: Actor, session_id: UUID, participant_ids: Sequence[UUID] | None) -> Session:
        """Let people in as a chair: who waits comes in, and who was declined or removed may come back (T15).

        Args:
            actor: a chair.
            session_id: the session.
            participant_ids: whom, each where they wait or are kept out; None is everybody who waits, the first first,
                as many as there is room for.

        Raises:
            NotFound: none of theirs, or nobody in it.
            Forbidden: the actor is no chair.
            SessionFull: the plan has no room for more people.
        """
        session = await self._chaired(actor, session_id)
        async with changing(self._platform, session, actor) as change:
            if participant_ids is None:
                waiting = await change.people_at([Place.WAITING])
                chosen = waiting[: max(1, await self._room(change))] if waiting else []
            else:
                chosen = [await change.participant(each) for each in dict.fromkeys(participant_ids)]
            chosen = [each for each in chosen if each.place is Place.WAITING or each.place in KEPT_OUT]
            if chosen:
                await self._make_room(change, len(chosen))
            for person in chosen:
                place = Place.IN if person.place is Place.WAITING else Place.AWAY
                await change.put(person, place, admitted=True)
                _did("admit", session, person)
            if chosen:
                await change.tell_chairs()
        return (await self.standing(actor, session_id)).session

    async def decline(self, actor: Actor, session_id: UUID, participant_id: UUID) -> Session:
        """Decline somebody who waits, as a chair; who was declined already stays so.

        Raises:
            NotFound: none of theirs, or nobody in it.
            Forbidden: the actor is no chair.
            Conflict: they do not wait.
        """
        return await self._move(actor, session_id, participant_id, Place.WAITING, Place.DECLINED, "decline")

    async def send_back(self, actor: Actor, session_id: UUID, participant_id: UUID) -> Session:
        """Send somebody who is in the session back to the waiting room, as a chair; who waits already stays there.

        Raises:
            NotFound: none of theirs, or nobody in it.
            Forbidden: the actor is no chair.
            InvalidInput: a chair does not wait.
            Conflict: they are not in it.
        """
        return await self._move(actor, session_id, participant_id, Place.IN, Place.WAITING, "send_back")

    async def set_waiting_room(self, actor: Actor, member_id: UUID, enabled: bool) -> bool:
        """Say whether patients and guests of a member's sessions wait, as an owner or manager (T15).

        Raises:
            NotFound: no such member of the practice.
        """
        await self._platform.access.require(actor, "telehealth.waiting_rooms", member_id)
        changes = {"waiting_room": enabled}
        made = await self._platform.settings.change(
            actor, TelehealthSettings, changes, scope=Scope.MEMBER, member_id=member_id
        )
        return made.waiting_room

    async def _move(
        self, actor: Actor, session_id: UUID, participant_id: UUID, at: Place, to: Place, what: str
    ) -> Session:
        session = await self._chaired(actor, session_id)
        async with changing(self._platform, session, actor) as change:
            person = await change.participant(participant_id)
            if to is Place.WAITING and person.role is SessionRole.CHAIR:
                raise InvalidInput("A chair does not wait.", field=("participantId",))
            if person.place is not to:
                if person.place is not at:
                    raise Conflict("They are somewhere else by now.", field=("participantId",))
                await change.put(person, to)
                await change.tell_chairs()
                _did(what, session, person)
        return (await self.standing(actor, session_id)).session

    async def _come(self, change: Changing, actor: Actor) -> SessionPerson:
        """Make a participant of somebody who came by a link and is not on the list: a member or patient.

        Raises:
            NotFound: the access lets them not in.
        """
        practice_id, person_id = actor.as_person()
        session = change.session
        kind = SessionPersonKind.MEMBER if actor.member_id else SessionPersonKind.PATIENT
        if (
            actor.guest is not None
            or practice_id != session.practice_id
            or not qualifies(session, kind, practice_id, listed=False)
        ):
            raise NotFound(MISSING)
        found = (await self._platform.people.known([person_id])).get(person_id)
        if found is None:
            raise NotFound(MISSING)
        await insert(change, uuid7(), kind, person_id, found.person.name)
        made = await change.by_person(person_id)
        if made is None:
            raise NotFound(NOBODY)
        return made

    async def _place_for(self, change: Changing, person: SessionPerson) -> Place:
        """Return where somebody is who comes now."""
        if person.place is Place.WAITING:
            return Place.WAITING
        if person.place in INSIDE:
            return Place.IN
        if await self._waits(change, person):
            return Place.WAITING
        await self._make_room(change, 1)
        return Place.IN

    async def _waits(self, change: Changing, person: SessionPerson) -> bool:
        """Tell whether somebody waits to be admitted: patients and guests, as the practitioner has it (T15).

        Where somebody whom nobody knows was declined or removed, every further one waits, for they may be the same.
        """
        if person.kind not in OUTSIDERS:
            return False
        settings = await self._platform.settings.read(TelehealthSettings, member_id=change.session.host_id)
        if settings.waiting_room or person.kind is not SessionPersonKind.GUEST or person.joined_at is not None:
            return settings.waiting_room
        return bool(
            await DB.fetchval(
                """SELECT EXISTS (SELECT FROM video_participant WHERE session_id = $1 AND kind = 'guest'
                    AND place IN ('declined', 'removed'))""",
                change.session.id,
            )
        )

    async def _room(self, change: Changing) -> int:
        """Return how many more people the plan has room for, counted under the session's lock (L6)."""
        return await self._most(change) - await _inside(change)

    async def _make_room(self, change: Changing, more: int) -> None:
        """Refuse more people than there is room for (L6).

        Raises:
            SessionFull: there is not as much room.
            FeatureNotInPlan: the practice has no sessions, and nobody is in this one; or none of more than two people.
        """
        practice_id, inside = change.session.practice_id, await _inside(change)
        access = self._platform.access
        if inside == 0 and (refusal := await access.lacks(practice_id, TELEHEALTH)):
            raise refusal.problem()  # what runs may finish (L4)
        most = await self._most(change)
        if inside + more <= most:
            return
        if most == PAIR and (refusal := await access.lacks(practice_id, GROUPS)):
            raise refusal.problem()
        raise SessionFull(
            f"This session has room for {most} people.",
            way_on="Wait until somebody leaves.",
            detail={"limit": most},
        )

    async def _most(self, change: Changing) -> int:
        practice_id = change.session.practice_id
        limit = await self._platform.access.limit(practice_id, PEOPLE_LIMIT)
        most = NO_LIMIT if limit is None else limit
        return min(most, PAIR) if await self._platform.access.lacks(practice_id, GROUPS) else most

    async def _seat(self, actor: Actor, session_id: UUID) -> Seat:
        standing = await self.standing(actor, session_id)
        if standing.person is None:
            raise NotFound(MISSING)
        return Seat(session=standing.session, person=standing.person)


NO_LIMIT = 1_000_000
"""People where a plan names no limit."""


async def insert(change: Changing, id: UUID, kind: SessionPersonKind, person_id: UUID, name: str) -> None:
    """Make a participant of somebody of the owning practice who came by a link, as a broadcaster (T9)."""
    await DB.execute(
        _COME, id, change.session.practice_id, change.session.id, kind.value, person_id, name, change.now,
        change.next(),
    )  # fmt: skip


async def _inside(change: Changing) -> int:
    return await DB.fetchval(
        "SELECT count(*) FROM video_participant WHERE session_id = $1 AND place IN ('in', 'away')", change.session.id
    )


def _did(what: str, session: Session, person: SessionPerson) -> None:
    audit.did(
        f"telehealth.{what}",
        kind="video_session",
        target=session.id,
        patients=[person.person_id] if person.kind is SessionPersonKind.PATIENT else (),
        detail={"participant": str(person.id)},
    )
