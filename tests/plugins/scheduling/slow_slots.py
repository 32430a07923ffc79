"""Which times are offered, told slowly: by what holds of each minute of UTC, written down one after the other.

It is the definition that the scheduling plugin's functions are held against, and shares nothing with them but values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any

from plugins.scheduling.clocks import DAY, Walk, minute

from bedside_scheduling.api import AppointmentKind, Mode
from bedside_scheduling.slots import Busy, DaySection, Span, WeeklySection

KINDS = {
    Mode.IN_PERSON: {AppointmentKind.IN_PERSON},
    Mode.TELEHEALTH: {AppointmentKind.TELEHEALTH},
    Mode.BOTH: {AppointmentKind.IN_PERSON, AppointmentKind.TELEHEALTH},
}


@dataclass(frozen=True)
class Laid:
    """A section as a run of minutes of a walk."""

    section: DaySection
    wall: datetime
    minutes: range


def sections_on(
    weekly: Sequence[WeeklySection], days: Mapping[date, Sequence[DaySection]], day: date
) -> Sequence[DaySection]:
    if day in days:
        return days[day]
    return [
        each
        for each in weekly
        if ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][each.weekday - 1] == day.strftime("%a")
        and not (each.from_date and day < each.from_date)
        and not (each.until_date and day > each.until_date)
    ]


def laid(
    walk: Walk, weekly: Sequence[WeeklySection], days: Mapping[date, Sequence[DaySection]], around: date
) -> list[Laid]:
    """The sections that begin on a date, or on one of the two days before it and after it."""
    found: list[Laid] = []
    for day in (around + number * DAY for number in range(-2, 3)):
        for section in sections_on(weekly, days, day):
            begins = datetime.combine(day, section.begins)
            ends = datetime.combine(day, section.ends)
            if ends <= begins:
                ends += DAY
            found.append(Laid(section, begins, range(walk.reached(begins), walk.passed(ends))))
    return found


def on_grid(walk: Walk, number: int, wall: datetime, step: int) -> bool:
    """Whether the clocks come to, or step over, a time of the grid at a minute."""
    shows, showed = walk.walls[number], walk.walls[number - 1]
    begin = minute(wall)
    return any((each - begin) % step == 0 for each in range(min(shows, showed + 1), shows + 1))


def offered(
    walk: Walk,
    sections: Sequence[Laid],
    busy: Sequence[Busy],
    closed: Sequence[Span],
    *,
    minutes: int,
    step: int,
    before: int,
    after: int,
    earliest: datetime,
    latest: datetime,
    kind: AppointmentKind | None,
    mode: Mode,
    open_only: bool,
) -> list[tuple[datetime, datetime, set[Any]]]:
    """The times that are offered: start, end, kinds."""
    if open_only:
        sections = [each for each in sections if each.section.self_scheduling]
    shut = {number for each in closed for number in range(walk.number(each.begins), walk.number(each.ends))}
    taken = {number for each in busy for number in range(walk.number(each.begins), walk.number(each.ends))}
    kept = {
        number
        for each in busy
        for number in range(walk.number(each.begins - each.before), walk.number(each.ends + each.after))
    }

    @cache
    def kinds_at(number: int) -> set[Any]:
        return set[Any]().union(*(KINDS[each.section.mode] for each in sections if number in each.minutes))

    found: list[tuple[datetime, datetime, set[Any]]] = []
    for start in range(max(walk.number(earliest), 1), walk.number(latest)):
        if not any(start in each.minutes and on_grid(walk, start, each.wall, step) for each in sections):
            continue
        itself = range(start, start + minutes)
        kinds = KINDS[mode].copy()
        for number in itself:
            kinds &= kinds_at(number)
        with_buffers = range(start - before, start + minutes + after)
        if not (shut.isdisjoint(itself) and kept.isdisjoint(itself) and taken.isdisjoint(with_buffers)):
            continue
        if kinds and (kind is None or kind in kinds):
            found.append((walk.at(start), walk.at(start + minutes), kinds))
    return found


def at_minute(number: int) -> time:
    """The time of day so many minutes after midnight."""
    return (datetime.min + timedelta(minutes=number)).time()
