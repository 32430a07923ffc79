"""What stands in the calendars of the demo's practices, by working days counted from the day on which it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bedside_core.access import Tier

_DAY = timedelta(days=1)
_EARLY, _LATE = timedelta(minutes=5), timedelta(minutes=15)


class Fate(StrEnum):
    """What becomes of an appointment once its time has come."""

    SEEN = "seen"
    MISSED = "missed"
    """Nobody comes."""
    UNRECORDED = "unrecorded"
    """The patient comes, and nobody writes down the rest."""
    CALLED_OFF = "called off"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An appointment.

    Args:
        day: on which working day; 0 is the demo's own, or the next one.
        at: when it begins, on the practice's clocks.
        of: which practitioner's, by number.
        patients: whose, by number.
        type: what about, by its key.
        video: whether by telehealth.
        fate: what becomes of it.
        wait: for how many minutes the patient waits.
        own: whether the patient books it.
    """

    day: int
    at: str
    of: int
    patients: tuple[int, ...]
    type: str
    video: bool = False
    fate: Fate = Fate.SEEN
    wait: int = 4
    own: bool = False

    @property
    def key(self) -> str:
        """What tells it from the others of its practice."""
        return f"{self.of}-{self.day}-{self.at}"

    def begins(self, made: datetime, zone: ZoneInfo) -> datetime:
        """Return when it begins, of a demo that was made at an instant."""
        return wall(workday(made.astimezone(zone).date(), self.day), self.at, zone)

    def steps(self, begins: datetime, ends: datetime, made: datetime) -> Iterator[tuple[str, datetime]]:
        """Return what is recorded of it, and when that happened, by the time at which the demo is made."""
        if self.fate is Fate.CALLED_OFF or begins - _EARLY > made:
            return
        if self.fate is Fate.MISSED:
            if ends <= made:
                yield "NO_SHOW", begins + _LATE
            return
        yield "ARRIVED", begins - _EARLY
        began = begins + timedelta(minutes=self.wait)
        if self.fate is Fate.SEEN and began <= made:
            yield "STARTED", began
            if ends <= made:
                yield "COMPLETED", ends


@dataclass(frozen=True, kw_only=True)
class Diary:
    """What stands in a practice's calendars.

    Args:
        types: key -> what appointments can be about: the numbers of whom it is with, and `AppointmentTypeInput`.
        weeks: the sections of each practitioner, as `WeeklySectionInput`.
        entries: appointments.
        settings: the practice's, as `SchedulingSettingsPatch`.
    """

    types: Mapping[str, tuple[Sequence[int], Mapping[str, object]]]
    weeks: Sequence[Sequence[Mapping[str, object]]]
    entries: tuple[Entry, ...]
    settings: Mapping[str, object] = field(default_factory=dict[str, object])


def workday(first: date, number: int) -> date:
    """Return a working day, Monday to Friday, by its number; 0 is the first that is not before a date."""
    day = _working(first, _DAY)
    step = _DAY if number > 0 else -_DAY
    for _ in range(abs(number)):
        day = _working(day + step, step)
    return day


def wall(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """Return the instant at which clocks of a zone show a time of a day."""
    return datetime.combine(day, time.fromisoformat(clock), zone)


def _working(day: date, step: timedelta) -> date:
    while day.weekday() > 4:
        day += step
    return day


_WORKING = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY")


def _hours(
    begins: str, ends: str, mode: str = "IN_PERSON", *, open: bool = True, days: Sequence[str] = _WORKING
) -> Sequence[Mapping[str, object]]:
    section = {"begins": begins, "ends": ends, "mode": mode, "selfScheduling": open}
    return [{"weekday": day, **section} for day in days]


_USUAL = (*_hours("09:00", "12:00"), *_hours("14:00", "17:00", open=False))

DIARIES: Mapping[Tier, Diary] = {
    Tier.STARTER: Diary(
        types={
            "check": ([0], {"name": "Check-up", "minutes": 30, "mode": "IN_PERSON", "selfScheduling": True}),
            "talk": ([0, 1], {"name": "Consultation", "minutes": 45, "mode": "IN_PERSON"}),
        },
        weeks=(_USUAL, _USUAL),
        entries=(
            Entry(day=-1, at="09:00", of=0, patients=(0,), type="check"),
            Entry(day=0, at="10:00", of=0, patients=(3,), type="check"),
            Entry(day=0, at="14:30", of=1, patients=(4,), type="talk"),
            Entry(day=2, at="09:30", of=0, patients=(0,), type="check", own=True),
        ),
    ),
    Tier.ENHANCED: Diary(
        types={
            "child": ([0, 1], {"name": "Well-child visit", "minutes": 40, "bufferAfter": 5, "mode": "IN_PERSON",
                               "selfScheduling": True}),
            "shot": ([0], {"name": "Vaccination", "minutes": 15, "mode": "IN_PERSON", "selfScheduling": True}),
        },
        weeks=(_USUAL, _USUAL),
        entries=(
            Entry(day=-1, at="10:00", of=0, patients=(3,), type="child", wait=11),
            Entry(day=0, at="09:00", of=0, patients=(4,), type="child"),
            Entry(day=0, at="14:00", of=1, patients=(5,), type="child"),
            Entry(day=3, at="09:30", of=0, patients=(0,), type="shot", own=True),
        ),
    ),
    Tier.PREMIUM: Diary(
        types={
            "first": ([0, 1], {"name": "First visit", "minutes": 45, "bufferAfter": 15, "selfScheduling": True}),
            "follow": ([0, 1], {"name": "Follow-up", "minutes": 20, "bufferAfter": 10, "selfScheduling": True}),
            "pressure": ([1], {"name": "Blood pressure", "minutes": 15, "mode": "IN_PERSON",
                               "selfScheduling": True}),
            "minor": ([0], {"name": "Minor procedure", "minutes": 60, "bufferBefore": 15, "bufferAfter": 30,
                            "mode": "IN_PERSON"}),
            "smoke": ([1], {"name": "Quitting smoking, together", "minutes": 60, "mode": "IN_PERSON", "capacity": 6,
                            "selfScheduling": True}),
        },
        weeks=(
            (
                *_hours("09:00", "12:30", "BOTH"),
                *_hours("13:30", "15:00"),
                *_hours("15:00", "16:30", "TELEHEALTH"),
                *_hours("10:00", "12:00", "TELEHEALTH", days=["SATURDAY"]),
            ),
            (
                *_hours("08:30", "12:00"),
                *_hours("13:00", "16:00", open=False),
                *_hours("17:00", "19:30", days=["THURSDAY"]),
            ),
        ),
        entries=(
            Entry(day=-6, at="09:00", of=0, patients=(0,), type="first", wait=9),
            Entry(day=-6, at="08:30", of=1, patients=(10,), type="first"),
            Entry(day=-5, at="10:15", of=0, patients=(3,), type="follow", wait=12),
            Entry(day=-3, at="11:00", of=0, patients=(0,), type="follow", video=True, wait=1),
            Entry(day=-3, at="10:00", of=1, patients=(11,), type="pressure", fate=Fate.MISSED),
            Entry(day=-1, at="09:00", of=0, patients=(9,), type="first", wait=6),
            Entry(day=-1, at="10:15", of=0, patients=(8,), type="follow", fate=Fate.MISSED),
            Entry(day=-1, at="15:00", of=1, patients=(6,), type="pressure", fate=Fate.UNRECORDED),
            Entry(day=0, at="09:00", of=0, patients=(1,), type="first", wait=7),
            Entry(day=0, at="10:15", of=0, patients=(3,), type="follow", fate=Fate.MISSED),
            Entry(day=0, at="11:00", of=0, patients=(7,), type="follow", video=True),
            Entry(day=0, at="13:45", of=0, patients=(6,), type="minor"),
            Entry(day=0, at="08:30", of=1, patients=(8,), type="first"),
            Entry(day=0, at="10:30", of=1, patients=(11,), type="follow", fate=Fate.CALLED_OFF),
            Entry(day=0, at="13:00", of=1, patients=(2,), type="first", wait=3),
            Entry(day=0, at="15:00", of=1, patients=(9,), type="follow"),
            Entry(day=1, at="09:00", of=0, patients=(4,), type="first"),
            Entry(day=1, at="13:00", of=1, patients=(3,), type="pressure"),
            Entry(day=2, at="10:00", of=0, patients=(0,), type="follow", video=True, own=True),
            Entry(day=2, at="08:30", of=1, patients=(7,), type="first"),
            Entry(day=3, at="13:00", of=1, patients=(6, 8, 10), type="smoke"),
            Entry(day=4, at="13:30", of=0, patients=(11,), type="minor"),
        ),
        settings={"waitingList": True},
    ),
}  # fmt: skip
"""By the practice's tier at first. No two appointments of a practitioner overlap, nor any of the series below."""

WHY_NOT = "The school trip is on that day."
"""The reason of what is called off."""

SERIES = Entry(day=1, at="10:00", of=1, patients=(3,), type="pressure")
"""The first of a weekly series of the highest tier's practice."""
SERIES_RULE = "FREQ=WEEKLY;COUNT=8"
SERIES_MOVED = (2, "11:15", "The room is being painted.")
"""Which of it is moved by itself, where to on the same day, and why."""

CLOSED = (8, "12:00", "18:00", "Staff training")
"""On which working day that practice is closed, from when until when, and why."""
DAY_OFF = (9, 1)
"""On which working day it lacks one of its practitioners, and which."""
WAITS = (5, "first", 0, timedelta(days=28))
"""Who waits there for a freed time: the patient, what for, with whom, and for how long."""
