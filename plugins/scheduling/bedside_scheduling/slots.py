"""Tells which times a practitioner offers: pure functions of sections, of what is taken, and of the zone (S3, S4)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_scheduling.api import AppointmentKind, Mode
from bedside_scheduling.zones import day_begins, instant, shown

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class DaySection:
    """A section of one day, in wall time.

    Args:
        begins: when it begins.
        ends: when it ends; not after `begins` is on the next day.
        mode: which kinds of appointment it is for (S3).
        self_scheduling: whether patients book in it (S4).
    """

    begins: time
    ends: time
    mode: Mode
    self_scheduling: bool


@dataclass(frozen=True, kw_only=True)
class WeeklySection(DaySection):
    """A section of each week.

    Args:
        weekday: 1 is Monday, 7 is Sunday; of the day on which it begins.
        from_date: the first date on which it begins, if there is one.
        until_date: the last.
    """

    weekday: int
    from_date: date | None = None
    until_date: date | None = None

    def on(self, day: date) -> bool:
        """Tell whether it begins on a date."""
        return (
            self.weekday == day.isoweekday()
            and (self.from_date is None or self.from_date <= day)
            and (self.until_date is None or day <= self.until_date)
        )


@dataclass(frozen=True, kw_only=True)
class Window:
    """A section as it is on one date.

    Args:
        begins: the instant.
        ends: the instant, after `begins`.
        mode: which kinds of appointment it is for.
        self_scheduling: whether patients book in it.
        wall: when it begins in wall time, from which the grid of its slots is counted.
        zone: of that wall time.
    """

    begins: datetime
    ends: datetime
    mode: Mode
    self_scheduling: bool
    wall: datetime
    zone: ZoneInfo


@dataclass(frozen=True, kw_only=True)
class Span:
    """A time, such as a closure's: from `begins`, until just before `ends`."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, kw_only=True)
class Busy(Span):
    """A practitioner's appointment.

    Args:
        before: what it keeps free before itself.
        after: what it keeps free after itself.
    """

    before: timedelta = timedelta()
    after: timedelta = timedelta()


@dataclass(frozen=True, kw_only=True)
class FreeTime:
    """A time that is offered: when it begins and ends, and as which kinds of appointment, of which there is one."""

    starts_at: datetime
    ends_at: datetime
    kinds: tuple[AppointmentKind, ...]


@dataclass(frozen=True, kw_only=True)
class Slot(FreeTime):
    """A time that a practitioner offers."""

    member_id: UUID


def windows(
    weekly: Iterable[WeeklySection],
    days: Mapping[date, Sequence[DaySection]],
    zone: ZoneInfo,
    first_day: date,
    last_day: date,
) -> list[Window]:
    """Return the sections that have time in some dates, uncut, in the order in which they begin.

    Args:
        weekly: those of each week.
        days: those of dates that have sections of their own, in place of the weekly ones; none is a day off. The dates
            before the first day and after the last one count, too: sections reach over midnight.
        zone: the practice's.
        first_day: the first date.
        last_day: the last date.
    """
    weekly = list(weekly)
    found: list[Window] = []
    begin, end = day_begins(first_day, zone), instant(datetime.combine(last_day + _DAY, time()), zone, ends=True)
    for number in range(-1, (last_day - first_day).days + 2):
        day = first_day + number * _DAY
        for section in days[day] if day in days else (each for each in weekly if each.on(day)):
            over = section.ends <= section.begins
            wall = datetime.combine(day, section.begins)
            begins = instant(wall, zone)
            ends = instant(datetime.combine(day + _DAY if over else day, section.ends), zone, ends=True)
            # One that lies within a gap of the clocks takes no time.
            if begins < ends and begins < end and begin < ends:
                found.append(
                    Window(
                        begins=begins,
                        ends=ends,
                        mode=section.mode,
                        self_scheduling=section.self_scheduling,
                        wall=wall,
                        zone=zone,
                    )
                )
    return sorted(found, key=lambda each: (each.begins, each.ends))


def without_telehealth(of: Iterable[Window]) -> list[Window]:
    """Return the windows of one who may not host video: "both" counts as in person, "telehealth" as nothing (S1)."""
    return [
        replace(each, mode=Mode.IN_PERSON) if each.mode is Mode.BOTH else each
        for each in of
        if each.mode is not Mode.TELEHEALTH
    ]


def free(
    windows: Iterable[Window],
    busy: Iterable[Busy],
    closed: Iterable[Span],
    *,
    minutes: int,
    step: int,
    before: int = 0,
    after: int = 0,
    earliest: datetime,
    latest: datetime,
    kind: AppointmentKind | None = None,
    mode: Mode = Mode.BOTH,
    open_only: bool,
    most: int | None = None,
) -> list[FreeTime]:
    """Return the times that one practitioner offers, each once, in their order.

    A time is offered as a kind where sections that are for this kind cover the whole of it, one or several together.
    It starts on the grid of one of the sections; the grid is counted in wall time, so that it stays on the hour when
    clocks change during the section, while lengths and buffers are minutes that pass.

    Args:
        windows: the sections, as `windows` returns them.
        busy: the practitioner's appointments, of which there may be such as do not matter.
        closed: times in which nothing is offered.
        minutes: length of the new appointment.
        step: minutes of wall time from one start to the next.
        before: minutes that the new appointment keeps free before it; they may lie outside of sections, or in a
            closure. Of what two appointments keep free between them the longer counts, not the sum.
        after: the same after it.
        earliest: no start before.
        latest: only starts before this.
        kind: only times offered as this kind, be it among others.
        mode: the kinds that the type of the appointment is for.
        open_only: only sections open to self-scheduling count (S4).
        most: how many at most, the first ones.
    """
    counted = [each for each in windows if each.self_scheduling or not open_only]
    covers = {
        each: _union(((window.begins, window.ends) for window in counted if window.mode.allows(each)), touching=True)
        for each in AppointmentKind
        if mode.allows(each)
    }
    length, lead, trail = (timedelta(minutes=each) for each in (minutes, before, after))
    # Within each of these spans no appointment starts: another one, or a buffer between the two, would be touched.
    # At their very ends one does.
    barred = _union(
        (
            (each.begins - length - max(trail, each.before), each.ends + max(lead, each.after))
            for each in busy
            if each.begins < each.ends
        ),
        touching=False,
    )
    shut = _union(
        ((each.begins - length, each.ends) for each in closed if each.begins < each.ends),
        touching=False,
    )
    starts = {at for each in counted for at in _grid(each, step, earliest, latest)}
    found: list[FreeTime] = []
    for at in sorted(starts):
        if most is not None and len(found) >= most:
            break
        if _within(barred, at) or _within(shut, at):
            continue
        kinds = tuple(each for each, cover in covers.items() if _covered(cover, at, at + length))
        if kinds and kind in (None, *kinds):
            found.append(FreeTime(starts_at=at, ends_at=at + length, kinds=kinds))
    return found


def _grid(window: Window, step: int, earliest: datetime, latest: datetime) -> Iterator[datetime]:
    """Yield the instants in a window, within bounds, that are on its grid; an hour that comes twice has it twice."""
    begin, end = max(window.begins, earliest), min(window.ends, latest)
    if begin >= end:
        return
    pace = timedelta(minutes=step)
    wall = window.wall
    if instant(wall, window.zone, ends=True) != window.begins:
        # The section begins in an hour that comes twice: clocks are put back to before its begin.
        wall -= _DAY // pace * pace
    while (at := shown(wall, window.zone))[0] < end:
        yield from (each for each in at if begin <= each < end)
        wall += pace


def _union(spans: Iterable[tuple[datetime, datetime]], *, touching: bool) -> list[tuple[datetime, datetime]]:
    """Return spans of time in their order, with those that overlap made one, and those that touch if it is asked."""
    found: list[tuple[datetime, datetime]] = []
    for begins, ends in sorted(spans):
        if found and (begins < found[-1][1] or (touching and begins == found[-1][1])):
            found[-1] = (found[-1][0], max(found[-1][1], ends))
        else:
            found.append((begins, ends))
    return found


def _within(spans: Sequence[tuple[datetime, datetime]], at: datetime) -> bool:
    """Tell whether an instant lies between the ends of one of the spans."""
    number = bisect_left(spans, at, key=itemgetter(0)) - 1
    return number >= 0 and at < spans[number][1]


def _covered(spans: Sequence[tuple[datetime, datetime]], begins: datetime, ends: datetime) -> bool:
    """Tell whether one of the spans has the whole of a time."""
    number = bisect_right(spans, begins, key=itemgetter(0)) - 1
    return number >= 0 and ends <= spans[number][1]
