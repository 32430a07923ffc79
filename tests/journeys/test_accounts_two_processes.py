"""Whatever ends a session ends it on every process, and attempts are counted over all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest
from accounts_stage import CHANGE, DEMAND, MAKE_KEY, OTHER_PASSWORD, SESSIONS, SIGN_IN, give_cheap_password, rows
from deployment import PASSWORD, Deployment, Person
from journeys.processes import Site
from schema.test_api_keys import asked

from bedside_core.auth import Role
from rulebook import full_size

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECOND = 1.0
ENDED, CHANGED = (4403, "Session ended"), (4403, "Session changed")


async def end_one(here: Deployment, boss: Person, person: Person, token: str) -> None:
    [session] = [each for each in (await here.data(SESSIONS, token))["sessions"] if each["current"]]
    await here.data("mutation($i: ID!) { endSession(id: $i) }", person.token, i=session["id"])


async def change_password(here: Deployment, boss: Person, person: Person, token: str) -> None:
    await here.data(CHANGE, person.token, c=PASSWORD, n=OTHER_PASSWORD)


async def everywhere(here: Deployment, boss: Person, person: Person, token: str) -> None:
    await here.data("mutation { signOutEverywhere }", person.token)


async def sign_out(here: Deployment, boss: Person, person: Person, token: str) -> None:
    await here.data("mutation { signOut }", token)


async def deactivate(here: Deployment, boss: Person, person: Person, token: str) -> None:
    await here.data("mutation($i: ID!) { deactivateMember(memberId: $i) { id } }", boss.token, i=person.id)


async def another_role(here: Deployment, boss: Person, person: Person, token: str) -> None:
    change = "mutation($i: ID!) { changeMemberRole(memberId: $i, role: STAFF) { id } }"
    await here.data(change, boss.token, i=person.id)


async def demand(here: Deployment, boss: Person, person: Person, token: str) -> None:
    await here.data(DEMAND, person.token, on=True)


ENDS: tuple[tuple[Callable[[Deployment, Person, Person, str], Awaitable[None]], tuple[int, str], str], ...] = (
    (end_one, ENDED, "UNAUTHENTICATED"),
    (sign_out, ENDED, "UNAUTHENTICATED"),
    (change_password, ENDED, "UNAUTHENTICATED"),
    (everywhere, ENDED, "UNAUTHENTICATED"),
    (deactivate, ENDED, "UNAUTHENTICATED"),
    (another_role, CHANGED, "FORBIDDEN"),
    (demand, CHANGED, "SECOND_FACTOR_NEEDED"),
)


@pytest.mark.rule("A10")
@pytest.mark.promise("A4")
@pytest.mark.timeout(300)
async def test_what_ends_a_session_on_one_process_ends_it_on_the_other(two: Site) -> None:
    here, there = two.doors
    ben = await here.person(await here.practice("Abbey"), name="Ben")
    for end, told, code in ENDS:
        practice = await here.practice()
        ada = await here.person(practice, Role.OWNER)
        boss = await here.person(practice, Role.OWNER)
        await give_cheap_password(ada, PASSWORD)
        token = await here.sign_in(ada.email)
        async with AsyncExitStack() as stack:
            sockets = [await stack.enter_async_context(door.socket(token)) for door in two.doors]
            other = await stack.enter_async_context(there.socket(ben.token))
            await end(here, boss, ada, token)
            began = time.monotonic()
            # HTTP at once, on the process that did not do it.
            assert await there.code("{ apiKeys { nodes { id } } }", token) == code, end.__name__
            assert [await socket.closed() for socket in sockets] == [told, told], end.__name__
            took = time.monotonic() - began
            print(f"{end.__name__}: sockets of both processes closed after {took:.2f} s")
            assert not full_size() or took < SECOND
            key = await other.subscribe("{ viewer { role } }")
            assert (await other.next(key))["viewer"] == {"role": "PRACTITIONER"}


@pytest.mark.rule("A13")
@pytest.mark.promise("A4")
async def test_a_key_that_is_revoked_on_one_process_is_over_on_the_other(two: Site) -> None:
    here, there = two.doors
    owner = await here.person(await here.practice(), Role.OWNER)
    made = (await here.data(MAKE_KEY, owner.token, **asked(here, s=["practice.read"])))["createApiKey"]
    async with there.socket(made["token"]) as socket:
        key = await socket.subscribe("{ practice { name } }")
        assert (await socket.next(key))["practice"] == {"name": "Bay View"}
        await here.data("mutation($i: ID!) { revokeApiKey(id: $i) }", owner.token, i=made["key"]["id"])
        began = time.monotonic()
        assert await there.code("{ practice { name } }", made["token"]) == "UNAUTHENTICATED"
        assert await socket.closed() == ENDED
        assert not full_size() or time.monotonic() - began < SECOND


@pytest.mark.rule("A15")
async def test_switching_on_one_process_counts_on_the_other(two: Site) -> None:
    here, there = two.doors
    ada = await here.person(await here.practice("Bay View"))
    abbey = await here.practice("Abbey")
    account = UUID((await here.data("{ viewer { id } }", ada.token))["viewer"]["id"])
    member = await here.platform.people.create_member(
        abbey.id, account, first_name="Ada", last_name="There", role=Role.OWNER
    )
    async with there.socket(ada.token) as socket:
        await here.data("mutation($p: ID!) { switchTo(persona: $p) { role } }", ada.token, p=str(member.id))
        assert (await there.data("{ practice { name } }", ada.token))["practice"] == {"name": "Abbey"}
        assert await socket.closed() == CHANGED


@pytest.mark.rule("A5")
@pytest.mark.promise("A5")
async def test_attempts_are_counted_over_all_processes(two: Site) -> None:
    ada = await two.doors[0].person(await two.doors[0].practice())
    await give_cheap_password(ada, PASSWORD)

    async def attempt(number: int) -> dict[str, Any]:
        body = await two.doors[number % 2].ask(SIGN_IN, e=ada.email, p="wrong")
        return body["errors"][0]["extensions"]

    codes = [facts["code"] for facts in await asyncio.gather(*(attempt(number) for number in range(12)))]
    assert sorted(codes) == [*["SIGN_IN_LOCKED"] * 7, *["UNAUTHENTICATED"] * 5]
    for door in two.doors:
        assert await door.code(SIGN_IN, e=ada.email, p=PASSWORD) == "SIGN_IN_LOCKED"
    [count] = await rows(two.database, "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'core.account_locked'")
    assert count[0] == 1
