"""The stage on which live streams are tested: a store in memory, a bus that loses on command, clients that are cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from bedside_core.live import Live, StreamKind, Topic, follow
from bedside_core.live.bus import Hear, Receive

KIND = "conversation"
DEADLINE_SECONDS = 10.0


def topic() -> Topic:
    """A topic nobody has used."""
    return Topic(KIND, uuid4())


async def until(condition: Callable[[], bool], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until something holds, or fail saying what did not come about."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - conditions of every kind; tests can't hook an event into each
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None


async def turns(count: int = 20) -> None:
    """Let every other task run until it waits for something from outside."""
    for _ in range(count):
        await asyncio.sleep(0)


class Store:
    """Stands for PostgreSQL: rows and positions, there from the commit on. Reading takes some turns of the loop."""

    def __init__(self, page: int = 3) -> None:
        self.position: dict[UUID, int] = {}
        self.statements = 0
        self.reads = 0
        self._page = page
        self.kind = StreamKind(KIND, self.positions, "Number of messages.")

    def commit(self, key: UUID) -> int:
        self.position[key] = self.position.get(key, 0) + 1
        return self.position[key]

    async def positions(self, keys: Sequence[UUID]) -> Mapping[UUID, int]:
        self.statements += 1
        seen = {key: self.position[key] for key in keys if key in self.position}
        await turns(2)  # the answer is on its way: it may be old when it comes
        return seen

    def reader(self, key: UUID) -> Callable[[int], asyncio.Future[list[tuple[int, str]]]]:
        async def read(cursor: int) -> list[tuple[int, str]]:
            self.reads += 1
            await turns(1)
            last = min(self.position.get(key, 0), cursor + self._page)
            rows = [(position, f"m{position}") for position in range(cursor + 1, last + 1)]
            await turns(1)
            return rows

        return lambda cursor: asyncio.ensure_future(read(cursor))


class Network:
    """Carries announcements between nodes when, as often, and in which order the test says."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.under_way: list[tuple[Node, Topic, int]] = []

    def node(self) -> Node:
        self.nodes.append(Node(self))
        return self.nodes[-1]

    def deliver(self, index: int, *, keep: bool = False) -> None:
        if self.under_way:
            index %= len(self.under_way)
            node, topic, position = self.under_way[index] if keep else self.under_way.pop(index)
            if node.receive is not None:
                node.receive(topic, position)

    def drop(self, index: int) -> None:
        if self.under_way:
            self.under_way.pop(index % len(self.under_way))


class Node:
    """One process's end of a `Network`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.receive: Receive | None = None
        self.heard: Hear | None = None

    def publish(self, topic: Topic, position: int) -> None:
        self._network.under_way += [(node, topic, position) for node in self._network.nodes if node is not self]

    def signal(self, topic: Topic, about: UUID) -> None:
        for node in self._network.nodes:
            if node is not self and node.heard is not None and node.receive is not None:
                node.heard(topic, about)

    def hear(self, hear: Hear) -> None:
        self.heard = hear

    @asynccontextmanager
    async def running(self, receive: Receive, catch_up: Callable[[], None]) -> AsyncGenerator[None, None]:
        self.receive = receive
        try:
            yield
        finally:
            self.receive = None


class Subscriber:
    """A client that keeps what it got, can be cut at any moment, and resumes from its cursor."""

    def __init__(self, live: Live, topic: Topic, read: Callable[[int], asyncio.Future[list[tuple[int, str]]]]) -> None:
        self._live = live
        self._topic = topic
        self._read = read
        self._task: asyncio.Task[None] | None = None
        self.got: list[str] = []

    @property
    def connected(self) -> bool:
        return self._task is not None and not self._task.done()

    def resume(self) -> None:
        if not self.connected:
            if self._task is not None and not self._task.cancelled():
                self._task.result()  # it failed: say so
            self._task = asyncio.create_task(self._follow())

    async def cut(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            if not self._task.cancelled():
                self._task.result()

    async def _follow(self) -> None:
        async for message in follow(self._live, self._topic, self._read, len(self.got)):
            self.got.append(message)


def messages(count: int) -> list[str]:
    """What a subscriber that saw each of the first messages once and in order has got."""
    return [f"m{position}" for position in range(1, count + 1)]
