"""What somebody may do with an appointment, until when, and why not: asked by fields that show it and by what does it.

Members may move and cancel whatever is still to come; patients their own, until some hours before (S7).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import Actor, Conflict, Forbidden, Problem, Refusal, Rule
from bedside_scheduling.api import (
    Appointment,
    AppointmentOver,
    AppointmentState,
    HoldOver,
    SlotNotOffered,
    TooLate,
)
from bedside_scheduling.appointment_types import AppointmentType, AppointmentTypes
from bedside_scheduling.rows import appointments, sees
from bedside_scheduling.settings import SchedulingSettings

if TYPE_CHECKING:
    from bedside_core.api import Platform

MISSING = "There is no appointment with this id that you may see."


@dataclass(frozen=True, kw_only=True)
class NotNow(Refusal):
    """A refusal of something that is done to an appointment.

    Args:
        kind: the problem that the caller gets.
        until: until when it could be done.
    """

    kind: type[Problem]
    until: datetime | None = None

    @property
    def code(self) -> str:
        """The published error code of this refusal."""
        return self.kind.code

    def problem(self) -> Problem:
        """Return the refusal as the error that a caller gets."""
        detail = {"until": self.until.isoformat().replace("+00:00", "Z")} if self.until else None
        return self.kind(self.message, way_on=self.way_on, detail=detail)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What somebody may do with an appointment.

    Args:
        move: why they can't move it; None is that they can.
        cancel: why they can't cancel it.
        until: until when a patient may do either; None for members.
    """

    move: Refusal | None
    cancel: Refusal | None
    until: datetime | None


@dataclass(frozen=True)
class Standings:
    """Tells of several appointments what an actor may do with them, in a constant number of statements.

    Args:
        platform: plan, settings and clock.
        actor: who would.
    """

    platform: Platform = field(compare=False)
    actor: Actor

    async def __call__(self, found: Sequence[Appointment]) -> Mapping[Appointment, Standing]:
        """Return what may be done with appointments that the actor sees."""
        access, actor = self.platform.access, self.actor
        moving = await access.why_not(actor, "scheduling.book")
        cancelling = await access.why_not(actor, "scheduling.cancel")
        if actor.patient_id is None:
            return {
                each: Standing(move=moving or over(each), cancel=cancelling or over(each), until=None) for each in found
            }
        moving = moving or await access.why_not(actor, "scheduling.self_schedule")
        settings = await self.platform.settings.read(SchedulingSettings)
        types = await AppointmentTypes(self.platform).by_id([each.type_id for each in found if each.type_id])
        seeing = {each for kept in types.values() for each in kept.member_ids}
        members = (await self.platform.people.members_by_id(list(seeing))).values()
        there = {each.id for each in members if each.active}
        now = self.platform.clock.now()
        told: dict[Appointment, Standing] = {}
        for each in found:
            until = each.starts_at - timedelta(hours=settings.change_hours)
            late = over(each) or _off(each, actor.patient_id) or (_too_late(until) if now > until else None)
            kept = types.get(each.type_id) if each.type_id else None
            fixed = _fixed(each, kept, settings.usual_minutes, there)
            told[each] = Standing(move=moving or late or fixed, cancel=cancelling or late, until=until)
        return told


async def standing(platform: Platform, actor: Actor, appointment: Appointment) -> Standing:
    """Return what an actor may do with an appointment that they see."""
    return (await Standings(platform, actor)([appointment]))[appointment]


async def may_read(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't see an appointment: none of the practice's, or of the patient's own."""
    return None if target is None or await _seen(actor, target) else _not_there()


async def may_move(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't move an appointment."""
    if target is None:
        return None
    found = await _seen(actor, target)
    return (await standing(platform, actor, found)).move if found else _not_there()


async def may_cancel(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't cancel an appointment."""
    if target is None:
        return None
    found = await _seen(actor, target)
    return (await standing(platform, actor, found)).cancel if found else _not_there()


async def _seen(actor: Actor, appointment_id: UUID) -> Appointment | None:
    found = (await appointments([appointment_id])).get(appointment_id)
    return found if found is not None and sees(actor, found) else None


def _not_there() -> Refusal:
    return Refusal(rule=Rule.MEMBERSHIP, message=MISSING)


def over(appointment: Appointment) -> Refusal | None:
    """Return why nobody changes an appointment: it is only held, cancelled, or its visit has begun."""
    match appointment.state:
        case AppointmentState.HELD:
            return NotNow(
                rule=Rule.AVAILABILITY,
                kind=Conflict,
                message="The time is only held.",
                way_on="Confirm it with confirmAppointment, or let it go with releaseSlot.",
            )
        case AppointmentState.LAPSED:
            return NotNow(rule=Rule.AVAILABILITY, kind=HoldOver, message="The time is held no more.")
        case AppointmentState.BOOKED if appointment.started_at is None:
            return None
        case AppointmentState.CANCELLED:
            message = "The appointment is cancelled."
        case _:
            message = "The visit has begun or is over."
    return NotNow(rule=Rule.AVAILABILITY, kind=AppointmentOver, message=message)


def _off(appointment: Appointment, patient_id: UUID) -> Refusal | None:
    if patient_id in appointment.patient_ids:
        return None
    return NotNow(rule=Rule.AVAILABILITY, kind=AppointmentOver, message="You are not expected at this appointment.")


def _too_late(until: datetime) -> Refusal:
    return NotNow(
        rule=Rule.AVAILABILITY,
        kind=TooLate,
        message="It is too late to change this appointment here.",
        way_on="Call the practice.",
        until=until,
    )


def _fixed(
    appointment: Appointment, kept: AppointmentType | None, usual_minutes: int, there: Collection[UUID]
) -> Refusal | None:
    """Return why a patient finds no other time for an appointment: a group's, or none that slots are offered for."""
    if appointment.capacity > 1:
        return NotNow(
            rule=Rule.ROLE,
            kind=Forbidden,
            message="The practice alone moves group appointments.",
            way_on="Cancel your place, or call the practice.",
        )
    # One that the practice has made longer or shorter than its type is would be another one in any slot.
    if (
        kept is not None
        and kept.bookable
        and any(each in there for each in kept.member_ids)
        and appointment.ends_at - appointment.starts_at == timedelta(minutes=kept.minutes or usual_minutes)
    ):
        return None
    return NotNow(
        rule=Rule.AVAILABILITY,
        kind=SlotNotOffered,
        message="Patients do not choose times for such an appointment by themselves.",
        way_on="Call the practice.",
    )
