"""`query`: a page of twenty conversations out of PostgreSQL, against Node servers over the same tables."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from .deployment import MEMBERS, MESSAGES, Deployment, deployed
from .load import Unexpected, ask, load, operation, post
from .machine import Others, Tree, described
from .results import table
from .servers import Server, bedside, install_peers, peer

QUERY = """{ conversations(first: 20) { nodes {
  id lastMessage { id body sentAt sender { id name } } participants { nodes { id name } }
} pageInfo { endCursor hasNextPage } } }"""

CONNECTIONS = 16
OWN = 60
"""Conversations of the viewer while the tables grow."""
FLAT = 1.25
"""What counts as flat: no more than this times the cost at the smallest size."""
UNLIMITED = "1000000000"


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Args:
        sizes: conversations in the tables.
        own: conversations of the viewers at the largest size.
        rounds: how often each server is asked, in turn.
        seconds: how long in each round, once under load and once with one client.
        explain: whether to show PostgreSQL's plans however the query grows.
    """

    sizes: Sequence[int] = (1_000, 10_000, 100_000)
    own: Sequence[int] = (OWN, 300, 1_000)
    rounds: int = 5
    seconds: float = 4.0
    explain: bool = False


@dataclass(frozen=True)
class Round:
    """What one server did in one round.

    Args:
        rate: answers per second under load.
        cpu: the server's processor time for an answer, in seconds.
        database: PostgreSQL's.
        p50: half the answers to one client came within this, in seconds.
        p99: all but one of a hundred.
        memory: the server's, in bytes.
    """

    rate: float
    cpu: float
    database: float
    p50: float
    p99: float
    memory: float


Rounds = Mapping[str, Sequence[Round]]


async def run(options: Options) -> str:
    """Measure, and return the section for RESULTS.md."""
    install_peers()
    about = described()
    with tempfile.TemporaryDirectory(prefix="bedside-benchmark-") as folder:
        async with deployed(Path(folder)) as deployment, AsyncExitStack() as stack:
            token = await deployment.token(await deployment.viewer(OWN))
            servers = await _servers(stack, deployment, token)
            others = Others(Tree(os.getpid()))  # the servers and PostgreSQL are below this process
            by_size = await _by_size(deployment, servers, token, options)
            tokens = {own: await deployment.token(await deployment.viewer(own)) for own in options.own if own != OWN}
            by_own = {own: await _measured(servers, deployment, tokens.get(own, token), options) for own in options.own}
            share = others.share()
            growth = _cost(by_size[max(by_size)]["Bedside"]) / _cost(by_size[min(by_size)]["Bedside"])
            own_growth = _cost(by_own[max(by_own)]["Bedside"]) / _cost(by_own[min(by_own)]["Bedside"])
            plans: list[str] = []
            if options.explain or max(growth, own_growth) > FLAT:
                plans = await deployment.explained(tokens.get(max(options.own), token))
            about += [f"others used {share:.0%} of the machine during the run"]
            about += [f"PostgreSQL {await deployment.version()} as Bedside brings it, on the same machine"]
    return _section(about, options, by_size, by_own, plans)


async def _servers(stack: AsyncExitStack, deployment: Deployment, token: str) -> list[Server]:
    """Start all servers and see that they answer alike."""
    log, dsn = deployment.folder / "servers.log", deployment.owner_dsn
    given = {"ready": QUERY, "token": token}
    ours = bedside(log, **given, database_url=deployment.dsn, graphql_session_budget=UNLIMITED)
    servers = [await stack.enter_async_context(ours)]
    for kind in ("mercurius", "yoga"):
        servers.append(await stack.enter_async_context(peer(kind, dsn, log, **given)))
    return servers


async def _alike(servers: Sequence[Server], token: str) -> None:
    answers = [await _answer(server, token) for server in servers]
    for server, answer in zip(servers[1:], answers[1:], strict=True):
        if answer != answers[0]:
            raise Unexpected(f"{server.name} answers {answer}\n{servers[0].name} answers {answers[0]}")
    nodes = answers[0]["conversations"]["nodes"]
    if len(nodes) != 20 or any(len(node["participants"]["nodes"]) != 2 for node in nodes):
        raise Unexpected(f"not twenty conversations of two: {answers[0]}")


async def _answer(server: Server, token: str) -> Any:
    """Return a server's data; instants are compared as such, for they may be written with or without fractions."""
    _, body = await ask(server.url, _request(server, token))
    data = json.loads(body)["data"]
    for node in data["conversations"]["nodes"]:
        node["lastMessage"]["sentAt"] = datetime.fromisoformat(node["lastMessage"]["sentAt"])
    return data


def _request(server: Server, token: str) -> bytes:
    return post(server.url, operation(QUERY), {"authorization": f"Bearer {token}"})


async def _by_size(
    deployment: Deployment, servers: Sequence[Server], token: str, options: Options
) -> dict[tuple[int, int], Rounds]:
    found: dict[tuple[int, int], Rounds] = {}
    for size in options.sizes:
        await deployment.grow(size)
        found[await deployment.counts()] = await _measured(servers, deployment, token, options)
    return found


async def _measured(servers: Sequence[Server], deployment: Deployment, token: str, options: Options) -> Rounds:
    await _alike(servers, token)
    for server in servers:
        await load(server.url, _request(server, token), connections=CONNECTIONS, seconds=options.seconds / 2)
    found: dict[str, list[Round]] = {server.name: [] for server in servers}
    for _ in range(options.rounds):
        for server in servers:
            found[server.name].append(await _round(server, deployment, token, options.seconds))
    return found


async def _round(server: Server, deployment: Deployment, token: str, seconds: float) -> Round:
    request = _request(server, token)
    await asyncio.sleep(0.2)  # what the server before left behind is swept meanwhile
    cpu, database = server.tree.cpu_seconds(), deployment.tree.cpu_seconds()
    under_load = await load(server.url, request, connections=CONNECTIONS, seconds=seconds)
    cpu, database = server.tree.cpu_seconds() - cpu, deployment.tree.cpu_seconds() - database
    alone = await load(server.url, request, connections=1, seconds=seconds)
    return Round(
        rate=under_load.rate,
        cpu=cpu / under_load.count,
        database=database / under_load.count,
        p50=alone.quantile(0.5),
        p99=alone.quantile(0.99),
        memory=server.tree.resident_bytes(),
    )


def _median(rounds: Sequence[Round], name: str) -> float:
    return median(getattr(each, name) for each in rounds)


def _ratio(rounds: Rounds, other: str, name: str) -> float:
    """Return the median over the rounds of Bedside's figure by that of another server in the same round."""
    pairs = zip(rounds["Bedside"], rounds[other], strict=True)
    return median(getattr(ours, name) / getattr(theirs, name) for ours, theirs in pairs)


def _cost(rounds: Sequence[Round]) -> float:
    """Return the processor time of an answer, PostgreSQL's included."""
    return _median(rounds, "cpu") + _median(rounds, "database")


def _row(rounds: Sequence[Round]) -> list[object]:
    return [
        _median(rounds, "rate"),
        1 / _median(rounds, "cpu"),
        _median(rounds, "cpu") * 1e3,
        _median(rounds, "database") * 1e3,
        _median(rounds, "p50") * 1e3,
        _median(rounds, "p99") * 1e3,
        _median(rounds, "memory") / 2**20,
    ]


_HEAD = (
    "answers/s",
    "per CPU-second",
    "server, CPU ms",
    "PostgreSQL, CPU ms",
    "p50 ms, one client",
    "p99 ms, one client",
    "memory MiB",
)


def _section(
    about: Sequence[str],
    options: Options,
    by_size: Mapping[tuple[int, int], Rounds],
    by_own: Mapping[int, Rounds],
    plans: Sequence[str],
) -> str:
    rows: list[list[object]] = []
    ratios: list[list[object]] = []
    for (conversations, messages), rounds in by_size.items():
        rows += [[f"{conversations:,} / {messages:,}", name, *_row(rounds[name])] for name in rounds]
        for other in list(rounds)[1:]:
            ratios.append(
                [
                    f"{conversations:,}, {other}",
                    1 / _ratio(rounds, other, "cpu"),
                    _ratio(rounds, other, "rate"),
                    _ratio(rounds, other, "p50"),
                    _ratio(rounds, other, "p99"),
                    _ratio(rounds, other, "memory"),
                ]
            )
    grown = [
        [name, *(_cost(by_size[size][name]) * 1e3 for size in by_size), _growth([*by_size.values()], name)]
        for name in next(iter(by_size.values()))
    ]
    own = [
        [name, *(_cost(by_own[each][name]) * 1e3 for each in by_own), _growth([*by_own.values()], name)]
        for name in next(iter(by_own.values()))
    ]
    parts = [
        "\n".join(f"- {line}" for line in about),
        f"- one practice of {MEMBERS:,} members, {MESSAGES} messages in each conversation, the viewer takes part in "
        f"{OWN}; {options.rounds} rounds of {options.seconds:g} s with {CONNECTIONS} connections and as long "
        "with one, the servers in turn, medians; answers compared and found equal",
        table(("conversations / messages", "server", *_HEAD), rows),
        "Bedside against each peer, median of the ratios of the rounds:",
        table(
            ("conversations, peer", "answers per CPU-second", "answers/s", "p50", "p99", "memory"),
            ratios,
        ),
        "Growth with the tables: processor time of an answer, server and PostgreSQL together, in ms:",
        table(("server", *(f"{size[0]:,}" for size in by_size), "growth"), grown),
        f"Growth with the viewer's own conversations, at {max(by_size)[0]:,} in the tables, likewise:",
        table(("server", *(f"{own:,}" for own in by_own), "growth"), own),
    ]
    if plans:
        parts += [
            f"What PostgreSQL did for the viewer with {max(by_own):,} conversations, as the application's role:",
            "```\n" + "\n".join(plans).strip() + "\n```",
        ]
    return "\n\n".join([parts[0] + "\n" + parts[1], *parts[2:]])


def _growth(by: Sequence[Rounds], name: str) -> str:
    return f"{_cost(by[-1][name]) / _cost(by[0][name]):.2f}"
