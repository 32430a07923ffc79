"""What other plugins may know of scheduling: its values, its events, its errors, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from bedside_core.api import Actor, Event, Problem, fact

SCHEDULE_STREAM = "schedule"
"""Kind of live stream of a practice's schedule; its position grows with each appointment that changes."""


class AppointmentKind(StrEnum):
    """Where people meet (S1)."""

    IN_PERSON = "in_person"
    TELEHEALTH = "telehealth"


class Mode(StrEnum):
    """Which kinds of appointment a section, or a type of appointment, is for (S3)."""

    IN_PERSON = "in_person"
    TELEHEALTH = "telehealth"
    BOTH = "both"

    def allows(self, kind: AppointmentKind) -> bool:
        """Tell whether an appointment of this kind may be made in it."""
        return self is Mode.BOTH or self.value == kind.value


class AppointmentState(StrEnum):
    """How far an appointment is."""

    HELD = "held"
    """Somebody is about to book it; until `held_until` it is kept for them."""
    BOOKED = "booked"
    COMPLETED = "completed"
    """The visit has taken place."""
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"
    """It was held, and not booked in time, or let go."""


LIVE_STATES = (AppointmentState.HELD, AppointmentState.BOOKED, AppointmentState.COMPLETED, AppointmentState.NO_SHOW)
"""The states in which an appointment takes its practitioners' time (S5)."""


class SlotTaken(Problem):
    """Somebody else was faster (S5)."""

    code = "SLOT_TAKEN"
    meaning = "The time is taken by now (S5). `next` has the start of each of the next free slots."
    status = 409


class SlotNotOffered(Problem):
    """The time is none that patients may book (S4)."""

    code = "SLOT_NOT_OFFERED"
    meaning = (
        "The time is not open to self-scheduling: outside its sections, too soon, too far ahead, or of another kind "
        "(S3, S4). `next` has the start of each of the next free slots."
    )
    status = 409


class HoldOver(Problem):
    """A held time is held no more."""

    code = "HOLD_OVER"
    meaning = "The time was held for you and is not any more; choose one anew."
    status = 409


class TooLate(Problem):
    """Patients may not change it any more (S7)."""

    code = "TOO_LATE"
    meaning = (
        "Patients may cancel and move until some hours before; `until` tells when that was (S7). Call the practice."
    )
    status = 409


class TelehealthNotOffered(Problem):
    """None of the practitioners may host video (S1, T1)."""

    code = "TELEHEALTH_NOT_OFFERED"
    meaning = "No practitioner of it may host video, so that it can't be a telehealth appointment (S1, S3, T1)."
    status = 409


class AppointmentOver(Problem):
    """It is cancelled, or has taken place."""

    code = "APPOINTMENT_OVER"
    meaning = "The appointment is cancelled or has taken place, and changes no more."
    status = 409


class AppointmentFull(Problem):
    """A group appointment has no place left."""

    code = "APPOINTMENT_FULL"
    meaning = "Every place of the group appointment is taken."
    status = 409


@dataclass(frozen=True, kw_only=True)
class Booking:
    """A patient on an appointment.

    Args:
        patient_id: who.
        cancelled_at: since when they do not come, of an appointment that goes on for others.
    """

    patient_id: UUID
    cancelled_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Appointment:
    """An appointment (S1).

    Args:
        id: the appointment.
        practice_id: whose.
        type_id: what it is about; None where staff has said none.
        kind: where people meet.
        state: how far it is.
        starts_at: when it begins.
        ends_at: when it ends.
        zone: IANA time zone in which it was made (S6).
        member_ids: its practitioners, who have no other at the time (S5).
        patients: who is seen.
        capacity: most patients.
        version: grows with each change of anything; a client that changes what it has not seen is refused by it.
        sequence: grows as iCalendar's SEQUENCE does (RFC 5546, 2.1.4), with each change of time, kind or of who comes,
            and the end.
        series_id: the series it belongs to.
        occurrence_at: when the series has it begin, whatever was moved since (RECURRENCE-ID, RFC 5545, 3.8.4.4).
        held_until: until when it is kept, while it is held.
        booked_by: the member or patient who booked it.
        by_patient: whether that was a patient, or somebody who acts for one (S4).
        created_at: when.
        moved_by: who moved it last.
        reason: why it was moved last, or cancelled.
        cancelled_at: since when it is cancelled.
        cancelled_by: who cancelled it.
        arrived_at: when the patient came.
        started_at: when the visit began.
        finished_at: when it ended.
        changed: position of its last change in the practice's schedule.
    """

    id: UUID
    practice_id: UUID
    type_id: UUID | None
    kind: AppointmentKind
    state: AppointmentState
    starts_at: datetime
    ends_at: datetime
    zone: str
    member_ids: Sequence[UUID]
    patients: Sequence[Booking]
    capacity: int
    version: int
    sequence: int
    series_id: UUID | None
    occurrence_at: datetime | None
    held_until: datetime | None
    booked_by: UUID
    by_patient: bool
    created_at: datetime
    moved_by: UUID | None
    reason: str | None
    cancelled_at: datetime | None
    cancelled_by: UUID | None
    arrived_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    changed: int

    @property
    def patient_ids(self) -> tuple[UUID, ...]:
        """Those who come."""
        return tuple(each.patient_id for each in self.patients if each.cancelled_at is None)


@dataclass(frozen=True, kw_only=True)
class AppointmentBooked(Event):
    """An appointment was booked; one that was only held tells nothing."""

    appointment_id: UUID = fact("The appointment.")
    kind: str = fact("in_person or telehealth.")


@dataclass(frozen=True, kw_only=True)
class AppointmentMoved(Event):
    """An appointment has another time, or other practitioners."""

    appointment_id: UUID = fact("The appointment.")
    version: int = fact("Its version now.")


@dataclass(frozen=True, kw_only=True)
class AppointmentConverted(Event):
    """An appointment in person became one by telehealth, or the other way round (S1)."""

    appointment_id: UUID = fact("The appointment.")
    kind: str = fact("in_person or telehealth, from now on.")
    version: int = fact("Its version now.")


@dataclass(frozen=True, kw_only=True)
class AppointmentCancelled(Event):
    """An appointment takes place no more."""

    appointment_id: UUID = fact("The appointment.")


@dataclass(frozen=True, kw_only=True)
class AppointmentPatientsChanged(Event):
    """Patients were added to a group appointment, or come no more, while it goes on."""

    appointment_id: UUID = fact("The appointment.")
    patient_ids: tuple[UUID, ...] = fact("Who.")
    joined: bool = fact("Whether they come now.")


@dataclass(frozen=True, kw_only=True)
class VisitRecorded(Event):
    """A patient came, a visit began or ended, or nobody came."""

    appointment_id: UUID = fact("The appointment.")
    step: str = fact("arrived, started, completed or no_show.")


@dataclass(frozen=True, kw_only=True)
class TimeFreed(Event):
    """Time of practitioners is free again: cancelled, moved away, held and not booked, or opened."""

    member_ids: tuple[UUID, ...] = fact("The practitioners.")
    starts_at: datetime = fact("From when.")
    ends_at: datetime = fact("Until when.")


class Schedules(Protocol):
    """What scheduling answers to other plugins, for the acting practice; rights are the asker's to check."""

    async def appointments(self, appointment_ids: Sequence[UUID]) -> Mapping[UUID, Appointment]:
        """Return appointments in a constant number of statements; ids that there are not are left out."""
        ...

    async def visible(self, actor: Actor, appointment_ids: Sequence[UUID]) -> Mapping[UUID, Appointment]:
        """Return those of the appointments that the actor may see."""
        ...
