"""Writes a zone's changes of clocks as a VTIMEZONE (RFC 5545, 3.6.5), by rules wherever they follow one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from bedside_scheduling.contentlines import component, moment, offset

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_STEP = timedelta(hours=12)
"""No zone changes its clocks there and back within less."""


@dataclass(frozen=True)
class _Change:
    """A change of clocks.

    Args:
        wall: what the clocks show the moment before, had they gone on: DTSTART is so (RFC 5545, 3.6.5).
        before: offset from UTC until then.
        after: offset since.
        name: the zone's abbreviation since.
        summer: whether clocks are put forward for the summer.
    """

    wall: datetime
    before: timedelta
    after: timedelta
    name: str
    summer: bool

    @property
    def kind(self) -> tuple[Any, ...]:
        """Changes of the same kind make one observance."""
        return self.before, self.after, self.name, self.summer


@lru_cache(maxsize=1024)
def vtimezone(zone: str, first_year: int, last_year: int) -> tuple[str, ...]:
    """Return the lines of a zone's definition that holds in the years given.

    Args:
        zone: IANA name, which is the TZID.
        first_year: of the first instant that it has to be right for.
        last_year: of the last one; changes that follow a rule in all of these years go on by it.
    """
    known = ZoneInfo(zone)
    begins = datetime(first_year, 1, 1, tzinfo=UTC) - timedelta(days=1)
    changes = list(_changes(known, begins, datetime(last_year + 1, 1, 2, tzinfo=UTC)))
    # What holds at first; as of a change at which nothing changes, for every definition begins with one.
    local = begins.astimezone(known)
    utcoffset = local.utcoffset() or timedelta()
    start = _Change(local.replace(tzinfo=None), utcoffset, utcoffset, local.tzname() or zone, bool(local.dst()))
    kinds: dict[tuple[Any, ...], list[_Change]] = defaultdict(list)
    for change in changes:
        kinds[change.kind].append(change)
    years = range(first_year, last_year + 1)
    observances = [_observance(start), *(_observance(*group, years=years) for group in kinds.values())]
    return tuple(component("VTIMEZONE", [f"TZID:{zone}", *(line for each in observances for line in each)]))


def _changes(zone: ZoneInfo, begins: datetime, ends: datetime) -> Iterator[_Change]:
    """Find the changes between two instants."""
    at, holds = begins, begins.astimezone(zone).utcoffset()
    while at < ends:
        later = at + _STEP
        if later.astimezone(zone).utcoffset() != holds:
            low, high = 0, int(_STEP.total_seconds())
            while high - low > 1:
                middle = (low + high) // 2
                changed = (at + timedelta(seconds=middle)).astimezone(zone).utcoffset() != holds
                low, high = (low, middle) if changed else (middle, high)
            new = (at + timedelta(seconds=high)).astimezone(zone)
            before, after = holds or timedelta(), new.utcoffset() or timedelta()
            wall = new.astimezone(UTC).replace(tzinfo=None) + before
            yield _Change(wall, before, after, new.tzname() or zone.key, bool(new.dst()))
            holds = after
        at = later


def _observance(*changes: _Change, years: range | None = None) -> list[str]:
    """Return changes of one kind as a component: by a rule where they follow one, else date by date."""
    first = changes[0]
    lines = [
        moment("DTSTART", first.wall),
        f"TZOFFSETFROM:{offset(first.before)}",
        f"TZOFFSETTO:{offset(first.after)}",
        f"TZNAME:{first.name}",
    ]
    rule = _rule(changes, years) if years is not None else None
    if rule is not None:
        lines.append(f"RRULE:{rule}")
    elif len(changes) > 1:
        # DTSTART is one of them anyway (3.8.5.2), and a line may have several: ical.js, 2.2, knows neither.
        lines += [moment("RDATE", change.wall) for change in changes]
    return component("DAYLIGHT" if first.summer else "STANDARD", lines)


def _rule(changes: Sequence[_Change], years: range) -> str | None:
    """Return the yearly rule that gives just these changes, one in each year; None where there is none."""
    in_range = [change.wall for change in changes if change.wall.year in years]
    if len(in_range) != len(changes) or [wall.year for wall in in_range] != list(years) or len(in_range) < 2:
        return None
    walls = set(in_range)
    months, days, times = {w.month for w in walls}, {w.weekday() for w in walls}, {w.time() for w in walls}
    if not len(months) == len(days) == len(times) == 1:
        return None
    day = _DAYS[days.pop()]
    if all((wall + timedelta(days=7)).month != wall.month for wall in walls):
        return f"FREQ=YEARLY;BYMONTH={months.pop()};BYDAY=-1{day}"
    weeks = {(wall.day - 1) // 7 + 1 for wall in walls}
    if len(weeks) == 1 and (week := weeks.pop()) < 5:
        return f"FREQ=YEARLY;BYMONTH={months.pop()};BYDAY={week}{day}"
    return None
