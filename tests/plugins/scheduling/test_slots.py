"""What a practitioner offers, on known days: sections, kinds, what is taken, buffers, bounds, clocks (S3, S4, S6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bedside_scheduling.api import AppointmentKind, Mode
from bedside_scheduling.slots import (
    Busy,
    DaySection,
    FreeTime,
    Span,
    WeeklySection,
    Window,
    free,
    windows,
    without_telehealth,
)

BERLIN, YORK, HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")
MONDAY = date(2027, 3, 1)
BOTH = (AppointmentKind.IN_PERSON, AppointmentKind.TELEHEALTH)
IN_PERSON, TELEHEALTH = ((each,) for each in BOTH)


def section(text: str, mode: Mode = Mode.BOTH, *, open: bool = True) -> DaySection:
    begins, ends = (time.fromisoformat(each) for each in text.split("-"))
    return DaySection(begins=begins, ends=ends, mode=mode, self_scheduling=open)


def weekly(weekday: int, text: str, mode: Mode = Mode.BOTH, *, open: bool = True, **more: date) -> WeeklySection:
    base = WeeklySection(weekday=weekday, **vars(section(text, mode, open=open)))
    return replace(base, **more)


def on(day: date, *sections: DaySection, zone: ZoneInfo = BERLIN) -> list[Window]:
    return windows([], {day: sections}, zone, day, day)


def at(hour: int, minute: int = 0, day: date = MONDAY, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.combine(day, time(hour, minute), tzinfo=zone).astimezone(UTC)


def offered(
    of: Sequence[Window], busy: Sequence[Busy] = (), closed: Sequence[Span] = (), **more: Any
) -> Sequence[FreeTime]:
    asked: dict[str, Any] = {
        "minutes": 60,
        "step": 60,
        "earliest": datetime(2000, 1, 1, tzinfo=UTC),
        "latest": datetime(2100, 1, 1, tzinfo=UTC),
        "open_only": True,
    }
    return free(of, busy, closed, **asked | more)


def starts(of: Sequence[Window], busy: Sequence[Busy] = (), closed: Sequence[Span] = (), **more: Any) -> str:
    """The starts of what is offered, in wall time."""
    zone = of[0].zone
    return " ".join(f"{each.starts_at.astimezone(zone):%H:%M}" for each in offered(of, busy, closed, **more))


def kinds(of: Sequence[Window], **more: Any) -> Mapping[str, tuple[AppointmentKind, ...]]:
    return {f"{each.starts_at.astimezone(of[0].zone):%H:%M}": each.kinds for each in offered(of, **more)}


def spans(of: Sequence[Window]) -> list[str]:
    return [f"{each.begins.astimezone(each.zone):%m-%d %H:%M}-{each.ends.astimezone(each.zone):%H:%M}" for each in of]


@pytest.mark.rule("S3")
def test_weekly_sections_are_on_their_weekdays_from_one_date_until_another() -> None:
    of = [
        weekly(1, "09:00-12:00"),
        weekly(1, "14:00-15:00", from_date=date(2027, 3, 8)),
        weekly(1, "16:00-17:00", until_date=date(2027, 3, 8)),
        weekly(3, "09:00-10:00", from_date=date(2027, 3, 4), until_date=date(2027, 3, 9)),
    ]
    assert spans(windows(of, {}, BERLIN, MONDAY, date(2027, 3, 15))) == [
        "03-01 09:00-12:00",
        "03-01 16:00-17:00",
        "03-08 09:00-12:00",
        "03-08 14:00-15:00",
        "03-08 16:00-17:00",
        "03-15 09:00-12:00",
        "03-15 14:00-15:00",
    ]


@pytest.mark.rule("S3")
def test_the_sections_of_a_date_stand_in_place_of_the_weekly_ones() -> None:
    of = [weekly(1, "09:00-12:00"), weekly(2, "09:00-12:00"), weekly(3, "09:00-12:00")]
    days = {date(2027, 3, 1): [section("10:00-11:00")], date(2027, 3, 2): []}
    assert spans(windows(of, days, BERLIN, MONDAY, date(2027, 3, 3))) == ["03-01 10:00-11:00", "03-03 09:00-12:00"]


@pytest.mark.rule("S3")
def test_a_section_over_midnight_is_of_the_day_on_which_it_begins_and_reaches_into_the_next() -> None:
    of = [weekly(1, "22:00-02:00"), weekly(2, "00:00-00:00")]
    assert spans(windows(of, {}, BERLIN, MONDAY, MONDAY)) == ["03-01 22:00-02:00"]
    assert spans(windows(of[:1], {}, BERLIN, date(2027, 3, 2), date(2027, 3, 2))) == ["03-01 22:00-02:00"]
    # A day off is without what begins on it; what goes on from the day before does.
    day_off = {date(2027, 3, 2): []}
    assert spans(windows(of, day_off, BERLIN, date(2027, 3, 2), date(2027, 3, 2))) == ["03-01 22:00-02:00"]
    # The whole of Tuesday, which does not reach into Wednesday.
    assert spans(windows(of[1:], {}, BERLIN, date(2027, 3, 2), date(2027, 3, 2))) == ["03-02 00:00-00:00"]
    assert windows(of[1:], {}, BERLIN, date(2027, 3, 3), date(2027, 3, 3)) == []
    both_days = windows(of, {}, BERLIN, MONDAY, date(2027, 3, 2))
    assert starts(both_days, minutes=120, latest=at(3, day=date(2027, 3, 2))) == "22:00 23:00 00:00 01:00 02:00"


@pytest.mark.rule("S3")
def test_a_time_is_of_the_kinds_that_sections_for_them_cover_the_whole_of() -> None:
    apart = on(MONDAY, section("09:00-10:00", Mode.IN_PERSON), section("11:00-12:00", Mode.TELEHEALTH))
    assert kinds(apart) == {"09:00": IN_PERSON, "11:00": TELEHEALTH}
    touching = on(MONDAY, section("09:00-10:00", Mode.TELEHEALTH), section("10:00-11:00", Mode.BOTH))
    assert kinds(touching, step=30) == {"09:00": TELEHEALTH, "09:30": TELEHEALTH, "10:00": BOTH}
    strange = on(MONDAY, section("09:00-10:00", Mode.TELEHEALTH), section("10:00-11:00", Mode.IN_PERSON))
    assert kinds(strange, step=30) == {"09:00": TELEHEALTH, "10:00": IN_PERSON}
    overlapping = on(MONDAY, section("09:00-11:00", Mode.TELEHEALTH), section("10:00-12:00", Mode.IN_PERSON))
    assert kinds(overlapping, step=30) == {
        "09:00": TELEHEALTH,
        "09:30": TELEHEALTH,
        "10:00": BOTH,
        "10:30": IN_PERSON,
        "11:00": IN_PERSON,
    }


@pytest.mark.rule("S3")
def test_a_time_in_two_sections_is_offered_once() -> None:
    twice = on(MONDAY, section("09:00-11:00"), section("09:00-11:00"), section("10:00-12:00"))
    assert starts(twice) == "09:00 10:00 11:00"
    # Each section has a grid of its own.
    assert starts(on(MONDAY, section("09:00-11:00"), section("09:20-10:40"))) == "09:00 09:20 10:00"


@pytest.mark.rule("S3")
def test_a_kind_and_a_type_that_is_for_one_kind_choose_among_them() -> None:
    of = on(
        MONDAY, section("09:00-10:00", Mode.IN_PERSON), section("11:00-12:00"), section("14:00-15:00", Mode.TELEHEALTH)
    )
    assert kinds(of, kind=AppointmentKind.TELEHEALTH) == {"11:00": BOTH, "14:00": TELEHEALTH}
    assert kinds(of, mode=Mode.TELEHEALTH) == {"11:00": TELEHEALTH, "14:00": TELEHEALTH}
    assert kinds(of, mode=Mode.IN_PERSON) == {"09:00": IN_PERSON, "11:00": IN_PERSON}
    assert kinds(of, mode=Mode.IN_PERSON, kind=AppointmentKind.TELEHEALTH) == {}


@pytest.mark.rule("S1")
@pytest.mark.rule("S4")
def test_of_a_practitioner_without_telehealth_both_is_in_person_and_telehealth_is_nothing() -> None:
    of = on(
        MONDAY, section("09:00-10:00", Mode.IN_PERSON), section("11:00-12:00"), section("14:00-15:00", Mode.TELEHEALTH)
    )
    assert kinds(without_telehealth(of)) == {"09:00": IN_PERSON, "11:00": IN_PERSON}


@pytest.mark.rule("S4")
def test_patients_are_offered_what_is_open_to_them_and_staff_all_sections() -> None:
    of = on(
        MONDAY,
        section("09:00-11:00", Mode.IN_PERSON),
        section("10:00-12:00", Mode.TELEHEALTH, open=False),
        section("14:00-15:00", open=False),
    )
    assert kinds(of) == {"09:00": IN_PERSON, "10:00": IN_PERSON}
    assert kinds(of, open_only=False) == {"09:00": IN_PERSON, "10:00": BOTH, "11:00": TELEHEALTH, "14:00": BOTH}


@pytest.mark.rule("S4")
def test_what_is_taken_or_closed_is_not_offered_and_what_is_beside_it_is() -> None:
    of = on(MONDAY, section("09:00-13:00"))
    taken = Busy(begins=at(10), ends=at(10, 30))
    assert starts(of, [taken], step=30) == "09:00 10:30 11:00 11:30 12:00"
    assert starts(of, [], [Span(begins=at(10), ends=at(10, 30))], step=30) == "09:00 10:30 11:00 11:30 12:00"
    # From one to the next there is just enough time.
    assert starts(of, [taken, Busy(begins=at(11, 30), ends=at(12))], step=30) == "09:00 10:30 12:00"
    assert starts(of, [taken, Busy(begins=at(11, 29), ends=at(12))], step=30) == "09:00 12:00"
    # A closure of a minute is in the way of everything around it, one of no time is not.
    assert starts(of, [], [Span(begins=at(11), ends=at(11, 1))]) == "09:00 10:00 12:00"
    assert starts(of, [], [Span(begins=at(10, 30), ends=at(10, 30))]) == "09:00 10:00 11:00 12:00"


@pytest.mark.rule("S4")
def test_buffers_of_either_keep_appointments_apart_and_the_longer_one_counts() -> None:
    of = on(MONDAY, section("09:00-15:00"))
    plain = Busy(begins=at(11), ends=at(12))
    assert starts(of, [plain]) == "09:00 10:00 12:00 13:00 14:00"
    assert starts(of, [plain], before=1) == "09:00 10:00 13:00 14:00"
    assert starts(of, [plain], after=1) == "09:00 12:00 13:00 14:00"
    kept = Busy(begins=at(11), ends=at(12), before=timedelta(minutes=30), after=timedelta(minutes=30))
    assert starts(of, [kept], step=30) == "09:00 09:30 12:30 13:00 13:30 14:00"
    assert starts(of, [kept], step=30, before=30, after=30) == "09:00 09:30 12:30 13:00 13:30 14:00"
    assert starts(of, [kept], step=30, before=60, after=60) == "09:00 13:00 13:30 14:00"
    # Another's buffer before does not matter behind it, and a buffer may lie outside of the section.
    assert starts(of, [Busy(begins=at(11), ends=at(12), before=timedelta(hours=1))]) == "09:00 12:00 13:00 14:00"
    assert (
        starts(of, [Busy(begins=at(8), ends=at(8, 30))], before=30, after=240) == "09:00 10:00 11:00 12:00 13:00 14:00"
    )


@pytest.mark.rule("S4")
def test_starts_are_from_the_earliest_until_before_the_latest_and_no_more_than_wanted() -> None:
    of = on(MONDAY, section("09:00-13:00"))
    assert starts(of, earliest=at(10), latest=at(12)) == "10:00 11:00"
    assert starts(of, earliest=at(10, 1), latest=at(12, 1)) == "11:00 12:00"
    assert starts(of, earliest=at(12), latest=at(12)) == ""
    assert starts(of, most=2) == "09:00 10:00"
    assert starts(of, [Busy(begins=at(9), ends=at(10))], most=2) == "10:00 11:00"
    assert starts(of, most=0) == ""
    # What does not fit in before the end is not offered.
    assert starts(of, minutes=61) == "09:00 10:00 11:00"


@pytest.mark.rule("S6")
@pytest.mark.promise("S2")
def test_as_clocks_are_put_forward_a_night_is_an_hour_shorter_and_stays_on_the_hour() -> None:
    night = windows([weekly(6, "22:00-06:00")], {}, BERLIN, date(2027, 3, 27), date(2027, 3, 27))
    assert night[0].ends - night[0].begins == timedelta(hours=7)
    assert starts(night) == "22:00 23:00 00:00 01:00 03:00 04:00 05:00"
    assert starts(night, minutes=90, step=90) == "22:00 23:30 01:00 03:00 04:00"
    found = offered(night)
    assert all(each.ends_at - each.starts_at == timedelta(hours=1) for each in found)
    assert len({each.starts_at for each in found}) == 7


@pytest.mark.rule("S6")
@pytest.mark.promise("S2")
def test_as_clocks_are_put_back_the_hour_that_comes_twice_is_offered_twice() -> None:
    day = date(2026, 11, 1)
    early = on(day, section("00:00-03:00"), zone=YORK)
    assert starts(early, step=30) == "00:00 00:30 01:00 01:30 01:00 01:30 02:00"
    assert [each.starts_at for each in offered(early)] == [
        datetime(2026, 11, 1, hour, tzinfo=UTC) for hour in (4, 5, 6, 7)
    ]
    # A section that begins within the hour begins at its first time; until within it, ends at its second.
    assert starts(on(day, section("01:30-02:30"), zone=YORK), minutes=30, step=30) == "01:30 01:00 01:30 02:00"
    assert starts(on(day, section("00:30-01:30"), zone=YORK), minutes=30, step=30) == "00:30 01:00 01:30 01:00"
    # Until the hour, it ends before it.
    assert starts(on(day, section("00:00-01:00"), zone=YORK), minutes=30, step=30) == "00:00 00:30"


@pytest.mark.rule("S6")
@pytest.mark.promise("S2")
def test_where_clocks_change_by_half_an_hour_slots_stay_on_the_hour() -> None:
    back, forward = date(2027, 4, 4), date(2026, 10, 4)
    assert starts(on(back, section("00:00-04:00"), zone=HOWE)) == "00:00 01:00 02:00 03:00"
    times = [each.starts_at for each in offered(on(back, section("00:00-04:00"), zone=HOWE))]
    assert [later - earlier for earlier, later in pairwise(times)] == [
        timedelta(minutes=minutes) for minutes in (60, 90, 60)
    ]
    # 02:00 is left out, and means 02:30, when the clocks go on.
    assert starts(on(forward, section("00:00-05:00"), zone=HOWE), minutes=30) == "00:00 01:00 02:30 03:00 04:00"


@pytest.mark.rule("S6")
@pytest.mark.promise("S2")
def test_whole_days_have_as_many_hours_as_their_clocks_and_a_day_that_there_was_not_has_none() -> None:
    def hours(name: str, day: date) -> int:
        zone = ZoneInfo(name)
        return len(offered(windows([], {day: [section("00:00-00:00")]}, zone, day, day)))

    assert hours("Europe/Berlin", date(2027, 3, 28)) == 23
    assert hours("Europe/Berlin", date(2027, 10, 31)) == 25
    assert hours("America/New_York", date(2026, 11, 1)) == 25
    assert hours("America/Sao_Paulo", date(2018, 11, 4)) == 23
    assert hours("Antarctica/Troll", date(2027, 3, 28)) == 22
    assert hours("Pacific/Apia", date(2011, 12, 30)) == 0
    assert hours("Pacific/Apia", date(2011, 12, 31)) == 24


@pytest.mark.rule("S6")
def test_a_section_within_a_gap_of_the_clocks_takes_no_time() -> None:
    assert on(date(2027, 3, 28), section("02:00-03:00"), section("02:15-02:45")) == []
    assert starts(on(date(2027, 3, 28), section("02:30-04:00")), minutes=30, step=30) == "03:00 03:30"


@pytest.mark.rule("S6")
@pytest.mark.promise("S2")
def test_a_section_of_the_next_day_goes_on_as_clocks_are_put_back_into_the_day_before() -> None:
    # At 00:01 of 7 November clocks went back to 23:01 of the 6th.
    here, day = ZoneInfo("America/St_Johns"), date(2010, 11, 6)
    night = windows([], {date(2010, 11, 7): [section("00:00-02:00")]}, here, day, day)
    assert [(each.begins, each.ends) for each in night] == [
        (datetime(2010, 11, 7, 2, 30, tzinfo=UTC), datetime(2010, 11, 7, 5, 30, tzinfo=UTC))
    ]
    assert starts(night, minutes=30, step=30) == "00:00 23:30 00:00 00:30 01:00 01:30"
    assert windows([], {date(2010, 11, 8): [section("00:00-02:00")]}, here, day, day) == []
