"""Moderating where one takes no part: it deletes, and shows nothing of what is said there (A12, C11)."""

from __future__ import annotations

from typing import Any

import pytest
from plugins.chat.hall import LEAVE, REACT, group, said
from plugins.chat.ward import Ward

from bedside_core.auth import Role

REPLY = """mutation($i: ID!, $b: String!, $c: String!, $r: ID!, $u: Boolean! = false) {
    sendMessage(conversationId: $i, body: $b, clientId: $c, replyTo: $r, urgent: $u) { id } }"""
DELETE = """mutation($m: ID!) { deleteMessage(messageId: $m) { id body html deletedAt urgent automatic
    sender { id name readUpTo presence } replyToId replyTo { body sender { name } reactions { emoji personIds } }
    attachments { id name } reactions { emoji personIds } acknowledgements { personId acknowledgedAt } } }"""
MESSAGE = "query($m: ID!) { message(id: $m) { body replyTo { id body } } }"
TOMBSTONE = {
    "body": "", "html": "", "urgent": False, "automatic": False, "sender": None, "replyToId": None, "replyTo": None,
    "attachments": [], "reactions": [], "acknowledgements": [],
}  # fmt: skip


async def deleted(ward: Ward, token: str, message_id: str) -> dict[str, Any]:
    return (await ward.deployment.data(DELETE, token, m=message_id))["deleteMessage"]


@pytest.mark.rule("A12")
@pytest.mark.rule("C11")
async def test_a_moderator_outside_gets_the_tombstone_and_nothing_of_the_conversation(ward: Ward) -> None:
    deployment = ward.deployment
    mia = await deployment.person(ward.practice, Role.MANAGER, "Mia")
    private = await group(ward, ward.ben, s=True)
    first = await said(ward, private, "the canary sings", "m-1")
    sent = await deployment.data(REPLY, ward.ben.token, i=private, b="so it does", c="m-2", r=first["id"], u=True)
    reply = sent["sendMessage"]
    for message in (first, reply):
        await deployment.data(REACT, ward.ada.token, m=message["id"], e="👍")
        assert await deployment.code(MESSAGE, mia.token, m=message["id"]) == "NOT_FOUND"
    for _ in range(2):  # and when it is a tombstone already
        found = await deleted(ward, mia.token, reply["id"])
        assert found == {**TOMBSTONE, "id": reply["id"], "deletedAt": found["deletedAt"]} and found["deletedAt"]
    assert await deployment.code(MESSAGE, mia.token, m=reply["id"]) == "NOT_FOUND"
    shown = (await deployment.data(MESSAGE, ward.ben.token, m=reply["id"]))["message"]  # who takes part sees both
    assert shown == {"body": "", "replyTo": {"id": first["id"], "body": "the canary sings"}}
    again = await deleted(ward, ward.ben.token, reply["id"])
    assert (again["sender"]["id"], again["replyTo"]["body"]) == (ward.ben.id, "the canary sings")


@pytest.mark.rule("C11")
async def test_a_member_who_left_deletes_what_they_wrote_there_and_nothing_else(ward: Ward) -> None:
    deployment = ward.deployment
    talk = await group(ward, ward.ben)
    first = await said(ward, talk, "welcome", "m-1")
    sent = await deployment.data(REPLY, ward.ben.token, i=talk, b="of the wrong patient", c="m-2", r=first["id"])
    own = sent["sendMessage"]
    await deployment.data(LEAVE, ward.ben.token, i=talk)
    assert await deployment.code(DELETE, ward.ben.token, m=first["id"]) == "NOT_FOUND"
    for _ in range(2):
        found = await deleted(ward, ward.ben.token, own["id"])
        assert found == {**TOMBSTONE, "id": own["id"], "deletedAt": found["deletedAt"]} and found["deletedAt"]
    assert await ward.messages() == ["welcome", ""]
    assert await deployment.code(MESSAGE, ward.ben.token, m=own["id"]) == "NOT_FOUND"


@pytest.mark.rule("A12")
@pytest.mark.promise("A2")
async def test_who_may_not_moderate_deletes_and_sees_nothing_there(ward: Ward) -> None:
    carl = await ward.deployment.person(ward.practice, name="Carl")
    eve = await ward.deployment.person(await ward.deployment.practice("Hill"), Role.OWNER, "Eve")
    private = await group(ward, ward.ben, s=True)
    first = await said(ward, private, "the canary sings", "m-1")
    for person in (carl, eve):
        assert await ward.deployment.code(DELETE, person.token, m=first["id"]) == "NOT_FOUND"
    shown = (await ward.deployment.data(MESSAGE, ward.ben.token, m=first["id"]))["message"]
    assert shown == {"body": "the canary sings", "replyTo": None}
