"""A time is held for somebody for some minutes, then confirmed, let go, or free again by itself (S4, S5)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from deployment import Held, Person
from plugins.scheduling.agenda import BOOK, CANCEL, CONFIRM, HOLD, LIST, ONE, RELEASE, STATES, Agenda, wanted
from plugins.scheduling.rota import HOST, at, monday, text, weekly

from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.jobs import JobRun
from bedside_scheduling.jobs import end_holds, forget_holds


async def run(agenda: Agenda, job: Any) -> None:
    """Run a job as the worker does."""
    house = agenda.rota
    with acting(house.practice.id):
        await job(JobRun(platform=house.deployment.platform, practice_id=house.practice.id, payload={}, attempt=1))


async def outcome(agenda: Agenda, who: Person | Held, query: str, appointment: dict[str, Any]) -> str:
    body = await agenda.deployment.ask(query, who.token, a=appointment["id"])
    return body["errors"][0]["extensions"]["code"] if "errors" in body else "DONE"


async def open_day(agenda: Agenda, mode: str = "IN_PERSON") -> str:
    """Have Ada see patients on a day, and return the type of it."""
    house = agenda.rota
    await house.week(house.ada, weekly(monday(), "08:00", "18:00", mode))
    return await house.type(house.ada)


@pytest.mark.rule("S4")
@pytest.mark.rule("S5")
async def test_what_is_held_is_taken_for_others_until_it_is_confirmed_or_let_go(agenda: Agenda) -> None:
    house, pat, eight = agenda.rota, agenda.rota.pat, at(monday(), 8)
    kind, other = await open_day(agenda), await agenda.deployment.held(agenda.rota.practice)
    given = wanted(eight, house.ada, typeId=kind)
    held = await agenda.ask(pat, HOLD, i=given, c="hold")
    assert (held["state"], held["version"], held["canMove"]["code"]) == ("HELD", 1, "CONFLICT")
    assert await agenda.ask(pat, HOLD, i=given, c="hold") == held
    assert await agenda.code(pat, BOOK, i=given, c="hold") == "CONFLICT"
    for who in (other, house.desk):
        late = given | ({"patientIds": [other.id]} if who is house.desk else {})
        assert await agenda.code(who, BOOK, i=late, c="late") == "SLOT_TAKEN"
    assert [await outcome(agenda, who, CONFIRM, held) for who in (other, house.desk)] == ["NOT_FOUND"] * 2
    assert await outcome(agenda, other, RELEASE, held) == "NOT_FOUND"
    assert await agenda.code(other, ONE, a=held["id"]) == "NOT_FOUND"
    assert await outcome(agenda, pat, CANCEL, held) == "CONFLICT"
    assert (await agenda.one(house.desk, held))["state"] == "HELD"
    booked = (await agenda.ask(pat, CONFIRM, a=held["id"]))["appointment"]
    assert (booked["state"], booked["version"], booked["heldUntil"]) == ("BOOKED", 2, None)
    assert (await agenda.ask(pat, CONFIRM, a=held["id"]))["appointment"] == booked
    assert await outcome(agenda, pat, RELEASE, held) == "CONFLICT"
    second = await agenda.hold(pat, at(monday(), 10), house.ada, typeId=kind)
    gone = await agenda.ask(pat, RELEASE, a=second["id"])
    assert (gone["state"], await agenda.ask(pat, RELEASE, a=second["id"])) == ("LAPSED", gone)
    assert await outcome(agenda, pat, CONFIRM, second) == "HOLD_OVER"
    await agenda.book(other, at(monday(), 10), house.ada, typeId=kind)


@pytest.mark.rule("S4", "S7")
@pytest.mark.promise("A1")
async def test_members_let_go_what_others_hold_as_they_cancel_what_others_have_booked(agenda: Agenda) -> None:
    house, kind = agenda.rota, await open_day(agenda)
    manager = await agenda.deployment.person(house.practice, Role.MANAGER, "Max")
    elsewhere = await agenda.deployment.person(await agenda.deployment.practice("Elsewhere"), Role.OWNER)
    given = {"typeId": kind, "patientIds": [house.pat.id]}
    for hour, who in enumerate((house.desk, house.olga, manager, house.ada), 9):
        held = await agenda.hold(house.ben, at(monday(), hour), house.ada, **given)
        refused = [await outcome(agenda, each, RELEASE, held) for each in (house.pat, elsewhere)]
        assert (refused, (await agenda.one(house.ben, held))["state"]) == (["NOT_FOUND"] * 2, "HELD")
        gone = await agenda.ask(who, RELEASE, a=held["id"])
        assert (gone["state"], await agenda.ask(who, RELEASE, a=held["id"])) == ("LAPSED", gone)
        assert await outcome(agenda, house.ben, CONFIRM, held) == "HOLD_OVER"
        await agenda.book(house.pat, at(monday(), hour), house.ada, typeId=kind)
    own = await agenda.hold(await agenda.deployment.held(house.practice), at(monday(), 13), house.ada, typeId=kind)
    assert (await agenda.ask(house.desk, RELEASE, a=own["id"]))["state"] == "LAPSED"


@pytest.mark.rule("S4")
async def test_a_hold_ends_by_itself_and_is_forgotten_a_day_later(agenda: Agenda) -> None:
    house, pat, eight = agenda.rota, agenda.rota.pat, at(monday(), 8)
    kind, other = await open_day(agenda), await agenda.deployment.held(agenda.rota.practice)
    await house.set(holdMinutes=5)
    first = await agenda.hold(pat, eight, house.ada, typeId=kind)
    second = await agenda.hold(pat, at(monday(), 9), house.ada, typeId=kind)
    clock = agenda.deployment.platform.clock
    await clock.move(timedelta(minutes=5))
    assert await outcome(agenda, pat, CONFIRM, first) == "HOLD_OVER"
    assert await agenda.deployment.data(BOOK, other.token, i=wanted(eight, house.ada, typeId=kind), c="mine")
    states = {each["id"]: each["state"] for each in await agenda.all()}
    # Whoever takes a time lets go what was held of it for too long; the rest goes by the job.
    assert (states[first["id"]], states[second["id"]]) == ("LAPSED", "LAPSED")
    third = await agenda.hold(pat, at(monday(), 12), house.ada, typeId=kind)
    await clock.move(timedelta(minutes=4))
    await run(agenda, end_holds)
    assert (await agenda.one(pat, third))["state"] == "HELD"
    await clock.move(timedelta(minutes=2))
    await run(agenda, end_holds)
    lapsed = await agenda.one(pat, third)
    assert (lapsed["state"], lapsed["version"], lapsed["canCancel"]["code"]) == ("LAPSED", 2, "HOLD_OVER")
    await run(agenda, forget_holds)
    assert len(await agenda.all()) == 4
    await clock.move(timedelta(days=1))
    await run(agenda, forget_holds)
    assert [each["state"] for each in await agenda.all()] == ["BOOKED"]


@pytest.mark.rule("S4")
async def test_a_patient_holds_few_times_at_once(agenda: Agenda) -> None:
    house, pat, day = agenda.rota, agenda.rota.pat, monday()
    kind = await open_day(agenda)
    await house.week(house.ben, weekly(day, "08:00", "18:00"))
    other = await house.type(house.ben)
    asked = [
        house.deployment.ask(HOLD, pat.token, i=wanted(at(day, 8 + number), who, typeId=of), c=f"h{number}{of}")
        for number in range(3)
        for who, of in ((house.ada, kind), (house.ben, other))
    ]
    bodies = await asyncio.gather(*asked)
    assert sum("errors" not in body for body in bodies) == 3
    assert {body["errors"][0]["extensions"]["code"] for body in bodies if "errors" in body} == {"CONFLICT"}
    assert len(await agenda.all()) == 3
    for number in range(4):
        await agenda.hold(house.desk, at(day, 12 + number), house.ada, patientIds=[pat.id])


@pytest.mark.rule("S5")
async def test_confirming_and_letting_go_at_once_leaves_one_of_the_two(agenda: Agenda) -> None:
    house, pat = agenda.rota, agenda.rota.pat
    kind = await open_day(agenda)
    for number in range(4):
        held = await agenda.hold(pat, at(monday(), 8 + number), house.ada, typeId=kind)
        both = await asyncio.gather(outcome(agenda, pat, CONFIRM, held), outcome(agenda, pat, RELEASE, held))
        state = (await agenda.one(pat, held))["state"]
        assert (tuple(both), state) in ((("DONE", "CONFLICT"), "BOOKED"), (("HOLD_OVER", "DONE"), "LAPSED"))


@pytest.mark.rule("S5")
async def test_a_hold_that_lapses_while_it_is_confirmed_is_one_or_the_other(agenda: Agenda) -> None:
    house, pat = agenda.rota, agenda.rota.pat
    kind, other = await open_day(agenda), await agenda.deployment.held(agenda.rota.practice)
    for number in range(4):
        when = at(monday(), 8 + number)
        held = await agenda.hold(pat, when, house.ada, typeId=kind)
        with acting(house.practice.id):
            soon = agenda.deployment.platform.clock.now() + timedelta(milliseconds=20 * number)
            await DB.execute("UPDATE appointment SET held_until = $2 WHERE id = $1", held["id"], soon)
        taking = house.deployment.ask(BOOK, other.token, i=wanted(when, house.ada, typeId=kind), c=f"o{number}")
        confirmed, taken = await asyncio.gather(outcome(agenda, pat, CONFIRM, held), taking)
        states = {each["id"]: each["state"] for each in await agenda.all() if each["startsAt"] == text(when)}
        if confirmed == "DONE":
            assert states[held["id"]] == "BOOKED" and taken["errors"][0]["extensions"]["code"] == "SLOT_TAKEN"
        else:
            assert confirmed == "HOLD_OVER"
            assert list(states.values()).count("BOOKED") == ("errors" not in taken)


@pytest.mark.rule("S1")
async def test_what_changed_since_it_was_held_counts(agenda: Agenda) -> None:
    house, pat = agenda.rota, agenda.rota.pat
    await house.host(house.ada)
    kind = await open_day(agenda, "BOTH")
    held = await agenda.hold(pat, at(monday(), 8), house.ada, typeId=kind, kind="TELEHEALTH")
    await house.deployment.data(HOST, house.olga.token, m=house.ada.id, e=False)
    assert await outcome(agenda, pat, CONFIRM, held) == "TELEHEALTH_NOT_OFFERED"
    assert (await agenda.one(pat, held))["state"] == "HELD"


@pytest.mark.rule("S4")
async def test_what_members_hold_the_patient_does_not_see(agenda: Agenda) -> None:
    house, pat, day = agenda.rota, agenda.rota.pat, monday()
    held = await agenda.hold(house.desk, at(day, 8), house.ada, patientIds=[pat.id])
    mine = {"f": text(at(day, 0)), "t": text(at(day, 23)), "s": STATES}
    assert (await agenda.ask(pat, LIST, **mine))["nodes"] == []
    assert await agenda.code(pat, ONE, a=held["id"]) == "NOT_FOUND"
    assert [each["id"] for each in (await agenda.ask(house.ada, LIST, **mine))["nodes"]] == [held["id"]]
    assert await outcome(agenda, house.ada, CONFIRM, held) == "NOT_FOUND"
    assert await outcome(agenda, house.desk, CONFIRM, held) == "DONE"
    assert [each["id"] for each in (await agenda.ask(pat, LIST, **mine))["nodes"]] == [held["id"]]
