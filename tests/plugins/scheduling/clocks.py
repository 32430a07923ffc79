"""Every zone of the pinned tz database, the days on which its clocks change, and what its clocks show minute by minute.

Nothing here asks the modules under test, nor turns a wall time into an instant: it only ever goes the other way.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from itertools import accumulate
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
# Within these years every zone is whole minutes from UTC: Monrovia was the last that was not, in January 1972.
FIRST_YEAR, LAST_YEAR = 1973, 2045

NAMES = tuple((files("tzdata") / "zones").read_text(encoding="utf-8").split())

# Many names are of one zone: a name for each, which stands for them all.
UNLIKE = tuple(
    {files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes(): name for name in reversed(NAMES)}.values()
)

# (zone, a date on or next to which something is odd about its clocks): each run has them all.
ODD_DAYS = (
    ("Europe/Berlin", date(2027, 3, 28)),  # forward by an hour
    ("Europe/Berlin", date(2027, 10, 31)),  # back by an hour
    ("America/New_York", date(2026, 11, 1)),
    ("America/New_York", date(2027, 3, 14)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),  # back by half an hour
    ("Australia/Lord_Howe", date(2026, 10, 4)),  # forward by half an hour
    ("Asia/Kolkata", date(2027, 3, 28)),  # half-hour zone, no change
    ("Australia/Adelaide", date(2027, 4, 4)),  # half-hour zone, back
    ("Australia/Adelaide", date(2026, 10, 4)),
    ("America/St_Johns", date(2027, 3, 14)),  # half-hour zone, forward
    ("America/St_Johns", date(2010, 11, 7)),  # back at 00:01, into the day before
    ("Asia/Kathmandu", date(1986, 1, 1)),  # forward by a quarter of an hour
    ("Asia/Pyongyang", date(2018, 5, 5)),  # half an hour forward at 23:30
    ("America/Caracas", date(2007, 12, 9)),  # half an hour back, for good
    ("Pacific/Apia", date(2011, 12, 30)),  # there was no such day
    ("Pacific/Kwajalein", date(1993, 8, 21)),  # nor this one
    ("America/Sao_Paulo", date(2018, 11, 4)),  # the day began at 01:00
    ("America/Sao_Paulo", date(2019, 2, 16)),  # the day's last hour came twice
    ("Africa/Cairo", date(2027, 4, 30)),  # the day begins at 01:00
    ("Africa/Cairo", date(2026, 10, 29)),
    ("Asia/Beirut", date(2027, 3, 28)),
    ("Asia/Beirut", date(2026, 10, 24)),
    ("America/Havana", date(2020, 11, 1)),  # back from 01:00 to midnight: the day begins twice
    ("Antarctica/Troll", date(2027, 3, 28)),  # forward by two hours
    ("Antarctica/Troll", date(2027, 10, 31)),
    ("Europe/Lisbon", date(1992, 9, 27)),  # by name of zone only: clocks stayed
    ("Africa/Casablanca", date(2026, 2, 15)),  # back for Ramadan
    ("UTC", date(2028, 2, 29)),
)


@cache
def zone(name: str) -> ZoneInfo:
    """The zone as the pinned tzdata has it, whatever the system has."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def shown(at: datetime, name: str) -> datetime:
    """What the zone's clocks show at an instant."""
    return at.astimezone(zone(name)).replace(tzinfo=None, fold=0)


def midnight(day: date) -> datetime:
    """The wall time at which a date begins, whether or not clocks show it."""
    return datetime.combine(day, datetime.min.time())


def minute(wall: datetime) -> int:
    """The minutes since the beginning of all days, of a time that is whole minutes."""
    assert wall.second == wall.microsecond == 0
    return wall.toordinal() * 1440 + wall.hour * 60 + wall.minute


@cache
def changes(name: str, year: int) -> tuple[datetime, ...]:
    """The instants at which the zone's clocks are put forward or back in a year of UTC."""
    here = zone(name)
    found: list[datetime] = []
    low = datetime(year, 1, 1, tzinfo=UTC)
    while low.year == year:
        high = low + DAY
        if (offset := low.astimezone(here).utcoffset()) != high.astimezone(here).utcoffset():
            before, after = low, high
            while after - before > MINUTE:
                middle = before + (after - before) // MINUTE // 2 * MINUTE
                if middle.astimezone(here).utcoffset() == offset:
                    before = middle
                else:
                    after = middle
            found.append(after)
        low = high
    return tuple(found)


@st.composite
def days(draw: st.DrawFn, name: str) -> date:
    """A date, as a rule one on which the zone's clocks change, or next to one."""
    year = draw(st.integers(2024, 2030) | st.integers(FIRST_YEAR, LAST_YEAR))
    changing = changes(name, year)
    if changing and draw(st.integers(0, 3)):
        return shown(draw(st.sampled_from(changing)), name).date() + draw(st.integers(-1, 1)) * DAY
    return date(year, 1, 1) + draw(st.integers(0, 364)) * DAY


class Walk:
    """What a zone's clocks show at every minute of UTC around a date, written down one after the other.

    Args:
        name: the zone.
        day: the date.
        around: how many days of UTC before it, and after it.
    """

    def __init__(self, name: str, day: date, around: int = 3) -> None:
        self.begin = datetime.combine(day - around * DAY, datetime.min.time(), tzinfo=UTC)
        self.walls: list[int] = []
        here = zone(name)
        # What `astimezone` asks of a zone: the tzinfo stands there for UTC.
        at = self.begin.replace(tzinfo=here)
        for _ in range((2 * around + 1) * 1440):
            self.walls.append(minute(here.fromutc(at)))
            at += MINUTE
        self._highest_yet = list(accumulate(self.walls, max))
        self._lowest_to_come = list(accumulate(reversed(self.walls), min))[::-1]
        self._showing: dict[int, list[int]] = {}
        for number, shows in enumerate(self.walls):
            self._showing.setdefault(shows, []).append(number)

    def at(self, number: int) -> datetime:
        return self.begin + number * MINUTE

    def number(self, at: datetime) -> int:
        """How many minutes after the walk's begin an instant is, which is a whole number."""
        minutes, rest = divmod(at - self.begin, MINUTE)
        assert not rest
        return minutes

    def reached(self, wall: datetime) -> int:
        """The first minute at which the clocks show the wall time or a later one."""
        return bisect_left(self._highest_yet, minute(wall))

    def passed(self, wall: datetime) -> int:
        """The first minute from which on the clocks never show an earlier time."""
        return bisect_left(self._lowest_to_come, minute(wall))

    def showing(self, wall: datetime) -> list[int]:
        """Each minute at which the clocks show the wall time."""
        return self._showing.get(minute(wall), [])


# A walk takes 2 MB, and over all zones there are thousands.
@lru_cache(64)
def walk(name: str, day: date) -> Walk:
    return Walk(name, day)
