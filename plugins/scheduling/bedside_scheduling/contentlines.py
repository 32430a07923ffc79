"""Content lines of iCalendar: values escaped, lines folded at 75 octets and ended by CRLF (RFC 5545, 3.1 and 3.3.11).

Written by hand: the library `icalendar`, with which the tests read what comes out, takes some 2 ms for an event, and a
practitioner's feed has thousands.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

_LONGEST_NAME = 200
_OCTETS = 75
_ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})


def plain(text: str) -> str:
    """Return a name as one line of what can be seen, and short: nothing of it is taken for a line of the object."""
    line = text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(line.split())[:_LONGEST_NAME].strip()


def text(name: str, value: str) -> str:
    """Return a property whose value is a text that somebody has written."""
    return f"{name}:{plain(value).translate(_ESCAPES)}"


def address(name: str, called: str, email: str, *params: str) -> str:
    """Return a property whose value is somebody's address (3.3.3), with their name as CN.

    Args:
        name: ORGANIZER or ATTENDEE.
        called: as they are shown.
        email: where they are reached; one that has got this far holds no control characters.
        params: further parameters, `ROLE=…`.
    """
    quoted = plain(called).replace('"', "'")  # no mark can stand within those around it (3.2)
    return ";".join([name, f'CN="{quoted}"', *params]) + f":mailto:{plain(email)}"


def moment(name: str, at: datetime, *more: datetime) -> str:
    """Return a property of one or more times: in UTC, or in the zone that `tzinfo` names (3.3.5).

    Args:
        name: DTSTART, EXDATE …
        at: a time.
        more: further ones, of the same zone.
    """
    times = (at, *more)
    if at.tzinfo is UTC:
        return f"{name}:{','.join(f'{each:%Y%m%dT%H%M%SZ}' for each in times)}"
    zone = getattr(at.tzinfo, "key", None)
    values = ",".join(f"{each:%Y%m%dT%H%M%S}" for each in times)
    return f"{name};TZID={zone}:{values}" if zone else f"{name}:{values}"


def offset(value: timedelta) -> str:
    """Return an offset from UTC (3.3.14)."""
    seconds = int(value.total_seconds())
    minutes, rest = divmod(abs(seconds), 60)
    told = f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}{minutes % 60:02d}"
    return f"{told}{rest:02d}" if rest else told


def component(name: str, lines: Iterable[str]) -> list[str]:
    """Return lines as a component."""
    return [f"BEGIN:{name}", *lines, f"END:{name}"]


def folded(lines: Iterable[str]) -> str:
    """Return lines as they are sent; one that is too long goes on in the next, after a space, between two letters."""
    return "".join(f"{part}\r\n" for line in lines for part in _parts(line))


def _parts(line: str) -> list[str]:
    if len(line) <= _OCTETS and line.isascii():
        return [line]
    parts: list[str] = []
    part, size = "", 0
    for letter in line:
        octets = len(letter.encode())
        if size + octets > _OCTETS:
            parts.append(part)
            part, size = " ", 1
        part += letter
        size += octets
    return [*parts, part]
