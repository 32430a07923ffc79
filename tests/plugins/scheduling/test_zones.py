"""Wall times and the instants they mean, over every zone and on days of changing clocks (S6, promise S2)."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plugins.scheduling.clocks import DAY, NAMES, ODD_DAYS, Walk, changes, days, midnight, minute, walk, zone

from bedside_scheduling import zones
from bedside_scheduling.zones import day_begins, day_of, instant, wall_time
from rulebook import size

HOUR = timedelta(hours=1)
pytestmark = [pytest.mark.rule("S6"), pytest.mark.promise("S2")]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


def test_a_day_is_as_long_as_its_clocks_make_it() -> None:
    def hours(name: str, day: date) -> float:
        return (day_begins(day + DAY, ZoneInfo(name)) - day_begins(day, ZoneInfo(name))) / HOUR

    assert hours("Europe/Berlin", date(2027, 3, 27)) == 24
    assert hours("Europe/Berlin", date(2027, 3, 28)) == 23
    assert hours("Europe/Berlin", date(2027, 10, 31)) == 25
    assert hours("America/New_York", date(2026, 11, 1)) == 25
    assert hours("America/New_York", date(2027, 3, 14)) == 23
    assert hours("Australia/Lord_Howe", date(2027, 4, 4)) == 24.5
    assert hours("Australia/Lord_Howe", date(2026, 10, 4)) == 23.5
    assert hours("Antarctica/Troll", date(2027, 3, 28)) == 22
    assert hours("Antarctica/Troll", date(2027, 10, 31)) == 26
    # Clocks go from 24:00 to 01:00, or from 24:00 back to 23:00.
    assert hours("America/Sao_Paulo", date(2018, 11, 4)) == 23
    assert hours("America/Sao_Paulo", date(2019, 2, 16)) == 25
    # There was no 30 December in Samoa.
    assert hours("Pacific/Apia", date(2011, 12, 29)) == 24
    assert hours("Pacific/Apia", date(2011, 12, 30)) == 0
    assert hours("Pacific/Apia", date(2011, 12, 31)) == 24


def test_a_wall_time_that_clocks_leave_out_is_the_first_instant_after_the_gap() -> None:
    berlin, howe, apia = (ZoneInfo(name) for name in ("Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"))
    for ends in (False, True):
        assert instant(datetime(2027, 3, 28, 1, 59), berlin, ends=ends) == utc(2027, 3, 28, 0, 59)
        assert instant(datetime(2027, 3, 28, 2), berlin, ends=ends) == utc(2027, 3, 28, 1)
        assert instant(datetime(2027, 3, 28, 2, 59), berlin, ends=ends) == utc(2027, 3, 28, 1)
        assert instant(datetime(2027, 3, 28, 3), berlin, ends=ends) == utc(2027, 3, 28, 1)
        assert instant(datetime(2027, 3, 28, 3, 1), berlin, ends=ends) == utc(2027, 3, 28, 1, 1)
        assert instant(datetime(2026, 10, 4, 2, 15), howe, ends=ends) == utc(2026, 10, 3, 15, 30)
        assert instant(datetime(2026, 10, 4, 2, 30), howe, ends=ends) == utc(2026, 10, 3, 15, 30)
        assert instant(datetime(2011, 12, 30, 9), apia, ends=ends) == utc(2011, 12, 30, 10)


def test_a_wall_time_that_clocks_show_twice_begins_at_the_first_and_ends_at_the_second() -> None:
    york, howe = ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")
    assert instant(datetime(2026, 11, 1, 1, 30), york) == utc(2026, 11, 1, 5, 30)
    assert instant(datetime(2026, 11, 1, 1, 30), york, ends=True) == utc(2026, 11, 1, 6, 30)
    assert instant(datetime(2027, 4, 4, 1, 45), howe) == utc(2027, 4, 3, 14, 45)
    assert instant(datetime(2027, 4, 4, 1, 45), howe, ends=True) == utc(2027, 4, 3, 15, 15)
    # Whatever `fold` says, which a client can't know of.
    assert instant(datetime(2026, 11, 1, 1, 30, fold=1), york) == utc(2026, 11, 1, 5, 30)


def test_what_ends_when_clocks_come_back_to_its_end_has_ended_before() -> None:
    york, havana = ZoneInfo("America/New_York"), ZoneInfo("America/Havana")
    # 00:00 to 01:00 is one hour, in which nothing of the two hours from 01:00 to 02:00 lies.
    assert instant(datetime(2026, 11, 1, 1), york, ends=True) == utc(2026, 11, 1, 5)
    assert instant(datetime(2026, 11, 1, 2), york) == utc(2026, 11, 1, 7)
    # Midnight comes twice; the day before has 24 hours, and the day itself 25.
    assert instant(datetime(2020, 11, 1), havana, ends=True) == day_begins(date(2020, 11, 1), havana)
    assert day_begins(date(2020, 11, 1), havana) - day_begins(date(2020, 10, 31), havana) == 24 * HOUR
    assert day_begins(date(2020, 11, 2), havana) - day_begins(date(2020, 11, 1), havana) == 25 * HOUR


def test_an_instant_has_the_date_and_wall_time_of_its_zone() -> None:
    at = utc(2026, 11, 1, 6, 30)
    assert wall_time(at, ZoneInfo("America/New_York")) == datetime(2026, 11, 1, 1, 30)
    assert wall_time(at, ZoneInfo("America/New_York")).fold == 0
    assert day_of(at, ZoneInfo("America/Los_Angeles")) == date(2026, 10, 31)
    assert day_of(at, ZoneInfo("Pacific/Kiritimati")) == date(2026, 11, 1)


def test_the_days_that_every_run_looks_at_are_odd_in_every_way() -> None:
    assert set(NAMES) <= zoneinfo.available_timezones()
    stepped = set[int]()
    for name, day in ODD_DAYS:
        walls = walk(name, day).walls
        stepped |= {after - before - 1 for before, after in pairwise(walls)}
    quarter, half, hour, two_hours, whole_day = 15, 30, 60, 120, 1440
    assert stepped == {0, quarter, half, -half, hour, -hour, two_hours, -two_hours, whole_day}


def agree(name: str, steps: Walk, wall: datetime) -> None:
    here = zone(name)
    assert steps.number(instant(wall, here)) == steps.reached(wall)
    assert steps.number(instant(wall, here, ends=True)) == steps.passed(wall)
    assert [steps.number(each) for each in zones.shown(wall, here)] == (steps.showing(wall) or [steps.reached(wall)])
    for at in zones.shown(wall, here):
        assert minute(wall_time(at, here)) == steps.walls[steps.number(at)]


@pytest.mark.parametrize(("name", "day"), ODD_DAYS, ids=[f"{name}-{day}" for name, day in ODD_DAYS])
def test_on_odd_days_each_wall_time_is_the_instant_that_a_walk_through_every_minute_finds(name: str, day: date) -> None:
    steps = walk(name, day)
    for number in range(-1440, 2 * 1440, size(37, 1)):
        agree(name, steps, midnight(day) + timedelta(minutes=number))
    # The minutes around each step of the clocks, which are few.
    for before, after in pairwise(steps.walls[1440:-1440]):
        if after != before + 1:
            for shows in (before, before + 1, before + 2, (before + after) // 2, after - 1, after, after + 1):
                agree(name, steps, datetime.min + timedelta(minutes=shows - 1440))


@settings(deadline=None, max_examples=size(60, 1500), suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(NAMES), st.data())
def test_in_any_zone_a_wall_time_is_the_instant_that_a_walk_through_every_minute_finds(
    name: str, data: st.DataObject
) -> None:
    day = data.draw(days(name))
    steps = walk(name, day)
    agree(name, steps, midnight(day))
    agree(name, steps, midnight(day) + timedelta(minutes=data.draw(st.integers(0, 300) | st.integers(-1440, 2880))))
    begins, ends = (steps.number(day_begins(each, zone(name))) for each in (day, day + DAY))
    assert (begins, ends) == (steps.reached(midnight(day)), steps.reached(midnight(day + DAY)))


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_in_every_zone_each_change_of_clocks_is_where_a_walk_through_every_minute_finds_it(name: str) -> None:
    for year in (1985, 2005, 2026, 2027):
        for at in changes(name, year):
            steps = Walk(name, at.date())
            number = steps.number(at)
            before, after = steps.walls[number - 1], steps.walls[number]
            for shows in (before, before + 1, (before + after) // 2, after - 1, after, after + 1):
                agree(name, steps, datetime.min + timedelta(minutes=shows - 1440))
