"""What would reach nobody is refused, and everybody is told what they can do about it (C6, C9, L2)."""

from __future__ import annotations

import pytest
from audit_stage import trail
from plugins.chat.hall import allow, listed, said, with_patient
from plugins.chat.test_kinds import PRACTITIONER
from plugins.chat.ward import READ, SEND, Ward

from bedside_core.access import Tier
from bedside_core.auth import Role
from bedside_plans.service import PlanService

DEACTIVATE = "mutation($m: ID!) { deactivateMember(memberId: $m) { id } }"
COMPOSER = """query($i: ID!) { conversation(id: $i) { composer {
    text { open code message wayOn } files { open code message wayOn } } } }"""
CAN = """query($a: String!, $t: ID) { can(action: $a, target: $t) { allowed code } }"""
UNAVAILABLE = "mutation { updateChatOwnSettings(patch: { availableForPatients: false }) { __typename } }"
MESSAGE = "query($i: ID!) { message(id: $i) { body } }"
REACT = 'mutation($i: ID!) { reactToMessage(messageId: $i, emoji: "👍") { body } }'
WITHOUT = {"open": True, "code": None, "message": None, "wayOn": None}


async def composer(ward: Ward, token: str, conversation: str) -> dict[str, dict[str, object]]:
    found = await ward.deployment.data(COMPOSER, token, i=conversation)
    return found["conversation"]["composer"]


@pytest.mark.rule("C9")
async def test_a_patient_writes_to_nobody_where_no_member_is_left(ward: Ward) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    olga = await deployment.person(ward.practice, Role.OWNER, "Olga")
    await allow(ward, patientsInPortal=True)
    conversation = await with_patient(ward, held)
    await said(ward, conversation, "how are you?", "m-1")
    assert (await composer(ward, held.token, conversation))["text"] == WITHOUT
    await deployment.data(DEACTIVATE, olga.token, m=ward.ada.id)
    shut = await composer(ward, held.token, conversation)
    assert {part["code"] for part in shut.values()} == {"NOT_REACHED"}
    assert shut["text"]["wayOn"] == "Write to another practitioner, or call the practice."
    before = await ward.messages()
    assert await deployment.code(SEND, held.token, i=conversation, b="chest pain", c="p-1") == "NOT_REACHED"
    assert await ward.messages() == before == ["how are you?"]
    assert await deployment.code(PRACTITIONER, held.token, m=ward.ada.id, c="p-2") == "NOT_FOUND"
    found = await deployment.data(READ, held.token, i=conversation)
    assert [node["body"] for node in found["conversation"]["messages"]["nodes"]] == ["how are you?"]
    # Between colleagues it is the same.
    assert await deployment.code(SEND, ward.ben.token, i=ward.conversation, b="?", c="b-1") == "NOT_REACHED"
    assert (await composer(ward, ward.ben.token, ward.conversation))["files"]["wayOn"] == "Write to somebody else."
    assert ward.conversation in await listed(ward, ward.ben)


@pytest.mark.rule("C4", "L3")
async def test_what_can_be_started_is_told_as_it_is_done(ward: Ward) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    started = (await deployment.data(PRACTITIONER, held.token, m=ward.ada.id, c="p-1"))["startPractitionerConversation"]
    for person in (ward.ada, ward.ben):
        await deployment.data(UNAVAILABLE, person.token)
    for member, allowed in ((ward.ada, True), (ward.ben, False)):
        can = (await deployment.data(CAN, held.token, a="chat.start_with_practitioner", t=member.id))["can"]
        assert (can["allowed"], can["code"]) == (allowed, None if allowed else "NOT_AVAILABLE")
    again = (await deployment.data(PRACTITIONER, held.token, m=ward.ada.id, c="p-2"))["startPractitionerConversation"]
    assert again["id"] == started["id"]
    assert await deployment.code(PRACTITIONER, held.token, m=ward.ben.id, c="p-3") == "NOT_AVAILABLE"


@pytest.mark.rule("L2", "C3")
async def test_patients_are_told_what_they_can_do_and_members_all_that_is_to_be_done(ward: Ward) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    conversation = await with_patient(ward, held)
    await deployment.platform.service(PlanService).change_plan(ward.practice.id, Tier.STARTER)
    text = (await composer(ward, held.token, conversation))["text"]
    assert (text["code"], text["message"]) == ("FEATURE_NOT_IN_PLAN", "The practice does not offer this.")
    assert text["wayOn"] == "Call the practice."
    text = (await composer(ward, ward.ada.token, conversation))["text"]
    assert text["code"] == "FEATURE_NOT_IN_PLAN"
    assert "enhanced" in str(text["wayOn"]) and "chat settings" in str(text["wayOn"])


@pytest.mark.rule("A14")
async def test_a_patient_s_message_leaves_an_entry_however_it_is_read(ward: Ward) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    await allow(ward, patientsInPortal=True)
    message = await said(ward, await with_patient(ward, held), "how are you?", "m-1")
    for query in (MESSAGE, REACT):
        past = len(await trail(ward.practice.id))
        await deployment.data(query, ward.ada.token, i=message["id"])
        [entry] = await trail(ward.practice.id, past=past)
        assert list(entry.patients) == [held.patient.id]
