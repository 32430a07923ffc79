"""Clients that stop reading, and servers that are told to stop, while people write: the others notice nothing."""

from __future__ import annotations

import asyncio
import socket as sockets
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import pytest_asyncio
import websockets
from deployment import APPS, DEADLINE_SECONDS, Deployment, Person
from journeys.pressing import Crowd, Follower, Sender, cancelled, crowd, together
from journeys.processes import Site, server, site

from bedside_core.testing import Database, Templates, until
from rulebook import full_size, size

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENVIRONMENT = {"BEDSIDE_GRAPHQL_SESSION_BUDGET": "1000000000"}
QUICK = {
    "BEDSIDE_GRAPHQL_SEND_SECONDS": "1",
    "BEDSIDE_GRAPHQL_PING_SECONDS": "2",
    "BEDSIDE_GRAPHQL_PONG_SECONDS": "1.5",
}
"""What ends a client that does not read, in seconds; the defaults at full size."""
MUCH = f"""subscription($i: ID!, $a: String) {{ conversationEvents(conversationId: $i, after: $a) {{ __typename
    ... on MessageChanged {{ cursor message {{ body {" ".join(f"b{n}: body" for n in range(25))} }} }}
    ... on ParticipantChanged {{ cursor }} ... on ConversationChanged {{ cursor }} }} }}"""
LITTLE = """subscription($i: ID!, $a: String) { conversationEvents(conversationId: $i, after: $a) {
    ... on MessageChanged { cursor } } }"""
TOO_SLOW, NO_PONG, RESTART = (
    (4431, "Messages were not taken in time"),
    (4432, "No pong"),
    (1012, "Service restart"),
)
MOST_QUEUED = 32 << 20
"""Bytes by which the server may grow while somebody does not read."""
NOISE_SECONDS = 0.02
"""By how much a p99 differs on a busy machine, whoever reads or not."""
STOP_SECONDS = 10.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(database_templates: Templates, database_core: str) -> AsyncGenerator[Site, None]:
    """Run two servers that close the sockets of those who don't read sooner than usual, except at full size."""
    server_, name = database_templates.server, database_templates.fresh_name()
    await server_.create_database(name, template=await database_templates.name(database_core, APPS))
    database = Database(name, server_.application_dsn(name), server_.owner_dsn(name))
    async with site(database, 2, **ENVIRONMENT, **({} if full_size() else QUICK)) as running:
        yield running
    await server_.drop_database(name)


class Subscriber:
    """Somebody who follows on a socket of their own, and may stop reading it; the kernel keeps little for them."""

    def __init__(self, door: Deployment, person: Person, where: Crowd, document: str) -> None:
        self.document = document
        self.cursors: list[str] = []
        self.came: list[float] = []
        """When each of `cursors` came."""
        self.port = 0
        self._door, self._person, self._where = door, person, where
        self._task: asyncio.Task[None] | None = None

    async def open(self, stack: AsyncExitStack) -> None:
        """Subscribe to what comes after the last event."""
        raw, address = sockets.socket(), urlsplit(self._door.url)
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 65_536)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, (address.hostname, address.port))
        options: dict[str, Any] = {"sock": raw, "max_queue": 1, "ping_interval": None, "close_timeout": 1}
        self._socket = await stack.enter_async_context(self._door.socket(self._person.token, **options))
        self.port = raw.getsockname()[1]
        after = self.cursors[-1] if self.cursors else self._where.cursor
        self._key = await self._socket.subscribe(self.document, i=self._where.conversation, a=after)

    def read(self) -> None:
        """Read from now on."""
        self._task = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """Read no more."""
        assert self._task is not None
        await cancelled([self._task])

    async def closed(self) -> tuple[int, str] | None:
        """Read what there is up to the close; return what that says, or None where the connection has just ended."""
        try:
            await self._read()
        except websockets.ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd is not None else None

    async def _read(self) -> None:
        while True:
            event = (await self._socket.next(self._key))["conversationEvents"]
            self.came.append(time.perf_counter())
            self.cursors.append(event["cursor"])


def connected(process: psutil.Process, port: int) -> bool:
    """Whether a process has a connection to a port."""
    return any(each.raddr and each.raddr.port == port for each in process.net_connections("tcp"))


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 99 // 100]


@pytest.mark.rule("C16")
@pytest.mark.promise("D4")
@pytest.mark.timeout(900)
async def test_who_stops_reading_is_closed_and_resumes_and_the_others_notice_nothing(pair: Site) -> None:
    number, rate, seconds = size(12, 100), size(8, 5), size(4, 60)
    count = rate * seconds
    process = psutil.Process(pair.servers[0].process.pid)
    where = await crowd(pair.doors[0], size(3, 8), "deaf", pair.database.owner_dsn)
    sender = Sender(pair.doors[:1], where.people[0], where, "m", 0)
    sender.length = 2_000
    began: list[float] = []
    sizes: list[int] = []

    async def write() -> None:
        start = time.perf_counter()
        for each in range(count):
            await asyncio.sleep(max(0.0, start + each / rate - time.perf_counter()))
            began.append(time.perf_counter())
            await sender.send(len(began))
            sizes.append(process.memory_info().rss)

    async with AsyncExitStack() as stack:
        people = [where.people[each % len(where.people)] for each in range(number)]
        much, little, *others = [
            Subscriber(pair.doors[0], person, where, LITTLE if each else MUCH) for each, person in enumerate(people)
        ]
        everybody = [much, little, *others]
        for each in everybody:
            await each.open(stack)
            each.read()
        for phase in (1, 2):
            await write()
            await until(
                lambda n=phase: all(len(each.cursors) == n * count for each in others), "the rest", DEADLINE_SECONDS
            )
            if phase == 1:
                await until(lambda: len(much.cursors) == len(little.cursors) == count, "theirs", DEADLINE_SECONDS)
                await asyncio.gather(much.stop(), little.stop())
                before = max(sizes)
        await until(lambda: not connected(process, much.port), "the end of who takes nothing", DEADLINE_SECONDS)
        assert all(connected(process, each.port) for each in others)
        heard = [await each.closed() for each in (much, little)]
        kept = [len(each.cursors) - count for each in (much, little)]
        for each in (much, little):
            await each.open(stack)
            each.read()
        await until(lambda: all(len(each.cursors) == 2 * count for each in (much, little)), "theirs", DEADLINE_SECONDS)
        for each in everybody:
            await each.stop()

    times = [
        [each.came[n] - began[n] for each in others for n in part] for part in (range(count), range(count, 2 * count))
    ]
    first, second = map(p99, times)
    print(
        f"\n{number} subscribers, {count} messages before and during; p99 {first * 1e3:.1f} and {second * 1e3:.1f} ms; "
        f"memory grew by {(max(sizes) - before) >> 10} KiB; closed {heard} with {kept} of {count} events in the kernel"
    )
    assert {tuple(each.cursors) for each in everybody} == {tuple(others[0].cursors)}
    assert len(await where.table()) == 2 * count == len(set(others[0].cursors))
    assert heard[0] in {TOO_SLOW, None}  # where nothing more goes into its connection, the close does not either
    assert heard[1] == NO_PONG
    assert max(sizes) - before < MOST_QUEUED
    if full_size():
        assert second <= max(1.2 * first, first + NOISE_SECONDS)


@pytest.mark.rule("C13")
@pytest.mark.rule("C16")
@pytest.mark.promise("D6")
@pytest.mark.timeout(600)
async def test_a_server_that_is_told_to_stop_loses_nothing_and_says_so(pair: Site) -> None:
    rate, seconds, writers, readers = size(40, 200), size(2, 10), size(4, 40), size(4, 20)
    where = await crowd(pair.doors[0], 8, "stop", pair.database.owner_dsn)
    async with server(pair.database, **ENVIRONMENT) as stopping:
        doors = [Deployment(pair.doors[0].app, stopping.url), pair.doors[1]]
        writing = [
            Sender(doors, where.people[each % len(where.people)], where, f"w{each}", each) for each in range(writers)
        ]
        following = [Follower(doors, where.people[each % len(where.people)], where, each) for each in range(readers)]
        tasks = [asyncio.create_task(each.follow()) for each in following]
        await asyncio.gather(*(each.open.wait() for each in following))

        def acknowledged() -> int:
            return sum(len(each.acknowledged) for each in writing)

        pressing = asyncio.gather(*(each.press(rate / writers, rate * seconds // writers) for each in writing))
        await until(lambda: acknowledged() >= rate * seconds // 3, "the first third", DEADLINE_SECONDS * 3)
        told = time.monotonic()
        stopping.process.terminate()
        await stopping.process.wait()
        gone = time.monotonic() - told
        await pressing
        table = await where.table()
        await until(lambda: all(len(each.read) >= len(table) for each in following), "the rest", DEADLINE_SECONDS * 2)
        await cancelled(tasks)
        await doors[0].http.aclose()

    print(
        f"\n{len(table)} sent, the process gone after {gone:.2f} s; senders {together(each.told for each in writing)}; "
        f"readers {together(each.told for each in following)}"
    )
    sent = [body for each in writing for body in each.acknowledged]
    assert len(sent) == rate * seconds
    assert sorted(table) == sorted(sent)  # none lost, none twice
    assert stopping.process.returncode == 0
    assert gone <= STOP_SECONDS
    for each in following:
        assert each.read == table
    assert [each.told.closes for each in following[::2]] == [[RESTART]] * (readers // 2)
    assert [each.told.closes for each in following[1::2]] == [[]] * (readers // 2)
