"""The kinds of conversation: who starts, joins, finds and changes which (C1-C4, C7, C8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from plugins.chat.hall import (
    ADD,
    CHANGE,
    EXTERNAL,
    GROUP,
    GROUPS,
    JOIN,
    LIST,
    PATIENT,
    PRACTITIONER,
    REMOVE,
    TEAM,
    allow,
    group,
    listed,
    said,
    with_patient,
)
from plugins.chat.test_live import FOLLOW, set_tier
from plugins.chat.ward import READ, SEND, START, Ward

from bedside_core.access import Tier
from bedside_core.auth import Role
from bedside_core.database import acting

CONTACT = """mutation($c: String!) { addContact(input: { firstName: "Cora", lastName: "Vale",
    email: "cora@example.org" }, clientId: $c) { id } }"""
COMPOSER = "query($i: ID!) { conversation(id: $i) { composer { text { open code } files { open code } } } }"


async def composer(ward: Ward, token: str, conversation: str) -> tuple[str | None, str | None]:
    """The codes with which text and files are closed."""
    found = (await ward.deployment.data(COMPOSER, token, i=conversation))["conversation"]["composer"]
    return found["text"]["code"], found["files"]["code"]


@pytest.mark.rule("C1")
async def test_each_kind_of_conversation_is_started_and_listed(ward: Ward) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    contact = (await deployment.data(CONTACT, ward.ada.token, c="contact"))["addContact"]["id"]
    patient = await with_patient(ward, held)
    external = (await deployment.data(EXTERNAL, ward.ada.token, p=contact, c="x"))["startExternalConversation"]
    team = (await deployment.data(TEAM, ward.ada.token, c="t"))["openTeamConversation"]
    round_ = await group(ward, ward.ben)
    kinds = {
        each["id"]: each["kind"] for each in (await deployment.data(LIST, ward.ada.token))["conversations"]["nodes"]
    }
    assert kinds == {
        ward.conversation: "DIRECT", patient: "PATIENT", external["id"]: "EXTERNAL", team["id"]: "TEAM", round_: "GROUP"
    }  # fmt: skip
    assert await listed(ward, held) == [patient]
    assert set(await listed(ward, ward.ben)) == {ward.conversation, team["id"], round_}
    # the same again is the same, and of a group a second one
    assert await with_patient(ward, held) == patient
    again = await deployment.data(EXTERNAL, ward.ada.token, p=contact, c="y")
    assert again["startExternalConversation"]["id"] == external["id"]
    assert await group(ward, ward.ben, name="Another") != round_
    for token in (held.token,):
        for query, values in ((GROUP, {"n": "g"}), (TEAM, {}), (START, {"m": ward.ada.id}), (GROUPS, {})):
            assert (
                await deployment.code(query, token, **values, **({"c": "no"} if query != GROUPS else {})) == "FORBIDDEN"
            )


@pytest.mark.rule("C1")
async def test_the_team_s_conversation_is_one_and_new_members_join_it(ward: Ward) -> None:
    deployment = ward.deployment
    made = (await deployment.data(TEAM, ward.ada.token, c="t"))["openTeamConversation"]
    assert {each["id"] for each in made["participants"]["nodes"]} == {ward.ada.id, ward.ben.id}
    assert (await deployment.data(TEAM, ward.ben.token, c="t"))["openTeamConversation"]["id"] == made["id"]
    carl = await deployment.person(ward.practice, name="Carl")
    assert await listed(ward, carl) == []
    # what the durable listener does when he has registered
    from bedside_chat.service import ChatService

    for _ in range(2):
        with acting(ward.practice.id):
            await deployment.platform.service(ChatService).join_team(ward.practice.id, carl.member.id)
    assert await listed(ward, carl) == [made["id"]]
    dora = await deployment.person(ward.practice, name="Dora")
    opened = (await deployment.data(TEAM, dora.token, c="t"))["openTeamConversation"]
    assert opened["id"] == made["id"] and len(opened["participants"]["nodes"]) == 4
    eve = await deployment.person(await deployment.practice("Hill"), name="Eve")
    assert (await deployment.data(TEAM, eve.token, c="t"))["openTeamConversation"]["id"] != made["id"]
    assert await deployment.code(ADD, ward.ada.token, i=made["id"], p=[eve.id]) == "FORBIDDEN"
    assert await deployment.code(REMOVE, ward.ada.token, i=made["id"], p=ward.ben.id) == "FORBIDDEN"


@pytest.mark.rule("C2")
async def test_only_a_patient_with_an_active_portal_account_is_written_to_in_the_portal(ward: Ward) -> None:
    deployment = ward.deployment
    await allow(ward, patientsInPortal=True)
    bare = await deployment.patient(ward.practice)
    before = await ward.count("conversation")
    assert await deployment.code(PATIENT, ward.ada.token, p=str(bare.id), c="p") == "PORTAL_ACCOUNT_NEEDED"
    assert await ward.count("conversation") == before
    linked = await deployment.data(PATIENT, ward.ada.token, p=str(bare.id), c="p", l=True)
    assert await composer(ward, ward.ada.token, linked["startPatientConversation"]["id"]) == (None, None)
    held = await deployment.held(ward.practice)
    conversation = await with_patient(ward, held)
    assert await composer(ward, ward.ada.token, conversation) == (None, None)
    suspend = "mutation($p: ID!) { suspendPortalAccount(patientId: $p) { state } }"
    await deployment.data(suspend, ward.ada.token, p=held.id)
    closed = await composer(ward, ward.ada.token, conversation)
    assert closed == ("PORTAL_ACCOUNT_NEEDED", "PORTAL_ACCOUNT_NEEDED")
    assert await deployment.code(SEND, ward.ada.token, i=conversation, b="?", c="m") == "PORTAL_ACCOUNT_NEEDED"
    assert await ward.count("message") == 0


@pytest.mark.rule("C3")
@pytest.mark.rule("C2")
async def test_the_practice_s_switch_governs_text_in_the_portal_and_not_files_or_links(ward: Ward) -> None:
    deployment = ward.deployment
    held, bare = await deployment.held(ward.practice), await deployment.patient(ward.practice)
    conversation = await with_patient(ward, held)
    linked = await deployment.data(PATIENT, ward.ada.token, p=str(bare.id), c="p", l=True)
    for token in (ward.ada.token, held.token):  # off by default, for both sides
        assert await composer(ward, token, conversation) == ("SWITCHED_OFF", None)
        assert await deployment.code(SEND, token, i=conversation, b="hello", c="m-1") == "SWITCHED_OFF"
    assert await ward.count("message") == 0
    assert await composer(ward, ward.ada.token, linked["startPatientConversation"]["id"]) == (None, None)
    await allow(ward, patientsInPortal=True)
    for person in (ward.ada, held):
        await said(ward, conversation, "hello", "m-1", person)
    await allow(ward, patientsInPortal=False)
    for person in (ward.ada, held):
        found = await deployment.data(READ, person.token, i=conversation)
        assert len(found["conversation"]["messages"]["nodes"]) == 2


@pytest.mark.rule("C4")
async def test_a_practitioner_who_is_not_available_is_not_started_with_and_goes_on(ward: Ward) -> None:
    deployment = ward.deployment
    await allow(ward, patientsInPortal=True)
    one, two = await deployment.held(ward.practice), await deployment.held(ward.practice)
    made = await deployment.data(PRACTITIONER, one.token, m=ward.ada.id, c="p-1")
    running = made["startPractitionerConversation"]["id"]
    change = "mutation { updateChatOwnSettings(patch: { availableForPatients: false }) { availableForPatients } }"
    assert (await deployment.data(change, ward.ada.token))["updateChatOwnSettings"] == {"availableForPatients": False}
    before = await ward.count("conversation")
    assert await deployment.code(PRACTITIONER, two.token, m=ward.ada.id, c="p-1") == "NOT_AVAILABLE"
    assert await ward.count("conversation") == before
    await said(ward, running, "are you there?", "m-1", one)  # a running one goes on
    again = await deployment.data(PRACTITIONER, one.token, m=ward.ada.id, c="p-2")
    assert again["startPractitionerConversation"]["id"] == running
    started = await with_patient(ward, two)  # and she can start one herself
    await said(ward, started, "now I am", "m-1")
    again = await deployment.data(PRACTITIONER, two.token, m=ward.ada.id, c="p-3")
    assert again["startPractitionerConversation"]["id"] == started
    third = await deployment.held(ward.practice)
    theirs = await with_patient(ward, third, ward.ben)  # and be added to others
    await deployment.data(ADD, ward.ben.token, i=theirs, p=[ward.ada.id])
    assert theirs in await listed(ward, ward.ada)


@pytest.mark.rule("C4")
async def test_patients_start_with_practitioners_alone(ward: Ward) -> None:
    held = await ward.deployment.held(ward.practice)
    staff = await ward.deployment.person(ward.practice, Role.STAFF, "Sue")
    eve = await ward.deployment.person(await ward.deployment.practice("Hill"), name="Eve")
    other = await ward.deployment.patient(ward.practice)
    before = await ward.count("conversation")
    for target in (staff.id, eve.id, str(other.id), "0199aaaa-0000-7000-8000-000000000000"):
        assert await ward.deployment.code(PRACTITIONER, held.token, m=target, c="p") == "NOT_FOUND"
    assert await ward.count("conversation") == before


@pytest.mark.rule("C7")
async def test_a_group_needs_a_name_and_takes_people_later(ward: Ward) -> None:
    deployment = ward.deployment
    before = await ward.count("conversation")
    for name in ("", "   ", "x" * 101):
        assert await deployment.code(GROUP, ward.ada.token, n=name, c="g") == "INVALID_INPUT"
    assert await deployment.code(GROUP, ward.ada.token, n="Ok", d="x" * 1001, c="g") == "INVALID_INPUT"
    assert await ward.count("conversation") == before
    made = (await deployment.data(GROUP, ward.ada.token, n="  Night shift ", c="g"))["createGroup"]
    assert (made["name"], made["description"], made["private"]) == ("Night shift", None, False)
    assert [each["id"] for each in made["participants"]["nodes"]] == [ward.ada.id]
    added = await deployment.data(ADD, ward.ada.token, i=made["id"], p=[ward.ben.id, ward.ben.id])
    assert [each["id"] for each in added["addParticipants"]["participants"]["nodes"]] == [ward.ada.id, ward.ben.id]
    changed = await deployment.data(CHANGE, ward.ada.token, i=made["id"], n="Late shift", d="Handover")
    assert changed["changeGroup"] == {"name": "Late shift", "description": "Handover", "private": False}
    assert await deployment.code(CHANGE, ward.ben.token, i=made["id"], n="Mine") == "FORBIDDEN"
    assert await deployment.code(CHANGE, ward.ada.token, i=ward.conversation, n="No group") == "FORBIDDEN"
    manager = await deployment.person(ward.practice, Role.MANAGER, "Mia")
    assert await deployment.code(CHANGE, manager.token, i=made["id"], n="Mine") == "NOT_FOUND"  # not in it
    found = (await deployment.data(GROUPS, ward.ben.token, t="shift"))["groups"]["nodes"]
    assert [each["name"] for each in found] == ["Late shift"]


@pytest.mark.rule("C7", "G9")
async def test_a_group_s_retry_is_of_the_same_group_whatever_became_of_it(ward: Ward) -> None:
    carl = await ward.deployment.person(ward.practice, name="Carl")
    asked: dict[str, Any] = {"n": "Ward round", "d": "Mornings", "p": [ward.ben.id, carl.id], "s": False, "c": "g"}
    again = [{**asked, "p": [carl.id, ward.ben.id]}, asked, asked]
    made = await asyncio.gather(*(ward.deployment.data(GROUP, ward.ada.token, **each) for each in again))
    [first] = {each["createGroup"]["id"] for each in made}
    await ward.deployment.data(CHANGE, ward.ada.token, i=first, n="Evenings", s=True)
    for other in ({"s": True}, {"p": []}, {"p": [ward.ben.id]}, {"d": "Evenings"}, {"d": None}, {"n": "Evenings"}):
        assert await ward.deployment.code(GROUP, ward.ada.token, **{**asked, **other}) == "CONFLICT"
    assert await ward.deployment.code(START, ward.ada.token, m=carl.id, c="g") == "CONFLICT"
    assert await ward.deployment.code(GROUP, ward.ada.token, **{**asked, "c": "start-1"}) == "CONFLICT"
    retried = (await ward.deployment.data(GROUP, ward.ada.token, **asked))["createGroup"]
    assert (retried["id"], retried["name"], retried["private"]) == (first, "Evenings", True)
    assert await ward.count("conversation") == 2


@pytest.mark.rule("C7")
async def test_people_outside_the_practice_are_in_groups_only_where_it_allows_them(ward: Ward) -> None:
    deployment = ward.deployment
    contact = (await deployment.data(CONTACT, ward.ada.token, c="contact"))["addContact"]["id"]
    patient = await deployment.patient(ward.practice)
    before = await ward.count("participant"), await ward.count("conversation")
    assert await deployment.code(GROUP, ward.ada.token, n="Mixed", c="g", p=[contact]) == "SWITCHED_OFF"
    assert (await ward.count("participant"), await ward.count("conversation")) == before
    plain = await group(ward, ward.ben)
    assert await deployment.code(ADD, ward.ada.token, i=plain, p=[contact]) == "SWITCHED_OFF"
    await allow(ward, outsidersInGroups=True)
    mixed = await group(ward, ward.ben, name="Mixed")
    await deployment.data(ADD, ward.ada.token, i=mixed, p=[contact])
    eve = await deployment.person(await deployment.practice("Hill"), name="Eve")  # of a practice that is not connected
    for stranger in (eve.id, str(patient.id), "0199aaaa-0000-7000-8000-000000000000"):
        assert await deployment.code(ADD, ward.ada.token, i=mixed, p=[ward.ben.id, stranger]) == "NOT_FOUND"


@pytest.mark.rule("C8")
@pytest.mark.promise("A1")
async def test_a_private_group_is_not_found_and_joined_by_invitation_alone(ward: Ward) -> None:
    deployment = ward.deployment
    carl = await deployment.person(ward.practice, name="Carl")
    open_, secret = await group(ward, name="Open round"), await group(ward, name="Secret round", s=True)
    found = (await deployment.data(GROUPS, carl.token, t="round"))["groups"]["nodes"]
    assert found == [{"id": open_, "name": "Open round", "members": 1, "joined": False}]
    assert (await deployment.data(JOIN, carl.token, i=open_))["joinConversation"]["id"] == open_
    missing = "0199aaaa-0000-7000-8000-000000000000"
    told = [
        (await deployment.ask(JOIN, carl.token, i=each))["errors"][0] for each in (secret, ward.conversation, missing)
    ]
    assert {(each["message"], each["extensions"]["code"]) for each in told} == {(told[0]["message"], "NOT_FOUND")}
    assert await deployment.code(ADD, carl.token, i=secret, p=[carl.id]) == "NOT_FOUND"
    assert secret not in await listed(ward, carl)
    # invited by somebody in it, who need not have made it
    await deployment.data(ADD, ward.ada.token, i=secret, p=[ward.ben.id])
    await deployment.data(ADD, ward.ben.token, i=secret, p=[carl.id])
    assert secret in await listed(ward, carl)
    # made private, an open one is found no more; who is in it stays
    await deployment.data(CHANGE, ward.ada.token, i=open_, s=True)
    assert (await deployment.data(GROUPS, ward.ben.token, t="round"))["groups"]["nodes"] == []
    assert await deployment.code(JOIN, ward.ben.token, i=open_) == "NOT_FOUND"
    assert open_ in await listed(ward, carl)
    eve = await deployment.person(await deployment.practice("Hill"), name="Eve")
    third = await group(ward, name="Third round")
    assert (await deployment.data(GROUPS, eve.token))["groups"]["nodes"] == []
    assert await deployment.code(JOIN, eve.token, i=third) == "NOT_FOUND"


@pytest.mark.rule("L2")
@pytest.mark.rule("L9")
@pytest.mark.parametrize(
    ("tier", "team", "patient"),
    [
        (Tier.STARTER, ("FEATURE_NOT_IN_PLAN", "FEATURE_NOT_IN_PLAN"), ("FEATURE_NOT_IN_PLAN", None)),
        (Tier.ENHANCED, ("FEATURE_NOT_IN_PLAN", "FEATURE_NOT_IN_PLAN"), (None, None)),
        (Tier.PREMIUM, (None, None), (None, None)),
    ],
)
async def test_the_plan_opens_text_and_files_by_kind(
    ward: Ward, tier: Tier, team: tuple[str | None, ...], patient: tuple[str | None, ...]
) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    await allow(ward, patientsInPortal=True, outsidersInGroups=True)
    contact = (await deployment.data(CONTACT, ward.ada.token, c="contact"))["addContact"]["id"]
    external = (await deployment.data(EXTERNAL, ward.ada.token, p=contact, c="x"))["startExternalConversation"]["id"]
    with_pat, round_ = await with_patient(ward, held), await group(ward, ward.ben)
    await deployment.data(ADD, ward.ada.token, i=round_, p=[contact])  # lifts it out of no gate (L9)
    everyone = (await deployment.data(TEAM, ward.ada.token, c="t"))["openTeamConversation"]["id"]
    await set_tier(ward, tier)
    expected = {ward.conversation: team, round_: team, everyone: team, with_pat: patient, external: patient}
    before = await ward.count("message")
    for conversation, codes in expected.items():
        assert await composer(ward, ward.ada.token, conversation) == codes
        body = await deployment.ask(SEND, ward.ada.token, i=conversation, b="hello", c=f"m-{conversation}")
        told = [error["extensions"]["code"] for error in body.get("errors", [])]
        assert told == ([codes[0]] if codes[0] else [])
    assert await ward.count("message") - before == sum(codes[0] is None for codes in expected.values())
    assert await composer(ward, held.token, with_pat) == patient


@pytest.mark.rule("C8")
@pytest.mark.promise("A4")
async def test_somebody_who_is_removed_hears_and_reads_nothing_more(ward: Ward) -> None:
    deployment = ward.deployment
    round_ = await group(ward, ward.ben)
    await said(ward, round_, "before", "m-1")
    async with deployment.socket(ward.ben.token) as ben:
        key = await ben.subscribe(FOLLOW, i=round_)
        await ward.quiet(1)
        assert await deployment.code(REMOVE, ward.ben.token, i=round_, p=ward.ada.id) == "FORBIDDEN"
        await deployment.data(REMOVE, ward.ada.token, i=round_, p=ward.ben.id)
        assert await ben.error(key) == "NOT_FOUND"
    await said(ward, round_, "after", "m-2")
    assert round_ not in await listed(ward, ward.ben)
    for query, values in ((READ, {}), (SEND, {"b": "?", "c": "m"})):
        assert await deployment.code(query, ward.ben.token, i=round_, **values) == "NOT_FOUND"
