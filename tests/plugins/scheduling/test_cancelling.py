"""Appointments are cancelled, by whom and why, by patients in time and whatever the plan; a place in a group, too."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from plugins.scheduling.agenda import BOOK, CANCEL, HOLD, LIST, MOVE, Agenda, wanted
from plugins.scheduling.rota import at, monday, text, weekly

from bedside_core.database import DB, acting
from bedside_plans.api import ItemKind, PlanItem
from bedside_plans.service import PlanService

NOBODY = "0199aaaa-0000-7000-8000-000000000000"


@pytest.mark.rule("S7")
async def test_a_patient_cancels_their_own_with_a_reason_and_nobody_else_s(agenda: Agenda) -> None:
    house, pat, nine = agenda.rota, agenda.rota.pat, at(monday(), 9)
    made = await agenda.book(house.desk, nine, house.ada, patientIds=[pat.id])
    stranger = await house.deployment.held(house.practice)
    for target in (made["id"], NOBODY, "x"):
        assert await agenda.code(stranger, CANCEL, a=target) == "NOT_FOUND"
    assert await agenda.code(pat, CANCEL, a=made["id"], v=2) == "CONFLICT"
    assert await agenda.code(pat, CANCEL, a=made["id"], r="x" * 501) == "INVALID_INPUT"
    assert await agenda.one(house.desk, made) == made
    guardian = await house.deployment.held(house.practice, pat.patient, relationship="mother")
    gone = await agenda.ask(guardian, CANCEL, a=made["id"], r=" Fever ", v=1)
    assert (gone["state"], gone["reason"], gone["version"], gone["sequence"]) == ("CANCELLED", "Fever", 2, 1)
    assert gone["cancelledBy"] == {"id": pat.id, "name": pat.patient.name, "patient": True}
    assert gone["canCancel"]["code"] == gone["canMove"]["code"] == "APPOINTMENT_OVER"
    assert await agenda.ask(pat, CANCEL, a=made["id"], v=1) == gone
    with acting(house.practice.id):
        entries = await DB.fetch(
            "SELECT action, person_id, patients FROM audit_entry WHERE target = $1 ORDER BY id", made["id"]
        )
    assert [(each["action"], str(each["person_id"])) for each in entries] == [
        ("scheduling.book", house.desk.id),
        ("scheduling.cancel", pat.id),
    ]
    assert all([str(one) for one in each["patients"]] == [pat.id] for each in entries)


@pytest.mark.rule("S7")
@pytest.mark.rule("L5")
async def test_cancelling_and_reading_stay_where_the_plan_has_scheduling_no_more(agenda: Agenda) -> None:
    house, pat, day = agenda.rota, agenda.rota.pat, monday()
    kind = await house.type(house.ada)
    await house.week(house.ada, weekly(day, "08:00", "12:00"))
    one = await agenda.book(pat, at(day, 8), house.ada, typeId=kind)
    two = await agenda.book(house.desk, at(day, 9), house.ada, patientIds=[pat.id])
    plans = house.deployment.platform.service(PlanService)
    for feature in ("self_scheduling", "scheduling"):
        await plans.set_item(house.practice.id, PlanItem(kind=ItemKind.OVERRIDE, key=feature, enabled=False))
        given = wanted(at(day, 10), house.ada, typeId=kind)
        assert await agenda.code(pat, BOOK, i=given, c="k") == "FEATURE_NOT_IN_PLAN"
        assert await agenda.code(pat, HOLD, i=given, c="k") == "FEATURE_NOT_IN_PLAN"
        assert await agenda.code(pat, MOVE, a=one["id"], s=text(at(day, 10))) == "FEATURE_NOT_IN_PLAN"
        assert (await agenda.one(pat, one))["canMove"]["code"] == "FEATURE_NOT_IN_PLAN"
    assert await agenda.code(house.desk, MOVE, a=two["id"], s=text(at(day, 10))) == "FEATURE_NOT_IN_PLAN"
    assert (await agenda.one(house.desk, two)) | {"canMove": None} == two | {"canMove": None}
    for who, each in ((pat, one), (house.desk, two)):
        assert (await agenda.ask(who, CANCEL, a=each["id"]))["state"] == "CANCELLED"


@pytest.mark.rule("S7")
async def test_of_many_who_cancel_at_once_one_does_and_the_time_is_free_again(agenda: Agenda) -> None:
    house, nine = agenda.rota, at(monday(), 9)
    made = await agenda.book(house.desk, nine, house.ada, patientIds=[house.pat.id])
    asked = [agenda.ask(who, CANCEL, a=made["id"]) for who in (house.desk, house.olga, house.ada, house.pat) * 2]
    found = await asyncio.gather(*asked)
    assert {each["version"] for each in found} == {2}
    assert len({each["cancelledBy"]["id"] for each in found}) == 1
    with acting(house.practice.id):
        count = "SELECT count(*) FROM audit_entry WHERE target = $1 AND action = 'scheduling.cancel'"
        assert await DB.fetchval(count, made["id"]) == 1
    await agenda.book(house.desk, nine, house.ada, patientIds=[house.pat.id])


@pytest.mark.rule("S7")
async def test_a_patient_leaves_a_group_that_goes_on_for_others(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    kind = await house.type(house.ada, name="Class", capacity=3, selfScheduling=False)
    other = await house.deployment.held(house.practice)
    both = [house.pat.id, other.id]
    made = await agenda.book(house.desk, at(day, 9), house.ada, typeId=kind, patientIds=both)
    mine = [{"patientId": house.pat.id, "cancelledAt": None}]
    assert (await agenda.one(house.pat, made))["patients"] == mine
    assert await agenda.code(house.pat, MOVE, a=made["id"], s=text(at(day, 10))) == "FORBIDDEN"
    left = await agenda.ask(house.pat, CANCEL, a=made["id"], r="A word that others must not read")
    assert (left["state"], left["version"], left["sequence"], left["reason"]) == ("CANCELLED", 2, 1, None)
    assert [each["patientId"] for each in left["patients"]] == [house.pat.id]
    assert left["patients"][0]["cancelledAt"] is not None
    assert await agenda.ask(house.pat, CANCEL, a=made["id"]) == left
    shown = await agenda.one(house.desk, made)
    assert {each["patientId"]: each["cancelledAt"] is None for each in shown["patients"]} == {
        house.pat.id: False,
        other.id: True,
    }
    assert (await agenda.one(other, made))["canCancel"]["allowed"] is True
    mine_list = {"f": text(at(day, 0)), "t": text(at(day, 23))}
    assert [each["patients"] for each in (await agenda.ask(other, LIST, **mine_list))["nodes"]] == [
        [{"patientId": other.id}]
    ]
    with acting(house.practice.id):
        assert await DB.fetchval("SELECT taken FROM appointment WHERE id = $1", made["id"]) == 1
    assert (await agenda.ask(house.desk, CANCEL, a=made["id"]))["state"] == "CANCELLED"


@pytest.mark.rule("S7")
async def test_until_when_patients_cancel_is_the_practice_s_to_set(agenda: Agenda) -> None:
    house, pat = agenda.rota, agenda.rota.pat
    soon = agenda.deployment.platform.clock.now().replace(second=0, microsecond=0) + timedelta(hours=3)
    made = await agenda.book(house.desk, soon, house.ada, patientIds=[pat.id])
    late = await agenda.refused(pat, CANCEL, a=made["id"])
    assert (late["code"], late["until"]) == ("TOO_LATE", text(soon - timedelta(hours=24)))
    await house.set(changeHours=2)
    assert (await agenda.one(pat, made))["canCancel"] == {
        "allowed": True,
        "code": None,
        "until": text(soon - timedelta(hours=2)),
    }
    assert (await agenda.ask(pat, CANCEL, a=made["id"]))["state"] == "CANCELLED"
