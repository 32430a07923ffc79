"""Recurrence rules of series and the instants they mean: known ones, refused ones, and any in any zone (S6, S7)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrulestr
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from plugins.scheduling.clocks import NAMES, UNLIKE, days, zone
from plugins.scheduling.slow_series import Rule, dates, first_instant, rules, written
from plugins.scheduling.slow_slots import at_minute

from bedside_core.errors import InvalidInput
from bedside_scheduling.recurrence import occurrences, read
from rulebook import size

BERLIN, YORK, HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")
pytestmark = [pytest.mark.rule("S6"), pytest.mark.rule("S7")]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


def walls(rule: str, begins: datetime, here: ZoneInfo) -> list[str]:
    return [f"{each.astimezone(here):%Y-%m-%d %H:%M}" for each in occurrences(rule, begins, here)]


@pytest.mark.promise("S2")
def test_a_series_keeps_its_wall_time_over_changes_of_clocks() -> None:
    assert occurrences("FREQ=WEEKLY;COUNT=3", datetime(2027, 3, 21, 9), BERLIN) == [
        utc(2027, 3, 21, 8),
        utc(2027, 3, 28, 7),
        utc(2027, 4, 4, 7),
    ]
    assert occurrences("FREQ=DAILY;COUNT=3", datetime(2026, 10, 31, 17, 30), YORK) == [
        utc(2026, 10, 31, 21, 30),
        utc(2026, 11, 1, 22, 30),
        utc(2026, 11, 2, 22, 30),
    ]
    assert occurrences("FREQ=DAILY;COUNT=2", datetime(2027, 4, 3, 12), HOWE) == [
        utc(2027, 4, 3, 1),
        utc(2027, 4, 4, 1, 30),
    ]


@pytest.mark.promise("S2")
def test_an_occurrence_whose_wall_time_is_left_out_moves_and_one_that_comes_twice_is_the_first() -> None:
    assert occurrences("FREQ=DAILY;COUNT=3", datetime(2027, 3, 27, 2, 30), BERLIN) == [
        utc(2027, 3, 27, 1, 30),
        utc(2027, 3, 28, 1),
        utc(2027, 3, 29, 0, 30),
    ]
    assert occurrences("FREQ=DAILY;COUNT=3", datetime(2026, 10, 31, 1, 30), YORK) == [
        utc(2026, 10, 31, 5, 30),
        utc(2026, 11, 1, 5, 30),
        utc(2026, 11, 2, 6, 30),
    ]


def test_a_day_that_there_was_not_gives_no_second_occurrence_at_the_instant_of_the_next() -> None:
    # Samoa went from 29 to 31 December: midnight of the 30th and of the 31st would be the same instant.
    assert walls("FREQ=DAILY;COUNT=3", datetime(2011, 12, 29), ZoneInfo("Pacific/Apia")) == [
        "2011-12-29 00:00",
        "2011-12-31 00:00",
        "2012-01-01 00:00",
    ]


@pytest.mark.parametrize(
    ("rule", "begins", "expected"),
    [
        # Examples of RFC 5545, 3.8.5.3, with an end.
        (
            "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971223T000000Z;WKST=SU;BYDAY=MO,WE,FR",
            date(1997, 9, 1),
            "09-01 09-03 09-05 09-15 09-17 09-19 09-29 10-01 10-03 10-13 10-15 10-17 10-27 10-29 10-31 11-10 11-12 "
            "11-14 11-24 11-26 11-28 12-08 12-10 12-12 12-22",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
            date(1997, 9, 2),
            "09-02 09-04 09-16 09-18 09-30 10-02 10-14 10-16",
        ),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", date(1997, 8, 5), "08-05 08-10 08-19 08-24"),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", date(1997, 8, 5), "08-05 08-17 08-19 08-31"),
        ("FREQ=MONTHLY;COUNT=4;BYDAY=1FR", date(1997, 9, 5), "09-05 10-03 11-07 12-05"),
        ("FREQ=MONTHLY;INTERVAL=2;COUNT=4;BYDAY=1SU,-1SU", date(1997, 9, 7), "09-07 09-28 11-02 11-30"),
        ("FREQ=MONTHLY;COUNT=4;BYDAY=-2MO", date(1997, 9, 22), "09-22 10-20 11-17 12-22"),
        ("FREQ=MONTHLY;COUNT=3;BYMONTHDAY=-3", date(1997, 9, 28), "09-28 10-29 11-28"),
        ("FREQ=MONTHLY;COUNT=6;BYMONTHDAY=1,-1", date(1997, 9, 30), "09-30 10-01 10-31 11-01 11-30 12-01"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", date(1997, 9, 4), "09-04 10-07 11-06"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", date(1997, 9, 29), "09-29 10-30 11-27"),
        ("FREQ=MONTHLY;COUNT=2;BYDAY=FR;BYMONTHDAY=13", date(1998, 2, 13), "02-13 03-13"),
        # The 31st is left out where there is none, and not counted.
        ("FREQ=MONTHLY;COUNT=4", date(1997, 8, 31), "08-31 10-31 12-31 01-31"),
        ("FREQ=MONTHLY;COUNT=3;BYMONTHDAY=15,30", date(1998, 1, 30), "01-30 02-15 03-15"),
        # Positions count in the whole week, which begins before the first.
        ("FREQ=WEEKLY;COUNT=3;BYDAY=MO,WE,FR;BYSETPOS=2", date(1997, 9, 3), "09-03 09-10 09-17"),
        ("FREQ=DAILY;INTERVAL=10;COUNT=3", date(1997, 9, 2), "09-02 09-12 09-22"),
        ("FREQ=DAILY;COUNT=3;BYDAY=SA,SU", date(1997, 9, 6), "09-06 09-07 09-13"),
        ("freq=weekly;count=1", date(1997, 9, 2), "09-02"),
    ],
)
def test_known_rules_give_known_dates(rule: str, begins: date, expected: str) -> None:
    found = occurrences(rule, datetime.combine(begins, time(9)), YORK)
    assert [f"{each.astimezone(YORK):%m-%d}" for each in found] == expected.split()
    assert {each.astimezone(YORK).time() for each in found} == {time(9)}


def test_until_is_an_instant_and_the_last_may_be_at_it() -> None:
    nine = datetime(2027, 3, 27, 9)
    days_of = ["2027-03-27 09:00", "2027-03-28 09:00"]
    assert walls("FREQ=DAILY;UNTIL=20270328T070000Z", nine, BERLIN) == days_of
    assert walls("FREQ=DAILY;UNTIL=20270328T065959Z", nine, BERLIN) == days_of[:1]
    assert walls("FREQ=DAILY;UNTIL=20270329T065959Z", nine, BERLIN) == days_of


def test_a_rule_is_kept_in_one_way_of_writing_it() -> None:
    assert read("byday=mo,+1we;freq=monthly;count=07".replace("07", "7")).text == "FREQ=MONTHLY;COUNT=7;BYDAY=MO,+1WE"
    assert read("COUNT=2;WKST=SU;INTERVAL=2;FREQ=WEEKLY").text == "FREQ=WEEKLY;INTERVAL=2;COUNT=2;WKST=SU"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("", "nothing else"),
        ("COUNT=3", "has FREQ"),
        ("FREQ=WEEKLY", "either COUNT or UNTIL"),
        ("FREQ=WEEKLY;COUNT=3;UNTIL=20270401T000000Z", "either COUNT or UNTIL"),
        ("FREQ=YEARLY;COUNT=3", "FREQ of this rule"),
        ("FREQ=HOURLY;COUNT=3", "FREQ of this rule"),
        ("FREQ=DAILY;COUNT=3;BYHOUR=9,10", "nothing else"),
        ("FREQ=DAILY;COUNT=3;BYMONTH=4", "nothing else"),
        ("FREQ=DAILY;COUNT=3;", "nothing else"),
        ("FREQ=DAILY; COUNT=3", "nothing else"),
        ("RRULE:FREQ=DAILY;COUNT=3", "nothing else"),
        ("FREQ=DAILY;COUNT=3\nATTENDEE:mailto:x@example.org", "COUNT of this rule"),
        ("FREQ=DAILY;COUNT=3\r\n", "COUNT of this rule"),
        ("FREQ=DAILY;FREQ=DAILY;COUNT=3", "FREQ of this rule"),
        ("FREQ=DAILY;COUNT=0", "COUNT of this rule"),
        ("FREQ=DAILY;COUNT=-1", "COUNT of this rule"),
        ("FREQ=DAILY;COUNT=3;INTERVAL=0", "INTERVAL of this rule"),
        ("FREQ=DAILY;COUNT=3;INTERVAL=1000", "INTERVAL of this rule"),
        ("FREQ=DAILY;COUNT=\N{ARABIC-INDIC DIGIT THREE}", "no recurrence rule"),
        ("FREQ=DAILY;COUNT=3;BYDAY=" + ",".join(["MO"] * 200), "no recurrence rule"),
        # A local time or a date is no end of what has a zone (RFC 5545, 3.3.10).
        ("FREQ=DAILY;UNTIL=20270401", "UNTIL of this rule"),
        ("FREQ=DAILY;UNTIL=20270401T090000", "UNTIL of this rule"),
        ("FREQ=DAILY;UNTIL=20270431T090000Z", "UNTIL of this rule"),
        ("FREQ=WEEKLY;COUNT=3;BYDAY=XX", "BYDAY of this rule"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=6MO", "BYDAY of this rule"),
        ("FREQ=WEEKLY;COUNT=3;BYDAY=1MO", "numbers the weekdays"),
        ("FREQ=DAILY;COUNT=3;BYDAY=-1MO", "numbers the weekdays"),
        ("FREQ=WEEKLY;COUNT=3;BYMONTHDAY=4", "no BYMONTHDAY"),
        ("FREQ=MONTHLY;COUNT=3;BYMONTHDAY=32", "BYMONTHDAY of this rule"),
        ("FREQ=MONTHLY;COUNT=3;BYMONTHDAY=0", "BYMONTHDAY of this rule"),
        ("FREQ=MONTHLY;COUNT=3;BYSETPOS=1", "BYSETPOS chooses"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=MO;BYSETPOS=0", "BYSETPOS of this rule"),
        # There is more than one of them, or the first is none of them.
        ("FREQ=DAILY;COUNT=105", "at most 104"),
        ("FREQ=DAILY;COUNT=9999", "at most 104"),
        ("FREQ=DAILY;UNTIL=20270701T000000Z", "at most 104"),
        ("FREQ=WEEKLY;COUNT=3;BYDAY=TU", "first appointment"),
        ("FREQ=DAILY;UNTIL=20270228T000000Z", "first appointment"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=1MO;BYMONTHDAY=31", "first appointment"),
        ("FREQ=DAILY;COUNT=3;BYMONTHDAY=31;BYSETPOS=5", "first appointment"),
        ("FREQ=MONTHLY;COUNT=26", "2 years"),
        ("FREQ=MONTHLY;COUNT=2;INTERVAL=25", "2 years"),
        ("FREQ=MONTHLY;UNTIL=20290301T090001Z", "2 years"),
        ("FREQ=MONTHLY;UNTIL=99991231T235959Z", "2 years"),
    ],
)
def test_a_rule_that_is_none_or_does_not_end_in_time_is_refused(rule: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as refused:
        occurrences(rule, datetime(2027, 3, 1, 9), ZoneInfo("UTC"), field=("input", "rule"))
    assert refused.value.field == ("input", "rule")


def test_the_bounds_themselves_are_kept() -> None:
    first = datetime(2027, 3, 1, 9)
    assert len(occurrences("FREQ=DAILY;COUNT=104", first, BERLIN)) == 104
    assert len(occurrences("FREQ=MONTHLY;COUNT=25", first, BERLIN)) == 25
    assert len(occurrences("FREQ=MONTHLY;UNTIL=20290301T080000Z", first, BERLIN)) == 25
    assert len(occurrences("FREQ=DAILY;COUNT=5", first, BERLIN, most=5)) == 5
    with pytest.raises(InvalidInput, match="at most 4"):
        occurrences("FREQ=DAILY;COUNT=5", first, BERLIN, most=4)
    with pytest.raises(InvalidInput, match="1 years"):
        occurrences("FREQ=MONTHLY;COUNT=14", first, BERLIN, until_years=1)
    leap = datetime(2028, 2, 29, 9)
    assert walls("FREQ=MONTHLY;COUNT=2;BYMONTHDAY=-1", leap, BERLIN) == ["2028-02-29 09:00", "2028-03-31 09:00"]
    for year in (1, 9999):
        with pytest.raises(InvalidInput, match="that year"):
            occurrences("FREQ=DAILY;COUNT=2", datetime(year, 1, 1), BERLIN)


PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
ends = st.tuples(st.just("COUNT"), st.integers(1, 106)) | st.tuples(st.just("UNTIL"), st.integers(-60, 110))
# Often at night, when clocks change.
times = (st.integers(0, 30).map(lambda each: each * 10) | st.integers(0, 1439)).map(at_minute)


def agree(name: str, rule: Rule, begins: datetime, end: tuple[str, int]) -> int:
    """Hold a series against the oracle; return how many appointments it has."""
    last = begins + relativedelta(years=2)
    walls = (datetime.combine(day, begins.time()) for day in dates(rule, begins.date(), 732))
    # Where two are at one instant there is one. The first 110 of them show all there is to show.
    expected = list(dict.fromkeys(first_instant(each, name) for each in islice(walls, 110) if each <= last))
    right = bool(expected) and expected[0] == first_instant(begins, name)
    kind, number = end
    if kind == "COUNT":
        rule = rule | {"COUNT": number}
        fault = "first appointment" if not right else "2 years" if len(expected) < number else None
        fault = "at most" if number > 104 else fault
        expected = expected[:number]
    else:
        # At one of them, or in the second before it.
        at = expected[min(abs(number), len(expected) - 1)] if expected else first_instant(begins, name)
        until = at - timedelta(seconds=number < 0)
        rule = rule | {"UNTIL": f"{until:%Y%m%dT%H%M%SZ}"}
        expected = [each for each in expected if each <= until]
        fault = "first appointment" if not right or not expected else "at most" if len(expected) > 104 else None
    if fault is None:
        assert occurrences(written(rule), begins, zone(name)) == expected
        return len(expected)
    with pytest.raises(InvalidInput, match=fault):
        occurrences(written(rule), begins, zone(name))
    return 0


@pytest.mark.promise("S2")
def test_any_series_in_any_zone_takes_place_when_a_look_at_each_day_says() -> None:
    lengths = set[int]()

    @settings(PATIENT, max_examples=size(80, 600))
    @given(st.sampled_from(NAMES), rules(), times, ends, st.data())
    def hold(name: str, rule: Rule, at: time, end: tuple[str, int], data: st.DataObject) -> None:
        day = data.draw(days(name))
        if data.draw(st.integers(0, 9)):
            # A series begins with one of its own.
            day = next(dates(rule, day, 100), day)
        lengths.add(agree(name, rule, datetime.combine(day, at), end))

    hold()
    assert len(lengths) > 3


@pytest.mark.full
@pytest.mark.promise("S2")
@pytest.mark.parametrize("name", UNLIKE)
def test_in_every_zone_any_series_takes_place_when_a_look_at_each_day_says(name: str) -> None:
    @settings(PATIENT, max_examples=8)
    @given(rules(), times, ends, days(name))
    def hold(rule: Rule, at: time, end: tuple[str, int], day: date) -> None:
        agree(name, rule, datetime.combine(next(dates(rule, day, 100), day), at), end)

    hold()


@settings(PATIENT, max_examples=size(60, 1500))
@given(rules(), st.integers(1, 60), st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_dateutil_knows_the_same_dates(rule: Rule, count: int, day: date) -> None:
    # dateutil counts positions of the first week from the first appointment on, not from where that week begins; of
    # "each Tuesday and the first Friday" it keeps what is both. And it searches on for thousands of years for what
    # there never is, so it is asked for what there is.
    assume(rule["FREQ"] != "WEEKLY" or "BYSETPOS" not in rule)
    assume(len({len(each) == 2 for each in rule.get("BYDAY", ())}) < 2)
    begins = datetime.combine(next(dates(rule, day, 100), day), time(9))
    try:
        found = occurrences(written(rule | {"COUNT": count}), begins, ZoneInfo("UTC"))
    except InvalidInput:
        return
    until = written(rule | {"UNTIL": f"{found[-1]:%Y%m%dT%H%M%S}"})
    assert [each.replace(tzinfo=None) for each in found] == list(rrulestr(until, dtstart=begins))
