"""Until when somebody who is offered a time can answer: nobody has to at night (S7)."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from bedside_scheduling.zones import instant, wall_time

MORNING, EVENING = time(8), time(21)
"""By the practice's clocks."""
_AWAKE = timedelta(hours=1)


def answer_until(now: datetime, minutes: int, zone: str, starts_at: datetime) -> datetime:
    """Return until when an offer stands: an offer that would end at night stands until an hour after the morning.

    Else who cancels in the evening would have a whole waiting list asked in its sleep, one after the other.

    Args:
        now: since when it stands.
        minutes: how long, as the practice has set.
        zone: the practice's.
        starts_at: when what is offered begins; it ends then at the latest.
    """
    here, until = ZoneInfo(zone), now + timedelta(minutes=minutes)
    wall = wall_time(until, here)
    if not MORNING <= wall.time() < EVENING:
        day = wall.date() if wall.time() < MORNING else wall.date() + timedelta(days=1)
        until = instant(datetime.combine(day, MORNING), here) + _AWAKE
    return min(until, starts_at)
