"""On which terms patients book: a practitioner's own, how many ahead, with whom they move, by what plan (S4, L7)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from deployment import Held
from plugins.scheduling.agenda import BOOK, CANCEL, HOLD, LIST, MOVE, PEOPLE, Agenda, wanted
from plugins.scheduling.groupwork import JOIN, OPEN
from plugins.scheduling.rota import TYPES, at, monday, text, weekly

from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.testing import statements
from bedside_plans.api import ItemKind, PlanItem
from bedside_plans.service import PlanService
from bedside_scheduling.api import AppointmentKind
from bedside_scheduling.booking import Booking
from bedside_scheduling.keeping import taken

NOBODY = "0199aaaa-0000-7000-8000-000000000000"
TERMS = "noticeMinutes horizonDays bufferBeforeMinutes bufferAfterMinutes"
OF = f"query($m: ID!) {{ bookingTerms(memberId: $m) {{ {TERMS} }} }}"
SET = f"mutation($m: ID!, $p: BookingTermsPatch!) {{ setBookingTerms(memberId: $m, patch: $p) {{ {TERMS} }} }}"
CAN_MOVE = "query($a: ID!) { appointment(id: $a) { canMove { allowed code } canCancel { allowed } } }"
DEACTIVATE = "mutation($m: ID!) { deactivateMember(memberId: $m) { id } }"


@pytest.mark.rule("S4")
@pytest.mark.promise("A1")
async def test_the_front_desk_keeps_a_practitioner_s_notice_horizon_and_buffers(agenda: Agenda) -> None:
    house, pat, day = agenda.rota, agenda.rota.pat, monday()
    kind = await house.type(house.ada)
    await house.week(house.ada, weekly(day, "08:00", "12:00"))
    usual = {"noticeMinutes": 120, "horizonDays": 730, "bufferBeforeMinutes": 0, "bufferAfterMinutes": 0}
    assert await agenda.ask(house.ben, OF, m=house.ada.id) == usual
    await agenda.book(house.desk, at(day, 10), house.ada, patientIds=[pat.id], minutes=60)
    assert await house.starts(pat, day, y=kind) == ["08:00", "09:00", "11:00"]
    given = {"bufferAfterMinutes": 30, "noticeMinutes": None}
    assert await agenda.ask(house.desk, SET, m=house.ada.id, p=given) == usual | {"bufferAfterMinutes": 30}
    assert await house.starts(pat, day, y=kind) == ["08:00"]
    days = (day - agenda.deployment.platform.clock.now().date()).days
    assert (await agenda.ask(house.olga, SET, m=house.ada.id, p={"horizonDays": days - 2}))["horizonDays"] == days - 2
    assert await house.starts(pat, day, y=kind) == []
    mine = await agenda.ask(house.ada, SET, m=house.ada.id, p={"horizonDays": 365})
    assert mine == usual | {"bufferAfterMinutes": 30, "horizonDays": 365}
    assert await agenda.ask(house.ben, OF, m=house.ben.id) == usual
    eve = await house.deployment.person(await house.deployment.practice("Abbey"), Role.OWNER)
    for who, member, code in (
        (house.ben, house.ada.id, "FORBIDDEN"),
        (pat, house.ada.id, "FORBIDDEN"),
        (eve, house.ada.id, "NOT_FOUND"),
        (house.desk, eve.id, "NOT_FOUND"),
        (house.desk, NOBODY, "NOT_FOUND"),
    ):
        assert await agenda.code(who, SET, m=member, p={"noticeMinutes": 0}) == code
    assert await agenda.code(eve, OF, m=house.ada.id) == "NOT_FOUND"
    for wrong in ({"noticeMinutes": -1}, {"horizonDays": 0}, {"bufferBeforeMinutes": 241}):
        assert await agenda.code(house.desk, SET, m=house.ada.id, p=wrong) == "INVALID_INPUT"
    assert await agenda.ask(house.desk, OF, m=house.ada.id) == mine
    with acting(house.practice.id):
        actions = "SELECT detail FROM audit_entry WHERE action = 'scheduling.availability' AND target = $1 ORDER BY id"
        details = [row["detail"]["changed"] for row in await DB.fetch(actions, house.ada.id)]
    assert details[1:] == [
        ["buffer_after_minutes"],
        ["horizon_days"],
        ["horizon_days"],
    ]


@pytest.mark.rule("S4")
async def test_a_practitioner_s_own_terms_are_given_up_for_the_practice_s(agenda: Agenda) -> None:
    house, ada = agenda.rota, agenda.rota.ada.id
    own = f"query($m: ID!) {{ bookingTerms(memberId: $m) {{ {TERMS} own }} }}"
    give_up = f"""mutation($m: ID!, $p: BookingTermsPatch! = {{}}, $u: [BookingTerm!]) {{
        setBookingTerms(memberId: $m, patch: $p, unset: $u) {{ {TERMS} own }} }}"""
    usual = {"noticeMinutes": 120, "horizonDays": 730, "bufferBeforeMinutes": 0, "bufferAfterMinutes": 0}
    assert await agenda.ask(house.ada, own, m=ada) == usual | {"own": []}
    # A value of one's own that is the practice's, too, stays when the practice changes its.
    given = {"noticeMinutes": 120, "horizonDays": 90, "bufferAfterMinutes": 15}
    mine = usual | given | {"own": ["NOTICE", "HORIZON", "BUFFER_AFTER"]}
    assert await agenda.ask(house.desk, give_up, m=ada, p=given) == mine
    await house.set(noticeMinutes=30)
    assert await agenda.ask(house.ben, own, m=ada) == mine
    assert await agenda.code(house.ben, give_up, m=ada, u=["NOTICE"]) == "FORBIDDEN"
    assert await agenda.code(house.desk, give_up, m=ada, p={"horizonDays": 3}, u=["HORIZON"]) == "INVALID_INPUT"
    assert await agenda.ask(house.desk, own, m=ada) == mine
    less = await agenda.ask(house.desk, give_up, m=ada, p={"bufferBeforeMinutes": 5}, u=["NOTICE", "BUFFER_AFTER"])
    assert less == usual | {
        "noticeMinutes": 30, "horizonDays": 90, "bufferBeforeMinutes": 5, "own": ["HORIZON", "BUFFER_BEFORE"],
    }  # fmt: skip
    rest = await agenda.ask(house.ada, give_up, m=ada, u=["NOTICE", "HORIZON", "BUFFER_BEFORE", "BUFFER_AFTER"])
    assert rest == usual | {"noticeMinutes": 30, "own": []}
    await house.set(horizonDays=365)
    assert (await agenda.ask(house.ada, own, m=ada))["horizonDays"] == 365


@pytest.mark.rule("S4")
async def test_a_patient_books_no_more_ahead_than_the_practice_lets_them(agenda: Agenda) -> None:
    house, pat, day = agenda.rota, agenda.rota.pat, monday()
    await house.set(mostAhead=3)
    for each in (house.ada, house.ben):
        await house.week(each, weekly(day, "08:00", "18:00"))
    kinds = {each.id: await house.type(each) for each in (house.ada, house.ben)}
    for hour in (8, 9):  # what the practice books for them does not count
        await agenda.book(house.desk, at(day, hour), house.ada, patientIds=[pat.id])
    first = await agenda.book(pat, at(day, 10), house.ada, typeId=kinds[house.ada.id])
    asked = [
        house.deployment.ask(query, pat.token, i=wanted(at(day, hour), who, typeId=kinds[who.id]), c=f"{hour}{who.id}")
        for hour, query in ((11, BOOK), (12, HOLD), (13, BOOK))
        for who in (house.ada, house.ben)
    ]
    bodies = await asyncio.gather(*asked)
    codes = [body["errors"][0]["extensions"]["code"] if "errors" in body else "DONE" for body in bodies]
    assert sorted(codes) == [*["CONFLICT"] * 4, *["DONE"] * 2]
    assert len(await agenda.all()) == 5
    more = wanted(at(day, 15), house.ada, typeId=kinds[house.ada.id])
    assert await agenda.refused(pat, BOOK, i=more, c="more") == {
        "code": "CONFLICT",
        "wayOn": "Cancel one, or call the practice.",
    }
    await agenda.ask(pat, CANCEL, a=first["id"])
    await agenda.book(pat, at(day, 15), house.ada, typeId=kinds[house.ada.id])
    assert await agenda.code(pat, HOLD, i=more | {"startsAt": text(at(day, 16))}, c="held") == "CONFLICT"
    await agenda.book(house.desk, at(day, 17), house.ada, patientIds=[pat.id])


@pytest.mark.rule("S7")
async def test_a_patient_can_move_while_somebody_is_there_to_move_to(agenda: Agenda) -> None:
    house, pat, day = agenda.rota, agenda.rota.pat, monday()
    kind = await house.type(house.ada, house.ben)
    for each in (house.ada, house.ben):
        await house.week(each, weekly(day, "08:00", "12:00"))
    made = await agenda.book(pat, at(day, 8), house.ada, typeId=kind)
    await agenda.ask(house.olga, DEACTIVATE, m=house.ada.id)
    may = {"canMove": {"allowed": True, "code": None}, "canCancel": {"allowed": True}}
    assert await agenda.ask(pat, CAN_MOVE, a=made["id"]) == may
    assert await agenda.code(pat, MOVE, a=made["id"], s=text(at(day, 9))) == "NOT_FOUND"
    await agenda.ask(pat, MOVE, a=made["id"], s=text(at(day, 9)), m=[house.ben.id])
    await agenda.ask(house.olga, DEACTIVATE, m=house.ben.id)
    may["canMove"] = {"allowed": False, "code": "SLOT_NOT_OFFERED"}
    assert await agenda.ask(pat, CAN_MOVE, a=made["id"]) == may
    assert (await agenda.one(house.desk, made))["version"] == 2


@pytest.mark.rule("L7")
@pytest.mark.rule("S4")
async def test_self_scheduling_is_nothing_without_scheduling(agenda: Agenda) -> None:
    house, pat, day = agenda.rota, agenda.rota.pat, monday()
    kind = await house.type(house.ada, name="Back school", capacity=3)
    other = await house.deployment.held(house.practice)
    group = await agenda.book(house.desk, at(day, 9), house.ada, typeId=kind, patientIds=[other.id])
    assert len((await agenda.ask(pat, OPEN))["nodes"]) == 1
    off = PlanItem(kind=ItemKind.OVERRIDE, key="scheduling", enabled=False)
    await house.deployment.platform.service(PlanService).set_item(house.practice.id, off)
    features = "{ practice { features { key enabled } } }"
    told = {each["key"]: each["enabled"] for each in (await agenda.ask(house.desk, features))["features"]}
    assert (told["scheduling"], told["self_scheduling"]) == (False, True)
    for query, given in ((OPEN, {}), (JOIN, {"i": group["id"]}), (TYPES, {"a": False})):
        assert await agenda.code(pat, query, **given) == "FEATURE_NOT_IN_PLAN"
    seen = (await agenda.ask(house.desk, LIST, f=text(at(day, 0)), t=text(at(day, 23))))["nodes"]
    assert [each["patients"] for each in seen] == [[{"patientId": other.id}]]


@pytest.mark.rule("S1")
async def test_the_front_desk_is_warned_of_a_patient_who_is_elsewhere_at_the_time(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    for each in (house.ada, house.ben):
        await house.week(each, weekly(day, "08:00", "18:00"))
    one = str((await house.deployment.patient(house.practice)).id)

    async def warned(hour: int, minute: int, minutes: int) -> list[dict[str, Any]]:
        given = wanted(at(day, hour, minute), house.ben, patientIds=[house.pat.id, one], minutes=minutes)
        return (await agenda.ask(house.desk, BOOK, i=given, c=agenda.key()))["warnings"]

    first = await agenda.book(house.desk, at(day, 9), house.ada, patientIds=[one], minutes=60)
    assert await warned(8, 30, 30) == []
    assert await warned(10, 0, 30) == []
    assert await warned(9, 30, 30) == [{"code": "PATIENT_BUSY", "patientId": one, "memberId": None}]
    await agenda.ask(house.desk, CANCEL, a=first["id"])
    assert await warned(9, 0, 30) == []


@pytest.mark.rule("S5")
@pytest.mark.promise("S1")
async def test_of_many_who_are_too_late_one_looks_for_the_next_free_times(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    kind = await house.type(house.ada)
    await house.week(house.ada, weekly(day, "08:00", "12:00"))
    people: list[Held] = [await house.deployment.held(house.practice) for _ in range(8)]
    await agenda.book(people[0], at(day, 8), house.ada, typeId=kind)
    next_free = [text(at(day, hour)) for hour in (9, 10, 11)]
    late = wanted(at(day, 8), house.ada, typeId=kind)
    bodies = await asyncio.gather(*(agenda.refused(each, BOOK, i=late, c="late") for each in people[1:]))
    assert [(body["code"], body["next"]) for body in bodies] == [("SLOT_TAKEN", next_free)] * 7
    booking = house.deployment.platform.service(Booking)
    actor = await house.deployment.platform.auth.authenticate(people[1].token)
    assert actor is not None
    asked = (UUID(kind), [house.ada.member.id], AppointmentKind.IN_PERSON, at(day, 8))
    with acting(house.practice.id), statements() as ran:
        found = await asyncio.gather(*(booking.with_next(actor, taken(), *asked) for _ in range(50)))
    assert [each.detail["next"] for each in found] == [next_free] * 50
    few = len(ran)
    with acting(house.practice.id), statements() as ran:
        await booking.with_next(actor, taken(), *asked)
    assert len(ran) == few


@pytest.mark.rule("S1")
async def test_appointments_with_many_practitioners_take_as_many_statements_as_with_one(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    costs: list[int] = []
    whole = {"f": text(at(day, 0)), "t": text(at(day, 23))}
    await agenda.book(house.desk, at(day, 8), house.ada, patientIds=[house.pat.id])
    for number in range(2):
        with statements() as ran:
            [*_, last] = (await agenda.ask(house.desk, PEOPLE, **whole))["nodes"]
        costs.append(len(ran))
        assert len(last["members"]) == 1 + 3 * number
        people = [house.ada, house.ben, house.olga, house.desk]
        await agenda.book(house.desk, at(day, 9 + number), *people, patientIds=[house.pat.id])
    assert costs[0] == costs[1]
