"""The demo's calendars fit together whatever the day, and the time of day, on which the demo is made."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from bedside_core.access import Tier
from bedside_core.demo.cast import PRACTICES, DemoPractice
from bedside_core.demo.diary import DIARIES, SERIES, SERIES_MOVED, Entry, wall

MADE = [datetime(2026, 1, 1, 0, 30, tzinfo=UTC) + timedelta(days=day, hours=day % 24) for day in range(500)]


def ends(entry: Entry, practice: DemoPractice, begins: datetime) -> datetime:
    minutes = DIARIES[practice.tier].types[entry.type][1]["minutes"]
    assert isinstance(minutes, int)
    return begins.astimezone(UTC) + timedelta(minutes=minutes)


@pytest.mark.rule("S5")
@pytest.mark.parametrize("practice", PRACTICES, ids=lambda practice: practice.name)
def test_no_two_appointments_of_a_practitioner_overlap(practice: DemoPractice) -> None:
    zone = ZoneInfo(practice.zone)
    for made in MADE:
        entries = [(each, each.begins(made, zone)) for each in DIARIES[practice.tier].entries]
        if practice.tier is Tier.PREMIUM:
            first = SERIES.begins(made, zone)
            moved, clock, _ = SERIES_MOVED
            for number in range(8):
                at = clock if number == moved else SERIES.at
                entries.append((SERIES, wall(first.date() + number * timedelta(weeks=1), at, zone)))
        taken: defaultdict[int, list[tuple[datetime, datetime]]] = defaultdict(list)
        for entry, begins in entries:
            taken[entry.of].append((begins.astimezone(UTC), ends(entry, practice, begins)))
        for spans in taken.values():
            assert all(end <= begin for (_, end), (begin, _) in pairwise(sorted(spans))), made


@pytest.mark.parametrize("practice", PRACTICES, ids=lambda practice: practice.name)
def test_what_is_recorded_has_been_and_what_patients_book_is_to_come(practice: DemoPractice) -> None:
    zone = ZoneInfo(practice.zone)
    for made in MADE:
        for entry in DIARIES[practice.tier].entries:
            begins = entry.begins(made, zone)
            over = ends(entry, practice, begins)
            assert begins > made - timedelta(days=30)  # longer ago nobody writes a visit down any more
            assert begins.weekday() < 5
            assert (entry.day < 0) <= (over < made)
            assert not entry.own or begins > made + timedelta(days=1)
            assert all(at <= made for _, at in entry.steps(begins, over, made))
