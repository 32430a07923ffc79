"""Conversations across practices, and what is left of them when the practices are connected no longer (P2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from deployment import Person
from plugins.chat.hall import ACKNOWLEDGE, ADD, DELETE, LEAVE, MARK, REACT, URGENT, allow, group, listed, said
from plugins.chat.test_live import FOLLOW
from plugins.chat.ward import READ, SEND, START, Ward

from bedside_core.auth import Role
from bedside_core.people import Practice

REQUEST = "mutation($p: String!, $c: String!) { requestConnection(practice: $p, clientId: $c) { id } }"
ACCEPT = "mutation($i: ID!) { acceptConnection(id: $i) { state } }"
END = "mutation($i: ID!) { endConnection(id: $i) { state } }"
COMPOSER = """query($i: ID!) { conversation(id: $i) {
    composer { text { open code wayOn } files { open code } } } }"""
EVENTS = """subscription($i: ID!, $a: String) { conversationEvents(conversationId: $i, after: $a) {
    ... on MessageChanged { message { body } } } }"""
LIST = "{ conversations(first: 5) { nodes { id unread urgent lastMessage { body } } } chatBadges { unread urgent } }"
SEARCH = "query($t: String!) { searchMessages(text: $t, first: 5) { nodes { message { body } } } }"
MESSAGE = "query($i: ID!) { message(id: $i) { body } }"
SHOWN = "query($i: ID!) { conversation(id: $i) { kind participants { nodes { id name label } } } }"


@dataclass
class Apart:
    """Two connected practices."""

    ward: Ward
    hill: Practice
    olga: Person
    eve: Person
    connection: str

    async def connect(self, key: str) -> None:
        deployment = self.ward.deployment
        asked = await deployment.data(REQUEST, self.olga.token, p=str(self.hill.id), c=key)
        self.connection = asked["requestConnection"]["id"]
        await deployment.data(ACCEPT, self.eve.token, i=self.connection)

    async def end(self, by: Person) -> None:
        await self.ward.deployment.data(END, by.token, i=self.connection)

    async def direct(self) -> str:
        data = await self.ward.deployment.data(START, self.ward.ada.token, m=self.eve.id, c="with-eve")
        return data["startConversation"]["id"]

    async def composer(self, person: Person, conversation: str) -> dict[str, Any]:
        found = await self.ward.deployment.data(COMPOSER, person.token, i=conversation)
        return found["conversation"]["composer"]


@pytest_asyncio.fixture
async def apart(ward: Ward) -> AsyncGenerator[Apart, None]:
    hill = await ward.deployment.practice("Hill")
    made = Apart(
        ward,
        hill,
        await ward.deployment.person(ward.practice, Role.OWNER, "Olga"),
        await ward.deployment.person(hill, Role.OWNER, "Eve"),
        "",
    )
    await made.connect("connect-1")
    yield made


@pytest.mark.rule("C1")
@pytest.mark.rule("P2")
@pytest.mark.rule("P7")
async def test_members_of_connected_practices_write_to_each_other(apart: Apart) -> None:
    ward, deployment = apart.ward, apart.ward.deployment
    conversation = await apart.direct()
    await said(ward, conversation, "hello over there", "m-1")
    again = await deployment.data(START, apart.eve.token, m=ward.ada.id, c="with-ada")
    assert again["startConversation"]["id"] == conversation
    await said(ward, conversation, "hello back", "m-1", apart.eve)
    for person, other, label in ((ward.ada, apart.eve, "Hill"), (apart.eve, ward.ada, "Bay View")):
        shown = (await deployment.data(SHOWN, person.token, i=conversation))["conversation"]
        assert shown["kind"] == "DIRECT"
        labels = {each["name"]: each["label"] for each in shown["participants"]["nodes"]}
        assert labels == {person.member.name: None, other.member.name: label}
    assert await deployment.code(READ, apart.olga.token, i=conversation) == "NOT_FOUND"


@pytest.mark.rule("P2")
@pytest.mark.rule("C7")
@pytest.mark.parametrize("kind", ["direct", "group"])
@pytest.mark.parametrize("ended_by", ["own", "other"])
async def test_when_the_connection_ends_the_other_side_can_only_read_at_once(
    apart: Apart, kind: str, ended_by: str
) -> None:
    ward, deployment = apart.ward, apart.ward.deployment
    await allow(ward, outsidersInGroups=True)
    conversation = await apart.direct() if kind == "direct" else await group(ward, apart.eve)
    first = await said(ward, conversation, "before", "m-1")
    await said(ward, conversation, "yes", "m-1", apart.eve)
    assert (await apart.composer(apart.eve, conversation))["text"]["open"] is True
    async with deployment.socket(apart.eve.token) as eve, deployment.socket(ward.ada.token) as ada:
        messages = await eve.subscribe(FOLLOW, i=conversation)
        events = await eve.subscribe(EVENTS, i=conversation)
        mine = await ada.subscribe(FOLLOW, i=conversation)
        await ward.quiet(3)
        await apart.end(apart.olga if ended_by == "own" else apart.eve)
        ends = [await eve.receive() for _ in range(2)]
        assert {(end["id"], end["type"]) for end in ends} == {(messages, "error"), (events, "error")}
        assert {end["payload"][0]["extensions"]["code"] for end in ends} == {"CONVERSATION_READ_ONLY"}
        key = await eve.subscribe(FOLLOW, i=conversation)
        assert await eve.error(key) == "CONVERSATION_READ_ONLY"
        count = await ward.count("message")
        assert await deployment.code(SEND, apart.eve.token, i=conversation, b="still?", c="m-2") == (
            "CONVERSATION_READ_ONLY"
        )
        assert await deployment.code(REACT, apart.eve.token, m=first["id"], e="👍") == "CONVERSATION_READ_ONLY"
        assert await deployment.code(ADD, apart.eve.token, i=conversation, p=[apart.eve.id]) == "CONVERSATION_READ_ONLY"
        assert await deployment.code(START, apart.eve.token, m=ward.ada.id, c="new") == "NOT_FOUND"
        assert await ward.count("message") == count and await ward.count("message_reaction") == 0
        composer = await apart.composer(apart.eve, conversation)
        assert composer["text"]["open"] is composer["files"]["open"] is False
        assert composer["text"]["code"] == composer["files"]["code"] == "CONVERSATION_READ_ONLY"
        assert composer["text"]["wayOn"]
        # what was there stays readable, and can be marked as read
        found = await deployment.data(READ, apart.eve.token, i=conversation)
        assert [node["body"] for node in found["conversation"]["messages"]["nodes"]] == ["before", "yes"]
        assert conversation in await listed(ward, apart.eve)
        await deployment.data(MARK, apart.eve.token, i=conversation, u=first["cursor"])
        # the owning practice goes on, and its live streams do
        assert (await apart.composer(ward.ada, conversation))["text"]["open"] is True
        await said(ward, conversation, "after", "m-2")
        assert (await ada.next(mine))["messageAdded"]["body"] == "after"


@dataclass(frozen=True)
class Seen:
    """What somebody sees of their only conversation: its messages, what is unread and urgent, and what is last."""

    bodies: list[str]
    unread: int
    urgent: int
    last: str


async def seen(apart: Apart, person: Person, conversation: str) -> Seen:
    deployment = apart.ward.deployment
    read = await deployment.data(READ, person.token, i=conversation)
    listed = await deployment.data(LIST, person.token)
    [shown] = [each for each in listed["conversations"]["nodes"] if each["id"] == conversation]
    assert sum(badge["unread"] for badge in listed["chatBadges"]) == shown["unread"]
    assert sum(badge["urgent"] for badge in listed["chatBadges"]) == shown["urgent"]
    bodies = [node["body"] for node in read["conversation"]["messages"]["nodes"]]
    return Seen(bodies, shown["unread"], shown["urgent"], shown["lastMessage"]["body"])


@pytest.mark.rule("P2", "C10", "C14")
@pytest.mark.promise("A2")
@pytest.mark.parametrize("kind", ["direct", "group"])
async def test_what_is_written_after_the_end_the_other_side_does_not_read(apart: Apart, kind: str) -> None:
    ward, deployment = apart.ward, apart.ward.deployment
    await allow(ward, outsidersInGroups=True)
    conversation = await apart.direct() if kind == "direct" else await group(ward, apart.eve)
    first = await said(ward, conversation, "canary before", "m-1")
    await said(ward, conversation, "canary also before", "m-2")
    await deployment.data(MARK, apart.eve.token, i=conversation, u=first["cursor"])
    await apart.end(apart.olga)
    then = Seen(["canary before", "canary also before"], 1, 0, "canary also before")
    assert await seen(apart, apart.eve, conversation) == then
    after = await said(ward, conversation, "canary after", "m-3")
    urgent = (await deployment.data(URGENT, ward.ada.token, i=conversation, b="canary now", c="m-4"))["sendMessage"]
    assert await seen(apart, apart.eve, conversation) == then
    for message in (after, urgent):
        assert await deployment.code(MESSAGE, apart.eve.token, i=message["id"]) == "NOT_FOUND"
        assert await deployment.code(ACKNOWLEDGE, apart.eve.token, m=message["id"]) == "NOT_FOUND"
    found = (await deployment.data(SEARCH, apart.eve.token, t="canary"))["searchMessages"]["nodes"]
    assert [node["message"]["body"] for node in found] == ["canary also before", "canary before"]
    async with deployment.socket(apart.eve.token) as eve:
        key = await eve.subscribe(EVENTS, i=conversation, a=first["cursor"])
        assert await eve.error(key) == "CONVERSATION_READ_ONLY"
    # The own side has all of it, and so has the other where they are connected again.
    whole = [*then.bodies, "canary after", "canary now"]
    assert (await seen(apart, ward.ada, conversation)).bodies == whole
    await apart.connect("connect-2")
    assert await seen(apart, apart.eve, conversation) == Seen(whole, 3, 0, "canary now")
    await apart.end(apart.eve)
    assert (await seen(apart, apart.eve, conversation)).bodies == whole


@pytest.mark.rule("P2")
async def test_connecting_again_opens_what_was_read_only(apart: Apart) -> None:
    ward, deployment = apart.ward, apart.ward.deployment
    conversation = await apart.direct()
    await apart.end(apart.eve)
    assert await deployment.code(SEND, apart.eve.token, i=conversation, b="?", c="m-1") == "CONVERSATION_READ_ONLY"
    await apart.connect("connect-2")
    composer = await apart.composer(apart.eve, conversation)
    assert composer == {"text": {"open": True, "code": None, "wayOn": None}, "files": {"open": True, "code": None}}
    async with deployment.socket(apart.eve.token) as eve:
        key = await eve.subscribe(FOLLOW, i=conversation)
        await ward.quiet(1)
        await said(ward, conversation, "back again", "m-1", apart.eve)
        assert (await eve.next(key))["messageAdded"]["body"] == "back again"
    again = await deployment.data(START, apart.eve.token, m=ward.ada.id, c="again")
    assert again["startConversation"]["id"] == conversation


@pytest.mark.rule("L9")
async def test_across_practices_the_plan_of_who_acts_decides(apart: Apart) -> None:
    from bedside_core.access import Tier
    from bedside_plans.service import PlanService

    ward, deployment = apart.ward, apart.ward.deployment
    conversation = await apart.direct()
    await deployment.platform.service(PlanService).change_plan(apart.hill.id, Tier.ENHANCED)
    assert await deployment.code(SEND, apart.eve.token, i=conversation, b="no", c="m-1") == "FEATURE_NOT_IN_PLAN"
    assert await ward.count("message") == 0
    await said(ward, conversation, "yes", "m-1")
    found = await deployment.data(READ, apart.eve.token, i=conversation)
    assert [node["body"] for node in found["conversation"]["messages"]["nodes"]] == ["yes"]


@pytest.mark.rule("P2", "C11", "C10")
async def test_the_side_that_only_reads_deletes_nothing_but_acknowledges_and_leaves(apart: Apart) -> None:
    ward, deployment = apart.ward, apart.ward.deployment
    conversation = await apart.direct()
    mine = await said(ward, conversation, "of the other side", "m-1", apart.eve)
    urgent = (await deployment.data(URGENT, ward.ada.token, i=conversation, b="now", c="m-2"))["sendMessage"]
    await apart.end(apart.eve)
    before = await ward.messages()
    for message in (mine, urgent):
        assert await deployment.code(DELETE, apart.eve.token, m=message["id"]) == "CONVERSATION_READ_ONLY"
    assert await ward.messages() == before == ["of the other side", "now"]
    told = (await deployment.data(ACKNOWLEDGE, apart.eve.token, m=urgent["id"]))["acknowledgeMessage"]
    assert told["acknowledgements"][0]["acknowledgedAt"]
    await deployment.data(LEAVE, apart.eve.token, i=conversation)
    assert await listed(ward, apart.eve) == []
    # The owning practice deletes, and so does the other where they are connected again.
    assert (await deployment.data(DELETE, ward.ada.token, m=urgent["id"]))["deleteMessage"]["body"] == ""
    await said(ward, conversation, "meanwhile", "m-3")  # which brings it back to nobody who is apart (C9)
    await apart.connect("connect-2")
    assert await listed(ward, apart.eve) == []
    await said(ward, conversation, "later", "m-4")
    assert await listed(ward, apart.eve) == [conversation]
    assert (await deployment.data(DELETE, apart.eve.token, m=mine["id"]))["deleteMessage"]["body"] == ""
    assert await ward.messages() == ["", "", "meanwhile", "later"]
