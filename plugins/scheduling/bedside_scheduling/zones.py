"""Turns wall times of a zone into instants, on days of changing clocks as well (S6)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_MOMENT = timedelta(microseconds=1)


def instant(wall: datetime, zone: ZoneInfo, *, ends: bool = False) -> datetime:
    """Return when a zone's clocks show a wall time.

    Something begins once the clocks show its wall time or a later one, for the first time; it ends when they show an
    earlier one for the last time. A wall time that is shown once is therefore one instant; one that is left out, as
    clocks are put forward, is the first instant after the gap, as a begin and as an end; one that is shown twice, as
    clocks are put back, begins at the first and ends at the second. A time at which the clocks only come back to, at
    the very change, ends at the first: nothing before the change was earlier than it the second time.

    Args:
        wall: without a zone; its `fold` does not count.
        zone: the IANA zone.
        ends: whether something ends then.

    Returns:
        The instant, in UTC.
    """
    first, *again = shown(wall, zone)
    if ends and again and wall_time(again[0] - _MOMENT, zone) < wall:
        return again[0]
    return first


def shown(wall: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return each instant at which a zone's clocks show a wall time, in UTC: two where they are put back.

    For a wall time that is left out it is the first instant after the gap.
    """
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first < second:
        return first, second
    return (first if first == second else _change(second, first, wall, zone),)


def wall_time(at: datetime, zone: ZoneInfo) -> datetime:
    """Return what a zone's clocks show at an instant, as a time without a zone and without `fold`."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """Return the date in a zone at an instant."""
    return wall_time(at, zone).date()


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a date begins in a zone: it is as long as its clocks make it, 23 or 25 hours (S6)."""
    return instant(datetime.combine(day, datetime.min.time()), zone)


def _change(before: datetime, after: datetime, wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant between two at which the clocks step over a wall time; changes fall on whole seconds."""
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if wall_time(before + timedelta(seconds=middle), zone) < wall:
            low = middle
        else:
            high = middle
    return before + timedelta(seconds=high)
