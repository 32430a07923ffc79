"""When a practice is open: hours of a weekday as people write them, and whether an instant is within them (C17)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_DAY = 24 * 60
MOST_SPANS = 6
MOST_CLOSED = 200


def spans_of(text: str) -> list[tuple[int, int]]:
    """Return the hours of a day, in minutes from midnight.

    Args:
        text: such as `09:00-12:30, 13:30-17:00`; `00:00-24:00` is the whole day, an empty text none of it.

    Raises:
        ValueError: it is no such text, in words for people.
    """
    found: list[tuple[int, int]] = []
    for part in text.split(",") if text.strip() else ():
        match = _SPAN.fullmatch(part.strip())
        if match is None:
            raise ValueError("Hours are written like this: 09:00-12:30, 13:30-17:00.")
        hours = [int(each) for each in match.groups()]
        begin, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
        if not begin < end <= _DAY or (found and begin < found[-1][1]):
            raise ValueError("Hours are in order, end after they begin, and at 24:00 at the latest.")
        found.append((begin, end))
    if len(found) > MOST_SPANS:
        raise ValueError(f"A day has at most {MOST_SPANS} spans of hours.")
    return found


def hours_fault(text: str) -> str | None:
    """Return what is wrong with the hours of a day, or None."""
    try:
        spans_of(text)
    except ValueError as fault:
        return str(fault)
    return None


def closed_fault(days: Sequence[str]) -> str | None:
    """Return what is wrong with days on which a practice is closed, or None."""
    if len(days) > MOST_CLOSED:
        return f"There are at most {MOST_CLOSED} such days."
    for day in days:
        try:
            right = date.fromisoformat(day).isoformat() == day
        except ValueError:
            right = False
        if not right:
            return "Days are written like this: 2026-12-24."
    return None


def is_open(week: Sequence[str], closed: Sequence[str], zone: str, now: datetime) -> bool:
    """Tell whether a practice is open, by the clock on its wall.

    Args:
        week: the hours of each day, Monday first.
        closed: days on which it is closed all the same, ISO 8601.
        zone: IANA name of the practice's zone.
        now: the instant.
    """
    local = now.astimezone(ZoneInfo(zone))
    if local.date().isoformat() in closed:
        return False
    minute = local.hour * 60 + local.minute
    return any(begin <= minute < end for begin, end in spans_of(week[local.weekday()]))
