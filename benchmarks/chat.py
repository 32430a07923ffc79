"""`chat`: sending, opening a conversation and the list of them, while the practice's messages grow to a million."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

from .deployment import MEMBERS, MESSAGES, Deployment, deployed
from .load import Unexpected, ask, operation, post
from .machine import described
from .results import table
from .servers import Server, bedside

OWN = 60
"""Conversations of the viewer."""
UNLIMITED = "1000000000"
LIST = "{ conversations(first: 20) { nodes { id unread urgent lastMessage { body sender { name } } } } }"
OPEN = """query($i: ID!) { conversation(id: $i) { unread composer { text { open } files { open } }
  participants { nodes { name label } } messages(last: 50) { nodes { id body sentAt sender { name } } } } }"""
SEND = """mutation($i: ID!, $c: String!) {
  sendMessage(conversationId: $i, body: "Potassium is 4.1, repeat ECG unchanged.", clientId: $c) { id cursor } }"""
FLAT = 1.25
"""What counts as flat: no more than this times the cost at the smallest size."""
PAGE = 50
"""Messages that opening a conversation hands out."""
_numbers = count()


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Args:
        messages: in the practice.
        rounds: how often each is asked in turn.
        times: how often in each round.
    """

    messages: Sequence[int] = (10_000, 100_000, 1_000_000)
    rounds: int = 5
    times: int = 100


@dataclass(frozen=True)
class Cost:
    """What an operation costs.

    Args:
        p50: half the answers to one client came within this, in milliseconds.
        server: the server's processor time for an answer, in milliseconds.
        database: PostgreSQL's.
    """

    p50: float
    server: float
    database: float


async def run(options: Options) -> str:
    """Measure, and return the section for RESULTS.md."""
    about = described()
    with tempfile.TemporaryDirectory(prefix="bedside-benchmark-") as folder:
        async with deployed(Path(folder)) as deployment:
            token = await deployment.token(await deployment.viewer(OWN))
            given = {"ready": LIST, "token": token, "graphql_session_budget": UNLIMITED}
            log = deployment.folder / "servers.log"
            async with bedside(log, **given, database_url=deployment.dsn) as server:
                await _lengthened(server, token)
                found: dict[int, dict[str, Cost]] = {}
                for size in options.messages:
                    await deployment.grow(size // MESSAGES)
                    found[(await deployment.counts())[1]] = await _measured(server, deployment, token, options)
            about += [f"PostgreSQL {await deployment.version()} as Bedside brings it, on the same machine"]
    return _section(about, options, found)


async def _lengthened(server: Server, token: str) -> None:
    """Have the conversations that are opened be longer than a page, so that each opening hands out as much."""
    listed = await _asked(server, token, LIST, {})
    for node in listed["conversations"]["nodes"]:
        for _ in range(PAGE):
            await _asked(server, token, SEND, {"i": node["id"], "c": f"b{next(_numbers)}"})


async def _measured(server: Server, deployment: Deployment, token: str, options: Options) -> dict[str, Cost]:
    listed = await _asked(server, token, LIST, {})
    ids = [node["id"] for node in listed["conversations"]["nodes"]]
    await _round(server, deployment, token, ids, options.times // 4)  # warm
    rounds = [await _round(server, deployment, token, ids, options.times) for _ in range(options.rounds)]
    return {
        name: Cost(
            p50=median(each[name].p50 for each in rounds),
            server=median(each[name].server for each in rounds),
            database=median(each[name].database for each in rounds),
        )
        for name in rounds[0]
    }


async def _round(
    server: Server, deployment: Deployment, token: str, ids: Sequence[str], times: int
) -> Mapping[str, Cost]:
    costs: dict[str, Cost] = {}
    for name, query in (("send", SEND), ("open", OPEN), ("list", LIST)):
        taken: list[float] = []
        cpu, database = server.tree.cpu_seconds(), deployment.tree.cpu_seconds()
        for number in range(times):
            variables = {} if name == "list" else {"i": ids[number % len(ids)]}
            if name == "send":
                variables["c"] = f"b{next(_numbers)}"
            began = time.perf_counter()
            await _asked(server, token, query, variables)
            taken.append(time.perf_counter() - began)
        cpu, database = server.tree.cpu_seconds() - cpu, deployment.tree.cpu_seconds() - database
        costs[name] = Cost(p50=median(taken) * 1e3, server=cpu / times * 1e3, database=database / times * 1e3)
    return costs


async def _asked(server: Server, token: str, query: str, variables: Mapping[str, str]) -> dict[str, dict[str, list]]:
    request = post(server.url, operation(query, **variables), {"authorization": f"Bearer {token}"})
    status, body = await ask(server.url, request)
    answer = json.loads(body)
    if status != 200 or "errors" in answer:
        raise Unexpected(f"{status}: {answer}")
    return answer["data"]


def _section(about: Sequence[str], options: Options, found: Mapping[int, Mapping[str, Cost]]) -> str:
    rows: list[list[object]] = []
    grown: list[list[object]] = []
    least, most = min(found), max(found)
    for name, title in (
        ("send", "send a message"),
        ("open", "open a conversation: its last 50 messages, people, composer"),
        ("list", "the first 20 of the list, with unread counts"),
    ):
        rows += [
            [title, f"{size:,}", costs[name].p50, costs[name].server, costs[name].database]
            for size, costs in found.items()
        ]
        total = {size: found[size][name].server + found[size][name].database for size in (least, most)}
        growth = found[most][name].p50 / found[least][name].p50
        flat = "flat" if growth <= FLAT else "not flat"
        grown.append([title, f"{growth:.2f}", f"{total[most] / total[least]:.2f}", flat])
    return "\n\n".join(
        [
            "\n".join(f"- {line}" for line in about)
            + f"\n- one practice of {MEMBERS:,} members, the viewer takes part in {OWN} conversations, of which 20 "
            f"with more than {PAGE} messages are opened and written in; one client, one request at a time on a "
            f"connection of its own, {options.rounds} rounds of {options.times} of each, medians",
            table(("operation", "messages", "p50 ms", "server, CPU ms", "PostgreSQL, CPU ms"), rows),
            f"From {least:,} to {most:,} messages:",
            table(("operation", "p50", "processor time", f"at most {FLAT} is flat"), grown),
        ]
    )
