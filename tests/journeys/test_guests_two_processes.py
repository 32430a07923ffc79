"""A guest whose link is over on one process is out on the other too, within a second (C6, promise A4)."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg
import pytest
from deployment import Deployment, Guest
from journeys.processes import Site

from rulebook import full_size

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECOND = 1.0
FOLLOW = "subscription($i: ID!) { messageAdded(conversationId: $i) { body } }"
READ = "query($i: ID!) { conversation(id: $i) { id } }"
REVOKE = "mutation($i: ID!, $p: ID!) { revokeGuestLink(conversationId: $i, personId: $p) { id } }"
RESEND = "mutation($i: ID!, $p: ID!) { sendGuestLink(conversationId: $i, personId: $p) { id } }"
LEAVE = "mutation($i: ID!) { leaveConversation(conversationId: $i) }"
SECRET = re.compile(r"/chat/guest#([A-Za-z0-9_-]{43})")


async def revoke(here: Deployment, guest: Guest) -> None:
    await here.data(REVOKE, guest.member.token, i=guest.conversation_id, p=guest.id)


async def resend(here: Deployment, guest: Guest) -> None:
    await here.data(RESEND, guest.member.token, i=guest.conversation_id, p=guest.id)


async def leave(here: Deployment, guest: Guest) -> None:
    await here.data(LEAVE, guest.token, i=guest.conversation_id)


@pytest.mark.rule("C6")
@pytest.mark.promise("A4")
@pytest.mark.parametrize("end", [revoke, resend, leave])
async def test_a_guest_who_is_out_on_one_process_is_out_on_the_other(
    two: Site, end: Callable[[Deployment, Guest], Awaitable[None]]
) -> None:
    here, there = two.doors
    practice = await here.practice()
    guest, spared = await here.guest(practice), await here.guest(practice)
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(door.socket(guest.token)) for door in two.doors]
        for socket in sockets:
            await socket.subscribe(FOLLOW, i=guest.conversation_id)
        other = await stack.enter_async_context(there.socket(spared.token))
        assert (await there.data(READ, guest.token, i=guest.conversation_id))["conversation"]
        await end(here, guest)
        began = time.monotonic()
        assert await there.code(READ, guest.token, i=guest.conversation_id) == "UNAUTHENTICATED"
        assert [await socket.closed() for socket in sockets] == [(4403, "Session ended")] * 2
        took = time.monotonic() - began
        print(f"sockets of both processes closed after {took:.2f} s")
        assert not full_size() or took < SECOND
        key = await other.subscribe(READ, i=spared.conversation_id)
        assert (await other.next(key))["conversation"] == {"id": spared.conversation_id}


@pytest.mark.rule("C6")
@pytest.mark.promise("A6")
async def test_a_secret_is_exchanged_on_any_process_and_the_bearer_is_good_on_all(two: Site) -> None:
    here, there = two.doors
    guest = await here.guest(await here.practice())
    owner = await asyncpg.connect(two.database.owner_dsn)
    facts = await owner.fetch("SELECT facts::text AS facts FROM notification WHERE kind = 'chat.guest_link'")
    await owner.close()
    found = [match.group(1) for row in facts if (match := SECRET.search(row["facts"]))]
    assert found  # nothing sends here, so what is to be sent stands in the outbox still
    told = [(await there.http.post("/chat/guest/exchange", json={"secret": each})).json() for each in found]
    [mine] = [each for each in told if each.get("conversationId") == guest.conversation_id]
    assert mine["personId"] == guest.id
    for door in two.doors:
        read = await door.data(READ, mine["token"], i=guest.conversation_id)
        assert read["conversation"] == {"id": guest.conversation_id}
