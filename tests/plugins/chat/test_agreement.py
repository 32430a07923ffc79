"""Several people do anything at once, and lose connections: state before + events == state fetched afresh (D7)."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from deployment import DEADLINE_SECONDS, Deployment, Person, served
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plugins.chat.devices import Device, device, state
from plugins.chat.seeing import REACHED, things
from plugins.chat.test_inbox import ACKNOWLEDGE, ADD, DELETE, GROUP, LEAVE, READ, RENAME, URGENT
from plugins.chat.ward import SEND, START

from bedside_core.database import DB, acting
from bedside_core.people import Practice
from bedside_core.testing import Database
from rulebook import size

MESSAGE = """id cursor sender { id } body urgent deletedAt reactions { emoji personIds }
    acknowledgements { personId acknowledgedAt }"""
PARTICIPANT = "id leftAt readUpTo"
FETCH = f"""query($i: ID!) {{ conversation(id: $i) {{ cursor name participants {{ nodes {{ {PARTICIPANT} }} }}
    messages(last: 100) {{ nodes {{ {MESSAGE} }} }} }} }}"""
EVENTS = f"""subscription($i: ID!, $a: String) {{ conversationEvents(conversationId: $i, after: $a) {{ __typename
    ... on MessageChanged {{ cursor message {{ {MESSAGE} }} }}
    ... on ParticipantChanged {{ cursor participant {{ {PARTICIPANT} }} }}
    ... on ConversationChanged {{ cursor conversation {{ name }} }} }} }}"""
REACT = 'mutation($m: ID!) { reactToMessage(messageId: $m, emoji: "👍") { id } }'
NEWEST = """SELECT greatest((SELECT max(changed) FROM message WHERE conversation_id = $1),
    (SELECT max(changed) FROM participant WHERE conversation_id = $1),
    (SELECT changed FROM conversation WHERE id = $1))"""
VERBS = ("send", "urgent", "read", "react", "acknowledge", "delete", "rename", "leave", "add")

_numbers = itertools.count()


def place(cursor: str | None) -> int:
    """Return the position in a cursor."""
    return json.loads(base64.urlsafe_b64decode(cursor + "=="))[0] if cursor else 0


class Reader:
    """Somebody's open group, kept by its events alone."""

    def __init__(self, deployment: Deployment, person: Person, conversation: str) -> None:
        self.deployment, self.token, self.conversation = deployment, person.token, conversation
        self.practice = person.member.practice_id
        self.cursor = ""
        self.name = ""
        self.messages: dict[str, Any] = {}
        self.people: dict[str, Any] = {}

    async def fetch(self) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
        """Fetch what there is; None where they take part no longer."""
        body = await self.deployment.ask(FETCH, self.token, i=self.conversation)
        found = (body.get("data") or {}).get("conversation")
        if found is None:
            return None
        self.fetched_at = found["cursor"]
        people = {each["id"]: each for each in found["participants"]["nodes"]}
        return found["name"], {each["id"]: each for each in found["messages"]["nodes"]}, people

    async def begin(self) -> None:
        """Fetch once; from then on events tell."""
        found = await self.fetch()
        assert found is not None
        (self.name, self.messages, self.people), self.cursor = found, self.fetched_at

    async def catch_up(self) -> None:
        """Connect, take every event that there is, and have the state that is fetched; nothing comes twice."""
        fetched = await self.fetch()
        if fetched is None:
            return
        async with self.deployment.socket(self.token) as socket:
            key = await socket.subscribe(EVENTS, i=self.conversation, a=self.cursor)
            newest = await self._newest()
            async with asyncio.timeout(DEADLINE_SECONDS):
                while place(self.cursor) < newest:
                    before = place(self.cursor)
                    self.take((await socket.next(key))["conversationEvents"])
                    assert place(self.cursor) > before
        assert (self.name, self.messages, self.people) == fetched

    async def _newest(self) -> int:
        """The position of the last change in it."""
        with acting(self.practice):
            return await DB.fetchval(NEWEST, UUID(self.conversation))

    def take(self, event: dict[str, Any]) -> None:
        """Take an event into the state."""
        self.cursor = event["cursor"]
        if message := event.get("message"):
            self.messages[message["id"]] = message
            sender = self.people.get(message["sender"]["id"])
            if sender and place(sender["readUpTo"]) < place(message["cursor"]):  # who sends has read up to there
                self.people[sender["id"]] = {**sender, "readUpTo": message["cursor"]}
        elif person := event.get("participant"):
            self.people[person["id"]] = person
            if person["leftAt"] is not None:
                del self.people[person["id"]]
        else:
            self.name = event["conversation"]["name"]


class Play:
    """Three people with a direct conversation and a group, and what they can do."""

    def __init__(self, deployment: Deployment, people: list[Person], direct: str, group: str) -> None:
        self.deployment, self.people, self.group = deployment, people, group
        self.places = [direct, group]
        self.messages: list[tuple[str, str]] = []
        """Ids and cursors of what was sent."""

    async def act(self, who: int, verb: str, n: int) -> None:
        """Do something; what is refused changes nothing."""
        person, place = self.people[who], self.places[n % 2]
        number = f"n{next(_numbers)}"
        one, cursor = self.messages[n % len(self.messages)]
        query, given = {
            "send": (SEND, {"i": place, "b": number, "c": number}),
            "urgent": (URGENT, {"i": place, "b": number, "c": number}),
            "read": (READ, {"i": place, "c": cursor}),
            "react": (REACT, {"m": one}),
            "acknowledge": (ACKNOWLEDGE, {"m": one}),
            "delete": (DELETE, {"m": one}),
            "rename": (RENAME, {"i": self.group, "n": number}),
            "leave": (LEAVE, {"i": place}),
            "add": (ADD, {"i": self.group, "p": [self.people[n % 3].id]}),
        }[verb]
        body = await self.deployment.ask(query, person.token, **given)
        if sent := (body.get("data") or {}).get("sendMessage"):
            self.messages.append((sent["id"], sent["cursor"]))


acts = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(VERBS), st.integers(0, 30)), min_size=1, max_size=3),
    min_size=2,
    max_size=8,
)


@pytest_asyncio.fixture
async def round_table(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[tuple[Deployment, Practice], None]:
    """Serve a practice whose people are new in every example and whose sessions may ask as much as they like."""
    monkeypatch.setenv("BEDSIDE_GRAPHQL_SESSION_BUDGET", "1000000000")
    async with served(fresh_database) as deployment:
        yield deployment, await deployment.practice()


@pytest.mark.rule("C10")
@pytest.mark.rule("C16")
@pytest.mark.promise("D7")
@settings(
    max_examples=size(4, 150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=acts, cuts=st.sets(st.integers(0, 7)))
async def test_what_events_make_of_the_state_is_what_is_fetched(
    round_table: tuple[Deployment, Practice], acts: list[list[tuple[int, str, int]]], cuts: set[int]
) -> None:
    deployment, practice = round_table
    people = [await deployment.person(practice, name=name) for name in ("Ada", "Ben", "Carl")]
    ada, ben = people[:2]
    direct = (await deployment.data(START, ada.token, m=ben.id, c=f"d{next(_numbers)}"))["startConversation"]["id"]
    given = {"n": "Round", "p": [each.id for each in people[1:]], "c": f"g{next(_numbers)}"}
    group = (await deployment.data(GROUP, ada.token, **given))["createGroup"]["id"]
    play = Play(deployment, people, direct, group)
    play.messages.append(("0199aaaa-0000-7000-8000-000000000000", "WzBd"))
    readers = [Reader(deployment, each, group) for each in people]
    await asyncio.gather(*(reader.begin() for reader in readers))
    async with AsyncExitStack() as stack:
        devices: list[Device] = []
        for person in people:
            devices.append(await stack.enter_async_context(device(deployment, person.token)))
        for number, together in enumerate(acts):
            await asyncio.gather(*(play.act(*act) for act in together))
            if number in cuts:  # a connection is lost in between
                n = number % 3
                lost = devices[n]
                await lost.socket.raw.close()
                devices[n] = await stack.enter_async_context(device(deployment, lost.token, lost.cursor))
                devices[n].state = lost.state
        for person, each in zip(people, devices, strict=True):
            fetched = await state(deployment, each.token)
            with acting(practice.id):
                newest = await DB.fetchval(REACHED, UUID(person.id))
            while things(each.cursor) < newest:
                await each.take()
            assert each.state == fetched
    await asyncio.gather(*(reader.catch_up() for reader in readers))
