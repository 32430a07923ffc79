"""People who go on writing and following while servers and the database go: each notes what it was told."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import httpx
import websockets
from deployment import Deployment, Person, Socket
from plugins.chat.devices import FOLLOW as INBOX
from plugins.chat.devices import Device, State

GROUP = "mutation($p: [ID!]!, $c: String!) { createGroup(name: $c, personIds: $p, clientId: $c) { id cursor } }"
SEND = """mutation($i: ID!, $b: String!, $c: String!) {
    sendMessage(conversationId: $i, body: $b, clientId: $c) { id cursor } }"""
EVENTS = """subscription($i: ID!, $a: String) { conversationEvents(conversationId: $i, after: $a) { __typename
    ... on MessageChanged { cursor added message { body } }
    ... on ParticipantChanged { cursor } ... on ConversationChanged { cursor } } }"""
LATER_SECONDS = 0.05
"""How long a client waits before it tries again."""


class Crowd:
    """A group and its people, and what its table holds."""

    def __init__(self, people: list[Person], conversation: str, cursor: str, dsn: str) -> None:
        self.people, self.conversation, self.cursor = people, conversation, cursor
        self._dsn = dsn

    async def table(self) -> list[str]:
        """Return the bodies of its messages, in order."""
        connection = await asyncpg.connect(self._dsn)
        try:
            sql = 'SELECT body FROM message WHERE conversation_id = $1 ORDER BY "position"'
            return [row["body"] for row in await connection.fetch(sql, self.conversation)]
        finally:
            await connection.close()


async def crowd(door: Deployment, number: int, name: str, dsn: str) -> Crowd:
    """Make a group of a new practice's people."""
    practice = await door.practice()
    people = [await door.person(practice, name=f"P{each}") for each in range(number)]
    made = await door.data(GROUP, people[0].token, p=[person.id for person in people[1:]], c=name)
    return Crowd(people, made["createGroup"]["id"], made["createGroup"]["cursor"], dsn)


class Told:
    """What clients were told when something could not be done."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.statuses: set[int] = set()
        self.closes: list[tuple[int, str]] = []
        self.lost = 0
        """Connections that ended, or could not be made, without a word."""

    def __str__(self) -> str:
        return (
            f"refused {dict(Counter(self.codes))} with {sorted(self.statuses)}, closed {dict(Counter(self.closes))}, "
            f"{self.lost} connections lost"
        )

    def refused(self, errors: Sequence[dict[str, Any]], status: int = 200) -> None:
        """Note a refusal, which has to be coded and such that the client may try again."""
        for error in errors:
            assert error["extensions"]["retryable"], error
            assert "Traceback" not in str(error), error
            self.codes.append(error["extensions"]["code"])
        assert status != 500, errors
        self.statuses.add(status)

    def ended(self, lost: BaseException) -> None:
        """Note the end of a connection."""
        if isinstance(lost, websockets.ConnectionClosed) and lost.rcvd is not None:
            self.closes.append((lost.rcvd.code, lost.rcvd.reason))
        else:
            self.lost += 1


def together(several: Iterable[Told]) -> Told:
    """Return what all of them were told."""
    all_ = Told()
    for told in several:
        all_.codes += told.codes
        all_.closes += told.closes
        all_.statuses |= told.statuses
        all_.lost += told.lost
    return all_


class Sender:
    """Sends messages, each with its key until it is acknowledged, to the doors in turn."""

    def __init__(self, doors: Sequence[Deployment], person: Person, crowd: Crowd, name: str, first: int) -> None:
        self.doors, self.person, self.crowd, self.name, self.first = doors, person, crowd, name, first
        self.acknowledged: list[str] = []
        self.when: list[tuple[float, int]] = []
        """When something was acknowledged, and at which door."""
        self.told = Told()
        self.length = 0
        """How long its messages are at least."""

    async def send(self, number: int) -> None:
        """Send a message and try again until it is acknowledged."""
        key = f"{self.name}-{number}"
        body = key.ljust(self.length, "-")
        variables = {"i": self.crowd.conversation, "b": body, "c": key}
        headers = {"accept": "application/graphql-response+json", "authorization": f"Bearer {self.person.token}"}
        for turn in itertools.count(self.first + number):
            door = turn % len(self.doors)
            try:
                answer = await self.doors[door].http.post(
                    "/graphql", json={"query": SEND, "variables": variables}, headers=headers
                )
            except httpx.TransportError:
                self.told.lost += 1
            else:
                body_ = answer.json()
                if "errors" not in body_:
                    assert body_["data"]["sendMessage"]["id"]
                    break
                self.told.refused(body_["errors"], answer.status_code)
            await asyncio.sleep(LATER_SECONDS)
        self.acknowledged.append(body)
        self.when.append((time.monotonic(), door))

    async def press(self, rate: float, count: int) -> None:
        """Send that many messages, at that rate a second or as quickly as they are taken."""
        began = time.monotonic()
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            await self.send(number)


class Follower:
    """Follows at one door after the other, and resumes after the last cursor whatever happens."""

    document, field = EVENTS, "conversationEvents"

    def __init__(self, doors: Sequence[Deployment], person: Person, crowd: Crowd, first: int) -> None:
        self.doors, self.person, self.crowd = doors, person, crowd
        self.cursor: str | None = crowd.cursor
        self.read: list[str] = []
        """Bodies of new messages, in the order in which they came."""
        self.open = asyncio.Event()
        self.resumed = -1
        self.told = Told()
        self._turns = itertools.count(first)

    async def follow(self) -> None:
        """Follow until cancelled."""
        while True:
            self.door = self.doors[next(self._turns) % len(self.doors)]
            try:
                async with self.door.socket(self.person.token) as socket:
                    while True:
                        await self._listen(socket)
            except (OSError, websockets.WebSocketException) as lost:
                self.told.ended(lost)
            await asyncio.sleep(LATER_SECONDS)

    async def _listen(self, socket: Socket) -> None:
        """Follow on a socket until the operation ends."""
        self.resumed += 1
        key = await socket.subscribe(self.document, **self.variables())
        self.open.set()
        while True:
            message = await socket.receive()
            if message["id"] != key:  # the last words of an operation that was given up
                continue
            if message["type"] == "error":
                self.told.refused(message["payload"])
                return await asyncio.sleep(LATER_SECONDS)
            assert message["type"] == "next", message
            if errors := message["payload"].get("errors"):  # that event is lost: it comes again after the cursor
                self.told.refused(errors)
                await socket.send(id=key, type="complete")
                return await asyncio.sleep(LATER_SECONDS)
            await self.take(socket, message["payload"]["data"][self.field])

    def variables(self) -> dict[str, Any]:
        """Return what to subscribe with."""
        return {"i": self.crowd.conversation, "a": self.cursor}

    async def take(self, socket: Socket, event: dict[str, Any]) -> None:
        """Take an event."""
        if event["__typename"] == "MessageChanged":
            assert event["added"]
            self.read.append(event["message"]["body"])
        self.cursor = event["cursor"]


class InboxFollower(Follower):
    """Keeps list and badges by the inbox."""

    document, field = INBOX, "inbox"

    def __init__(self, doors: Sequence[Deployment], person: Person, crowd: Crowd, first: int) -> None:
        super().__init__(doors, person, crowd, first)
        self.cursor = None
        self.state: State = ({}, {})

    def variables(self) -> dict[str, Any]:
        return {"a": self.cursor}

    async def take(self, socket: Socket, event: dict[str, Any]) -> None:
        device = Device(self.door, self.person.token, socket)
        device.state = self.state
        try:
            await device.apply(event)
        except (httpx.TransportError, AssertionError) as away:  # what the event says to fetch can't be: from there anew
            raise ConnectionResetError from away
        self.state, self.cursor = device.state, device.cursor

    @property
    def shows(self) -> tuple[int, str]:
        """What its list shows of the group: how many are unread, and the last message."""
        shown = self.state[0].get(self.crowd.conversation)
        return (shown["unread"], shown["lastMessage"]["body"]) if shown and shown["lastMessage"] else (0, "")


async def cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    """End what runs for ever; whoever has failed before fails the test."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
