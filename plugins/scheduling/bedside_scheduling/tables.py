"""Scheduling's tables as Piccolo knows them; the migrations make them."""

from __future__ import annotations

from piccolo.columns import UUID, Array, BigInt, Boolean, Bytea, Date, Integer, Text, Time, Timestamp, Timestamptz
from piccolo.table import Table

from bedside_core.api import DB, Kind


class AppointmentType(Table, tablename="appointment_type", db=DB):
    """What an appointment can be about."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    name = Text()
    description = Text()
    minutes = Integer(null=True, help_text="Its length; none is the practice's usual one.")
    buffer_before = Integer(null=True, help_text="Minutes; none is the practitioner's or practice's.")
    buffer_after = Integer(null=True)
    mode = Text(help_text="A value of `Mode`.")
    self_scheduling = Boolean(help_text="Whether patients book it by themselves (S4).")
    capacity = Integer(help_text="Most patients of one appointment; 1 is no group.")
    archived_at = Timestamptz(null=True)
    created_at = Timestamptz()
    created_by = UUID()
    client_id = Text(help_text="The client's own id of it (G9).")


class AppointmentTypeMember(Table, tablename="appointment_type_member", db=DB):
    """A practitioner who sees patients for a type; the key is (type, member)."""

    type_id = UUID(primary_key=True, default=None)
    member_id = UUID()
    practice_id = UUID()


class Calendar(Table, tablename="calendar", db=DB):
    """A practitioner's calendar: its number stands for them where the database refuses overlaps (S5)."""

    member_id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    number = BigInt()
    changed = BigInt(help_text="Position of the last change of their availability in the practice's schedule.")


class Section(Table, tablename="section", db=DB):
    """A weekly section of a practitioner's availability, in the practice's zone (S3)."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    member_id = UUID()
    weekday = Integer(help_text="1 is Monday, 7 is Sunday.")
    begins = Time()
    ends = Time(help_text="Not after `begins`: the next day.")
    mode = Text(help_text="A value of `Mode`.")
    self_scheduling = Boolean()
    from_date = Date(null=True)
    until_date = Date(null=True, help_text="The last day.")


class AvailabilityDay(Table, tablename="availability_day", db=DB):
    """A day on which a practitioner's own sections stand in place of the weekly ones; the key is (member, day)."""

    practice_id = UUID()
    member_id = UUID(primary_key=True, default=None)
    on_date = Date()


class DaySection(Table, tablename="day_section", db=DB):
    """A section of such a day."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    member_id = UUID()
    on_date = Date()
    begins = Time()
    ends = Time(help_text="Not after `begins`: the next day.")
    mode = Text(help_text="A value of `Mode`.")
    self_scheduling = Boolean()


class Closure(Table, tablename="closure", db=DB):
    """A time in which nothing is offered, of one practitioner or of all."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    member_id = UUID(null=True, help_text="None is the whole practice.")
    begins_at = Timestamptz()
    ends_at = Timestamptz()
    reason = Text(help_text="For the practice's own people.")
    created_by = UUID()
    client_id = Text(help_text="The client's own id of it (G9).")


class Series(Table, tablename="series", db=DB):
    """Appointments that recur (S7); each is a row of its own."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    type_id = UUID(null=True)
    kind = Text(help_text="A value of `AppointmentKind`.")
    rule = Text(help_text="RRULE of RFC 5545.")
    begins = Timestamp(help_text="The first one's start, local time.")
    zone = Text()
    minutes = Integer()
    created_at = Timestamptz()
    created_by = UUID()
    client_id = Text(help_text="The client's own id of it (G9).")
    ended_at = Timestamptz(null=True)


class Appointment(Table, tablename="appointment", db=DB):
    """An appointment (S1)."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    type_id = UUID(null=True)
    kind = Text(help_text="A value of `AppointmentKind`.")
    state = Text(help_text="A value of `AppointmentState`.")
    starts_at = Timestamptz()
    ends_at = Timestamptz()
    zone = Text(help_text="In which it was made (S6).")
    capacity = Integer()
    taken = Integer(help_text="Patients who come; kept by the database.")
    version = Integer()
    sequence = Integer(help_text="iCalendar's SEQUENCE.")
    series_id = UUID(null=True)
    occurrence_at = Timestamptz(null=True, help_text="When the series has it begin.")
    series_start = Timestamptz(null=True, help_text="When it begins since the series was moved; none is not.")
    held_until = Timestamptz(null=True)
    booked_by = UUID(help_text="The member or patient.")
    by_patient = Boolean()
    client_id = Text(help_text="The client's own id of it (G9).")
    asked = Bytea(null=True, help_text="What tells a retry from something else under the same client id.")
    created_at = Timestamptz()
    moved_by = UUID(null=True)
    reason = Text(null=True, help_text="Of the last move, or of the cancellation.")
    cancelled_at = Timestamptz(null=True)
    cancelled_by = UUID(null=True)
    arrived_at = Timestamptz(null=True)
    started_at = Timestamptz(null=True)
    finished_at = Timestamptz(null=True)
    changed = BigInt(help_text="Position of its last change in the practice's schedule.")
    visit_id = UUID(help_text="Names the visit in timelines.")


class AppointmentMember(Table, tablename="appointment_member", db=DB):
    """A practitioner of an appointment; the key is (appointment, member). The rest is kept by the database (S5)."""

    appointment_id = UUID(primary_key=True, default=None)
    member_id = UUID()
    practice_id = UUID()
    number = BigInt()
    starts_at = Timestamptz()
    during = Text(help_text="A range of instants.")
    active = Boolean()


class AppointmentPatient(Table, tablename="appointment_patient", db=DB):
    """A patient of an appointment; the key is (appointment, patient)."""

    appointment_id = UUID(primary_key=True, default=None)
    patient_id = UUID()
    practice_id = UUID()
    added_at = Timestamptz()
    cancelled_at = Timestamptz(null=True)


class ScheduleStream(Table, tablename="schedule_stream", db=DB):
    """How far a practice's schedule has come."""

    practice_id = UUID(primary_key=True, default=None)
    position = BigInt()


class WaitingEntry(Table, tablename="waiting_entry", db=DB):
    """A patient who waits for a time (S7)."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    patient_id = UUID()
    type_id = UUID()
    member_id = UUID(null=True, help_text="None is any practitioner of the type.")
    kind = Text(null=True, help_text="None is either.")
    earliest = Timestamptz()
    latest = Timestamptz()
    created_at = Timestamptz()
    created_by = UUID()
    client_id = Text(help_text="The client's own id of it (G9).")
    closed_at = Timestamptz(null=True)
    outcome = Text(null=True, help_text="`booked`, `left` or `over`.")
    changed = BigInt(help_text="Position of its last change in the practice's schedule.")


class WaitingOffer(Table, tablename="waiting_offer", db=DB):
    """A freed time, or a place of a group, that is held for somebody who waits."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    entry_id = UUID()
    appointment_id = UUID(help_text="The held appointment, or the group's.")
    offered_at = Timestamptz()
    expires_at = Timestamptz()
    state = Text(help_text="`open`, `taken`, `declined`, `over` or, taken back by the practice, `withdrawn`.")


class AppointmentReminder(Table, tablename="appointment_reminder", db=DB):
    """A reminder that is due (N7); the key is (appointment, patient, kind)."""

    appointment_id = UUID(primary_key=True, default=None)
    patient_id = UUID()
    kind = Text(help_text="`standard` or `telehealth`.")
    practice_id = UUID()
    version = Integer(help_text="The appointment's version that it reminds of.")
    due_at = Timestamptz()
    taken_at = Timestamptz(null=True, help_text="When it was put into the outbox.")
    starts_at = Timestamptz(help_text="The start that it reminds of.")
    over_at = Timestamptz(null=True, help_text="When what was not sent of it was taken back.")


class AppointmentTold(Table, tablename="appointment_told", db=DB):
    """An appointment as people were told of it last."""

    appointment_id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    state = Text()
    kind = Text()
    starts_at = Timestamptz()
    ends_at = Timestamptz()
    member_ids = Array(UUID())
    patient_ids = Array(UUID())
    spans = Text(help_text="All times it ever had, a multirange.")
    calendars = Array(UUID(), help_text="All practitioners it ever had.")


class CalendarFeed(Table, tablename="calendar_feed", db=DB):
    """A secret address at which a person's calendar is read (S8)."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    person_kind = Text(help_text="`member` or `patient`.")
    person_id = UUID()
    account_id = UUID(help_text="Who made it, and can't see the patient any more once they act for them no more.")
    secret_hash = Bytea()
    created_at = Timestamptz()
    client_id = Text(help_text="The client's own id of it (G9).")
    revoked_at = Timestamptz(null=True)
    read_at = Timestamptz(null=True, help_text="When it was read last.")


TABLE_KINDS = dict.fromkeys(
    (
        "appointment_type",
        "appointment_type_member",
        "calendar",
        "section",
        "availability_day",
        "day_section",
        "closure",
        "series",
        "appointment",
        "appointment_member",
        "appointment_patient",
        "schedule_stream",
        "waiting_entry",
        "waiting_offer",
        "appointment_reminder",
        "appointment_told",
        "calendar_feed",
    ),
    Kind.PRACTICE,
)
