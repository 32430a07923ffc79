"""The ways into a conversation from a patient's record (C5), and the patient's timeline (P9)."""

from __future__ import annotations

from typing import Any

import pytest
from deployment import Held, Person
from plugins.chat.hall import DELETE, LEAVE, allow, said, with_patient
from plugins.chat.test_live import set_tier
from plugins.chat.ward import Ward

from bedside_core.access import Tier
from bedside_core.testing import statements

CHAT = """query($i: ID!) { patient(id: $i) { chat {
    conversation { id kind } start { open code wayOn } } } }"""
ALL = "{ patients { nodes { id chat { conversation { id } start { open code } } } } }"
ENTRIES = """first: $f, after: $a) { nodes { id kind at by { name } message { body conversationId } file { name } }
    pageInfo { hasNextPage endCursor } }"""
TIMELINE = f"query($i: ID!, $f: Int, $a: String) {{ patient(id: $i) {{ timeline({ENTRIES} }} }}"
OWN = f"query($f: Int, $a: String) {{ ownRecord {{ timeline({ENTRIES} }} }}"


async def way_in(ward: Ward, person: Person, patient: str) -> dict[str, Any]:
    return (await ward.deployment.data(CHAT, person.token, i=patient))["patient"]["chat"]


@pytest.mark.rule("C5")
@pytest.mark.rule("C2")
@pytest.mark.rule("L2")
async def test_a_patient_s_record_leads_to_one_s_conversation_or_tells_why_not(ward: Ward) -> None:
    held, bare = await ward.deployment.held(ward.practice), await ward.deployment.patient(ward.practice)
    found = await way_in(ward, ward.ada, str(bare.id))
    assert found["conversation"] is None
    assert (found["start"]["open"], found["start"]["code"]) == (False, "PORTAL_ACCOUNT_NEEDED")
    assert "link" in found["start"]["wayOn"]
    assert await way_in(ward, ward.ada, held.id) == {
        "conversation": None, "start": {"open": True, "code": None, "wayOn": None}
    }  # fmt: skip
    conversation = await with_patient(ward, held)
    assert (await way_in(ward, ward.ada, held.id))["conversation"] == {"id": conversation, "kind": "PATIENT"}
    assert (await way_in(ward, ward.ben, held.id))["conversation"] is None
    await set_tier(ward, Tier.STARTER)  # file share is there, so a conversation can be started
    assert (await way_in(ward, ward.ben, held.id))["start"]["open"] is True
    await ward.deployment.data(LEAVE, ward.ada.token, i=conversation, y=True)
    assert (await way_in(ward, ward.ada, held.id))["conversation"] is None


@pytest.mark.rule("C5")
async def test_a_list_of_patients_costs_a_constant_number_of_statements(ward: Ward) -> None:
    costs = []
    for _ in range(2):
        for _ in range(2):
            await with_patient(ward, await ward.deployment.held(ward.practice))
        with statements() as ran:
            nodes = (await ward.deployment.data(ALL, ward.ada.token))["patients"]["nodes"]
        costs.append((len([each for each in nodes if each["chat"]["conversation"]]), len(ran)))
    assert [found for found, _ in costs] == [2, 4] and costs[0][1] == costs[1][1] <= 7, costs


@pytest.mark.rule("C5")
async def test_the_way_in_is_a_member_s(ward: Ward) -> None:
    held = await ward.deployment.held(ward.practice)
    body = await ward.deployment.ask("{ ownRecord { id chat { start { open } } } }", held.token)
    assert body["data"]["ownRecord"] == {"id": held.id, "chat": None}
    assert [error["extensions"]["code"] for error in body["errors"]] == ["FORBIDDEN"]


async def timeline(ward: Ward, person: Person | Held, patient: str | None = None) -> list[dict[str, Any]]:
    if patient is None:
        return (await ward.deployment.data(OWN, person.token))["ownRecord"]["timeline"]["nodes"]
    return (await ward.deployment.data(TIMELINE, person.token, i=patient))["patient"]["timeline"]["nodes"]


@pytest.mark.rule("P9")
@pytest.mark.rule("A12")
async def test_a_timeline_has_what_the_viewer_takes_part_in_in_order(ward: Ward) -> None:
    await allow(ward, patientsInPortal=True)
    held = await ward.deployment.held(ward.practice)
    with_ada, with_ben = await with_patient(ward, held), await with_patient(ward, held, ward.ben)
    await said(ward, with_ada, "from Ada", "m-1")
    await said(ward, with_ben, "from Ben", "m-1", ward.ben)
    gone = await said(ward, with_ada, "gone", "m-2")
    await said(ward, with_ada, "from Pat", "m-3", held)
    await ward.deployment.data(DELETE, ward.ada.token, m=gone["id"])

    def bodies(entries: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
        return [
            (each["message"]["body"], each["message"]["conversationId"], each["by"]["name"])
            for each in entries
            if each["kind"] == "chat.message"
        ]

    ada = ("from Ada", with_ada, ward.ada.member.name)
    ben = ("from Ben", with_ben, ward.ben.member.name)
    pat = ("from Pat", with_ada, held.patient.name)
    seen = await timeline(ward, ward.ada, held.id)
    assert bodies(seen) == [pat, ada]
    assert bodies(await timeline(ward, ward.ben, held.id)) == [ben]
    assert bodies(await timeline(ward, held)) == [pat, ben, ada]
    assert sorted(each["at"] for each in seen) == [each["at"] for each in reversed(seen)]
    others = [(each["kind"], each["message"], each["file"]) for each in seen if each["kind"] != "chat.message"]
    assert sorted(others) == [("core.patient_created", None, None), ("portal.registered", None, None)]
    carl = await ward.deployment.person(ward.practice, name="Carl")
    assert bodies(await timeline(ward, carl, held.id)) == []
    await ward.deployment.data(LEAVE, ward.ada.token, i=with_ada, y=True)
    assert bodies(await timeline(ward, ward.ada, held.id)) == []


@pytest.mark.rule("P9")
@pytest.mark.rule("P1")
async def test_a_timeline_of_nobody_s_patient_is_not_there(ward: Ward) -> None:
    held, other = await ward.deployment.held(ward.practice), await ward.deployment.held(ward.practice)
    eve = await ward.deployment.person(await ward.deployment.practice("Hill"), name="Eve")
    for person, patient in ((eve, held.id), (ward.ada, ward.ben.id), (other, held.id)):
        body = await ward.deployment.ask(TIMELINE, person.token, i=patient)
        assert body["data"]["patient"] is None
        assert body["errors"][0]["extensions"]["code"] in {"NOT_FOUND", "FORBIDDEN"}


@pytest.mark.rule("P9")
@pytest.mark.rule("G2")
async def test_pages_of_a_timeline_hold_and_cost_a_constant_number_of_statements(ward: Ward) -> None:
    held = await ward.deployment.held(ward.practice)
    conversation = await with_patient(ward, held)
    await allow(ward, patientsInPortal=True)
    for number in range(5):
        await said(ward, conversation, f"note {number}", f"m-{number}")
    whole = [each["id"] for each in await timeline(ward, ward.ada, held.id)]
    seen, costs, after = [], [], None
    while True:
        with statements() as ran:
            data = await ward.deployment.data(TIMELINE, ward.ada.token, i=held.id, f=2, a=after)
        page = data["patient"]["timeline"]
        seen += [each["id"] for each in page["nodes"]]
        costs.append(len(ran))
        await said(ward, conversation, "later", f"later-{len(seen)}")
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == whole and len(whole) == 7
    assert max(costs[:2]) <= 10, costs
    assert await ward.deployment.code(TIMELINE, ward.ada.token, i=held.id, a="zz") == "INVALID_INPUT"
