"""Takes times: holds them, confirms what is held, and books, for members any free time, for patients what is offered.

Of many who take a time at once one has it (S5); the others are told the next free ones (S4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from asyncpg import UniqueViolationError  # pyright: ignore[reportMissingTypeStubs]

from bedside_core.api import DB, Actor, Conflict, InvalidInput, NotFound, Problem, Work, audit, unit
from bedside_portal.api import PortalInvitations
from bedside_scheduling.api import (
    Appointment,
    AppointmentBooked,
    AppointmentKind,
    AppointmentState,
    HoldOver,
    SlotNotOffered,
    SlotTaken,
)
from bedside_scheduling.changes import locked
from bedside_scheduling.consequences import changed
from bedside_scheduling.keeping import NewAppointment, freed, hold_calendars, put, taken
from bedside_scheduling.offering import Offering
from bedside_scheduling.offers import Offers
from bedside_scheduling.reading import Reading
from bedside_scheduling.rules import require_own
from bedside_scheduling.settings import SchedulingSettings
from bedside_scheduling.standing import MISSING
from bedside_scheduling.wanted import Wanted, digest, hold_patients, outlined, practitioners

if TYPE_CHECKING:
    from bedside_core.api import Platform

MOST_HELD = 3
"""Times that a patient holds at once."""
MOST_NEXT = 3
"""Starts of free times that whoever was too late is told."""

_BEFORE = "SELECT id, asked FROM appointment WHERE booked_by = $1 AND client_id = $2"
# Only a look, that waits for nobody: with the calendars held there is another one.
_TAKEN_BY_NOW = """SELECT EXISTS (
    SELECT FROM appointment_member m JOIN appointment a ON a.id = m.appointment_id
    WHERE m.member_id = ANY($1) AND m.active AND m.starts_at > $2::timestamptz - interval '24 hours'
        AND m.starts_at < $3 AND a.ends_at > $2 AND (a.state <> 'held' OR a.held_until > $4)
)"""
_ONE_PATIENT = "SELECT pg_advisory_xact_lock(hashtextextended('appointments booked by ' || $1, 0))"
# What the waiting list holds for them they have not chosen.
_AHEAD = """SELECT count(*) AS ahead, count(*) FILTER (WHERE a.state = 'held') AS held FROM appointment a
WHERE a.booked_by = $1 AND a.by_patient AND a.starts_at > $2
    AND (a.state = 'booked' OR (a.state = 'held' AND a.held_until > $2
        AND NOT EXISTS (SELECT FROM waiting_offer o WHERE o.appointment_id = a.id)))"""
_CONFIRM = """UPDATE appointment SET state = 'booked', held_until = NULL, version = version + 1
WHERE id = $1 AND state = 'held' AND held_until > $2 RETURNING id"""
_OFFER_OF = """SELECT o.id FROM waiting_offer o JOIN appointment a ON a.id = o.appointment_id
WHERE a.id = $1 AND a.state = 'held' AND o.state = 'open' AND ($2::uuid IS NULL OR a.booked_by = $2)"""
_RELEASE = "UPDATE appointment SET state = 'lapsed', version = version + 1 WHERE id = $1"


class Booking:
    """Books.

    Args:
        platform: access, people, settings and clock.
        reading: what was booked is read again.
        offering: what patients are offered.
        offers: what the waiting list offers ends with the time that is held for it.
    """

    def __init__(self, platform: Platform, reading: Reading, offering: Offering, offers: Offers) -> None:
        self._platform = platform
        self._reading = reading
        self._offering = offering
        self._offers = offers
        self._looking: dict[tuple[object, ...], asyncio.Task[Sequence[datetime]]] = {}

    async def book(self, actor: Actor, wanted: Wanted, client_id: str, *, invite: Sequence[UUID] = ()) -> Appointment:
        """Book a time; a retry with the same client id returns the first appointment (G9).

        Args:
            actor: a member, who has any free time, or a patient, who has what is offered (S4).
            wanted: what.
            client_id: the client's own id of it.
            invite: patients of it who are invited to the portal in the same step, where they have no account (S2).

        Raises:
            SlotTaken: a practitioner has another appointment at the time; `next` has the next free starts.
            SlotNotOffered: patients may not book it by themselves.
            InvalidInput: a value can't be right.
            NotFound: there is no such member, patient or type.
            AppointmentFull: more patients than it has places for.
            TelehealthNotOffered: none of its practitioners may host video.
            Conflict: the client id has booked something else, or a patient has booked as many as they may.
        """
        return await self._take(actor, wanted, client_id, invite=invite)

    async def hold(self, actor: Actor, wanted: Wanted, client_id: str) -> Appointment:
        """Hold a time for some minutes, as the practice has set; a retry returns what was held first (G9).

        Raises:
            Problem: as for `book`, and Conflict where a patient holds too many times already.
        """
        minutes = (await self._platform.settings.read(SchedulingSettings)).hold_minutes
        return await self._take(actor, wanted, client_id, hold=timedelta(minutes=minutes))

    async def _take(
        self,
        actor: Actor,
        wanted: Wanted,
        client_id: str,
        *,
        hold: timedelta | None = None,
        invite: Sequence[UUID] = (),
    ) -> Appointment:
        _, person_id = actor.as_person()
        await require_own(self._platform, actor, "scheduling.book")
        wanted = _own(actor, wanted)
        if not set(invite) <= set(wanted.patient_ids):
            raise NotFound("This patient is not on the appointment.", field=("inviteToPortal",))
        asked = digest("hold" if hold else "book", wanted, invite)
        # The answer to the first may have been lost, and much may have changed since: a retry looks at nothing else.
        if (first := await _before(person_id, client_id, asked)) is not None:
            return await self._reading.one(actor, first)
        outline, now = await outlined(self._platform, actor, wanted), self._platform.clock.now()
        new = NewAppointment(
            type_id=wanted.type_id,
            kind=wanted.kind,
            starts_at=wanted.starts_at,
            ends_at=outline.ends_at,
            zone=outline.zone,
            member_ids=wanted.member_ids,
            patient_ids=wanted.patient_ids,
            capacity=outline.capacity,
            booked_by=person_id,
            by_patient=actor.patient_id is not None,
            client_id=client_id,
            asked=asked,
            held_until=now + hold if hold else None,
        )
        try:
            made = await self._write(actor, new, invite)
        except UniqueViolationError:  # the same id came twice at once, for other practitioners
            made = await _before(person_id, client_id, asked)
            if made is None:
                raise
        except (SlotTaken, SlotNotOffered) as refused:
            raise await self.with_next(
                actor, refused, wanted.type_id, wanted.member_ids, wanted.kind, wanted.starts_at
            ) from None
        return await self._reading.one(actor, made)

    async def _write(self, actor: Actor, new: NewAppointment, invite: Sequence[UUID]) -> UUID:
        holding = new.held_until is not None
        async with unit() as work:
            # Of many who come for one time most are too late already, and need not wait for one another.
            when = (new.starts_at, new.ends_at, self._platform.clock.now())
            too_late = await DB.fetchval(_TAKEN_BY_NOW, list(new.member_ids), *when)
            if not too_late:
                await hold_calendars(self._platform, work, new.member_ids)
            # Taken by the same client's own first try, it may be.
            if (first := await _before(new.booked_by, new.client_id, new.asked)) is not None:
                return first
            if too_late:
                raise taken()
            if new.by_patient:
                await self._must_be_few(new.booked_by, holding=holding)
            await hold_patients(new.patient_ids, ("input", "patientIds"))
            made = await put(self._platform, work, new)
            if new.by_patient:
                await self._must_be_offered(new, made)
            if invite:
                await self._platform.service(PortalInvitations).invite_missing(actor, invite)
            audit.did(
                "scheduling.hold" if holding else "scheduling.book",
                kind="appointment",
                target=made,
                patients=new.patient_ids,
            )
            if not holding:
                await self._booked(work, actor, made, new.kind)
            return made

    async def confirm(self, actor: Actor, appointment_id: UUID) -> Appointment:
        """Book what the actor holds; repeating it changes nothing.

        Raises:
            NotFound: the actor holds nothing of this id.
            HoldOver: it is held no more.
            TelehealthNotOffered: none of its practitioners may host video any more.
        """
        _, person_id = actor.as_person()
        await require_own(self._platform, actor, "scheduling.book")
        async with unit() as work:
            found = await locked(actor, appointment_id)
            if found.booked_by != person_id:
                raise NotFound(MISSING)
            if found.state is AppointmentState.HELD:
                await practitioners(self._platform, found.member_ids, found.kind, ("id",))
                if await DB.fetchval(_CONFIRM, appointment_id, self._platform.clock.now()) is None:
                    raise _hold_over()
                audit.did("scheduling.book", kind="appointment", target=appointment_id, patients=found.patient_ids)
                changed(self._platform, work, appointment_id)
                await self._booked(work, actor, appointment_id, found.kind)
            elif found.state is AppointmentState.LAPSED:
                raise _hold_over()
        return await self._reading.one(actor, appointment_id)

    async def release(self, actor: Actor, appointment_id: UUID) -> Appointment:
        """Let go what is held, with the offer of the waiting list that it is; repeating it changes nothing.

        Args:
            actor: the patient who holds it; or any member, as they cancel what others have booked.
            appointment_id: what is held.

        Raises:
            NotFound: nothing of this id is held that the actor may let go.
            Conflict: it is booked.
        """
        practice_id, person_id = actor.as_person()
        await self._platform.access.require(actor, "scheduling.cancel")
        async with unit() as work:
            own = person_id if actor.patient_id is not None else None
            if (offer_id := await DB.fetchval(_OFFER_OF, appointment_id, own)) is not None:
                await self._offers.decline(actor, offer_id)  # which has the calendars before it has the appointment
            found = await locked(actor, appointment_id)
            if own not in (None, found.booked_by):
                raise NotFound(MISSING)
            if found.state is AppointmentState.HELD:
                await DB.execute(_RELEASE, appointment_id)
                audit.did("scheduling.release", kind="appointment", target=appointment_id, patients=found.patient_ids)
                changed(self._platform, work, appointment_id)
                freed(work, practice_id, found.member_ids, found.starts_at, found.ends_at)
            elif found.state is not AppointmentState.LAPSED:
                raise Conflict("It is booked.", way_on="Cancel it with cancelAppointment.")
        return await self._reading.one(actor, appointment_id)

    async def with_next(
        self,
        actor: Actor,
        refused: Problem,
        type_id: UUID | None,
        member_ids: Sequence[UUID],
        kind: AppointmentKind,
        after: datetime,
    ) -> Problem:
        """Return a refusal of a time with the starts of the next free ones; asked after the unit, to hold nobody up."""
        starts = await self._next_free(actor, type_id, tuple(member_ids), kind, after)
        told = [each.isoformat().replace("+00:00", "Z") for each in starts]
        return type(refused)(
            refused.message, way_on=refused.way_on, field=refused.field, detail={**refused.detail, "next": told}
        )

    async def _next_free(
        self, actor: Actor, type_id: UUID | None, member_ids: tuple[UUID, ...], kind: AppointmentKind, after: datetime
    ) -> Sequence[datetime]:
        """Return the next free starts: of many who are told the same at once, one looks for all of them."""
        practice_id, own = actor.as_person()[0], actor.patient_id is not None
        key = (practice_id, own, type_id, member_ids, kind, after)
        looking = self._looking.get(key)
        if looking is None:
            find = self._offering.next_free(type_id, member_ids, kind, after, own=own, many=MOST_NEXT)
            looking = self._looking[key] = asyncio.create_task(find)
            looking.add_done_callback(lambda _: self._looking.pop(key))
        return await asyncio.shield(looking)  # who gives up does not take it from the others

    async def _must_be_few(self, patient_id: UUID, *, holding: bool) -> None:
        """Look whether a patient may book, or hold, one more (S4)."""
        # One patient's are counted one after the other, so that two at once don't both find room.
        await DB.execute(_ONE_PATIENT, str(patient_id))
        row = await DB.fetchrow(_AHEAD, patient_id, self._platform.clock.now())
        assert row is not None
        if holding and row["held"] >= MOST_HELD:
            raise Conflict(f"You hold {MOST_HELD} times already.", way_on="Confirm one, or let one go.")
        most = (await self._platform.settings.read(SchedulingSettings)).most_ahead
        if row["ahead"] >= most:
            raise Conflict(
                f"You have {most} appointments ahead already, as many as you may book by yourself.",
                way_on="Cancel one, or call the practice.",
            )

    async def _must_be_offered(self, new: NewAppointment, made: UUID) -> None:
        """Look, with the calendars held, whether patients may book a time (S4)."""
        [member_id] = new.member_ids
        assert new.type_id is not None
        if not await self._offering.offered(new.type_id, member_id, new.kind, new.starts_at, but=made):
            raise not_offered()

    async def _booked(self, work: Work, actor: Actor, appointment_id: UUID, kind: str) -> None:
        practice_id, _ = actor.as_person()
        work.emit(AppointmentBooked(practice_id=practice_id, appointment_id=appointment_id, kind=kind))


def not_offered() -> SlotNotOffered:
    """Return the refusal; who asks adds the next free slots."""
    return SlotNotOffered("This time is not open to self-scheduling.", way_on="Choose another time.")


def _hold_over() -> HoldOver:
    return HoldOver("The time is held no more.", way_on="Choose a time anew.")


def _own(actor: Actor, wanted: Wanted) -> Wanted:
    """Return what a patient wants, who books for themselves, with one practitioner, and says what it is about.

    Raises:
        NotFound: it is for somebody else.
        InvalidInput: no type, or several practitioners.
    """
    if actor.patient_id is None:
        return wanted
    if not set(wanted.patient_ids) <= {actor.patient_id}:
        raise NotFound("There is no patient with this id that you may see.", field=("input", "patientIds"))
    if wanted.type_id is None:
        raise InvalidInput("What is it about?", field=("input", "typeId"))
    if len(wanted.member_ids) != 1:
        raise InvalidInput("Choose one practitioner.", field=("input", "memberIds"))
    return replace(wanted, patient_ids=(actor.patient_id,))


async def _before(person_id: UUID, client_id: str, asked: bytes | None) -> UUID | None:
    """Return what a client id has made before (G9).

    Raises:
        Conflict: that was something else.
    """
    row = await DB.fetchrow(_BEFORE, person_id, client_id)
    if row is None:
        return None
    if row["asked"] != asked:
        raise Conflict("This clientId was used with other content.", field=("clientId",))
    return row["id"]
