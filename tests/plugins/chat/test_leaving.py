"""Conversations stay in the side list until they are left, and how they come back (C9)."""

from __future__ import annotations

import pytest
from plugins.chat.hall import ADD, EXTERNAL, GROUPS, JOIN, LEAVE, REMOVE, allow, group, listed, said, with_patient
from plugins.chat.test_kinds import CONTACT
from plugins.chat.test_live import FOLLOW
from plugins.chat.ward import READ, SEND, START, Ward

from bedside_core.auth import Role
from bedside_core.database import DB, acting

DEACTIVATE = "mutation($i: ID!) { deactivateMember(memberId: $i) { id } }"
REACTIVATE = "mutation($i: ID!) { reactivateMember(memberId: $i) { id } }"


@pytest.mark.rule("C9")
async def test_a_direct_conversation_that_was_left_comes_back_with_the_next_message(ward: Ward) -> None:
    deployment = ward.deployment
    await ward.send("one", "m-1")
    assert (await deployment.data(LEAVE, ward.ben.token, i=ward.conversation)) == {"leaveConversation": True}
    assert await listed(ward, ward.ben) == []
    for query, values in ((READ, {}), (SEND, {"b": "?", "c": "m"})):
        assert await deployment.code(query, ward.ben.token, i=ward.conversation, **values) == "NOT_FOUND"
    assert await listed(ward, ward.ada) == [ward.conversation]  # the other keeps it
    await ward.send("two", "m-2")
    assert await listed(ward, ward.ben) == [ward.conversation]
    found = await deployment.data(READ, ward.ben.token, i=ward.conversation)
    assert [node["body"] for node in found["conversation"]["messages"]["nodes"]] == ["one", "two"]
    # and by starting it again
    await deployment.data(LEAVE, ward.ben.token, i=ward.conversation)
    again = await deployment.data(START, ward.ben.token, m=ward.ada.id, c="again")
    assert again["startConversation"]["id"] == ward.conversation
    assert await listed(ward, ward.ben) == [ward.conversation]


@pytest.mark.rule("C9")
@pytest.mark.promise("A4")
async def test_leaving_ends_what_one_follows_at_once(ward: Ward) -> None:
    async with ward.deployment.socket(ward.ben.token) as ben:
        key = await ben.subscribe(FOLLOW, i=ward.conversation)
        await ward.quiet(1)
        await ward.deployment.data(LEAVE, ward.ben.token, i=ward.conversation)
        assert await ben.error(key) == "NOT_FOUND"


@pytest.mark.rule("C9")
async def test_the_last_member_with_a_patient_or_contact_is_warned_and_a_message_brings_it_back(ward: Ward) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    await allow(ward, patientsInPortal=True)
    conversation = await with_patient(ward, held)
    contact = (await deployment.data(CONTACT, ward.ada.token, c="contact"))["addContact"]["id"]
    external = (await deployment.data(EXTERNAL, ward.ada.token, p=contact, c="x"))["startExternalConversation"]["id"]
    for each in (conversation, external):
        assert await deployment.code(LEAVE, ward.ada.token, i=each) == "LAST_MEMBER"
        assert each in await listed(ward, ward.ada)
    await deployment.data(ADD, ward.ada.token, i=conversation, p=[ward.ben.id])
    await deployment.data(LEAVE, ward.ada.token, i=conversation)  # another is left: no warning
    assert await deployment.code(LEAVE, ward.ben.token, i=conversation) == "LAST_MEMBER"
    await deployment.data(LEAVE, ward.ben.token, i=conversation, y=True)
    assert conversation not in [*await listed(ward, ward.ada), *await listed(ward, ward.ben)]
    await said(ward, conversation, "is anybody there?", "m-1", held)
    for member in (ward.ada, ward.ben):
        assert conversation in await listed(ward, member)
    await deployment.data(LEAVE, held.token, i=conversation)  # a patient leaves without a warning
    assert await listed(ward, held) == []
    await said(ward, conversation, "yes", "m-2")
    assert await listed(ward, held) == [conversation]


@pytest.mark.rule("C9")
async def test_a_group_that_was_left_does_not_come_back_by_itself(ward: Ward) -> None:
    deployment = ward.deployment
    round_, secret = await group(ward, ward.ben), await group(ward, ward.ben, name="Secret", s=True)
    for each in (round_, secret):
        await deployment.data(LEAVE, ward.ben.token, i=each)
        await said(ward, each, "later", "m-1")
        assert each not in await listed(ward, ward.ben)
    [found] = (await deployment.data(GROUPS, ward.ben.token))["groups"]["nodes"]
    assert (found["id"], found["joined"], found["members"]) == (round_, False, 1)
    await deployment.data(JOIN, ward.ben.token, i=round_)
    assert round_ in await listed(ward, ward.ben)
    assert await deployment.code(JOIN, ward.ben.token, i=secret) == "NOT_FOUND"
    await deployment.data(ADD, ward.ada.token, i=secret, p=[ward.ben.id])
    assert secret in await listed(ward, ward.ben)


@pytest.mark.rule("C9")
async def test_who_was_removed_does_not_come_back_with_a_message_but_with_an_invitation(ward: Ward) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    await allow(ward, patientsInPortal=True)
    conversation = await with_patient(ward, held)
    await deployment.data(ADD, ward.ada.token, i=conversation, p=[ward.ben.id])
    manager = await deployment.person(ward.practice, name="Carl")
    await deployment.data(ADD, ward.ada.token, i=conversation, p=[manager.id])
    await deployment.data(REMOVE, ward.ada.token, i=conversation, p=ward.ben.id)
    for number, person in enumerate((ward.ada, held)):
        await said(ward, conversation, "a word", f"m-{number}", person)
        assert conversation not in await listed(ward, ward.ben)
    # whom it is about, and who began it, can't be removed
    for target in (held.id, ward.ada.id):
        assert await deployment.code(REMOVE, manager.token, i=conversation, p=target) == "FORBIDDEN"
    assert await deployment.code(REMOVE, ward.ada.token, i=conversation, p=ward.ben.id) == "NOT_FOUND"
    await deployment.data(ADD, ward.ada.token, i=conversation, p=[ward.ben.id])
    assert conversation in await listed(ward, ward.ben)


@pytest.mark.rule("C9")
async def test_leaving_what_one_is_not_in_is_told_as_if_it_were_not_there(ward: Ward) -> None:
    carl = await ward.deployment.person(ward.practice, name="Carl")
    before = await ward.count("participant")
    for target in (ward.conversation, "0199aaaa-0000-7000-8000-000000000000"):
        assert await ward.deployment.code(LEAVE, carl.token, i=target) == "NOT_FOUND"
    assert await ward.count("participant") == before
    assert set(await listed(ward, ward.ada)) == set(await listed(ward, ward.ben)) == {ward.conversation}


@pytest.mark.rule("C9")
async def test_a_colleague_who_was_deactivated_is_nobody_whom_a_patient_or_contact_is_left_with(ward: Ward) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    await allow(ward, patientsInPortal=True)
    owner = await deployment.person(ward.practice, Role.OWNER, "Olga")
    contact = (await deployment.data(CONTACT, ward.ada.token, c="contact"))["addContact"]["id"]
    external = (await deployment.data(EXTERNAL, ward.ada.token, p=contact, c="x"))["startExternalConversation"]["id"]
    conversations = (await with_patient(ward, held), external)
    for each in conversations:
        await deployment.data(ADD, ward.ada.token, i=each, p=[ward.ben.id])
    await deployment.data(DEACTIVATE, owner.token, i=ward.ben.id)
    for each in conversations:
        assert await deployment.code(LEAVE, ward.ada.token, i=each) == "LAST_MEMBER"
        assert each in await listed(ward, ward.ada)
    await deployment.data(REACTIVATE, owner.token, i=ward.ben.id)
    for each in conversations:
        await deployment.data(LEAVE, ward.ada.token, i=each)
        assert each not in await listed(ward, ward.ada)


@pytest.mark.rule("C9")
async def test_nobody_removes_themselves_and_so_gets_round_the_warning(ward: Ward) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    await allow(ward, patientsInPortal=True)
    conversation, round_ = await with_patient(ward, held), await group(ward, ward.ben)
    await deployment.data(ADD, ward.ada.token, i=conversation, p=[ward.ben.id])
    await deployment.data(LEAVE, ward.ada.token, i=conversation)
    with acting(ward.practice.id):
        before = await DB.fetch("SELECT * FROM participant ORDER BY conversation_id, person_id")
    for person, each in ((ward.ben, conversation), (ward.ben, round_), (ward.ada, round_)):
        assert await deployment.code(REMOVE, person.token, i=each, p=person.id) == "FORBIDDEN"
    with acting(ward.practice.id):
        assert await DB.fetch("SELECT * FROM participant ORDER BY conversation_id, person_id") == before
    assert await deployment.code(LEAVE, ward.ben.token, i=conversation) == "LAST_MEMBER"
    await deployment.data(LEAVE, ward.ben.token, i=conversation, y=True)
    await said(ward, conversation, "is anybody there?", "m-1", held)
    assert conversation in await listed(ward, ward.ben)
