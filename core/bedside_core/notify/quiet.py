"""Quiet hours: until when a notification waits, by the clock on the recipient's wall (N6)."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


def quiet_until(now: datetime, zone: str, begin: time, end: time) -> datetime | None:
    """Return when the quiet hours end that `now` is in; None where it is in none.

    Args:
        now: the instant.
        zone: IANA name of the recipient's zone.
        begin: when they begin each day, by local time.
        end: when they end; before `begin`, they go over midnight. Equal, there are none.
    """
    local = now.astimezone(ZoneInfo(zone))
    clock = local.time().replace(tzinfo=None)
    quiet = begin <= clock < end if begin < end else (clock >= begin or clock < end) and begin != end
    if not quiet:
        return None
    day = local.date() if clock < end else local.date() + timedelta(days=1)
    # An end that summer time skips or repeats is taken as the zone's rules do, with fold 0; it is never before now.
    ends = datetime.combine(day, end, tzinfo=ZoneInfo(zone)).astimezone(now.tzinfo)
    return max(ends, now + timedelta(minutes=1))
