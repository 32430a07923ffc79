"""Visits are recorded step by step, also afterwards, and what was recorded wrongly is put right."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from plugins.scheduling.agenda import CANCEL, VISIT, Agenda
from plugins.scheduling.rota import at, monday, text

from bedside_core.database import DB, acting


async def begun(agenda: Agenda, hour: int = 9) -> dict[str, Any]:
    """Return an appointment whose time has come."""
    house = agenda.rota
    made = await agenda.book(house.desk, at(monday(), hour), house.ada, patientIds=[house.pat.id])
    clock = agenda.deployment.platform.clock
    await clock.move(at(monday(), hour) - clock.now())
    return made


@pytest.mark.rule("S10")
async def test_a_visit_is_recorded_step_by_step(agenda: Agenda) -> None:
    house = agenda.rota
    made = await begun(agenda)
    clock = agenda.deployment.platform.clock
    steps: list[dict[str, Any]] = []
    for step in ("ARRIVED", "STARTED", "COMPLETED"):
        steps.append(await agenda.ask(house.desk, VISIT, a=made["id"], s=step))
        assert await agenda.ask(house.ada, VISIT, a=made["id"], s=step) == steps[-1]
        await clock.move(timedelta(minutes=10))
    assert [each["state"] for each in steps] == ["BOOKED", "BOOKED", "COMPLETED"]
    assert [(each["version"], each["sequence"]) for each in steps] == [(2, 0), (3, 0), (4, 0)]
    last = steps[-1]
    assert steps[0]["arrivedAt"] == last["arrivedAt"] < steps[1]["startedAt"] == last["startedAt"] < last["finishedAt"]
    assert await agenda.code(house.desk, VISIT, a=made["id"], s="ARRIVED") == "APPOINTMENT_OVER"
    assert await agenda.code(house.desk, CANCEL, a=made["id"]) == "APPOINTMENT_OVER"
    assert (await agenda.one(house.pat, made))["state"] == "COMPLETED"
    with acting(house.practice.id):
        entries = await DB.fetch(
            "SELECT detail FROM audit_entry WHERE target = $1 AND action = 'scheduling.record_visit' ORDER BY id",
            made["id"],
        )
    assert len(entries) == 3


@pytest.mark.rule("S10")
async def test_what_is_written_down_afterwards_has_its_own_time(agenda: Agenda) -> None:
    house = agenda.rota
    made = await begun(agenda)
    clock = agenda.deployment.platform.clock
    nine = at(monday(), 9)
    await clock.move(timedelta(hours=5))
    early, late, to_come = nine - timedelta(hours=13), nine + timedelta(minutes=20), nine + timedelta(hours=9)
    for wrong in (early, to_come):
        assert await agenda.code(house.desk, VISIT, a=made["id"], s="STARTED", t=text(wrong)) == "INVALID_INPUT"
    assert (await agenda.one(house.desk, made))["version"] == 1
    found = await agenda.ask(house.desk, VISIT, a=made["id"], s="STARTED", t=text(nine))
    assert (found["arrivedAt"], found["startedAt"], found["finishedAt"]) == (text(nine), text(nine), None)
    before = nine - timedelta(minutes=1)
    assert await agenda.code(house.desk, VISIT, a=made["id"], s="COMPLETED", t=text(before)) == "INVALID_INPUT"
    done = await agenda.ask(house.desk, VISIT, a=made["id"], s="COMPLETED", t=text(late))
    assert (done["arrivedAt"], done["finishedAt"]) == (text(nine), text(late))


@pytest.mark.rule("S10")
async def test_nobody_came_after_the_time_alone_and_can_be_taken_back(agenda: Agenda) -> None:
    house = agenda.rota
    made = await agenda.book(house.desk, at(monday(), 9), house.ada, patientIds=[house.pat.id])
    for step in ("ARRIVED", "NO_SHOW", "COMPLETED"):
        assert await agenda.code(house.desk, VISIT, a=made["id"], s=step) == "INVALID_INPUT"
    clock = agenda.deployment.platform.clock
    await clock.move(at(monday(), 8) - clock.now())
    assert await agenda.code(house.desk, VISIT, a=made["id"], s="NO_SHOW") == "INVALID_INPUT"
    await clock.move(timedelta(hours=1))
    missed = await agenda.ask(house.desk, VISIT, a=made["id"], s="NO_SHOW", v=1)
    assert (missed["state"], missed["arrivedAt"], missed["version"]) == ("NO_SHOW", None, 2)
    assert await agenda.ask(house.desk, VISIT, a=made["id"], s="NO_SHOW", v=1) == missed
    assert await agenda.code(house.desk, VISIT, a=made["id"], s="ARRIVED", v=1) == "CONFLICT"
    came = await agenda.ask(house.desk, VISIT, a=made["id"], s="ARRIVED", v=2)
    assert (came["state"], came["version"]) == ("BOOKED", 3)
    assert await agenda.code(house.desk, VISIT, a=made["id"], s="NO_SHOW") == "APPOINTMENT_OVER"
    done = await agenda.ask(house.desk, VISIT, a=made["id"], s="COMPLETED")
    assert done["finishedAt"] is not None
    wrong = await agenda.ask(house.desk, VISIT, a=made["id"], s="NO_SHOW")
    assert (wrong["state"], wrong["arrivedAt"], wrong["finishedAt"]) == ("NO_SHOW", None, None)


@pytest.mark.rule("S10")
async def test_visits_are_recorded_by_the_practice_and_of_what_takes_place_alone(agenda: Agenda) -> None:
    house = agenda.rota
    made = await begun(agenda)
    held = await agenda.hold(house.desk, at(monday(), 10), house.ada, patientIds=[house.pat.id])
    gone = await agenda.book(house.desk, at(monday(), 11), house.ada, patientIds=[house.pat.id])
    await agenda.ask(house.desk, CANCEL, a=gone["id"])
    stranger = await house.deployment.person(await house.deployment.practice("Abbey"))
    assert await agenda.code(house.pat, VISIT, a=made["id"], s="ARRIVED") == "FORBIDDEN"
    assert await agenda.code(stranger, VISIT, a=made["id"], s="ARRIVED") == "NOT_FOUND"
    assert await agenda.code(house.desk, VISIT, a=held["id"], s="ARRIVED") == "CONFLICT"
    assert await agenda.code(house.desk, VISIT, a=gone["id"], s="ARRIVED") == "APPOINTMENT_OVER"
    assert [(each["state"], each["version"]) for each in await agenda.all()] == [
        ("BOOKED", 1),
        ("HELD", 1),
        ("CANCELLED", 2),
    ]
    asked = [agenda.ask(house.desk, VISIT, a=made["id"], s="ARRIVED") for _ in range(4)]
    assert {each["version"] for each in await asyncio.gather(*asked)} == {2}
