"""The tables of vitals as Piccolo knows them; the migrations make them."""

from __future__ import annotations

from piccolo.columns import UUID, BigInt, Date, Integer, Real, Text, Timestamptz
from piccolo.table import Table

from bedside_core.api import DB, Kind


class Recording(Table, tablename="vitals", db=DB):
    """One recording of a patient's vitals."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    patient_id = UUID()
    position = BigInt(help_text="Its place in the patient's stream.")
    systolic = Integer(help_text="mmHg.")
    diastolic = Integer(help_text="mmHg.")
    pulse = Integer(help_text="Beats per minute.")
    note = Text()
    recorded_by = UUID(help_text="A member.")
    recorded_at = Timestamptz()
    client_id = Text(help_text="The recorder's own id of it: a retry with it returns the first recording (G9).")


class Stream(Table, tablename="vitals_stream", db=DB):
    """How far a patient's recordings have come; what live subscribers resume from."""

    practice_id = UUID()
    patient_id = UUID(primary_key=True, default=None)
    position = BigInt()


class Day(Table, tablename="vitals_daily", db=DB):
    """A patient's recordings of one day, summed up."""

    practice_id = UUID()
    patient_id = UUID(primary_key=True, default=None)
    day = Date(help_text="In the practice's time zone.")
    recordings = Integer()
    lowest_systolic = Integer()
    highest_systolic = Integer()
    average_pulse = Real()


TABLE_KINDS = {"vitals": Kind.PRACTICE, "vitals_stream": Kind.PRACTICE, "vitals_daily": Kind.PRACTICE}
