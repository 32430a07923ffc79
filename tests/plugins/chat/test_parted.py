"""After a connection has ended nobody of the other practice is told of anything, and neither side sees who is there."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from deployment import Person
from plugins.chat.cabinet import Cabinet, cabinet_at
from plugins.chat.connecting import connect, part

from bedside_core.database import DB, acting
from bedside_core.jobs import JobRun
from bedside_core.people import Practice
from bedside_core.testing import Database, statements

GROUP = """mutation($p: [ID!]) { updateChatSettings(patch: { outsidersInGroups: true }) { autoReply }
    createGroup(name: "Round", clientId: "round", personIds: $p) { id } }"""
WHO = "query($i: ID!) { conversation(id: $i) { participants { nodes { name presence } } messages { nodes { body } } } }"
PRESENCE = "subscription($i: ID!) { presence(conversationId: $i) { participant { name } presence } }"
URGENT = """mutation($i: ID!, $b: String!, $c: String!) {
    sendMessage(conversationId: $i, body: $b, clientId: $c, urgent: true) { id } }"""
OWN = "mutation { updateChatOwnSettings(patch: { unreadEmailMinutes: 10 }) { unreadEmailMinutes } }"


@pytest_asyncio.fixture
async def cabinet(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Cabinet, None]:
    async with cabinet_at(fresh_database, tmp_path) as cabinet:
        yield cabinet


async def presences(cabinet: Cabinet, by: Person, conversation: str) -> dict[str, str | None]:
    found = await cabinet.deployment.data(WHO, by.token, i=conversation)
    return {each["name"].split()[0]: each["presence"] for each in found["conversation"]["participants"]["nodes"]}


async def told(practice: Practice) -> list[tuple[str, str, int]]:
    """Return what a practice's people are told of chat: kind, whom, and of how many messages."""
    with acting(practice.id):
        rows = await DB.fetch(
            """SELECT kind, recipient_id::text, cardinality(items) AS count FROM notification
            WHERE kind LIKE 'chat.%' AND state <> 'canceled' ORDER BY kind, recipient_id"""
        )
    return [(row["kind"], row["recipient_id"], row["count"]) for row in rows]


async def remind(cabinet: Cabinet, practice: Practice) -> None:
    """Run the job that reminds people, as a worker does."""
    platform = cabinet.deployment.platform
    with acting(practice.id):
        await platform.jobs.entries["chat.reminders"].function(
            JobRun(platform=platform, practice_id=practice.id, payload={}, attempt=1)
        )


@pytest.mark.rule("P2")
@pytest.mark.rule("C14")
async def test_neither_side_sees_whether_the_other_is_there_once_the_connection_has_ended(cabinet: Cabinet) -> None:
    deployment, ada, bea = cabinet.deployment, cabinet.ada, cabinet.bea
    ben = await deployment.person(cabinet.practice, name="Ben")
    made = await deployment.data(GROUP, cabinet.olga.token, p=[ada.id, bea.id, ben.id])
    group = made["createGroup"]["id"]
    names = {each: each.member.name.split()[0] for each in (ada, bea, ben, cabinet.olga)}
    async with AsyncExitStack() as stack:
        sockets: dict[str, Any] = {}
        for person in (ada, bea, ben):
            sockets[names[person]] = await stack.enter_async_context(deployment.socket(person.token))
        live = sockets[names[ada]]
        key = await live.subscribe(PRESENCE, i=cabinet.direct)
        event = (await live.next(key))["presence"]
        assert (event["participant"]["name"], event["presence"]) == (bea.member.name, "ONLINE")
        for person in (ada, bea):
            shown = await presences(cabinet, person, group)
            assert {shown[names[each]] for each in (ada, bea, ben)} == {"ONLINE"}, shown
        await part(deployment, cabinet.olga)
        event = (await live.next(key))["presence"]
        assert (event["participant"]["name"], event["presence"]) == (bea.member.name, "AWAY")
        for conversation in (cabinet.direct, group):
            assert set((await presences(cabinet, bea, conversation)).values()) == {None}
            assert (await presences(cabinet, ada, conversation))[names[bea]] is None
        shown = await presences(cabinet, ada, group)  # the practice's own still see each other
        assert {shown[names[each]] for each in (ada, ben)} == {"ONLINE"}
        await connect(deployment, cabinet.olga, bea, cabinet.hill, "again")
        for person, other in ((ada, bea), (bea, ada)):
            assert (await presences(cabinet, person, cabinet.direct))[names[other]] == "ONLINE"


@pytest.mark.rule("P1")
@pytest.mark.rule("P2")
async def test_who_is_of_a_practice_connected_no_longer_is_told_of_nothing_written_since(cabinet: Cabinet) -> None:
    deployment, ada, bea = cabinet.deployment, cabinet.ada, cabinet.bea
    ben = await deployment.person(cabinet.practice, name="Ben")
    made = await deployment.data(GROUP, cabinet.olga.token, p=[ada.id, bea.id, ben.id])
    group = made["createGroup"]["id"]
    await deployment.data(OWN, bea.token)
    await cabinet.send(cabinet.direct, ada, "before")
    assert await told(cabinet.hill) == [("chat.message", bea.id, 1)]
    await part(deployment, cabinet.olga)
    before = await told(cabinet.hill)
    with statements() as ran:
        await cabinet.send(cabinet.direct, ada, "after the end")
    assert len([sql for sql in ran if "chat_told" in sql and "chat_parted" in sql]) == 1  # one statement
    for conversation in (cabinet.direct, group):
        await deployment.data(URGENT, ada.token, i=conversation, b="urgent, after the end", c=f"u-{conversation}")
    assert await told(cabinet.hill) == before
    people = {(kind, who) for kind, who, _ in await told(cabinet.practice)}
    assert ("chat.urgent", ben.id) in people  # the practice's own are told
    await deployment.platform.clock.move(timedelta(minutes=20))
    await remind(cabinet, cabinet.hill)
    assert await told(cabinet.hill) == before
    await remind(cabinet, cabinet.practice)
    people = {(kind, who) for kind, who, _ in await told(cabinet.practice)}
    assert ("chat.urgent_reminder", ben.id) in people
    found = (await deployment.data(WHO, bea.token, i=cabinet.direct))["conversation"]["messages"]["nodes"]
    assert [each["body"] for each in found] == ["before"]  # what was there can be read
    await connect(deployment, cabinet.olga, bea, cabinet.hill, "again")
    await cabinet.send(cabinet.direct, ada, "again")
    assert await told(cabinet.hill) == [("chat.message", bea.id, 2)]
