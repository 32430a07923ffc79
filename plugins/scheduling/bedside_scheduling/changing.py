"""Moves appointments, converts them from one kind to the other, and cancels them (S1, S7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from asyncpg import ExclusionViolationError  # pyright: ignore[reportMissingTypeStubs]

from bedside_core.api import DB, Actor, InvalidInput, NotFound, Work, audit, unit
from bedside_portal.api import PortalInvitations
from bedside_scheduling.api import (
    Appointment,
    AppointmentCancelled,
    AppointmentConverted,
    AppointmentKind,
    AppointmentMoved,
    AppointmentPatientsChanged,
    AppointmentState,
    SlotNotOffered,
    SlotTaken,
)
from bedside_scheduling.appointment_types import AppointmentTypes
from bedside_scheduling.booking import Booking, not_offered
from bedside_scheduling.changes import changed_meanwhile, locked, reason_of, seen_at
from bedside_scheduling.consequences import changed
from bedside_scheduling.keeping import freed, hold_calendars, must_be_free, set_members, taken
from bedside_scheduling.offering import Offering
from bedside_scheduling.reading import Reading
from bedside_scheduling.standing import over, standing
from bedside_scheduling.wanted import NO_MEMBER, SHORTEST, ending, must_host, practitioners, within_reach

if TYPE_CHECKING:
    from bedside_core.api import Platform

_MOVE = """UPDATE appointment SET starts_at = $2, ends_at = $3, version = version + 1, sequence = sequence + 1,
    moved_by = $4, reason = $5, arrived_at = NULL WHERE id = $1"""
_CONVERT = "UPDATE appointment SET kind = $2, version = version + 1, sequence = sequence + 1 WHERE id = $1"
_CANCEL = """UPDATE appointment SET state = 'cancelled', version = version + 1, sequence = sequence + 1,
    cancelled_at = $2, cancelled_by = $3, reason = $4 WHERE id = $1"""
_LEAVE = """WITH gone AS (
    UPDATE appointment_patient SET cancelled_at = $3 WHERE appointment_id = $1 AND patient_id = $2
)
UPDATE appointment SET version = version + 1, sequence = sequence + 1 WHERE id = $1"""


@dataclass(frozen=True, kw_only=True)
class Move:
    """Where an appointment is to be moved.

    Args:
        starts_at: when it begins then.
        minutes: how long it is then; None is as long as before. For members to say.
        member_ids: its practitioners then; None is who they are.
        reason: why, at most 500 characters; its patients read it.
    """

    starts_at: datetime
    minutes: int | None = None
    member_ids: tuple[UUID, ...] | None = None
    reason: str | None = None


class Changing:
    """Changes appointments.

    Args:
        platform: access, people, settings and clock.
        reading: what was changed is read again.
        offering: what patients are offered.
        booking: tells who was too late the next free times.
    """

    def __init__(self, platform: Platform, reading: Reading, offering: Offering, booking: Booking) -> None:
        self._platform = platform
        self._reading = reading
        self._offering = offering
        self._booking = booking

    async def move(self, actor: Actor, appointment_id: UUID, move: Move, *, version: int | None = None) -> Appointment:
        """Give an appointment another time, or other practitioners; where it stands so already nothing changes (S7).

        Args:
            actor: a member, or a patient of it, who moves it where slots are offered.
            appointment_id: the appointment.
            move: where to.
            version: the version that was seen; None is whichever.

        Raises:
            NotFound: none that the actor sees, or no such member.
            InvalidInput: a value can't be right.
            SlotTaken: a practitioner has another appointment at the time; `next` has the next free starts.
            SlotNotOffered: patients may not choose this time, or none for this appointment.
            TooLate: patients may not change it any more.
            AppointmentOver: it is cancelled, or its visit has begun.
            TelehealthNotOffered: none of the practitioners may host video.
            Conflict: it was changed since that version.
        """
        practice_id, person_id = actor.as_person()
        await self._platform.access.require(actor, "scheduling.book")
        reason = reason_of(move.reason)
        before = await self._reading.one(actor, appointment_id)
        await self._check(actor, before, move)
        wanted = tuple(before.member_ids) if move.member_ids is None else move.member_ids
        if over(before) is None:  # else that is what is told
            await practitioners(self._platform, wanted, before.kind, ("memberIds",))
        try:
            async with unit() as work:
                await hold_calendars(self._platform, work, sorted({*before.member_ids, *wanted}))
                found = await locked(actor, appointment_id)
                ends_at = _ending(found, move)
                # Asked for again, since the first answer was lost.
                if (found.starts_at, found.ends_at, set(found.member_ids)) == (move.starts_at, ends_at, set(wanted)):
                    return await self._reading.one(actor, appointment_id)
                if refusal := (await standing(self._platform, actor, found)).move:
                    raise refusal.problem()
                seen_at(found, version)
                # Others' calendars would have to be held, or practitioners who may host.
                if (set(found.member_ids), found.kind) != (set(before.member_ids), before.kind):
                    raise changed_meanwhile(found)
                within_reach(self._platform, actor, move.starts_at)
                await must_be_free(wanted, move.starts_at, ends_at, but=appointment_id)
                if actor.patient_id is not None:
                    await self._must_be_offered(found, wanted, move.starts_at)
                await self._put(found, wanted, move.starts_at, ends_at, person_id, reason)
                work.emit(
                    AppointmentMoved(practice_id=practice_id, appointment_id=appointment_id, version=found.version + 1)
                )
                freed(work, practice_id, found.member_ids, found.starts_at, found.ends_at)
                self._did(work, "scheduling.move", found)
        except (SlotTaken, SlotNotOffered) as refused:
            raise await self._booking.with_next(
                actor, refused, before.type_id, wanted, before.kind, move.starts_at
            ) from None
        return await self._reading.one(actor, appointment_id)

    async def _check(self, actor: Actor, before: Appointment, move: Move) -> None:
        ending(move.starts_at, SHORTEST if move.minutes is None else move.minutes)
        if actor.patient_id is None:
            return
        if move.minutes is not None:
            raise InvalidInput("It stays as long as it is.", field=("minutes",))
        if move.member_ids is not None and len(move.member_ids) != 1:
            raise InvalidInput("Choose one practitioner.", field=("memberIds",))
        if not set(move.member_ids or ()) <= set(before.member_ids):
            types = await AppointmentTypes(self._platform).by_id([before.type_id] if before.type_id else [])
            # With whom patients can't book they do not learn of.
            if not any(set(move.member_ids or ()) <= set(kept.member_ids) for kept in types.values()):
                raise NotFound(NO_MEMBER, field=("memberIds",))

    async def _must_be_offered(self, found: Appointment, wanted: Sequence[UUID], starts_at: datetime) -> None:
        """Look, with the calendars held, whether the patient may choose a time (S4)."""
        for member_id in wanted:
            assert found.type_id is not None  # where it has none, patients don't move it
            if not await self._offering.offered(found.type_id, member_id, found.kind, starts_at, but=found.id):
                raise not_offered()

    async def _put(
        self,
        found: Appointment,
        wanted: Sequence[UUID],
        starts_at: datetime,
        ends_at: datetime,
        person_id: UUID,
        reason: str | None,
    ) -> None:
        stays = [each for each in found.member_ids if each in wanted]
        try:
            await DB.execute(
                "DELETE FROM appointment_member WHERE appointment_id = $1 AND member_id <> ALL($2)", found.id, stays
            )
            await DB.execute(_MOVE, found.id, starts_at, ends_at, person_id, reason)
        except ExclusionViolationError as overlap:
            raise taken() from overlap
        if joins := [each for each in wanted if each not in stays]:
            await set_members(found.id, joins)

    async def convert(
        self,
        actor: Actor,
        appointment_id: UUID,
        kind: AppointmentKind,
        *,
        version: int | None = None,
        invite: Sequence[UUID] = (),
    ) -> Appointment:
        """Make an appointment in person one by telehealth, or the other way round (S1); repeating it changes nothing.

        Args:
            actor: a member.
            appointment_id: the appointment.
            kind: what it is to be.
            version: the version that was seen; None is whichever.
            invite: patients of it who are invited to the portal in the same step, where they have no account (S2).

        Raises:
            NotFound: none that the actor sees, or a patient who is not on it.
            TelehealthNotOffered: none of its practitioners may host video.
            AppointmentOver: it is cancelled, or its visit has begun.
            Conflict: it was changed since that version.
        """
        practice_id, _ = actor.in_practice()
        await self._platform.access.require(actor, "scheduling.keep")
        async with unit() as work:
            found = await locked(actor, appointment_id)
            if not set(invite) <= set(found.patient_ids):
                raise NotFound("This patient is not on the appointment.", field=("inviteToPortal",))
            if found.kind is not kind:
                if refusal := over(found):
                    raise refusal.problem()
                seen_at(found, version)
                if kind is AppointmentKind.TELEHEALTH:
                    members = await self._platform.people.members_by_id(found.member_ids)
                    await must_host(self._platform, members.values())
                await DB.execute(_CONVERT, appointment_id, kind)
                work.emit(
                    AppointmentConverted(
                        practice_id=practice_id, appointment_id=appointment_id, kind=kind, version=found.version + 1
                    )
                )
                self._did(work, "scheduling.convert", found)
            if invite:
                await self._platform.service(PortalInvitations).invite_missing(actor, invite)
        return await self._reading.one(actor, appointment_id)

    async def cancel(
        self, actor: Actor, appointment_id: UUID, *, reason: str | None = None, version: int | None = None
    ) -> Appointment:
        """Cancel an appointment, or a patient's place in a group's, whatever the plan; repeating it changes nothing.

        Args:
            actor: a member, or a patient of it.
            appointment_id: the appointment.
            reason: why, at most 500 characters; its patients read it.
            version: the version that was seen; None is whichever.

        Raises:
            NotFound: none that the actor sees.
            TooLate: patients may not change it any more.
            AppointmentOver: its visit has begun.
            Conflict: it was changed since that version, or is only held.
        """
        practice_id, person_id = actor.as_person()
        await self._platform.access.require(actor, "scheduling.cancel")
        said = reason_of(reason)
        async with unit() as work:
            found = await locked(actor, appointment_id)
            left = actor.patient_id is not None and actor.patient_id not in found.patient_ids
            if found.state is AppointmentState.CANCELLED or left:
                return await self._reading.one(actor, appointment_id)
            if refusal := (await standing(self._platform, actor, found)).cancel:
                raise refusal.problem()
            seen_at(found, version)
            now = self._platform.clock.now()
            if actor.patient_id is not None and found.capacity > 1:
                await DB.execute(_LEAVE, appointment_id, actor.patient_id, now)
                work.emit(
                    AppointmentPatientsChanged(
                        practice_id=practice_id,
                        appointment_id=appointment_id,
                        patient_ids=(actor.patient_id,),
                        joined=False,
                    )
                )
            else:
                await DB.execute(_CANCEL, appointment_id, now, person_id, said)
                work.emit(AppointmentCancelled(practice_id=practice_id, appointment_id=appointment_id))
                freed(work, practice_id, found.member_ids, found.starts_at, found.ends_at)
            self._did(work, "scheduling.cancel", found, actor.patient_id)
        return await self._reading.one(actor, appointment_id)

    def _did(self, work: Work, action: str, found: Appointment, patient_id: UUID | None = None) -> None:
        """Enter what was done in the trail, and have follow what follows."""
        patients = found.patient_ids if patient_id is None else (patient_id,)
        audit.did(action, kind="appointment", target=found.id, patients=patients)
        changed(self._platform, work, found.id)


def _ending(found: Appointment, move: Move) -> datetime:
    if move.minutes is None:
        return move.starts_at + (found.ends_at - found.starts_at)
    return ending(move.starts_at, move.minutes)
