"""At which instants a series takes place, told slowly: each day for itself, by what RFC 5545, 3.3.10, says of it.

It is the definition that the scheduling plugin's series are held against, and shares nothing with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st
from plugins.scheduling.clocks import DAY, shown

Rule = dict[str, Any]
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def period(rule: Rule, day: date) -> int:
    """The number of the day, week or month of a rule in which a day is."""
    if rule["FREQ"] == "MONTHLY":
        return day.year * 12 + day.month
    if rule["FREQ"] == "WEEKLY":
        # The first day of all was a Monday.
        return (day - date(1, 1, 1) - WEEKDAYS.index(rule.get("WKST", "MO")) * DAY) // (7 * DAY)
    return day.toordinal()


@cache
def month_of(year: int, month: int) -> list[date]:
    return [each for number in range(31) if (each := date(year, month, 1) + number * DAY).month == month]


def named(rule: Rule, day: date, first: date) -> bool:
    month = month_of(day.year, day.month)
    alike = [each for each in month if each.weekday() == day.weekday()]
    by_day, by_month_day = rule.get("BYDAY"), rule.get("BYMONTHDAY")
    if by_day is None and by_month_day is None:
        return {
            "DAILY": True,
            "WEEKLY": day.weekday() == first.weekday(),
            "MONTHLY": day.day == first.day,
        }[rule["FREQ"]]
    names = {
        WEEKDAYS[day.weekday()],
        f"{alike.index(day) + 1}{WEEKDAYS[day.weekday()]}",
        f"{alike.index(day) - len(alike)}{WEEKDAYS[day.weekday()]}",
    }
    numbers = {month.index(day) + 1, month.index(day) - len(month)}
    return (by_day is None or bool(names & set(by_day))) and (by_month_day is None or bool(numbers & set(by_month_day)))


def dates(rule: Rule, first: date, number: int) -> Iterator[date]:
    """The days on which the rule takes place, of so many from the first, which need not be one of them."""
    periods: dict[int, list[date]] = {}
    for each in range(-31, number + 31):
        day = first + each * DAY
        fellows = periods.setdefault(period(rule, day), [])
        if named(rule, day, first):
            fellows.append(day)
    begin = period(rule, first)
    for each, fellows in periods.items():
        for place, day in enumerate(fellows):
            if (
                first <= day < first + number * DAY
                and (each - begin) % rule.get("INTERVAL", 1) == 0
                and ("BYSETPOS" not in rule or {place + 1, place - len(fellows)} & set(rule["BYSETPOS"]))
            ):
                yield day


def first_instant(wall: datetime, name: str) -> datetime:
    """The first instant at which a zone's clocks show a wall time, or else the one at which they step over it."""
    around = [wall.replace(tzinfo=UTC) + timedelta(hours=each) for each in range(-42, 43, 6)]
    offsets = {shown(at, name) - at.replace(tzinfo=None) for at in around}
    showing = [at for each in offsets if shown(at := wall.replace(tzinfo=UTC) - each, name) == wall]
    if showing:
        return min(showing)
    low, high = around[0], around[-1]
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (middle, high) if shown(middle, name) < wall else (low, middle)
    return high


def lists(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.lists(of, min_size=1, max_size=4, unique=True)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """The parts of a rule, without its end."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "WEEKLY", "MONTHLY", "MONTHLY"]))
    month_days = lists(st.integers(1, 31) | st.integers(-31, -1))
    weekdays = st.sampled_from(WEEKDAYS)
    numbered = st.builds(lambda nth, name: f"{nth}{name}", st.sampled_from([-5, -2, -1, 1, 2, 3, 4, 5]), weekdays)
    found: Rule = {
        "FREQ": frequency,
        "INTERVAL": draw(st.sampled_from([1, 1, 1, 2, 3, 5])),
        "BYDAY": draw(lists(weekdays | numbered if frequency == "MONTHLY" else weekdays)),
        "BYMONTHDAY": draw(st.none() if frequency == "WEEKLY" else st.none() | month_days),
        "WKST": draw(st.none() | weekdays),
    }
    if found["BYDAY"] or found["BYMONTHDAY"]:
        found["BYSETPOS"] = draw(st.none() | lists(st.integers(1, 6) | st.integers(-6, -1)))
    return {name: value for name, value in found.items() if value is not None}


def written(rule: Rule) -> str:
    return ";".join(
        f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}" for name, value in rule.items()
    )
