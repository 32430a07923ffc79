"""Servers that are killed while people write: what was acknowledged is there once, in order, for every reader."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import asyncpg
import httpx
import pytest
import websockets
from deployment import APPS, DEADLINE_SECONDS, Deployment, Person, Socket
from journeys.processes import Server, server

from bedside_core.app import Bedside
from bedside_core.boot import assembled
from bedside_core.config import Config
from bedside_core.live import LocalBus
from bedside_core.platform import Platform
from bedside_core.testing import Database, until
from rulebook import full_size, size

GROUP = """mutation($p: [ID!]!) { createGroup(name: "Ward", personIds: $p, clientId: "g") { id cursor } }"""
SEND = """mutation($i: ID!, $b: String!, $c: String!) {
    sendMessage(conversationId: $i, body: $b, clientId: $c) { id } }"""
FOLLOW = "subscription($i: ID!, $a: String) { messageAdded(conversationId: $i, after: $a) { body cursor } }"
LOST = (httpx.TransportError, OSError, websockets.WebSocketException, asyncio.IncompleteReadError, AssertionError)
"""What a client sees of a server that is gone; an answer that is no acknowledgement is one of them."""
SECONDS_TO_FILL = 2.0


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


class House:
    """Two server processes over one database; either may be killed, and another takes its place."""

    def __init__(self, database: Database, platform: Platform, stack: AsyncExitStack) -> None:
        self.database = database
        self.servers: list[Server] = []
        self.doors: list[Deployment] = []
        self._app = Bedside(lambda: None)  # type: ignore[arg-type, return-value]
        self._app.platform = platform
        self._stack = stack

    async def start(self) -> tuple[Server, Deployment]:
        running = await self._stack.enter_async_context(server(self.database))
        door = Deployment(self._app, running.url)
        self._stack.push_async_callback(door.http.aclose)
        return running, door

    async def open(self) -> None:
        for running, door in await asyncio.gather(self.start(), self.start()):
            self.servers.append(running)
            self.doors.append(door)

    async def kill(self, which: int) -> None:
        """Kill a server and put another in its place; meanwhile the other one serves."""
        self.servers[which].kill()
        await self.servers[which].process.wait()
        self.servers[which], self.doors[which] = await self.start()


@asynccontextmanager
async def house(database: Database) -> AsyncGenerator[House]:
    async with AsyncExitStack() as stack:
        config = Config(database_url=database.dsn, testing=True, strict=True)
        platform = await stack.enter_async_context(assembled(config, bus=LocalBus()))
        found = House(database, platform, stack)
        await found.open()
        yield found


class Writer:
    """Sends messages one after the other, each until it is acknowledged, to whichever server is there."""

    def __init__(self, house: House, person: Person, conversation: str, name: str) -> None:
        self.house, self.person, self.conversation, self.name = house, person, conversation, name
        self.acknowledged: list[str] = []
        self.retries = 0

    async def write(self, number: int) -> None:
        body = f"{self.name}-{number}"
        for door in itertools.cycle(range(2)):
            with suppress(*LOST):
                async with asyncio.timeout(DEADLINE_SECONDS):
                    data = await self.house.doors[(number + door) % 2].data(
                        SEND, self.person.token, i=self.conversation, b=body, c=body
                    )
                assert data["sendMessage"]["id"]
                break
            self.retries += 1
        self.acknowledged.append(body)


class Reader:
    """Follows a conversation over whichever server is there, and resumes from the last cursor it has."""

    def __init__(self, house: House, person: Person, conversation: str, cursor: str, first: int) -> None:
        self.house, self.person, self.conversation, self.cursor = house, person, conversation, cursor
        self.read: list[str] = []
        self.resumed = -1
        self._doors = itertools.count(first)

    async def follow(self) -> None:
        while True:
            self.resumed += 1
            with suppress(*LOST):
                async with self.house.doors[next(self._doors) % 2].socket(self.person.token) as socket:
                    await self._listen(socket)

    async def _listen(self, socket: Socket) -> None:
        key = await socket.subscribe(FOLLOW, i=self.conversation, a=self.cursor)
        while True:
            message = (await socket.next(key))["messageAdded"]
            self.read.append(message["body"])
            self.cursor = message["cursor"]


@pytest.mark.rule("C13")
@pytest.mark.rule("C16")
@pytest.mark.promise("D1")
@pytest.mark.promise("D2")
@pytest.mark.promise("D5")
@pytest.mark.timeout(1200)
async def test_what_was_acknowledged_is_there_once_though_servers_are_killed(fresh_database: Database) -> None:
    sends, kills, readers, writers = size(80, 1000), size(1, 10), size(4, 20), 4
    async with house(fresh_database) as running:
        door = running.doors[0]
        practice = await door.practice()
        people = [await door.person(practice, name=f"P{number}") for number in range(writers)]
        made = (await door.data(GROUP, people[0].token, p=[person.id for person in people[1:]]))["createGroup"]
        writing = [Writer(running, person, made["id"], f"w{number}") for number, person in enumerate(people)]
        reading = [
            Reader(running, people[number % writers], made["id"], made["cursor"], number) for number in range(readers)
        ]
        following = [asyncio.create_task(reader.follow()) for reader in reading]
        chance = random.Random(7)
        points = sorted(chance.sample(range(sends // 10, sends * 9 // 10), kills))
        fills: list[float] = []

        async def write(writer: Writer) -> None:
            for number in range(sends // writers):
                await writer.write(number)

        def acknowledged() -> int:
            return sum(len(writer.acknowledged) for writer in writing)

        async def fell() -> None:
            for point in points:
                await until(lambda point=point: acknowledged() >= point, f"{point} messages", 600)
                await running.kill(chance.randrange(2))
                began, there = time.monotonic(), {body for writer in writing for body in writer.acknowledged}
                await until(lambda there=there: all(there <= set(each.read) for each in reading), "the gap filled", 120)
                fills.append(time.monotonic() - began)

        await asyncio.gather(fell(), *(write(writer) for writer in writing))
        table = await written(running.database)
        await until(lambda: all(len(reader.read) >= len(table) for reader in reading), "what was written, read", 120)
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        resumed, retries = sum(each.resumed for each in reading), sum(writer.retries for writer in writing)
        print(f"\n{sends} sends, {kills} kills, {retries} retries, {resumed} resumptions, gaps filled in {fills} s")

    sent = [body for writer in writing for body in writer.acknowledged]
    assert len(sent) == sends
    assert sorted(table) == sorted(sent)  # none missing, none twice
    for writer in writing:
        assert [body for body in table if body.startswith(f"{writer.name}-")] == writer.acknowledged
    for reader in reading:
        assert reader.read == table
    assert retries > 0
    assert resumed >= kills
    if full_size():
        assert max(fills) <= SECONDS_TO_FILL


async def written(database: Database) -> list[str]:
    """Return the bodies of all messages, in order."""
    connection = await asyncpg.connect(database.owner_dsn)
    try:
        return [row["body"] for row in await connection.fetch('SELECT body FROM message ORDER BY "position"')]
    finally:
        await connection.close()
