"""Sends that wait while somebody leaves, joins or is removed, and retries where nothing can be sent since (C9, C13)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from plugins.chat.devices import device, state
from plugins.chat.hall import ADD, LEAVE, REMOVE, allow, group, said
from plugins.chat.ward import SEND, Ward

from bedside_core.access import Tier
from bedside_core.database import DB, acting
from bedside_core.testing import Database, statements, until
from bedside_plans.service import PlanService

MARK_READ = "mutation($i: ID!, $u: String!) { markConversationRead(conversationId: $i, upTo: $u) { unread } }"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


class Queue:
    """Operations that wait for a conversation's row, and are let go in the order in which they came."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._tasks: list[asyncio.Task[Any]] = []

    async def take(self, operation: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin an operation, and return once it waits."""
        self._tasks.append(asyncio.create_task(operation))
        number = len(self._tasks)

        async def waits() -> bool:
            return (await self._connection.fetchval(WAITING) or 0) >= number

        await until(waits, f"operation {number} to wait", 30)
        return self._tasks[-1]


@asynccontextmanager
async def held(database: Database, conversation: str) -> AsyncGenerator[Queue]:
    """Hold a conversation's row; what has come meanwhile goes on when the block ends."""
    connection = await asyncpg.connect(database.owner_dsn)
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM conversation WHERE id = $1 FOR UPDATE", UUID(conversation))
            yield Queue(connection)
    finally:
        await connection.close()


@asynccontextmanager
async def notifications_held(database: Database) -> AsyncGenerator[None]:
    """Have whoever notifies anybody wait until the block ends."""
    connection = await asyncpg.connect(database.owner_dsn)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE notification IN SHARE MODE")
            yield
    finally:
        await connection.close()


async def rows(ward: Ward, sql: str) -> list[Any]:
    with acting(ward.practice.id):
        return await DB.fetch(sql)


@pytest.mark.rule("C9", "N2")
async def test_a_message_that_waited_while_its_recipient_left_brings_the_conversation_back(
    ward: Ward, fresh_database: Database
) -> None:
    deployment = ward.deployment
    async with held(fresh_database, ward.conversation) as queue:
        leaving = await queue.take(deployment.data(LEAVE, ward.ben.token, i=ward.conversation))
        sending = await queue.take(ward.send("are you there?", "k1"))
    await leaving
    await sending
    found = await deployment.data("{ conversations { nodes { id unread } } }", ward.ben.token)
    assert found["conversations"]["nodes"] == [{"id": ward.conversation, "unread": 1}]
    [row] = await rows(ward, "SELECT recipient_id FROM notification WHERE state = 'waiting'")
    assert row["recipient_id"] == ward.ben.member.id


@pytest.mark.rule("C10", "C16")
@pytest.mark.promise("D7")
async def test_whoever_joined_while_a_message_waited_is_told_of_it(ward: Ward, fresh_database: Database) -> None:
    deployment = ward.deployment
    carl = await deployment.person(ward.practice, name="Carl")
    place = await group(ward, ward.ben)
    async with device(deployment, carl.token) as inbox:
        async with notifications_held(fresh_database):  # so that Carl hears of joining before the message is committed
            async with held(fresh_database, place) as queue:
                joining = await queue.take(deployment.data(ADD, ward.ada.token, i=place, p=[carl.id]))
                sending = await queue.take(said(ward, place, "hello", "k1", ward.ben))
            await joining
            assert (await inbox.until(lambda now: place in now[0]))[0][place]["unread"] == 0
        await sending
        fetched = await state(deployment, carl.token)
        assert fetched[0][place]["unread"] == 1
        assert await inbox.until(lambda now: now == fetched) == fetched


@pytest.mark.rule("C7")
@pytest.mark.promise("A4")
async def test_a_message_that_waited_while_its_sender_was_removed_is_refused(
    ward: Ward, fresh_database: Database
) -> None:
    deployment = ward.deployment
    place = await group(ward, ward.ben)
    async with held(fresh_database, place) as queue:
        removing = await queue.take(deployment.data(REMOVE, ward.ada.token, i=place, p=ward.ben.id))
        sending = await queue.take(deployment.code(SEND, ward.ben.token, i=place, b="too late", c="k1"))
    await removing
    assert await sending == "NOT_FOUND"
    assert await ward.messages() == []


@pytest.mark.rule("C13")
@pytest.mark.promise("D1")
async def test_a_retry_returns_the_first_message_though_nothing_can_be_sent_there_since(ward: Ward) -> None:
    deployment = ward.deployment
    await allow(ward, patientsInPortal=True)
    pat = await deployment.held(ward.practice)
    start = 'mutation($p: ID!) { startPatientConversation(patientId: $p, clientId: "s") { id } }'
    place = (await deployment.data(start, ward.ada.token, p=str(pat.patient.id)))["startPatientConversation"]["id"]
    first = await said(ward, place, "hello", "k1")
    await allow(ward, patientsInPortal=False)
    assert await said(ward, place, "hello", "k1") == first
    assert await deployment.code(SEND, ward.ada.token, i=place, b="hello", c="k2") == "SWITCHED_OFF"
    assert await deployment.code(SEND, ward.ada.token, i=place, b="other", c="k1") == "SWITCHED_OFF"
    plans = deployment.platform.service(PlanService)
    await plans.change_plan(ward.practice.id, Tier.STARTER)
    assert await said(ward, place, "hello", "k1") == first
    assert await deployment.code(SEND, ward.ada.token, i=place, b="hello", c="k2") == "FEATURE_NOT_IN_PLAN"
    assert await ward.messages() == ["hello"]


@pytest.mark.rule("N3")
async def test_reading_far_behind_looks_at_a_bounded_number_of_messages(ward: Ward) -> None:
    first = await ward.send("one", "k0")
    await rows(
        ward,
        f"""INSERT INTO message (id, practice_id, conversation_id, "position", changed, number, sender_id, body,
            client_id, sent_at, urgent, automatic, attached)
        SELECT gen_random_uuid(), practice_id, conversation_id, 100 + g, 100 + g, 10 + g, sender_id, 'x', 'z' || g,
            sent_at, false, false, 0 FROM message, generate_series(1, 3000) g WHERE id = '{first["id"]}'""",
    )
    await rows(ward, 'UPDATE conversation SET "position" = 3100, last_position = 3100, messages = 3010')
    await ward.send("last", "k1")
    with statements() as ran:
        await ward.deployment.data(MARK_READ, ward.ben.token, i=ward.conversation, u=first["cursor"])
    [kept] = [each for each in ran if "SELECT id::text FROM message" in each]
    assert "LIMIT" in kept
    [row] = await rows(ward, "SELECT state, items FROM notification")
    assert (row["state"], len(row["items"])) == ("waiting", 1)  # the last one is still told of
