"""Two readers of iCalendar that know nothing of how ours is written: `icalendar` with dateutil, and npm's ical.js."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dateutil.rrule import rrulestr
from icalendar import Calendar

SECOND = Path(__file__).parent / "second"


@dataclass(frozen=True, order=True)
class Occurrence:
    """When something takes place.

    Args:
        uid: the event's.
        starts_at: when it begins, UTC.
        ends_at: when it ends, UTC.
    """

    uid: str
    starts_at: datetime
    ends_at: datetime


def by_icalendar(text: str) -> list[Occurrence]:
    """Read an object with `icalendar`, and tell every occurrence, in order."""
    check_lines(text)
    assert [each.errors for each in components(text) if each.errors] == []
    events = components(text, "VEVENT")
    masters = {str(event["UID"]): event for event in events if "RECURRENCE-ID" not in event}
    moved = {
        (str(event["UID"]), _wall(event["RECURRENCE-ID"].dt)): event for event in events if "RECURRENCE-ID" in event
    }
    found = [_single(event) for (uid, _), event in moved.items() if uid not in masters]
    for uid, event in masters.items():
        if "RRULE" not in event:
            found.append(_single(event))
            continue
        start: datetime = event["DTSTART"].dt
        rule = event["RRULE"]
        [until] = rule.pop("UNTIL")
        assert until.tzinfo is not None and until.utcoffset() == timedelta()
        ends = until.astimezone(start.tzinfo).replace(tzinfo=None)
        dropped = {_wall(each.dt) for each in event["EXDATE"].dts} if "EXDATE" in event else set[datetime]()
        for wall in rrulestr(rule.to_ical().decode(), dtstart=_wall(start)):
            if wall > ends:
                break
            if wall in dropped:
                continue
            other = moved.get((uid, wall))
            at = wall.replace(tzinfo=start.tzinfo).astimezone(UTC)
            found.append(_single(other) if other else Occurrence(uid, at, at + event["DURATION"].dt))
    return sorted(found)


def components(text: str, name: str | None = None) -> list[Any]:
    """Return an object's components as `icalendar` reads them; a property has whatever type its value has."""
    return list(Calendar.from_ical(text).walk(name))


def by_icaljs(text: str) -> list[Occurrence]:
    """Read an object with ical.js, which knows no zones but those that it defines, and tell every occurrence."""
    if not (SECOND / "node_modules" / "ical.js").is_dir():
        pytest.fail("ical.js is not installed; `make test` installs it", pytrace=False)
    done = subprocess.run(
        ("node", "read.mjs"), cwd=SECOND, input=text.encode(), capture_output=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return sorted(
        Occurrence(each["uid"], datetime.fromtimestamp(each["start"], UTC), datetime.fromtimestamp(each["end"], UTC))
        for each in json.loads(done.stdout)
    )


def check_lines(text: str) -> None:
    """See that lines end with CRLF and have 75 octets at most (RFC 5545, 3.1), and hold no control characters."""
    assert text.endswith("END:VCALENDAR\r\n")
    lines = text.split("\r\n")
    assert max(len(line.encode()) for line in lines) <= 75
    assert not re.search(r"[\x00-\x1f\x7f]", "".join(lines))


def unfolded(text: str) -> list[str]:
    """The content lines of an object."""
    return text.replace("\r\n ", "").split("\r\n")


def values(text: str, name: str) -> Sequence[str]:
    """The values of every property of a name, with its parameters in front where there are any."""
    return [line[len(name) :].removeprefix(":") for line in unfolded(text) if re.match(rf"{name}[;:]", line)]


def _single(event: Any) -> Occurrence:
    start, end = event["DTSTART"].dt, event["DTEND"].dt
    return Occurrence(str(event["UID"]), start.astimezone(UTC), end.astimezone(UTC))


def _wall(at: datetime) -> datetime:
    return at.replace(tzinfo=None)
