"""A database that crashes, and listening connections that end, while people write: nothing is lost, nobody is deaf."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

import asyncpg
import pytest
import pytest_asyncio
from deployment import APPS, DEADLINE_SECONDS
from journeys.pressing import Follower, InboxFollower, Sender, cancelled, crowd, together
from journeys.processes import Site, site

from bedside_core.database import EmbeddedServer
from bedside_core.testing import Database, Templates, until
from rulebook import full_size, size

pytestmark = pytest.mark.asyncio(loop_scope="module")

BACK_SECONDS = 5.0
DEAF_SECONDS = 5.0
LISTENERS = "datname = current_database() AND application_name = 'bedside live listen'"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def durable(database_templates: Templates, database_core: str) -> AsyncGenerator[Site, None]:
    """Run two servers over a database that keeps in a crash what it has committed, unlike others of tests."""
    server, name = database_templates.server, database_templates.fresh_name()
    await server.create_database(name, template=await database_templates.name(database_core, APPS))
    owner = await asyncpg.connect(server.owner_dsn(name))
    await owner.execute(f"ALTER DATABASE {name} SET synchronous_commit = on")
    await owner.close()
    database = Database(name, server.application_dsn(name), server.owner_dsn(name))
    async with site(database, BEDSIDE_GRAPHQL_SESSION_BUDGET="1000000000") as running:
        yield running
    await server.drop_database(name)


@pytest.mark.rule("C13")
@pytest.mark.rule("C16")
@pytest.mark.promise("D3")
@pytest.mark.timeout(600)
async def test_a_crash_of_the_database_under_sends_loses_and_doubles_nothing(
    durable: Site, postgres_server: EmbeddedServer
) -> None:
    rate, seconds, writers, readers = size(40, 200), size(2, 10), size(4, 40), size(2, 4)
    people = await crowd(durable.doors[0], size(5, 9), "crash", durable.database.owner_dsn)
    reader = people.people.pop()  # writes nothing, so that all of it is unread
    each = rate * seconds // writers
    writing = [
        Sender(durable.doors, people.people[number % len(people.people)], people, f"w{number}", number)
        for number in range(writers)
    ]
    following = [Follower(durable.doors, reader, people, number) for number in range(readers)]
    inboxes = [InboxFollower(durable.doors, reader, people, number) for number in range(readers)]
    tasks = [asyncio.create_task(one.follow()) for one in (*following, *inboxes)]
    await asyncio.gather(*(one.open.wait() for one in (*following, *inboxes)))

    def acknowledged() -> int:
        return sum(len(one.acknowledged) for one in writing)

    began = time.monotonic()
    pressing = asyncio.gather(*(one.press(rate / writers, each) for one in writing))
    await until(lambda: acknowledged() >= each * writers // 3, "the first third", DEADLINE_SECONDS * 3)
    reached = acknowledged() / (time.monotonic() - began)
    fell = time.monotonic()
    await postgres_server.restart("immediate")
    back = time.monotonic()
    await pressing
    table = await people.table()
    whole = (len(table), table[-1])
    await until(lambda: all(one.shows == whole for one in inboxes), "the inboxes' last", DEADLINE_SECONDS * 2)
    await until(lambda: all(len(one.read) >= len(table) for one in following), "the rest", DEADLINE_SECONDS * 2)
    caught_up = time.monotonic() - back
    await cancelled(tasks)

    again = [min(at for one in writing for at, door in one.when if door == n and at > back) - back for n in range(2)]
    told = together(one.told for one in (*writing, *following, *inboxes))
    print(
        f"\n{len(table)} sent, {reached:.0f} a second before the crash; away {back - fell:.2f} s; acknowledged again "
        f"after {again} s; all read {caught_up:.1f} s after; {told}; "
        f"{sum(one.resumed for one in (*following, *inboxes))} resumptions"
    )
    sent = [body for one in writing for body in one.acknowledged]
    assert len(sent) == each * writers
    assert sorted(table) == sorted(sent)  # none lost, none twice
    for one in writing:
        assert [body for body in table if body.startswith(f"{one.name}-")] == one.acknowledged
    for one in following:
        assert one.read == table
    assert told.codes or told.lost
    if full_size():
        assert max(again) <= BACK_SECONDS


@pytest.mark.rule("C16")
@pytest.mark.promise("D3")
@pytest.mark.timeout(600)
async def test_an_inbox_is_told_though_the_listening_connections_are_ended(durable: Site) -> None:
    people = await crowd(durable.doors[0], 2, "deaf", durable.database.owner_dsn)
    ada, ben = people.people
    inboxes = [InboxFollower(durable.doors[number:], ben, people, 0) for number in (0, 1)]
    tasks = [asyncio.create_task(one.follow()) for one in inboxes]
    await until(lambda: all(one.state[0] for one in inboxes), "both devices", DEADLINE_SECONDS)
    sender, took = Sender(durable.doors, ada, people, "m", 0), list[float]()
    owner = await asyncpg.connect(durable.database.owner_dsn)

    async def listen() -> bool:
        return await owner.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {LISTENERS}") == 2

    for number in range(size(4, 40)):  # at each of the servers in turn
        await until(listen, "both servers listening", DEADLINE_SECONDS)
        ended = await owner.fetch(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {LISTENERS}")
        assert [row[0] for row in ended] == [True, True]
        began = time.monotonic()
        await sender.send(number)
        await until(lambda n=number: all(one.shows == (n + 1, f"m-{n}") for one in inboxes), "the message", 30)
        took.append(time.monotonic() - began)
    await owner.close()
    await cancelled(tasks)
    resumed = [one.resumed for one in inboxes]
    print(f"\n{len(took)} times both were ended; told after {max(took):.2f} s at most; resumed {resumed}")
    assert resumed == [0, 0]  # who follows need not know of it
    if full_size():
        assert max(took) <= DEAF_SECONDS
