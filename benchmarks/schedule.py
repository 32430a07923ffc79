"""`schedule`: a practitioner's free slots of a month and the week of fifty, while appointments grow to 20 thousand."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn

from bedside_core.app import create_app
from bedside_core.database import Engine

from .costs import FLAT, Cost, cost, growth, medians
from .deployment import Deployment, deployed
from .load import Unexpected, asked
from .machine import Tree, described
from .results import table
from .servers import READY_SECONDS, bedside

PRACTITIONERS = 50
PATIENTS = 2_000
IN_WEEK = 10
"""Appointments of each practitioner in the week that is looked at, however many there are besides."""
UNLIMITED = "1000000000"
READY = "{ __typename }"
SLOTS = """query($m: [ID!], $f: DateTime!, $t: DateTime!, $a: String) {
  slots(memberIds: $m, from: $f, to: $t, first: 100, after: $a) {
    nodes { startsAt endsAt kinds } pageInfo { endCursor hasNextPage } } }"""
WEEK = """query($f: DateTime!, $t: DateTime!, $a: String) { appointments(from: $f, to: $t, first: 100, after: $a) {
  nodes { id kind state startsAt endsAt type { name } members { name } patients { patient { firstName lastName } } }
  pageInfo { endCursor hasNextPage } } }"""
OPERATIONS = {
    "free": "the first 100 free slots of one practitioner in 31 days",
    "slots": "all of them, in pages of 100",
    "page": "the first 100 appointments of a week of all practitioners, with people and types",
    "week": f"that whole week, {PRACTITIONERS * IN_WEEK} appointments in pages of 100",
}


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Args:
        appointments: in the practice.
        rounds: how often each is asked in turn.
        times: how often in each round.
    """

    appointments: Sequence[int] = (1_000, 20_000)
    rounds: int = 5
    times: int = 40


@dataclass(frozen=True)
class Client:
    """Somebody of the practice who looks at its schedule.

    Args:
        url: where operations go.
        token: their sign-in.
        practitioner: one of fifty.
        week: eight o'clock on the Monday of the week.
    """

    url: str
    token: str
    practitioner: str
    week: datetime

    async def do(self, name: str) -> int:
        """Do an operation and return how many things came."""
        begins = self.week - timedelta(hours=8)
        slots = name in {"free", "slots"}
        span = {"f": begins.isoformat(), "t": (begins + timedelta(days=31 if slots else 7)).isoformat()}
        query, given = (SLOTS, {"m": self.practitioner, **span}) if slots else (WEEK, span)
        number, after = 0, None
        while True:
            [found] = (await asked(self.url, self.token, query, {"a": after, **given})).values()
            number, after = number + len(found["nodes"]), found["pageInfo"]["endCursor"]
            if name in {"free", "page"} or not found["pageInfo"]["hasNextPage"]:
                return number


async def run(options: Options) -> str:
    """Measure, and return the section for RESULTS.md."""
    about = described()
    now = datetime.now(UTC)
    week = now.replace(hour=8, minute=0, second=0, microsecond=0) + timedelta(days=14 - now.weekday())
    with tempfile.TemporaryDirectory(prefix="bedside-benchmark-") as folder:
        async with deployed(Path(folder)) as deployment:
            token = await deployment.token(await deployment.viewer(0))
            practitioner, *_ = await deployment.rota(PRACTITIONERS, PATIENTS)
            given = {"ready": READY, "token": token, "graphql_session_budget": UNLIMITED}
            found: dict[int, dict[str, Cost]] = {}
            counted: dict[int, dict[str, int]] = {}
            async with bedside(deployment.folder / "servers.log", **given, database_url=deployment.dsn) as server:
                client = Client(server.url, token, practitioner, week)
                for size in options.appointments:
                    await deployment.book(size, PRACTITIONERS, PATIENTS, week, IN_WEEK)
                    found[size] = await _measured(client, server.tree, deployment, options)
                    counted[size] = await _statements(deployment, client)
            about += [f"PostgreSQL {await deployment.version()} as Bedside brings it, on the same machine"]
    return _section(about, options, found, counted)


async def _measured(client: Client, tree: Tree, deployment: Deployment, options: Options) -> dict[str, Cost]:
    await _round(client, tree, deployment, max(5, options.times // 4))  # warm
    return medians([await _round(client, tree, deployment, options.times) for _ in range(options.rounds)])


async def _round(client: Client, tree: Tree, deployment: Deployment, times: int) -> Mapping[str, Cost]:
    return {name: await cost(tree, deployment.tree, times, lambda _, of=name: client.do(of)) for name in OPERATIONS}


async def _statements(deployment: Deployment, client: Client) -> dict[str, int]:
    """Return how many statements each operation takes, of a server in this process; that things come is looked at.

    What runs besides, such as the look for what the live bus has lost, is left out by taking the least of several runs.
    """
    os.environ["BEDSIDE_GRAPHQL_SESSION_BUDGET"] = UNLIMITED  # read from there alone, by the plugin
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    settings = uvicorn.Config(create_app(deployment.config()), log_config=None, lifespan="on", access_log=False)
    server = uvicorn.Server(settings)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    ran: list[str] = []
    Engine.on_statement = lambda statement: ran.append(statement.query)  # of the connections that are opened from now
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells it in no other way
                await asyncio.sleep(0.05)
        here = Client(
            f"http://127.0.0.1:{listener.getsockname()[1]}/graphql", client.token, client.practitioner, client.week
        )
        counted: dict[str, int] = {}
        for name in OPERATIONS:
            expected = {"free": 100, "page": 100, "week": PRACTITIONERS * IN_WEEK}.get(name)
            numbers: list[int] = []
            for _ in range(5):
                ran.clear()
                things = await here.do(name)
                if not things or (expected is not None and things != expected):
                    raise Unexpected(f"{name}: {things} things")
                numbers.append(sum(_counts(each) for each in ran))
            counted[name] = min(numbers)
        return counted
    finally:
        Engine.on_statement = None
        server.should_exit = True
        await task


def _counts(statement: str) -> bool:
    """Tell whether a statement is one of ours, and not the pool's or a transaction's own."""
    return statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")) and not any(
        mark in statement for mark in ("pg_advisory_unlock_all()", "set_config(")
    )


def _section(
    about: Sequence[str],
    options: Options,
    found: Mapping[int, Mapping[str, Cost]],
    counted: Mapping[int, Mapping[str, int]],
) -> str:
    rows: list[list[object]] = []
    grown: list[list[object]] = []
    least, most = min(found), max(found)
    for name, title in OPERATIONS.items():
        rows += [
            [title, f"{size:,}", counted[size][name], costs[name].p50, costs[name].server, costs[name].database]
            for size, costs in found.items()
        ]
        slower, work, flat = growth(found[least][name], found[most][name])
        same = counted[least][name] == counted[most][name]
        grown.append([title, slower, work, flat + (", as many statements" if same else ", MORE statements")])
    return "\n\n".join(
        [
            "\n".join(f"- {line}" for line in about)
            + f"\n- one practice with {PRACTITIONERS} practitioners, sections of eight hours from Monday to Friday, "
            f"{IN_WEEK} appointments of each in the week that is looked at, all others before it; one client, one "
            f"request at a time on a new connection, {options.rounds} rounds of {options.times} of each, medians",
            table(("operation", "appointments", "statements", "p50 ms", "server, CPU ms", "PostgreSQL, CPU ms"), rows),
            f"From {least:,} to {most:,} appointments:",
            table(("operation", "p50", "processor time", f"at most {FLAT} is flat"), grown),
        ]
    )
