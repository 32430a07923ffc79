"""A message sent through one process arrives once at the subscribers of both, whatever is cut and resumed meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from deployment import Deployment, Person, Socket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journeys.processes import Site
from plugins.chat.ward import SEND, START

from rulebook import size

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLLOW = "subscription($i: ID!, $a: String) { messageAdded(conversationId: $i, after: $a) { body cursor } }"
_numbers = itertools.count()


@dataclass
class Reader:
    """A subscriber on one process, who can be cut and who resumes from the cursor of what was read."""

    door: Deployment
    person: Person
    conversation: str
    cursor: str | None
    read: list[str] = field(default_factory=list)
    _stack: AsyncExitStack | None = None
    _socket: Socket | None = None
    _key: str = ""

    async def follow(self) -> None:
        self._stack = AsyncExitStack()
        self._socket = await self._stack.enter_async_context(self.door.socket(self.person.token))
        self._key = await self._socket.subscribe(FOLLOW, i=self.conversation, a=self.cursor)

    async def cut(self) -> None:
        """End the connection without a word, with whatever is under way in it."""
        assert self._stack is not None
        assert self._socket is not None
        self._socket.raw.transport.abort()
        await self._stack.aclose()

    async def read_until(self, bodies: list[str]) -> None:
        assert self._socket is not None
        while self.read != bodies:
            message = (await self._socket.next(self._key))["messageAdded"]
            self.read.append(message["body"])
            self.cursor = message["cursor"]
            assert self.read == bodies[: len(self.read)]


async def pair(running: Site) -> tuple[Person, Person, str, str]:
    """Make two people with a conversation of one message; returns its id and that message's cursor."""
    door = running.doors[0]
    practice = await door.practice()
    ada, ben = await door.person(practice, name="Ada"), await door.person(practice, name="Ben")
    conversation = (await door.data(START, ada.token, m=ben.id, c="s"))["startConversation"]["id"]
    first = (await door.data(SEND, ada.token, i=conversation, b="first", c="0"))["sendMessage"]
    return ada, ben, conversation, first["cursor"]


async def test_a_message_through_one_arrives_once_at_the_subscribers_of_both(two: Site) -> None:
    ada, ben, conversation, cursor = await pair(two)
    readers = [Reader(door, person, conversation, cursor) for door in two.doors for person in (ada, ben)]
    for reader in readers:
        await reader.follow()
    sent: list[str] = []
    for number, (door, person) in enumerate(itertools.product(two.doors, (ada, ben))):
        sent.append(f"m{number}")
        await door.data(SEND, person.token, i=conversation, b=sent[-1], c=f"c{number}")
    for reader in readers:
        await reader.read_until(sent)
        await reader.cut()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 1), st.integers(1, 4)),
        st.tuples(st.just("cut"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("read"), st.integers(0, 3), st.just(0)),
    ),
    min_size=3,
    max_size=14,
)


@pytest.mark.rule("C16")
@pytest.mark.promise("D2")
@settings(
    max_examples=size(12, 150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=steps)
async def test_who_is_cut_and_resumes_loses_and_doubles_nothing(two: Site, steps: list[tuple[str, int, int]]) -> None:
    ada, ben, conversation, cursor = await pair(two)
    people = (ada, ben)
    readers = [Reader(two.doors[n % 2], people[n // 2], conversation, cursor) for n in range(4)]
    for reader in readers:
        await reader.follow()
    sent: list[str] = []
    for verb, who, many in steps:
        if verb == "send":
            for _ in range(many):
                body = f"m{next(_numbers)}"
                await two.doors[who].data(SEND, people[who].token, i=conversation, b=body, c=body)
                sent.append(body)
        elif verb == "cut":
            await readers[who].cut()
            await readers[who].follow()
        else:
            await readers[who].read_until(sent)
    await asyncio.gather(*(reader.read_until(sent) for reader in readers))
    for reader in readers:
        await reader.cut()


@pytest.mark.rule("L4")
async def test_a_downgrade_through_one_ends_what_is_open_on_the_other(two: Site) -> None:
    ada, ben, conversation, cursor = await pair(two)
    operator = await two.doors[0].operator()
    change = "mutation($p: ID!, $t: PlanTier!) { changePlan(practiceId: $p, tier: $t) { tier } }"
    practice = str(ada.member.practice_id)
    async with two.doors[1].socket(ben.token) as socket:
        key = await socket.subscribe(FOLLOW, i=conversation, a=None)
        await two.doors[0].data(change, operator, p=practice, t="starter")
        assert await socket.error(key) == "FEATURE_NOT_IN_PLAN"
        assert await two.doors[1].code(SEND, ben.token, i=conversation, b="no", c="1") == "FEATURE_NOT_IN_PLAN"
        await two.doors[0].data(change, operator, p=practice, t="premium")
        key = await socket.subscribe(FOLLOW, i=conversation, a=cursor)
        await two.doors[0].data(SEND, ada.token, i=conversation, b="again", c="1")
        assert (await socket.next(key))["messageAdded"]["body"] == "again"


@pytest.mark.promise("A4")
@pytest.mark.rule("A10")
async def test_signing_out_through_one_closes_the_socket_on_the_other(two: Site) -> None:
    ada, *_ = await pair(two)
    async with two.doors[1].socket(ada.token) as socket:
        await two.doors[0].data("mutation { signOut }", ada.token)
        assert await socket.closed() == (4403, "Session ended")
    assert await two.doors[1].code("{ viewer { role } }", ada.token) == "UNAUTHENTICATED"
