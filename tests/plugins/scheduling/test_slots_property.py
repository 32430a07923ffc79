"""Over every zone of the tz database: what is offered is what a walk through every minute of UTC says (S3, S4, S6)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plugins.scheduling.clocks import DAY, MINUTE, NAMES, ODD_DAYS, days, midnight, shown, walk, zone
from plugins.scheduling.slow_slots import at_minute, laid, offered

from bedside_scheduling.api import AppointmentKind, Mode
from bedside_scheduling.slots import Busy, DaySection, Span, WeeklySection, free, windows
from rulebook import size

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

# Often on the hour or the quarter, and often at night, when clocks change.
times = st.one_of(
    # So few that sections often touch.
    st.sampled_from([0, 2, 4, 9, 12, 23]).map(lambda hour: at_minute(hour * 60)),
    st.integers(0, 95).map(lambda quarter: at_minute(quarter * 15)),
    st.integers(0, 30).map(lambda each: at_minute(each * 10)),
    st.integers(0, 1439).map(at_minute),
)
modes = st.sampled_from(Mode)
near = st.integers(-2, 2)
often = {"mode": st.sampled_from([Mode.BOTH, *Mode]), "self_scheduling": st.sampled_from([True, True, True, False])}
# The same, so that there is often just enough time between two.
spans = st.one_of(
    st.tuples(st.integers(-20, 48).map(lambda half: half * 30), st.integers(1, 4).map(lambda half: half * 30)),
    st.tuples(st.integers(-1500, 3000), st.integers(5, 300)),
)
buffers = st.sampled_from([0, 0, 5, 10, 30])

# A practitioner's sections around a date, what is taken, and what is asked. Dates are days from that date, instants
# minutes from its begin.
situations = st.fixed_dictionaries(
    {
        "weekly": st.lists(
            st.tuples(
                near,
                st.one_of(st.none(), st.none(), near),
                st.one_of(st.none(), st.none(), near),
                st.builds(DaySection, begins=times, ends=times, **often),
            ),
            min_size=1,
            max_size=6,
        ),
        "days": st.dictionaries(
            near, st.lists(st.builds(DaySection, begins=times, ends=times, **often), max_size=3), max_size=2
        ),
        "busy": st.lists(st.tuples(spans, buffers, buffers), max_size=4),
        "closed": st.lists(spans, max_size=2),
        "minutes": st.sampled_from([30, 5, 15, 45, 50, 60, 90, 240]),
        "step": st.sampled_from([15, 5, 10, 20, 25, 30, 45, 60, 90]),
        "before": buffers,
        "after": buffers,
        "earliest": st.just(0) | st.integers(-120, 1000),
        "long": st.just(1440) | st.integers(0, 1600),
        "kind": st.sampled_from([None, None, *AppointmentKind]),
        "mode": st.sampled_from([Mode.BOTH, Mode.BOTH, *Mode]),
        "open_only": st.booleans(),
    }
)


ALWAYS_OPEN: dict[str, Any] = {
    "weekly": [
        (on, None, None, DaySection(begins=at_minute(0), ends=at_minute(0), mode=Mode.BOTH, self_scheduling=True))
        for on in range(-2, 3)
    ],
    "days": {},
    "busy": [],
    "closed": [],
    "minutes": 30,
    "step": 20,
    "before": 0,
    "after": 0,
    "earliest": 0,
    "long": 1440,
    "kind": None,
    "mode": Mode.BOTH,
    "open_only": True,
}


def agree(name: str, day: date, situation: dict[str, Any]) -> int:
    """Hold the functions against the walk; return how many times are offered."""
    steps = walk(name, day)
    begin = steps.at(steps.reached(midnight(day)))

    def span(pair: tuple[int, int]) -> dict[str, Any]:
        return {"begins": begin + pair[0] * MINUTE, "ends": begin + sum(pair) * MINUTE}

    earliest = begin + situation["earliest"] * MINUTE
    asked = {key: situation[key] for key in ("minutes", "step", "before", "after", "kind", "mode", "open_only")}
    asked |= {"earliest": earliest, "latest": earliest + situation["long"] * MINUTE}
    busy = [
        Busy(**span(each), before=before * MINUTE, after=after * MINUTE) for each, before, after in situation["busy"]
    ]
    closed = [Span(**span(each)) for each in situation["closed"]]
    weekly = [
        WeeklySection(
            weekday=(day + on * DAY).isoweekday(),
            from_date=None if since is None else day + since * DAY,
            until_date=None if until is None else day + until * DAY,
            **vars(section),
        )
        for on, since, until, section in situation["weekly"]
    ]
    own = {day + on * DAY: sections for on, sections in situation["days"].items()}
    # Whoever asks knows the dates between which it asks, and no more.
    first, last = asked["earliest"], asked["latest"] + asked["minutes"] * MINUTE
    sections = windows(weekly, own, zone(name), shown(first, name).date(), shown(last, name).date())
    found = free(sections, busy, closed, **asked)
    expected = offered(steps, laid(steps, weekly, own, day), busy, closed, **asked)
    assert [(each.starts_at, each.ends_at, set(each.kinds)) for each in found] == expected
    assert all(each.ends_at - each.starts_at == situation["minutes"] * MINUTE for each in found)
    return len(found)


@pytest.mark.promise("S2")
@pytest.mark.rule("S3")
@pytest.mark.rule("S4")
@pytest.mark.rule("S6")
@pytest.mark.parametrize(("name", "day"), ODD_DAYS, ids=[f"{name}-{day}" for name, day in ODD_DAYS])
def test_on_odd_days_what_is_offered_is_what_a_walk_through_every_minute_says(name: str, day: date) -> None:
    assert agree(name, day, ALWAYS_OPEN) in range(72, 76)

    @settings(PATIENT, max_examples=size(10, 100))
    @given(situations)
    def hold(situation: dict[str, Any]) -> None:
        agree(name, day, situation)

    hold()


@pytest.mark.promise("S2")
@pytest.mark.rule("S3")
@pytest.mark.rule("S6")
@settings(PATIENT, max_examples=100)
@given(st.sampled_from(NAMES), st.data())
def test_in_any_zone_what_is_offered_is_what_a_walk_through_every_minute_says(name: str, data: st.DataObject) -> None:
    day = data.draw(days(name))
    agree(name, day, data.draw(situations))


@pytest.mark.full
@pytest.mark.promise("S2")
@pytest.mark.rule("S6")
@pytest.mark.parametrize("name", NAMES)
def test_in_every_zone_what_is_offered_is_what_a_walk_through_every_minute_says(name: str) -> None:
    @settings(PATIENT, max_examples=15)
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        day = data.draw(days(name))
        agree(name, day, data.draw(situations))

    hold()
