"""Reads the recurrence rules of series, and tells at which instants a series takes place (S6, S7)."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from bedside_core.api import InvalidInput
from bedside_scheduling.zones import instant

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_MOST_TEXT = 500
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEKDAY = f"(?:{'|'.join(_WEEKDAYS)})"
_NTH_WEEKDAY = rf"(?:[+-]?[1-5])?{_WEEKDAY}"
_MONTH_DAY = r"[+-]?(?:[1-9]|[12]\d|3[01])"
_POSITION = r"[+-]?(?:[1-9]|[12]\d|3[01])"
# The parts of RFC 5545, 3.3.10, that series of appointments can have, with what may stand there, in their usual order.
_PARTS = {
    "FREQ": re.compile(r"DAILY|WEEKLY|MONTHLY"),
    "INTERVAL": re.compile(r"[1-9]\d{0,2}"),
    "COUNT": re.compile(r"[1-9]\d{0,3}"),
    "UNTIL": re.compile(r"\d{8}T\d{6}Z"),
    "BYDAY": re.compile(rf"{_NTH_WEEKDAY}(?:,{_NTH_WEEKDAY})*"),
    "BYMONTHDAY": re.compile(rf"{_MONTH_DAY}(?:,{_MONTH_DAY})*"),
    "BYSETPOS": re.compile(rf"{_POSITION}(?:,{_POSITION})*"),
    "WKST": re.compile(_WEEKDAY),
}
_YEARS = range(1900, 9000)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A recurrence rule of a series (RFC 5545, 3.3.10).

    Args:
        text: the rule itself, in capitals and in its usual order, as feeds have it.
        frequency: DAILY, WEEKLY or MONTHLY.
        interval: every so many days, weeks or months.
        count: how many there are, if that ends it.
        until: the last instant at which one may be, if that ends it.
        weekdays: (which one of the month, or 0 for each; 0 for Monday to 6 for Sunday).
        month_days: days of the month, negative ones from its end.
        positions: which of a day's, week's or month's there are, negative ones from their end.
        week_start: 0 for Monday to 6 for Sunday: where weeks begin, which matters for every other week.
    """

    text: str
    frequency: str
    interval: int
    count: int | None
    until: datetime | None
    weekdays: tuple[tuple[int, int], ...]
    month_days: tuple[int, ...]
    positions: tuple[int, ...]
    week_start: int


def read(rule: str, *, field: tuple[str, ...] = ("rule",)) -> Rule:
    """Return what a recurrence rule says.

    Args:
        rule: RRULE of RFC 5545, such as `FREQ=WEEKLY;BYDAY=MO,WE;COUNT=12`: FREQ (DAILY, WEEKLY or MONTHLY), COUNT or
            UNTIL (in UTC), and INTERVAL, BYDAY, BYMONTHDAY, BYSETPOS and WKST where they are wanted.
        field: where it stands in the input, for the problem.

    Raises:
        InvalidInput: it is no such rule.
    """
    try:
        return _read(rule)
    except ValueError as fault:
        raise InvalidInput(
            str(fault), way_on="Give a rule of RFC 5545 such as FREQ=WEEKLY;BYDAY=MO,WE;COUNT=12.", field=field
        ) from fault


def occurrences(
    rule: str,
    begins: datetime,
    zone: ZoneInfo,
    *,
    most: int = 104,
    until_years: int = 2,
    field: tuple[str, ...] = ("rule",),
) -> list[datetime]:
    """Return the instants at which a series takes place, in UTC and in their order, each once.

    All of them have the wall time of the first. Where clocks leave it out the occurrence moves to the first instant
    after the gap (RFC 5545, 3.3.10, would drop it, and the patient would have no visit that week); where they show it
    twice it is the first of the two (3.3.5). Days that a month does not have are left out, and not counted.

    Args:
        rule: see `read`.
        begins: the first one in wall time; it has to be one of the rule's, as RFC 5545, 3.8.5.3, asks.
        zone: IANA zone of the wall time.
        most: how many there may be.
        until_years: how many years after the first the last may be.
        field: where the rule stands in the input, for the problem.

    Raises:
        InvalidInput: it is no such rule, does not hold of the first, there are too many, or the last is too late.
    """
    what = read(rule, field=field)
    begins = begins.replace(tzinfo=None, fold=0)
    if begins.year not in _YEARS:
        raise InvalidInput("A series can't begin in that year.", field=field)
    last = _years_after(begins, until_years)
    late = InvalidInput(f"A series ends {until_years} years after it began at the latest.", field=field)
    many = InvalidInput(f"A series has at most {most} appointments.", field=field)
    if what.until is not None and what.until > instant(last, zone):
        raise late
    if what.count is not None and what.count > most:
        raise many
    found: list[datetime] = []
    for day in _days(what, begins.date(), last.date()):
        at = instant(datetime.combine(day, begins.time()), zone)
        if (not found and day != begins.date()) or (what.until is not None and at > what.until):
            break
        # Where clocks leave out a whole day, the first instant after it may be another day's own occurrence.
        if found and at == found[-1]:
            continue
        if len(found) == most:
            raise many
        found.append(at)
        if len(found) == what.count:
            return found
    if not found:
        raise InvalidInput("The first appointment of a series is one of those that its rule tells.", field=field)
    if what.count is not None:
        raise late
    return found


def walls(rule: str, begins: datetime, last: date) -> Iterator[datetime]:
    """Yield the wall times of a rule up to a date, whatever ends it; what clocks leave out is among them.

    Args:
        rule: one that `read` has taken.
        begins: the first one in wall time.
        last: the last date.
    """
    for day in _days(read(rule), begins.date(), last):
        yield datetime.combine(day, begins.time())


def _read(rule: str) -> Rule:
    """Return what a rule says; a `ValueError` tells people what is wrong with it."""
    if len(rule) > _MOST_TEXT or not rule.isascii():
        raise ValueError("This is no recurrence rule.")
    given: dict[str, str] = {}
    for part in rule.upper().split(";"):
        name, _, value = part.partition("=")
        if name not in _PARTS:
            raise ValueError(f"A series' rule has {', '.join(_PARTS)} and nothing else.")
        if name in given or not _PARTS[name].fullmatch(value):
            raise ValueError(f"{name} of this rule can't be used.")
        given[name] = value
    frequency = given.get("FREQ")
    if frequency is None:
        raise ValueError("A series' rule has FREQ: DAILY, WEEKLY or MONTHLY.")
    if ("COUNT" in given) == ("UNTIL" in given):
        raise ValueError("A series ends: its rule has either COUNT or UNTIL.")
    if "BYMONTHDAY" in given and frequency == "WEEKLY":
        raise ValueError("A weekly rule has no BYMONTHDAY.")
    if "BYSETPOS" in given and not {"BYDAY", "BYMONTHDAY"} & given.keys():
        raise ValueError("BYSETPOS chooses among days of BYDAY or BYMONTHDAY.")
    weekdays = tuple((int(each[:-2] or 0), _WEEKDAYS.index(each[-2:])) for each in _list(given, "BYDAY"))
    if frequency != "MONTHLY" and any(nth for nth, _ in weekdays):
        raise ValueError("Only a monthly rule numbers the weekdays of BYDAY.")
    return Rule(
        text=";".join(f"{name}={given[name]}" for name in _PARTS if name in given),
        frequency=frequency,
        interval=int(given.get("INTERVAL", 1)),
        count=int(given["COUNT"]) if "COUNT" in given else None,
        until=_utc(given["UNTIL"]) if "UNTIL" in given else None,
        weekdays=weekdays,
        month_days=tuple(int(each) for each in _list(given, "BYMONTHDAY")),
        positions=tuple(int(each) for each in _list(given, "BYSETPOS")),
        week_start=_WEEKDAYS.index(given.get("WKST", "MO")),
    )


def _list(given: Mapping[str, str], name: str) -> list[str]:
    return given[name].split(",") if name in given else []


def _utc(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("UNTIL of this rule can't be used.") from None


def _years_after(begins: datetime, years: int) -> datetime:
    try:
        return begins.replace(year=begins.year + years)
    except ValueError:
        # The 29th of February.
        return begins.replace(year=begins.year + years, day=28)


def _days(rule: Rule, first: date, last: date) -> Iterator[date]:
    """Yield the dates of a rule from the first to the last, in their order; of wall times there is one a day."""
    for period in _periods(rule, first, last):
        days = [day for day in period if _holds(rule, day, first)]
        if rule.positions:
            # A position counts in the whole of a period, with the days of it before the first.
            places = {place - 1 if place > 0 else len(days) + place for place in rule.positions}
            days = [day for place, day in enumerate(days) if place in places]
        yield from (day for day in days if first <= day <= last)


def _periods(rule: Rule, first: date, last: date) -> Iterator[list[date]]:
    """Yield the days of each day, week or month of a rule, the first one's with those before it."""
    if rule.frequency == "MONTHLY":
        months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month, rule.interval)
        for year, month in (divmod(number, 12) for number in months):
            yield [date(year, month + 1, day + 1) for day in range(calendar.monthrange(year, month + 1)[1])]
        return
    size = 7 if rule.frequency == "WEEKLY" else 1
    begin = first.toordinal() - ((first.weekday() - rule.week_start) % 7 if size == 7 else 0)
    for number in range(begin, last.toordinal() + 1, size * rule.interval):
        yield [date.fromordinal(number + day) for day in range(size)]


def _holds(rule: Rule, day: date, first: date) -> bool:
    """Tell whether a day is one that BYDAY and BYMONTHDAY name; without either the first's weekday or day counts."""
    length = calendar.monthrange(day.year, day.month)[1]
    if rule.month_days and day.day not in rule.month_days and day.day - length - 1 not in rule.month_days:
        return False
    if rule.weekdays:
        nth, nth_last = (day.day - 1) // 7 + 1, -((length - day.day) // 7 + 1)
        return any((each, day.weekday()) in rule.weekdays for each in (0, nth, nth_last))
    if rule.month_days or rule.frequency == "DAILY":
        return True
    return day.weekday() == first.weekday() if rule.frequency == "WEEKLY" else day.day == first.day
