"""A premium practice with two members and their conversation, driven from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest_asyncio
from deployment import DEADLINE_SECONDS, Deployment, Person, served

from bedside_core.database import DB, acting
from bedside_core.people import Practice
from bedside_core.testing import Database

START = """mutation($m: ID!, $c: String!) { startConversation(memberId: $m, clientId: $c) {
    id participants { nodes { name } } } }"""
SEND = """mutation($i: ID!, $b: String!, $c: String!) {
    sendMessage(conversationId: $i, body: $b, clientId: $c) { id body cursor sender { id } } }"""
READ = """query($i: ID!, $first: Int, $after: String, $last: Int, $before: String) { conversation(id: $i) {
    messages(first: $first, after: $after, last: $last, before: $before) {
        nodes { body } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""


class Ward:
    """A premium practice with two members and their conversation."""

    def __init__(self, deployment: Deployment, practice: Practice, ada: Person, ben: Person, conversation: str) -> None:
        self.deployment, self.practice, self.ada, self.ben, self.conversation = (
            deployment,
            practice,
            ada,
            ben,
            conversation,
        )

    async def send(self, body: str, client_id: str, by: Person | None = None) -> dict[str, str]:
        data = await self.deployment.data(SEND, (by or self.ada).token, i=self.conversation, b=body, c=client_id)
        return data["sendMessage"]

    async def messages(self) -> list[str]:
        with acting(self.practice.id):
            rows = await DB.fetch('SELECT body FROM message ORDER BY "position"')
        return [row["body"] for row in rows]

    async def count(self, table: str) -> int:
        with acting(self.practice.id):
            return await DB.fetchval(f"SELECT count(*) FROM {table}")

    async def remove(self, person: Person) -> None:
        with acting(self.practice.id):
            await DB.execute("DELETE FROM participant WHERE person_id = $1", person.member.id)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():  # noqa: ASYNC110 - the condition may be anything
                await asyncio.sleep(0.005)

    async def quiet(self, readers: int) -> None:
        """Wait until that many readers follow conversations in this process."""
        live = self.deployment.platform.live
        await self.until(lambda: live.readers("conversation") == readers)

    async def read(self, **page: object) -> tuple[list[str], dict[str, object]]:
        data = await self.deployment.data(READ, self.ada.token, i=self.conversation, **page)
        found = data["conversation"]["messages"]
        return [node["body"] for node in found["nodes"]], found["pageInfo"]


@pytest_asyncio.fixture
async def ward(fresh_database: Database) -> AsyncGenerator[Ward, None]:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        ada, ben = await deployment.person(practice, name="Ada"), await deployment.person(practice, name="Ben")
        data = await deployment.data(START, ada.token, m=ben.id, c="start-1")
        yield Ward(deployment, practice, ada, ben, data["startConversation"]["id"])
