"""Announcements between processes over PostgreSQL, whose connections are cut, killed and frozen meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
from live_stage import KIND, Subscriber, messages, topic, turns, until
from pytest_asyncio import fixture

from bedside_core.database import DB, EmbeddedServer
from bedside_core.live import Live, PostgresBus, StreamKind, Topic
from bedside_core.testing import Database
from rulebook import size

HOUR = 3600.0
HEAR = "bedside live listen"
TELL = "bedside live notify"


class Process:
    """What one server process has of the live streams."""

    def __init__(self, dsn: str, poll_seconds: float = HOUR, **options: float) -> None:
        self.bus = PostgresBus(dsn, **options)
        self.live = Live(self.bus, poll_seconds=poll_seconds)
        self.live.add_kind(StreamKind(KIND, positions, "Number of messages."))

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Process, None]:
        async with self.live.running():
            await until(lambda: self.bus.listening, "listening")
            yield self


async def positions(keys: Sequence[UUID]) -> Mapping[UUID, int]:
    rows = await DB.fetch("SELECT id, position FROM stage_stream WHERE id = ANY ($1)", keys)
    return {row["id"]: row["position"] for row in rows}


def reader(here: Topic) -> Callable[[int], asyncio.Future[list[tuple[int, str]]]]:
    async def read(cursor: int) -> list[tuple[int, str]]:
        rows = await DB.fetch(
            "SELECT position, body FROM stage_message WHERE stream = $1 AND position > $2 ORDER BY position LIMIT 5",
            here.id,
            cursor,
        )
        return [(row["position"], row["body"]) for row in rows]

    return lambda cursor: asyncio.ensure_future(read(cursor))


async def send(here: Topic) -> int:
    """Commit one message as the architecture says: the stream's row lock makes commit order and position order one."""
    async with DB.transaction():
        position = await DB.fetchval(
            "UPDATE stage_stream SET position = position + 1 WHERE id = $1 RETURNING position", here.id
        )
        await DB.execute("INSERT INTO stage_message VALUES ($1, $2, $3)", here.id, position, f"m{position}")
    return position


async def new_stream() -> Topic:
    here = topic()
    await DB.execute("INSERT INTO stage_stream VALUES ($1, 0)", here.id)
    return here


async def kill(role: str) -> int:
    """End the connections of a role of the bus, from the server's side; return how many."""
    return await DB.fetchval(
        """SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
           WHERE application_name = $1 AND datname = current_database()""",
        role,
    )


async def notify(payload: str) -> None:
    await DB.execute("SELECT pg_notify('bedside_live', $1)", payload)


@fixture
async def dsn(database: Database) -> str:
    """A database with streams and messages, reached as the application's role."""
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute(
        """CREATE TABLE stage_stream (id uuid PRIMARY KEY, position bigint NOT NULL);
           CREATE TABLE stage_message (stream uuid, position bigint, body text, PRIMARY KEY (stream, position));
           GRANT SELECT, INSERT, UPDATE ON stage_stream, stage_message TO bedside_application"""
    )
    await owner.close()
    return database.dsn


@pytest.mark.promise("D5")
async def test_an_announcement_reaches_the_other_process_and_its_own_does_not_come_back(dsn: str) -> None:
    here = topic()
    async with Process(dsn).running() as one, Process(dsn).running() as other:
        with one.live.attach(here) as at_home, other.live.attach(here) as away:
            one.live.publish(here, 3)
            assert await at_home.wait() == 3
            assert await asyncio.wait_for(away.wait(), 5) == 3
            await until(lambda: one.bus.notifications == 1, "its own echo")
    assert (one.live.counts.published, one.live.counts.received, one.bus.sent) == (1, 0, 1)
    assert (other.live.counts.published, other.live.counts.received, other.bus.sent) == (0, 1, 0)
    assert other.live.counts.found_by_poll == 0


async def test_the_bus_carries_nothing_but_kind_id_and_position(dsn: str) -> None:
    here, heard = topic(), list[str]()
    listener = await DB.dedicated()
    await listener.add_listener("bedside_live", lambda _c, _p, _ch, payload: heard.append(payload))
    async with Process(dsn).running() as one:
        one.live.publish(here, 12)
        await until(lambda: bool(heard), "the notification")
    await listener.close()
    origin, item = heard[0].split(" ")
    assert len(heard) == 1
    assert len(origin) == 16
    assert item == f"{KIND}:{here.id.hex}:12"


async def test_ten_thousand_announcements_of_a_topic_travel_as_one(dsn: str) -> None:
    here = topic()
    async with Process(dsn).running() as one, Process(dsn).running() as other:
        with other.live.attach(here) as wake:
            for position in range(1, 10_001):
                one.live.publish(here, position)
            one.live.publish(here, 17)  # its commit was earlier, its announcement late
            assert await asyncio.wait_for(wake.wait(), 5) == 10_000
    assert (one.live.counts.published, one.bus.sent) == (10_001, 1)
    assert (other.bus.notifications, other.live.counts.received) == (1, 1)


async def test_ten_thousand_topics_travel_in_few_notifications_none_too_long(dsn: str) -> None:
    topics = [topic() for _ in range(10_000)]
    async with Process(dsn).running() as one, Process(dsn).running() as other:
        attachments = [other.live.attach(here) for here in topics]
        for here in topics:
            one.live.publish(here, 1)
        woken = await asyncio.wait_for(asyncio.gather(*(wake.wait() for wake in attachments)), 20)
        for wake in attachments:
            wake.close()
    assert woken == [1] * 10_000
    assert (one.bus.sent, other.live.counts.received) == (10_000, 10_000)
    assert other.bus.notifications < 10_000 * 60 / 6900
    assert other.live.topics == 0


async def test_what_nobody_should_send_is_counted_and_ignored(dsn: str) -> None:
    here = topic()
    bad = [
        "",
        "nonsense",
        f"{KIND}:{here.id.hex}",
        f"{KIND}:{here.id.hex}:",
        f"{KIND}:{here.id.hex}:-1",
        f"{KIND}:{here.id.hex}:+1",
        f"{KIND}:{here.id.hex}:1_0",
        f"{KIND}:{here.id.hex}:٣",
        f"{KIND}:{here.id.hex}:1:2",
        f"{KIND}:{here.id.hex}:{2**63}",
        f"{KIND}:{here.id.hex}:{'9' * 5000}",
        f"{KIND}:{here.id.hex[:-1]}:1",
        f":{here.id.hex}:1",
    ]
    async with Process(dsn).running() as one:
        with one.live.attach(here) as wake:
            for item in bad:
                await notify(f"stranger {item}")
            await notify("")
            await notify(" ".join(["stranger", "nonsense", f"unheard_of:{here.id.hex}:9", f"{KIND}:{here.id.hex}:1"]))
            assert await asyncio.wait_for(wake.wait(), 5) == 1
    assert one.bus.malformed == len(bad) + 1
    assert one.live.counts.received == 2


@pytest.mark.promise("D3")
async def test_a_killed_listener_is_replaced_and_what_it_missed_is_looked_up(dsn: str) -> None:
    here = await new_stream()
    async with Process(dsn).running() as one, Process(dsn).running() as other:
        client = Subscriber(other.live, here, reader(here))
        client.resume()
        for count in range(1, 6):
            assert await kill(HEAR) == 2
            one.live.publish(here, await send(here))
            await until(lambda: len(client.got) == count, f"message {count}", seconds=5)  # noqa: B023
            await until(lambda: one.bus.reconnects == other.bus.reconnects == count, "other connections", 5)  # noqa: B023
            await until(lambda: one.bus.listening and other.bus.listening, "listening again", seconds=5)
        one.live.publish(here, await send(here))
        await until(lambda: len(client.got) == 6, "a message after all that")
        await client.cut()
    assert client.got == messages(6)


@pytest.mark.promise("D3")
async def test_a_killed_notifier_is_replaced_and_its_batch_is_sent_again(dsn: str) -> None:
    here = topic()
    async with Process(dsn).running() as one, Process(dsn).running() as other:
        with other.live.attach(here) as wake:
            for position in range(1, 6):
                one.live.publish(here, 10 * position)
                assert await asyncio.wait_for(wake.wait(), 5) == 10 * position
                assert await kill(TELL) >= 1
                one.live.publish(here, 10 * position + 1)
                assert await asyncio.wait_for(wake.wait(), 5) == 10 * position + 1
    assert one.bus.dropped == 0
    assert one.bus.reconnects == 5


@pytest.mark.promise("D3")
async def test_nobody_stays_deaf_when_the_server_restarts(dsn: str, postgres_server: EmbeddedServer) -> None:
    here = await new_stream()
    async with Process(dsn).running() as one, Process(dsn).running() as other:
        clients = [Subscriber(process.live, here, reader(here)) for process in (one, other)]
        for client in clients:
            client.resume()
        one.live.publish(here, await send(here))
        await until(lambda: all(client.got == ["m1"] for client in clients), "the first message")
        await postgres_server.restart()
        one.live.publish(here, await send(here))
        await until(lambda: all(len(client.got) == 2 for client in clients), "the second message", seconds=5)
        await until(lambda: one.bus.listening and other.bus.listening, "listening again", seconds=5)
        other.live.publish(here, await send(here))
        await until(lambda: all(len(client.got) == 3 for client in clients), "the third message", seconds=5)
        for client in clients:
            await client.cut()
    assert [client.got for client in clients] == [messages(3)] * 2


class Proxy:
    """Stands between a bus and its server, and can freeze its connections: both ends stay open and nothing passes."""

    def __init__(self, server_socket: Path) -> None:
        self._server_socket = server_socket
        self._connections: list[tuple[asyncio.Event, asyncio.StreamWriter, asyncio.StreamWriter]] = []

    @asynccontextmanager
    async def running(self, folder: Path) -> AsyncGenerator[None, None]:
        server = await asyncio.start_unix_server(self._serve, folder / ".s.PGSQL.5432")
        try:
            yield
        finally:
            server.close()
            for _, ours, theirs in self._connections:
                ours.transport.abort()
                theirs.transport.abort()

    def freeze(self) -> None:
        for open_, _, _ in self._connections:
            open_.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._server_socket)
        open_ = asyncio.Event()
        open_.set()
        self._connections.append((open_, writer, server_writer))

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                await open_.wait()
                sink.write(data)
            sink.close()

        with suppress(asyncio.CancelledError):  # at the loop's end; asyncio's server would report it as an error
            await asyncio.gather(pump(reader, server_writer), pump(server_reader, writer), return_exceptions=True)


@pytest.mark.promise("D3")
async def test_connections_that_die_without_a_word_are_found_out_and_replaced(dsn: str, tmp_path: Path) -> None:
    here = await new_stream()
    url = urlsplit(dsn)
    proxy = Proxy(Path(parse_qs(url.query)["host"][0]) / ".s.PGSQL.5432")
    through = f"postgresql://{url.username}@{url.path}?host={quote(str(tmp_path))}"
    patience = {"heartbeat_seconds": 0.05, "answer_seconds": 1.0}
    async with (
        proxy.running(tmp_path),
        Process(through, **patience).running() as one,
        Process(dsn).running() as other,
    ):
        there, back = (Subscriber(process.live, here, reader(here)) for process in (one, other))
        there.resume()
        back.resume()
        await until(lambda: one.live.attached == other.live.attached == 1, "both attached")
        for count in (1, 3):
            proxy.freeze()
            one.live.publish(here, await send(here))
            other.live.publish(here, await send(here))
            await until(lambda: len(there.got) == len(back.got) == count + 1, "both messages", 5)  # noqa: B023
            await until(lambda: one.bus.reconnects >= count + 1, "two new connections", 5)  # noqa: B023
            await until(lambda: one.bus.listening, "listening again", 5)
            # What a poll has found meanwhile may still wait to be told; a batch that fails twice is given up.
            await until(lambda: one.bus.sent == (count + 1) // 2, "the announcement sent", 5)  # noqa: B023
        await there.cut()
        await back.cut()
    assert there.got == back.got == messages(4)
    assert one.bus.dropped == 0


async def test_a_batch_the_server_does_not_take_is_given_up_and_news_goes_on(dsn: str) -> None:
    here = topic()
    async with Process(dsn).running() as one, Process(dsn).running() as other:
        with other.live.attach(here) as wake:
            one.live.publish(Topic("x" * 9000, uuid4()), 1)
            await until(lambda: one.bus.dropped == 1, "giving up after the second attempt")
            one.live.publish(here, 1)
            assert await asyncio.wait_for(wake.wait(), 5) == 1


async def test_what_was_announced_last_is_sent_before_the_process_stops(dsn: str) -> None:
    here = topic()
    async with Process(dsn).running() as other:
        with other.live.attach(here) as wake:
            short = Process(dsn)
            async with short.live.running():  # a command: its connection is not even open yet
                short.live.publish(here, 5)
            assert await asyncio.wait_for(wake.wait(), 5) == 5
    assert (short.bus.sent, short.bus.dropped) == (1, 0)


async def test_a_stopped_bus_leaves_no_connection_and_task_and_keeps_nothing(dsn: str) -> None:
    tasks = asyncio.all_tasks()
    process = Process(dsn)
    for round in (1, 2):
        async with process.running():
            process.live.publish(topic(), 1)
        assert asyncio.all_tasks() == tasks
        assert await kill(HEAR) == await kill(TELL) == 0
        assert process.bus.sent == round
    process.live.publish(topic(), 1)
    assert (process.bus.sent, process.bus.dropped) == (2, 1)


async def test_a_bus_without_a_server_stops_promptly_and_gives_up_what_is_left(tmp_path: Path) -> None:
    bus = PostgresBus(f"postgresql://nobody@/nothing?host={quote(str(tmp_path))}", answer_seconds=0.05)
    live = Live(bus)
    async with asyncio.timeout(5), live.running():
        live.publish(topic(), 1)
        await turns()
    assert (bus.sent, bus.listening) == (0, False)


@pytest.mark.promise("D2")
@pytest.mark.promise("D5")
@pytest.mark.parametrize("seed", range(size(3, 50)))
async def test_two_processes_with_cuts_and_kills_lose_and_double_nothing(dsn: str, seed: int) -> None:
    chance = random.Random(seed)
    streams = [await new_stream() for _ in range(3)]
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(Process(dsn, poll_seconds=0.2).running()) for _ in range(2)]
        subscribers = [
            Subscriber(process.live, here, reader(here)) for process in processes for here in streams for _ in range(2)
        ]

        async def write() -> None:
            for _ in range(60):
                here = chance.choice(streams)
                position = await send(here)
                if chance.random() < 0.9:  # else it died between commit and announcement
                    chance.choice(processes).live.publish(here, position)

        async def disturb() -> None:
            for _ in range(120):
                subscriber = chance.choice(subscribers)
                await subscriber.cut()
                await turns(chance.randrange(30))
                subscriber.resume()
                if chance.random() < 0.05:
                    await kill(chance.choice((HEAR, TELL)))

        for subscriber in subscribers:
            subscriber.resume()
        await asyncio.gather(disturb(), *(write() for _ in range(4)))
        written = await positions([here.id for here in streams])
        want = [messages(written[here.id]) for _ in processes for here in streams for _ in range(2)]
        await until(
            lambda: all(len(s.got) >= len(w) for s, w in zip(subscribers, want, strict=True)), "everything", seconds=5
        )
        for subscriber in subscribers:
            await subscriber.cut()
        assert [subscriber.got for subscriber in subscribers] == want
        assert sum(written.values()) == 240
        assert [process.live.attached for process in processes] == [0, 0]
