"""Figures on visits against an independent count, and a patient's timeline."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from plugins.scheduling.reception import Reception, soon

from bedside_core.database import DB, acting
from bedside_core.testing import statements

ONE = "visits noShows cancellations booked waits medianWaitSeconds ninetiethWaitSeconds"
FIGURES = f"""query($f: DateTime!, $t: DateTime!, $m: [ID!]) {{
    scheduleFigures(from: $f, to: $t, memberIds: $m) {{
    zone whole {{ {ONE} }} weeks {{ week figures {{ {ONE} }} }} }} }}"""
TIMELINE = """query($p: ID!) { patient(id: $p) { timeline(first: 20) { nodes {
    kind at by { id } appointment { id state } } } } }"""
OF = {"completed": "visits", "no_show": "noShows", "cancelled": "cancellations", "booked": "booked"}


async def happened(desk: Reception, made: Any, state: str, arrived: float | None = None, waited: float = 0) -> None:
    """Have an appointment come to its end, its patient arriving some minutes after the time agreed on."""
    starts_at = (await desk.appointment(made)).starts_at
    came = None if arrived is None else starts_at + timedelta(minutes=arrived)
    began = None if came is None else max(came, starts_at) + timedelta(minutes=waited)
    await desk.change(
        made,
        "state = $2::text, arrived_at = $3, started_at = $4,"
        " cancelled_at = CASE $2::text WHEN 'cancelled' THEN $5::timestamptz END",
        state, came, began, desk.now(),
    )  # fmt: skip


def empty(week: dict[str, Any]) -> bool:
    return not any(week["figures"][name] for name in (*OF.values(), "waits"))


@pytest.mark.rule("S6", "S7")
async def test_figures_agree_with_a_count_by_hand_over_a_change_of_the_clocks(desk: Reception) -> None:
    chance, zone = random.Random(5), ZoneInfo(desk.practice.zone)
    begin = datetime(2027, 3, 1, tzinfo=zone)  # a Monday; in the United States clocks change on 14 March
    counts: dict[date, Counter[str]] = {}
    waits: dict[date, list[float]] = {}
    for day in (0, 6, 13, 14, 20, 34):
        for hour in (0, 9, 23):
            for member in (desk.ada, desk.ben):
                at = (begin.replace(tzinfo=None) + timedelta(days=day, hours=hour)).replace(tzinfo=zone)
                made = await desk.book(at.astimezone(UTC), members=[member])
                state = chance.choice(["completed", "completed", "no_show", "cancelled", "booked"])
                waited = float(chance.randrange(0, 40)) if state == "completed" else None
                await happened(
                    desk, made, state, chance.choice([-10, 0, 7]) if waited is not None else None, waited or 0
                )
                if member is desk.ada:
                    monday = at.date() - timedelta(days=at.weekday())
                    counts.setdefault(monday, Counter())[OF[state]] += 1
                    waits.setdefault(monday, []).extend([waited * 60] if waited is not None else [])
    given = {"f": begin.isoformat(), "t": (begin + timedelta(days=35)).isoformat(), "m": [desk.ada.id]}
    found = (await desk.deployment.data(FIGURES, desk.sam.token, **given))["scheduleFigures"]
    assert (found["zone"], len(found["weeks"])) == (desk.practice.zone, 5)
    assert [empty(week) for week in found["weeks"]] == [False, False, False, True, False]
    for week in found["weeks"]:
        monday = date.fromisoformat(week["week"])
        assert {name: week["figures"][name] for name in OF.values()} == {
            name: counts.get(monday, Counter())[name] for name in OF.values()
        }
        known = waits.get(monday, [])
        assert week["figures"]["waits"] == len(known)
        assert week["figures"]["medianWaitSeconds"] == (statistics.median(known) if known else None)
    every = [each for known in waits.values() for each in known]
    assert found["whole"]["visits"] == sum(each["visits"] for each in counts.values()) == len(every)
    assert found["whole"]["ninetiethWaitSeconds"] == pytest.approx(
        statistics.quantiles(every, n=10, method="inclusive")[8]
    )
    both = (await desk.deployment.data(FIGURES, desk.sam.token, f=given["f"], t=given["t"]))["scheduleFigures"]
    assert sum(both["whole"][name] for name in OF.values()) == 36


@pytest.mark.rule("S7", "L3")
async def test_figures_take_as_many_statements_for_years_and_refuse_what_is_no_time(desk: Reception) -> None:
    begin = datetime(2027, 1, 4, tzinfo=UTC)

    async def counted(days: int) -> int:
        given = {"f": begin.isoformat(), "t": (begin + timedelta(days=days)).isoformat()}
        await desk.deployment.data(FIGURES, desk.sam.token, **given)
        with statements() as seen:
            await desk.deployment.data(FIGURES, desk.sam.token, **given)
        return len(seen)

    few = await counted(7)
    for week in range(20):
        await desk.book(begin + timedelta(weeks=week))
    assert await counted(700) == few
    for to in (begin, begin + timedelta(days=801)):
        given = {"f": begin.isoformat(), "t": to.isoformat()}
        assert await desk.deployment.code(FIGURES, desk.sam.token, **given) == "INVALID_INPUT"
    given = {"f": begin.isoformat(), "t": (begin + timedelta(days=7)).isoformat()}
    assert await desk.deployment.code(FIGURES, desk.pat.token, **given) == "FORBIDDEN"
    elsewhere = await desk.deployment.person(await desk.deployment.practice("Elsewhere"))
    found = (await desk.deployment.data(FIGURES, elsewhere.token, **given))["scheduleFigures"]
    assert found["whole"]["booked"] == 0


@pytest.mark.rule("P9")
async def test_a_patient_s_timeline_tells_of_bookings_and_of_visits_that_took_place(desk: Reception) -> None:
    first = await desk.book(soon(desk, hours=1), by=desk.pat.patient.id)
    await desk.book(soon(desk, days=2), by=desk.pat.patient.id, held_until=desk.now() + timedelta(minutes=10))
    group = await desk.book(soon(desk, hours=3), by=desk.quin.patient.id, patients=[desk.quin])
    await desk.pass_time(minutes=1)
    await desk.comes(group, desk.pat)
    await desk.pass_time(hours=5)
    await happened(desk, first, "completed", 0, 5)
    nodes = (await desk.deployment.data(TIMELINE, desk.sam.token, p=desk.pat.id))["patient"]["timeline"]["nodes"]
    told = [
        (node["kind"], node["by"] and node["by"]["id"], node["appointment"]["id"], node["appointment"]["state"])
        for node in nodes
        if node["kind"].startswith("scheduling.")
    ]
    assert told == [
        ("scheduling.visit", None, str(first), "COMPLETED"),
        ("scheduling.booked", None, str(group), "BOOKED"),
        ("scheduling.booked", desk.pat.id, str(first), "COMPLETED"),
    ]
    with acting(desk.practice.id):
        assert await DB.fetchval("SELECT count(DISTINCT visit_id) = count(*) FROM appointment")
