"""The bus over PostgreSQL's NOTIFY: one connection that tells and one that listens, each replaced when it dies."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, cast
from uuid import UUID

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import structlog

from bedside_core.database import DedicatedConnection
from bedside_core.live.background import must_pass, start, stop
from bedside_core.live.bus import Hear, Receive
from bedside_core.live.streams import Topic

log = structlog.get_logger("bedside.live")

CHANNEL = "bedside_live"
LONGEST_PAYLOAD = 7000
"""Most bytes of one notification; PostgreSQL refuses 8000 and more."""
MOST_WAITING = 100_000
"""Most topics that wait for a connection; beyond it news is dropped and left to the polls."""
SHORTEST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
LARGEST_POSITION = 2**63 - 1

_NOTIFY = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"


class PostgresBus:
    """Announcements by NOTIFY, batched after the commits; works as any role, which needs no grant for it.

    While the notifications of a batch are under way, the newest position of each topic is kept for the next batch.
    Inside the writers' own transactions NOTIFY would halve their rate: it takes a lock of the whole server at commit.

    Args:
        dsn: URL of the database as the application role; not through a pooler in transaction mode.
        heartbeat_seconds: how often a silent connection is asked for a sign of life.
        answer_seconds: how long an answer may take before the connection counts as dead.
    """

    def __init__(self, dsn: str, *, heartbeat_seconds: float = 2.0, answer_seconds: float = 2.0) -> None:
        self._dsn = dsn
        self._heartbeat = heartbeat_seconds
        self._answer = answer_seconds
        self._origin = secrets.token_hex(8)
        self._waiting: dict[Topic, int] = {}
        self._signals: dict[tuple[Topic, UUID], None] = {}
        self._hear: Hear = _nobody
        self._news = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._second_attempt = False
        self._open = False
        self.listening = False
        """Whether notifications are being heard just now."""
        self.sent = 0
        """Announcements sent, after those of one topic were merged."""
        self.notifications = 0
        """Notifications heard, those of this process included."""
        self.malformed = 0
        """Announcements heard that are no topic and position."""
        self.dropped = 0
        """Announcements given up; the other processes' polls find them."""
        self.reconnects = 0
        """Connections made in place of lost ones."""

    def publish(self, topic: Topic, position: int) -> None:
        """Keep an announcement for the next batch."""
        if position <= self._waiting.get(topic, -1):
            return
        if not self._open or (len(self._waiting) >= MOST_WAITING and topic not in self._waiting):
            self.dropped += 1
            return
        self._waiting[topic] = position
        self._all_sent.clear()
        self._news.set()

    def signal(self, topic: Topic, about: UUID) -> None:
        """Keep a signal for the next batch; while nothing can be sent, the same one is kept once."""
        if not self._open or len(self._signals) >= MOST_WAITING:
            self.dropped += 1
            return
        self._signals[topic, about] = None
        self._all_sent.clear()
        self._news.set()

    def hear(self, hear: Hear) -> None:
        """Have a function called with each signal of another process."""
        self._hear = hear

    @asynccontextmanager
    async def running(self, receive: Receive, catch_up: Callable[[], None]) -> AsyncGenerator[None, None]:
        """Keep both connections for the time of the block; at its end send what is left, for a limited time."""

        def heard(connection: Any, pid: int, channel: str, payload: str) -> None:
            self.notifications += 1
            self._heard(payload, receive)

        async def listen(connection: DedicatedConnection) -> None:
            await self._listen(connection, heard, catch_up)

        self._open = True
        self._all_sent.set()
        loops = [
            start(self._keep("listen", listen), "live bus listen"),
            start(self._keep("notify", self._notify), "live bus notify"),
        ]
        try:
            yield
        finally:
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._answer):
                        await self._all_sent.wait()
            finally:
                self._open = False
                await stop(*loops)
                self._waiting.clear()
                self._signals.clear()

    async def _keep(self, role: str, use: Callable[[DedicatedConnection], Awaitable[None]]) -> None:
        """Use a connection until it fails, then another one, for ever."""
        loop, pause, first, failing = asyncio.get_running_loop(), SHORTEST_PAUSE_SECONDS, True, False
        while True:
            since = loop.time()
            try:
                connection = await self._connect(role)
                self.reconnects += not first
                if failing:
                    log.info("live bus connected again", role=role)
                first = failing = False
                await _used(connection, use)
            except BaseException as error:
                if must_pass(error):
                    raise
                if not failing:  # once, not for each attempt of an outage
                    log.warning("live bus connection lost", role=role, failure=type(error).__name__, reason=str(error))
                failing = True
            if loop.time() - since > LONGEST_PAUSE_SECONDS:
                pause = SHORTEST_PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _connect(self, role: str) -> DedicatedConnection:
        return await cast("Any", asyncpg).connect(
            self._dsn,
            timeout=self._answer,
            command_timeout=self._answer,
            server_settings={"application_name": f"bedside live {role}"},
        )

    async def _listen(
        self,
        connection: DedicatedConnection,
        heard: Callable[[Any, int, str, str], None],
        catch_up: Callable[[], None],
    ) -> None:
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        await connection.add_listener(CHANNEL, heard)
        self.listening = True
        try:
            catch_up()
            await self._rest(connection, ended)
        finally:
            self.listening = False

    async def _notify(self, connection: DedicatedConnection) -> None:
        connection.add_termination_listener(lambda _: self._news.set())
        while True:
            await self._rest(connection, self._news)
            self._news.clear()
            batch, self._waiting = self._waiting, {}
            signals, self._signals = self._signals, {}  # one that can't be sent is too old once it could be
            if not batch and not signals:
                continue
            try:
                await connection.execute(_NOTIFY, CHANNEL, list(_payloads(self._origin, batch, signals)))
                self.sent += len(batch) + len(signals)
                self._second_attempt = False
            except BaseException:
                self._try_again(batch)
                raise
            finally:
                if not self._waiting and not self._signals:
                    self._all_sent.set()

    def _try_again(self, batch: Mapping[Topic, int]) -> None:
        # Once: should the batch itself be what the server does not take, it must not stop all news for ever.
        if self._second_attempt:
            self.dropped += len(batch)
        else:
            for topic, position in batch.items():
                self.publish(topic, position)
        self._second_attempt = not self._second_attempt

    async def _rest(self, connection: DedicatedConnection, event: asyncio.Event) -> None:
        """Wait for an event, which the connection's end sets too; a death without a word is found out by asking."""
        while not event.is_set():
            try:
                async with asyncio.timeout(self._heartbeat):
                    await event.wait()
            except TimeoutError:
                await connection.execute("SELECT 1")
        if connection.is_closed():
            raise ConnectionResetError("the server has ended the connection")

    def _heard(self, payload: str, receive: Receive) -> None:
        origin, *items = payload.split(" ")
        if origin == self._origin:
            return
        for item in items:
            news = _decoded(item)
            if news is None:
                self.malformed += 1
            elif isinstance(news[1], UUID):
                self._hear(news[0], news[1])
            else:
                receive(news[0], news[1])


async def _used(connection: DedicatedConnection, use: Callable[[DedicatedConnection], Awaitable[None]]) -> None:
    try:
        await use(connection)
    except asyncio.CancelledError:
        with suppress(Exception):
            await connection.close(timeout=1)
        raise
    except BaseException:
        connection.terminate()  # no leave is taken from a peer that may be dead
        raise


def _nobody(topic: Topic, about: UUID) -> None:
    """Take a signal that nobody wants."""


def _payloads(origin: str, batch: Mapping[Topic, int], signals: Iterable[tuple[Topic, UUID]] = ()) -> Iterator[str]:
    """Pack announcements and signals into few notifications: `origin kind:id:position … kind:id:~about …`."""
    parts, length = [origin], len(origin)
    items = [f"{topic.kind}:{topic.id.hex}:{position}" for topic, position in batch.items()]
    for item in [*items, *(f"{topic.kind}:{topic.id.hex}:~{about.hex}" for topic, about in signals)]:
        size = len(item.encode()) + 1
        if length + size > LONGEST_PAYLOAD:
            yield " ".join(parts)
            parts, length = [origin], len(origin)
        parts.append(item)
        length += size
    yield " ".join(parts)


def _decoded(item: str) -> tuple[Topic, int | UUID] | None:
    kind, _, rest = item.partition(":")
    key, _, digits = rest.partition(":")
    if kind and digits.startswith("~"):
        try:
            return Topic(kind, UUID(hex=key)), UUID(hex=digits[1:])
        except ValueError:
            return None
    if not (kind and digits.isascii() and digits.isdecimal() and len(digits) <= 19):
        return None
    position = int(digits)
    try:
        return (Topic(kind, UUID(hex=key)), position) if position <= LARGEST_POSITION else None
    except ValueError:
        return None
