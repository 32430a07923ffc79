"""Calendars as text: what two parsers read out of them is what takes place, also where clocks change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from plugins.scheduling.readers import Occurrence, by_icalendar, by_icaljs, check_lines, components, unfolded, values

from bedside_scheduling.api import Appointment, AppointmentKind, AppointmentState
from bedside_scheduling.ical import Method, Party, Recurrence, Sheet, digest_of, text_of
from bedside_scheduling.recurrence import occurrences
from bedside_scheduling.vtimezone import vtimezone
from bedside_scheduling.zones import wall_time

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
PRACTICE = Party(name="Bay View", email="no-reply@clinic.example")
ZONES = sorted(available_timezones() - {"localtime", "Factory", "posixrules"})
NOWHERE = UUID(int=0)


def appointment(starts_at: datetime, minutes: int = 30, zone: str = "America/New_York") -> Appointment:
    return Appointment(
        id=uuid4(), practice_id=NOWHERE, type_id=None, kind=AppointmentKind.IN_PERSON, state=AppointmentState.BOOKED,
        starts_at=starts_at, ends_at=starts_at + timedelta(minutes=minutes), zone=zone, member_ids=(), patients=(),
        capacity=1, version=1, sequence=0, series_id=None, occurrence_at=None, held_until=None, booked_by=NOWHERE,
        by_patient=False, created_at=NOW, moved_by=None, reason=None, cancelled_at=None, cancelled_by=None,
        arrived_at=None, started_at=None, finished_at=None, changed=0,
    )  # fmt: skip


def series(rule: str, begins: datetime, zone: str, minutes: int = 45) -> tuple[Recurrence, list[Appointment]]:
    made = Recurrence(id=uuid4(), rule=rule, begins=begins, zone=zone, minutes=minutes, sequence=0)
    return made, [
        replace(appointment(at, minutes, zone), series_id=made.id, occurrence_at=at)
        for at in occurrences(rule, begins, ZoneInfo(zone))
    ]


def moved(each: Appointment, by: timedelta) -> Appointment:
    return replace(each, starts_at=each.starts_at + by, ends_at=each.ends_at + by, sequence=each.sequence + 1)


def sheet(
    appointments: Sequence[Appointment], *recurring: Recurrence, called: str = "Appointment at Bay View"
) -> Sheet:
    return Sheet(
        method=Method.PUBLISH,
        appointments=appointments,
        series={each.id: each for each in recurring},
        summaries={each.id: called for each in appointments},
        links={each.id: f"https://clinic.example/scheduling/{each.id}" for each in appointments},
        organizer=PRACTICE,
        name="Bay View",
    )


def takes_place(appointments: Sequence[Appointment]) -> list[Occurrence]:
    """What a calendar of these appointments has to tell."""
    return sorted(Occurrence(str(each.series_id or each.id), each.starts_at, each.ends_at) for each in appointments)


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """Return the instants at which a zone's clocks change in 2026 to 2029, by the tz database."""
    known, found = ZoneInfo(zone), list[datetime]()
    day = datetime(2026, 1, 1, tzinfo=UTC)
    while day.year < 2030:
        following = day + timedelta(days=1)
        if day.astimezone(known).utcoffset() != following.astimezone(known).utcoffset():
            minutes = [day + timedelta(minutes=15 * step) for step in range(1, 97)]
            before = day.astimezone(known).utcoffset()
            found.append(next(at for at in minutes if at.astimezone(known).utcoffset() != before))
        day = following
    return tuple(found)


def unlike() -> list[str]:
    """Return the zones of the tz database, but one of those whose clocks show the same all these years."""
    found: dict[object, str] = {}
    for zone in ZONES:
        offsets = [at.astimezone(ZoneInfo(zone)).utcoffset() for at in (NOW, *changes(zone))]
        found.setdefault((changes(zone), *offsets), zone)
    return list(found.values())


@pytest.mark.rule("S6", "S8")
def test_in_every_zone_series_with_exceptions_over_changes_of_clocks_are_read_alike_by_two_parsers() -> None:
    shown: list[Appointment] = []
    recurring: list[Recurrence] = []
    for number, zone in enumerate(unlike()):
        for change in [at for at in changes(zone) if at.year == 2027] or [datetime(2027, 3, 14, 7, tzinfo=UTC)]:
            # The clocks show this time twice, or leave it out, or have just left it behind.
            wall = wall_time(change + timedelta(minutes=15 * (number % 3 - 1)), ZoneInfo(zone)) - timedelta(days=3)
            made, appointments = series("FREQ=DAILY;COUNT=8", wall, zone)
            appointments[1] = moved(appointments[1], timedelta(hours=2))
            del appointments[5]
            shown += [
                *appointments,
                appointment(change - timedelta(minutes=30), zone=zone),
                appointment(change, zone=zone),
            ]
            recurring.append(made)
    text = text_of(sheet(shown, *recurring), NOW)
    assert len(recurring) > 80
    assert by_icalendar(text) == takes_place(shown)
    assert by_icaljs(text) == takes_place(shown)


@pytest.mark.rule("S8")
@pytest.mark.parametrize(
    ("rule", "begins", "zone", "minutes"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,TH;COUNT=40", datetime(2027, 2, 1, 9, 30), "America/New_York", 30),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=20", datetime(2027, 2, 28, 2, 30), "Europe/Berlin", 60),
        ("FREQ=MONTHLY;BYDAY=-1SU;COUNT=12", datetime(2027, 1, 31, 2, 15), "Europe/Berlin", 90),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20281231T000000Z", datetime(2027, 1, 31, 23, 45), "Australia/Lord_Howe", 45),
        ("FREQ=DAILY;COUNT=60", datetime(2027, 3, 1, 1, 45), "Australia/Lord_Howe", 60),
        ("FREQ=WEEKLY;COUNT=30", datetime(2027, 1, 3, 23, 50), "Africa/Casablanca", 600),
        ("FREQ=WEEKLY;COUNT=8", datetime(2027, 3, 1, 9), "UTC", 30),
    ],
)
def test_a_series_is_one_event_with_its_rule_its_exceptions_and_what_does_not_take_place(
    rule: str, begins: datetime, zone: str, minutes: int
) -> None:
    made, appointments = series(rule, begins, zone, minutes)
    gone = [appointments.pop(), appointments.pop(4), appointments.pop(0)]
    appointments[2] = moved(appointments[2], timedelta(hours=26))
    text = text_of(sheet(appointments, made), NOW)
    assert by_icalendar(text) == by_icaljs(text) == takes_place(appointments)
    assert set(values(text, "UID")) == {str(made.id)}
    [master] = [event for event in components(text, "VEVENT") if "RECURRENCE-ID" not in event]
    assert master["RRULE"]["FREQ"] == [rule.partition(";")[0].removeprefix("FREQ=")]
    [excluded] = values(text, "EXDATE")
    assert len(excluded.rpartition(":")[2].split(",")) == len(gone) - 1  # what came last is beyond the rule's end
    wall = f"{wall_time(appointments[2].occurrence_at or NOW, ZoneInfo(zone)):%Y%m%dT%H%M%S}"
    assert any(each.removesuffix("Z").endswith(wall) for each in values(text, "RECURRENCE-ID"))


@pytest.mark.rule("S6")
def test_the_definition_of_every_zone_has_the_offsets_of_the_tz_database() -> None:
    for zone in ZONES:
        if zone == "UTC":
            continue
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-", *vtimezone(zone, 2026, 2029), "END:VCALENDAR", ""]
        [told] = components("\r\n".join(lines), "VTIMEZONE")
        read, known = told.to_tz(lookup_tzid=False), ZoneInfo(zone)
        for at in (datetime(2026, 1, 15, tzinfo=UTC), *changes(zone)):
            for hours in (-30, -4, 4, 30):  # far enough from it that every time is shown once
                there = (at + timedelta(hours=hours)).astimezone(known)
                wall = there.replace(tzinfo=None, fold=0)
                assert wall.replace(tzinfo=read).utcoffset() == there.utcoffset(), (zone, wall)


def names(text: str) -> list[str]:
    """The names of an object's lines."""
    return [line.partition(":")[0].partition(";")[0] for line in unfolded(text)]


@pytest.mark.rule("N4", "S8")
@given(name=st.text(min_size=1, max_size=300))
@settings(max_examples=300, deadline=None)
def test_no_name_writes_a_line_of_its_own(name: str) -> None:
    one = appointment(NOW)
    plain_sheet = sheet([one], called="x")
    told = Sheet(
        method=Method.REQUEST,
        appointments=[one],
        series={},
        summaries={one.id: name},
        links=plain_sheet.links,
        organizer=Party(name=name, email="no-reply@clinic.example"),
        attendee=Party(name=name, email="pat@patients.example"),
        name=name,
    )
    text = text_of(told, NOW)
    check_lines(text)
    usual = text_of(replace(told, summaries={one.id: "x"}, name="x"), NOW)
    assert names(text) == names(usual)
    [event] = components(text, "VEVENT")
    assert event.errors == []
    shown = "".join(sign if sign.isprintable() else " " for sign in name)
    assert str(event["SUMMARY"]) == " ".join(shown.split())[:200].strip()
    assert str(event["ORGANIZER"]) == "mailto:no-reply@clinic.example"


@pytest.mark.rule("S8")
def test_what_calendars_are_alike_has_one_digest_and_any_change_another() -> None:
    made, appointments = series("FREQ=WEEKLY;COUNT=4", datetime(2027, 3, 1, 9), "Europe/Berlin")
    first = sheet(appointments, made)
    assert digest_of(first) == digest_of(sheet(list(reversed(appointments)), made))
    others = [
        sheet(appointments[1:], made),
        sheet([moved(appointments[0], timedelta(minutes=5)), *appointments[1:]], made),
        sheet(appointments, replace(made, sequence=1)),
        sheet(appointments, made, called="Cita en Bay View"),
        replace(first, name="Bay Vista"),
    ]
    assert len({digest_of(each) for each in (first, *others)}) == 6


@pytest.mark.rule("S8")
def test_a_feed_says_what_its_standards_ask_for() -> None:
    one = replace(appointment(datetime(2027, 3, 1, 14, tzinfo=UTC)), sequence=3)
    text = text_of(sheet([one]), NOW)
    calendar = Calendar.from_ical(text)
    assert [str(calendar[name]) for name in ("VERSION", "METHOD", "CALSCALE", "NAME")] == [
        "2.0", "PUBLISH", "GREGORIAN", "Bay View",
    ]  # fmt: skip
    [event] = components(text, "VEVENT")
    assert (str(event["UID"]), event["SEQUENCE"], str(event["STATUS"])) == (str(one.id), 3, "CONFIRMED")
    assert event["DTSTAMP"].dt == NOW
    assert str(event["URL"]) == f"https://clinic.example/scheduling/{one.id}"
    assert "ATTENDEE" not in event
    assert values(text, "DTSTART")[-1] == ";TZID=America/New_York:20270301T090000"
    assert [str(each["TZID"]) for each in calendar.walk("VTIMEZONE")] == ["America/New_York"]
