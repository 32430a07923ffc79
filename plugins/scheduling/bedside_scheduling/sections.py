"""Reads sections, days and closures out of their tables, and tells whether sections overlap (S3)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import combinations
from uuid import UUID

from bedside_core.api import DB, InvalidInput, Row
from bedside_scheduling.api import Mode
from bedside_scheduling.slots import DaySection, WeeklySection

_WALL = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_DAY = 24 * 60
_FIRST, _LAST = date(1, 1, 8), date(9999, 12, 24)

_CLOSURES = """SELECT id, member_id, begins_at, ends_at, reason FROM closure
WHERE (member_id IS NULL OR member_id = ANY($1)) AND begins_at < $3 AND ends_at > $2 ORDER BY begins_at, id"""
_OF_PRACTICE = """SELECT id, member_id, begins_at, ends_at, reason FROM closure
WHERE member_id IS NULL AND begins_at < $2 AND ends_at > $1
    AND ($4::timestamptz IS NULL OR (begins_at, id) > ($4, $5::uuid))
ORDER BY begins_at, id LIMIT $3"""


@dataclass(frozen=True, kw_only=True)
class Closure:
    """A time in which nothing is offered.

    Args:
        id: the closure.
        member_id: whose; None is the whole practice.
        begins_at: from when.
        ends_at: until when.
        reason: for the practice's own people.
    """

    id: UUID
    member_id: UUID | None
    begins_at: datetime
    ends_at: datetime
    reason: str


def wall_of(text: str, *where: str) -> time:
    """Return a wall time as clients write it, `09:30`; `24:00` is midnight at the end of the day.

    Raises:
        InvalidInput: it is none.
    """
    if match := _WALL.fullmatch(text):
        return time(int(match[1]), int(match[2]))
    if text == "24:00":
        return time()
    raise InvalidInput("Wall times are written like this: 09:30.", field=where)


async def weekly_of(member_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[WeeklySection]]:
    """Return the weekly sections of members, in one statement."""
    rows = await DB.fetch(
        "SELECT * FROM section WHERE member_id = ANY($1) ORDER BY weekday, begins, from_date NULLS FIRST, id",
        list(member_ids),
    )
    found: defaultdict[UUID, list[WeeklySection]] = defaultdict(list)
    for row in rows:
        found[row["member_id"]].append(
            WeeklySection(
                begins=row["begins"],
                ends=row["ends"],
                mode=Mode(row["mode"]),
                self_scheduling=row["self_scheduling"],
                weekday=row["weekday"],
                from_date=row["from_date"],
                until_date=row["until_date"],
            )
        )
    return found


async def days_of(
    member_ids: Sequence[UUID], first_day: date, last_day: date
) -> Mapping[UUID, Mapping[date, Sequence[DaySection]]]:
    """Return the days on which members have sections of their own, in one statement and in order."""
    rows = await DB.fetch(
        """SELECT d.member_id, d.on_date, s.begins, s.ends, s.mode, s.self_scheduling
        FROM availability_day d LEFT JOIN day_section s ON s.member_id = d.member_id AND s.on_date = d.on_date
        WHERE d.member_id = ANY($1) AND d.on_date BETWEEN $2 AND $3 ORDER BY d.on_date, s.begins, s.id""",
        list(member_ids),
        first_day,
        last_day,
    )
    found: defaultdict[UUID, dict[date, list[DaySection]]] = defaultdict(dict)
    for row in rows:
        sections = found[row["member_id"]].setdefault(row["on_date"], [])
        if row["begins"] is not None:
            sections.append(_section(row))
    return found


async def closures_of(member_ids: Sequence[UUID], begins: datetime, ends: datetime) -> Sequence[Closure]:
    """Return the closures of members, and those of the whole practice, that touch a time, in one statement."""
    return [closure_of(row) for row in await DB.fetch(_CLOSURES, list(member_ids), begins, ends)]


async def closures_of_practice(
    begins: datetime, ends: datetime, most: int, beyond: tuple[datetime, UUID] | None
) -> Sequence[Closure]:
    """Return the whole practice's closures that touch a time, by begin and id, in one statement.

    Args:
        begins: the first instant.
        ends: the last, which is not in it any more.
        most: how many.
        beyond: only those after this begin and id.
    """
    return [closure_of(row) for row in await DB.fetch(_OF_PRACTICE, begins, ends, most, *(beyond or (None, None)))]


def closure_of(row: Row) -> Closure:
    """Return a closure from a row of its table."""
    return Closure(**{name: row[name] for name in Closure.__dataclass_fields__})


def overlap_of_week(sections: Sequence[WeeklySection]) -> int | None:
    """Return which section first overlaps an earlier one on some date, or None."""
    for (_, one), (number, other) in sorted(combinations(enumerate(sections), 2), key=lambda pair: pair[1][0]):
        if _meet(one, other):
            return number
    return None


def overlap_of_day(sections: Sequence[DaySection]) -> int | None:
    """Return which section of a date first overlaps an earlier one, or None."""
    for (_, one), (number, other) in sorted(combinations(enumerate(sections), 2), key=lambda pair: pair[1][0]):
        if _overlap(_minutes(one), _minutes(other)):
            return number
    return None


def _meet(one: WeeklySection, other: WeeklySection) -> bool:
    """Tell whether there is a date on which one begins while the other one, of that date or a next one, goes on."""
    days = (other.weekday - one.weekday) % 7
    for apart in {days, days - 7} & {-1, 0, 1}:
        begins, ends = _minutes(other)
        if _overlap(_minutes(one), (begins + apart * _DAY, ends + apart * _DAY)):
            shift = timedelta(days=apart)
            first = max(one.from_date or _FIRST, (other.from_date or _FIRST) - shift)
            last = min(one.until_date or _LAST, (other.until_date or _LAST) - shift)
            if first + timedelta(days=(one.weekday - first.isoweekday()) % 7) <= last:
                return True
    return False


def _minutes(section: DaySection) -> tuple[int, int]:
    begins, ends = (each.hour * 60 + each.minute for each in (section.begins, section.ends))
    return begins, ends if ends > begins else ends + _DAY


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _section(row: Row) -> DaySection:
    return DaySection(
        begins=row["begins"], ends=row["ends"], mode=Mode(row["mode"]), self_scheduling=row["self_scheduling"]
    )
