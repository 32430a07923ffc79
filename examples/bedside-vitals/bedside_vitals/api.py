"""What other plugins may know of vitals: its event, and what a recording and a day look like."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from bedside_core.api import Event, fact

VITALS_STREAM = "vitals"
"""Kind of live stream of a patient's recordings; its position is that of the last one."""


@dataclass(frozen=True, kw_only=True)
class VitalsRecorded(Event):
    """A patient's vitals were recorded. It tells ids only; whoever may know the values asks for them."""

    patient_id: UUID = fact("Whose vitals.")
    vitals_id: UUID = fact("The recording.")
    recorded_by: UUID = fact("The member who recorded them.")
    position: int = fact("Its position among the patient's recordings.")


@dataclass(frozen=True, kw_only=True)
class Vitals:
    """One recording.

    Args:
        id: the recording.
        patient_id: whose.
        position: its place among the patient's recordings; a later one has a higher position.
        systolic: upper blood pressure, in mmHg.
        diastolic: lower blood pressure, in mmHg.
        pulse: in beats per minute.
        note: what was written beside it.
        recorded_by: the member who recorded it.
        recorded_at: when.
        alert: whether the upper blood pressure reaches the practice's limit.
    """

    id: UUID
    patient_id: UUID
    position: int
    systolic: int
    diastolic: int
    pulse: int
    note: str
    recorded_by: UUID
    recorded_at: datetime
    alert: bool


@dataclass(frozen=True, kw_only=True)
class VitalsDay:
    """A patient's recordings of one day, summed up by the nightly job.

    Args:
        day: in the practice's time zone.
        recordings: how many.
        lowest_systolic: of the upper blood pressures, in mmHg.
        highest_systolic: of the upper blood pressures, in mmHg.
        average_pulse: in beats per minute.
    """

    day: date
    recordings: int
    lowest_systolic: int
    highest_systolic: int
    average_pulse: float
