"""Devices that keep the list of conversations and the badges by the inbox alone, as a client does (promise D7)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from deployment import Deployment, Socket

CONVERSATION = "id kind name unread urgent activeAt lastMessage { id body deletedAt }"
BADGES = "chatBadges { kind unread urgent }"
FOLLOW = f"""subscription($a: String) {{ inbox(after: $a) {{ __typename
    ... on InboxOpened {{ cursor }}
    ... on InboxGap {{ cursor }}
    ... on PracticeChanged {{ cursor practice {{ name features {{ key enabled }} }} }}
    ... on InboxItemRemoved {{ cursor kind id {BADGES} }}
    ... on ConversationInboxChanged {{ cursor {BADGES} conversation {{ {CONVERSATION} }} }} }} }}"""
STATE = f"query {{ conversations(first: 100) {{ nodes {{ {CONVERSATION} }} }} {BADGES} }}"

State = tuple[dict[str, Any], dict[str, tuple[int, int]]]
"""Conversations by id, and unread and urgent for each kind."""


def badges(listed: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Return unread and urgent of the kinds at which something stands."""
    counts = {each["kind"]: (each["unread"], each["urgent"]) for each in listed}
    return {kind: count for kind, count in counts.items() if count != (0, 0)}


async def state(deployment: Deployment, token: str) -> State:
    """Fetch what somebody's list and badges are."""
    data = await deployment.data(STATE, token)
    return {node["id"]: node for node in data["conversations"]["nodes"]}, badges(data["chatBadges"])


class Device:
    """A client that has fetched once and goes by events from then on."""

    def __init__(self, deployment: Deployment, token: str, socket: Socket) -> None:
        self.deployment, self.token, self.socket = deployment, token, socket
        self.state: State = ({}, {})
        self.cursor: str | None = None
        self.seen: list[dict[str, Any]] = []
        """Every event, in order."""
        self.key = ""

    async def begin(self, after: str | None = None) -> None:
        """Subscribe first, and fetch after the first event."""
        self.key = await self.socket.subscribe(FOLLOW, a=after)
        self.cursor = after  # a connection that is lost before its first event is resumed from the same place
        if after is None:
            await self.take()

    async def take(self) -> dict[str, Any]:
        """Take the next event into the state, and return it."""
        event = (await self.socket.next(self.key))["inbox"]
        self.seen.append(event)
        await self.apply(event)
        return event

    async def apply(self, event: dict[str, Any]) -> None:
        """Take an event into the state."""
        conversations, counts = self.state
        match event["__typename"]:
            case "InboxOpened" | "InboxGap":
                self.state = await state(self.deployment, self.token)
            case "ConversationInboxChanged":
                changed = event["conversation"]
                self.state = {**conversations, changed["id"]: changed}, badges(event["chatBadges"])
            case "InboxItemRemoved":
                rest = {key: each for key, each in conversations.items() if key != event["id"]}
                self.state = rest, badges(event["chatBadges"])
            case _:
                self.state = conversations, counts
        self.cursor = event["cursor"]

    async def until(self, condition: Callable[[State], bool]) -> State:
        """Take events until something holds."""
        while not condition(self.state):
            await self.take()
        return self.state


@asynccontextmanager
async def device(deployment: Deployment, token: str, after: str | None = None) -> AsyncGenerator[Device, None]:
    """Open a socket on which somebody follows their inbox."""
    async with deployment.socket(token) as socket:
        opened = Device(deployment, token, socket)
        await opened.begin(after)
        yield opened
