"""`chat`: sending, opening a conversation, the list of them and the inbox, while messages grow to a million."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from .costs import FLAT, Cost, cost, growth, medians
from .deployment import MEMBERS, MESSAGES, Deployment, deployed
from .load import Unexpected, asked
from .machine import described
from .results import table
from .servers import Server, bedside

OWN = 60
"""Conversations of the viewer."""
UNLIMITED = "1000000000"
LIST = "{ conversations(first: 20) { nodes { id unread urgent lastMessage { body sender { name } } } } }"
OPEN = """query($i: ID!) { conversation(id: $i) { unread composer { text { open } files { open } }
  participants { nodes { name label } } messages(last: 50) { nodes { id body sentAt sender { name } } } } }"""
BADGES = "{ chatBadges { kind unread urgent } }"
INBOX = """subscription($a: String) { inbox(after: $a) { ... on InboxOpened { cursor } ... on ConversationInboxChanged {
  cursor conversation { id unread urgent lastMessage { body sender { name } } } chatBadges { kind unread urgent } } } }
"""
SEND = """mutation($i: ID!, $c: String!) {
  sendMessage(conversationId: $i, body: "Potassium is 4.1, repeat ECG unchanged.", clientId: $c) { id cursor } }"""
PAGE = 50
"""Messages that opening a conversation hands out."""
OPERATIONS = {
    "send": "send a message",
    "open": "open a conversation: its last 50 messages, people, composer",
    "list": "the first 20 of the list, with unread counts",
    "inbox": "follow the inbox after a break: 20 changed conversations with badges",
    "badges": "the badges",
}
"""What is measured, in this order: the inbox tells of what was sent."""
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
    listed = await asked(server.url, token, LIST, {})
    for node in listed["conversations"]["nodes"]:
        for _ in range(PAGE):
            await asked(server.url, token, SEND, {"i": node["id"], "c": f"b{next(_numbers)}"})


async def _measured(server: Server, deployment: Deployment, token: str, options: Options) -> dict[str, Cost]:
    listed = await asked(server.url, token, LIST, {})
    ids = [node["id"] for node in listed["conversations"]["nodes"]]
    await _round(server, deployment, token, ids, max(len(ids), options.times // 4))  # warm
    return medians([await _round(server, deployment, token, ids, options.times) for _ in range(options.rounds)])


async def _round(
    server: Server, deployment: Deployment, token: str, ids: Sequence[str], times: int
) -> Mapping[str, Cost]:
    async def costing(do: Callable[[int], Awaitable[object]]) -> Cost:
        return await cost(server.tree, deployment.tree, times, do)

    async with _inbox(server, token) as inbox:
        [opened] = await inbox.told(None, 1)
    costs: dict[str, Cost] = {}
    for name in OPERATIONS:
        if name != "inbox":
            costs[name] = await costing(lambda n, of=name: asked(server.url, token, *_operation(of, ids[n % len(ids)])))
            continue
        async with _inbox(server, token) as inbox:  # of its own: a socket on which nobody listens is closed
            costs[name] = await costing(lambda _, on=inbox: on.told(opened["cursor"], len(ids)))
    return costs


def _operation(name: str, conversation: str) -> tuple[str, Mapping[str, str]]:
    if name == "send":
        return SEND, {"i": conversation, "c": f"b{next(_numbers)}"}
    return (OPEN, {"i": conversation}) if name == "open" else ({"list": LIST, "badges": BADGES}[name], {})


class _Inbox:
    """A socket on which an inbox is followed again and again, as by a client that comes back."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def told(self, after: str | None, events: int) -> list[dict[str, str]]:
        """Follow the inbox until so many events have come."""
        number = str(next(_numbers))
        await self._say(id=number, type="subscribe", payload={"query": INBOX, "variables": {"a": after}})
        told = [await self._event(number) for _ in range(events)]
        await self._say(id=number, type="complete")
        return told

    async def _event(self, number: str) -> dict[str, str]:
        while True:
            message = json.loads(await self._socket.recv())
            if message["type"] == "next" and message["id"] == number and "errors" not in message["payload"]:
                return message["payload"]["data"]["inbox"]
            if message["type"] == "ping":
                await self._say(type="pong")
            # What was under way when an earlier one was completed may still come.
            if message["type"] == "error" or (message["type"] == "next" and message["id"] == number):
                raise Unexpected(str(message))

    async def _say(self, **message: object) -> None:
        await self._socket.send(json.dumps(message))


@asynccontextmanager
async def _inbox(server: Server, token: str) -> AsyncGenerator[_Inbox]:
    url = server.url.replace("http", "ws", 1)
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
        if (first := json.loads(await socket.recv()))["type"] != "connection_ack":
            raise Unexpected(str(first))
        yield _Inbox(socket)


def _section(about: Sequence[str], options: Options, found: Mapping[int, Mapping[str, Cost]]) -> str:
    rows: list[list[object]] = []
    grown: list[list[object]] = []
    least, most = min(found), max(found)
    for name, title in OPERATIONS.items():
        rows += [
            [title, f"{size:,}", costs[name].p50, costs[name].server, costs[name].database]
            for size, costs in found.items()
        ]
        grown.append([title, *growth(found[least][name], found[most][name])])
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
