"""Coming in: the waiting room, one place for each person, and as many people as the plan has room for (T15-T17, L6)."""

from __future__ import annotations

import asyncio

import pytest
from plugins.telehealth.consulting import (
    ADD,
    ADMIT,
    DECLINE,
    END,
    JOIN,
    LEAVE,
    PLACE,
    REMOVE,
    ROLE,
    SEND_BACK,
    SESSION,
    WAITS,
    Consulting,
    of,
)

from bedside_core.access import Tier
from bedside_core.testing import statements
from bedside_plans.api import ItemKind, PlanItem
from bedside_plans.service import PlanService
from rulebook import size


@pytest.mark.rule("T15")
@pytest.mark.rule("T9")
async def test_patients_and_guests_wait_and_a_chair_admits_one_or_all(house: Consulting) -> None:
    await house.waiting_room()
    made = await house.create(participants=[{"personId": house.patient.id}, {"personId": house.colleague.id}])
    visitors = [await house.visitor(made["id"], f"Vic {name}") for name in ("Ames", "Burr")]
    for member in (house.host, house.colleague, house.owner):  # listed or not, members do not wait
        assert (await house.join(made["id"], member))["place"]["participant"]["place"] == "IN"
    ahead = []
    for person in (house.patient, *visitors):
        place = (await house.join(made["id"], person))["place"]
        assert place["participant"]["place"] == "WAITING"
        ahead.append(place["ahead"])
    assert ahead == [0, 1, 2]
    seen = await house.seen(made["id"])
    assert (seen["inside"], seen["waiting"]) == (3, 3)
    told = (await house.deployment.data(ADMIT, house.host.token, i=made["id"], p=[visitors[0].id]))["admitToVideo"]
    assert (told["inside"], told["waiting"], of(told, visitors[0].id)["role"]) == (4, 2, "BROADCASTER")
    assert (await house.deployment.data(PLACE, visitors[1].token, i=made["id"]))["videoPlace"]["ahead"] == 1
    told = (await house.deployment.data(ADMIT, house.host.token, i=made["id"]))["admitToVideo"]
    assert (told["inside"], told["waiting"]) == (6, 0)
    await house.deployment.data(LEAVE, house.patient.token, i=made["id"])
    assert (await house.join(made["id"], house.patient))["place"]["participant"]["place"] == "WAITING"  # at every join


@pytest.mark.rule("T15")
async def test_who_waits_sees_neither_the_others_nor_who_is_in_and_only_chairs_see_them(house: Consulting) -> None:
    await house.waiting_room()
    made = await house.create(participants=[{"personId": house.colleague.id}, {"personId": house.patient.id}])
    one, two = [await house.visitor(made["id"], name) for name in ("Vic Ames", "Vic Burr")]
    for person in (house.host, house.colleague, one, two, house.patient):
        await house.join(made["id"], person)

    async def names(by: object) -> set[str]:
        seen = await house.seen(made["id"], by)  # type: ignore[arg-type]
        return {each["name"] for each in seen["participants"]["nodes"]}

    hal, cleo, pat = house.host.member.name, house.colleague.member.name, house.patient.patient.name
    assert await names(one) == {"Vic Ames"}
    assert await names(two) == {"Vic Burr"}
    assert await names(house.patient) == {pat}
    assert await names(house.colleague) == {hal, cleo}
    assert await names(house.host) == {hal, cleo, "Vic Ames", "Vic Burr", pat}
    await house.deployment.data(ADMIT, house.host.token, i=made["id"], p=[one.id])
    assert await names(one) == {hal, cleo, "Vic Ames"}


@pytest.mark.rule("T15")
async def test_who_is_declined_or_removed_comes_back_only_by_a_chair(house: Consulting) -> None:
    await house.waiting_room()
    made = await house.create(participants=[{"personId": house.patient.id}])
    patient = of(made, house.patient.id)["id"]
    await house.join(made["id"], house.patient)
    given = {"i": made["id"], "p": patient}
    told = (await house.deployment.data(DECLINE, house.host.token, **given))["declineVideoParticipant"]
    assert of(told, patient)["place"] == "DECLINED"
    before = await house.rows(made["id"])
    assert await house.deployment.code(JOIN, house.patient.token, i=made["id"]) == "NOT_ADMITTED"
    assert await house.deployment.code(SESSION, house.patient.token, i=made["id"]) == "NOT_FOUND"
    assert await house.rows(made["id"]) == before
    place = (await house.deployment.data(PLACE, house.patient.token, i=made["id"]))["videoPlace"]
    assert place["participant"]["place"] == "DECLINED"
    await house.deployment.data(ADMIT, house.host.token, i=made["id"], p=[patient])
    assert (await house.join(made["id"], house.patient))["place"]["participant"]["place"] == "IN"  # without waiting
    assert await house.deployment.code(DECLINE, house.host.token, **given) == "CONFLICT"
    told = (await house.deployment.data(SEND_BACK, house.host.token, **given))["sendToWaitingRoom"]
    assert (of(told, patient)["place"], told["inside"], told["waiting"]) == ("WAITING", 0, 1)
    await house.deployment.data(REMOVE, house.host.token, **given)
    assert await house.deployment.code(JOIN, house.patient.token, i=made["id"]) == "NOT_ADMITTED"
    await house.deployment.data(ADD, house.host.token, i=made["id"], p=[{"personId": house.patient.id}])
    assert (await house.join(made["id"], house.patient))["place"]["participant"]["place"] == "WAITING"
    assert (
        await house.deployment.code(SEND_BACK, house.host.token, i=made["id"], p=made["own"]["id"]) == "INVALID_INPUT"
    )


@pytest.mark.rule("T15")
async def test_owners_and_managers_set_waiting_rooms_and_others_their_own(house: Consulting) -> None:
    made = await house.create()
    asked = {"m": house.host.id, "e": True}
    for token in (house.colleague.token, house.patient.token):
        assert await house.deployment.code(WAITS, token, **asked) == "FORBIDDEN"
    await house.join(made["id"], house.patient)
    assert (await house.seen(made["id"]))["inside"] == 1  # it is off by default
    own = "mutation { updateTelehealthOwnSettings(patch: { waitingRoom: true }) { waitingRoom } }"
    await house.deployment.data(own, house.host.token)
    other = await house.create(name="Another")
    assert (await house.join(other["id"], house.patient))["place"]["participant"]["place"] == "WAITING"


@pytest.mark.rule("T16")
@pytest.mark.rule("T15")
async def test_a_person_has_one_place_and_the_newer_tab_takes_it_over(house: Consulting) -> None:
    await house.waiting_room()
    made = await house.create(participants=[{"personId": house.patient.id, "role": "VIEWER"}])
    first = await house.join(made["id"], house.patient)
    second = await house.join(made["id"], house.patient)
    assert (second["place"]["participant"]["place"], second["place"]["ahead"]) == ("WAITING", 0)
    assert first["seat"] != second["seat"]
    leaving = {"i": made["id"], "s": first["seat"]}
    before = await house.rows(made["id"])
    assert await house.deployment.code(LEAVE, house.patient.token, **leaving) == "TAKEN_OVER"
    assert await house.rows(made["id"]) == before
    await house.deployment.data(ADMIT, house.host.token, i=made["id"])
    third = await house.join(made["id"], house.patient)  # reloaded: not admitted twice, with the same role
    assert (third["place"]["participant"]["place"], third["place"]["participant"]["role"]) == ("IN", "VIEWER")
    assert (await house.seen(made["id"]))["inside"] == 1
    told = await asyncio.gather(*(house.join(made["id"], house.owner) for _ in range(5)))
    assert len({each["place"]["participant"]["id"] for each in told}) == 1
    assert (await house.seen(made["id"]))["inside"] == 2
    await house.deployment.data(LEAVE, house.patient.token, i=made["id"], s=third["seat"])
    assert (await house.seen(made["id"]))["inside"] == 1


@pytest.mark.rule("T17")
async def test_the_last_chair_leaving_ends_nothing_and_a_chair_comes_back(house: Consulting) -> None:
    made = await house.create()
    await house.join(made["id"], house.host)
    await house.join(made["id"], house.colleague)
    assert (await house.deployment.data(LEAVE, house.host.token, i=made["id"]))["leaveVideoSession"] is True
    assert (await house.deployment.data(LEAVE, house.host.token, i=made["id"]))["leaveVideoSession"] is True
    seen = await house.seen(made["id"], house.colleague)
    assert (seen["endedAt"], seen["inside"]) == (None, 1)
    back = await house.join(made["id"], house.host)
    assert (back["place"]["participant"]["role"], back["place"]["participant"]["place"]) == ("CHAIR", "IN")
    await house.deployment.data(END, house.host.token, i=made["id"])
    seen = await house.seen(made["id"])
    assert (seen["inside"], of(seen, house.colleague.id)["place"]) == (0, "OUT")
    assert await house.deployment.code(JOIN, house.colleague.token, i=made["id"]) == "SESSION_ENDED"


@pytest.mark.rule("L6")
@pytest.mark.promise("L1")
async def test_of_those_who_race_for_places_as_many_come_in_as_there_are(house: Consulting) -> None:
    places, racing = size(4, 10), size(12, 50)
    plans = house.deployment.platform.service(PlanService)
    await plans.set_item(house.practice.id, PlanItem(kind=ItemKind.LIMIT, key="session_people", amount=places))
    made = await house.create()
    visitors = [await house.visitor(made["id"], f"Vic {number}") for number in range(racing)]
    told = await asyncio.gather(*(house.deployment.ask(JOIN, each.token, i=made["id"]) for each in visitors))
    codes = [each["errors"][0]["extensions"]["code"] for each in told if "errors" in each]
    assert codes == ["SESSION_FULL"] * (racing - places)
    assert (await house.seen(made["id"]))["inside"] == places
    [full] = [each["errors"][0] for each in told if "errors" in each][:1]
    assert full["extensions"]["limit"] == places
    inside = next(each for each, answer in zip(visitors, told, strict=True) if "errors" not in answer)
    await house.join(made["id"], inside)  # who is in it comes back to their place
    await house.deployment.data(LEAVE, inside.token, i=made["id"])
    assert (await house.join(made["id"], house.host))["place"]["participant"]["place"] == "IN"
    assert await house.deployment.code(JOIN, inside.token, i=made["id"]) == "SESSION_FULL"


@pytest.mark.rule("L6")
@pytest.mark.rule("T15")
async def test_all_who_wait_are_admitted_as_there_is_room_the_first_first(house: Consulting) -> None:
    plans = house.deployment.platform.service(PlanService)
    await plans.set_item(house.practice.id, PlanItem(kind=ItemKind.LIMIT, key="session_people", amount=3))
    await house.waiting_room()
    made = await house.create()
    await house.join(made["id"], house.host)
    visitors = [await house.visitor(made["id"], f"Vic {number}") for number in range(3)]
    for each in visitors:
        await house.join(made["id"], each)
    asked = {"i": made["id"], "p": [each.id for each in visitors]}
    before = await house.rows(made["id"])
    assert await house.deployment.code(ADMIT, house.host.token, **asked) == "SESSION_FULL"
    assert await house.rows(made["id"]) == before
    told = (await house.deployment.data(ADMIT, house.host.token, i=made["id"]))["admitToVideo"]
    assert [of(told, each.id)["place"] for each in visitors] == ["IN", "IN", "WAITING"]
    assert await house.deployment.code(ADMIT, house.host.token, i=made["id"]) == "SESSION_FULL"


@pytest.mark.rule("L4")
@pytest.mark.rule("L5")
@pytest.mark.rule("L9")
@pytest.mark.promise("L1")
async def test_a_downgrade_lets_a_session_finish_and_refuses_new_ones(house: Consulting) -> None:
    plans = house.deployment.platform.service(PlanService)
    await plans.change_plan(house.practice.id, Tier.PREMIUM)
    running, quiet = await house.create(), await house.create(name="Quiet")
    for person in (house.host, house.colleague, house.owner):
        await house.join(running["id"], person)
    off = PlanItem(kind=ItemKind.OVERRIDE, key="group_sessions", enabled=False)
    await plans.set_item(house.practice.id, off)
    assert await house.deployment.code(JOIN, house.patient.token, i=running["id"]) == "FEATURE_NOT_IN_PLAN"
    assert (await house.seen(running["id"]))["inside"] == 3  # those who are in it finish
    await house.join(quiet["id"], house.host)
    await house.join(quiet["id"], house.patient)
    assert await house.deployment.code(JOIN, house.owner.token, i=quiet["id"]) == "FEATURE_NOT_IN_PLAN"
    await plans.set_item(house.practice.id, PlanItem(kind=ItemKind.OVERRIDE, key="telehealth", enabled=False))
    await house.join(quiet["id"], house.patient)
    for person in (house.host, house.patient):
        await house.deployment.data(LEAVE, person.token, i=quiet["id"])
    before = await house.rows(quiet["id"])
    assert await house.deployment.code(JOIN, house.host.token, i=quiet["id"]) == "FEATURE_NOT_IN_PLAN"
    assert await house.rows(quiet["id"]) == before
    assert (await house.seen(quiet["id"]))["name"] == "Quiet"  # what was there stays readable
    await house.deployment.data(END, house.host.token, i=quiet["id"])


@pytest.mark.rule("T9")
async def test_joining_costs_as_many_statements_however_many_are_there(house: Consulting) -> None:
    made = await house.create()
    visitors = [await house.visitor(made["id"], f"Vic {number}") for number in range(6)]
    with statements() as first:
        await house.join(made["id"], visitors[0])
    for each in visitors[1:5]:
        await house.join(made["id"], each)
    with statements() as last:
        await house.join(made["id"], visitors[5])
    assert len(first) == len(last)
    role = {"i": made["id"], "p": visitors[0].id, "r": "VIEWER"}
    told = (await house.deployment.data(ROLE, house.host.token, **role))["setVideoRole"]
    assert of(told, visitors[0].id)["role"] == "VIEWER"
