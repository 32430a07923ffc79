"""A portal account that is suspended, or a guardian who is removed, on one process is out on the other too."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

import pytest
from deployment import Held
from journeys.processes import Site

from bedside_core.auth import Role
from rulebook import full_size

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECOND = 1.0
SUSPEND = "mutation($p: ID!) { suspendPortalAccount(patientId: $p) { state } }"
REMOVE = "mutation($h: ID!) { removePortalHolder(holderId: $h) { state } }"
HOLDERS = "query($p: ID!) { patient(id: $p) { portalAccount { holders { id relationship } } } }"
RECORD = "{ ownRecord { id } }"


async def out(two: Site, held: Held, spared: Held, query: str, token: str, **variables: str) -> None:
    """Do something on one process; whoever acts by it is out on both, and somebody else goes on."""
    here, there = two.doors
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(door.socket(held.token)) for door in two.doors]
        other = await stack.enter_async_context(there.socket(spared.token))
        assert (await there.data(RECORD, held.token))["ownRecord"] == {"id": held.id}
        await here.data(query, token, **variables)
        began = time.monotonic()
        assert await there.code(RECORD, held.token) == "UNAUTHENTICATED"
        assert [await socket.closed() for socket in sockets] == [(4403, "Session ended")] * 2
        took = time.monotonic() - began
        print(f"sockets of both processes closed after {took:.2f} s")
        assert not full_size() or took < SECOND
        key = await other.subscribe(RECORD)
        assert (await other.next(key))["ownRecord"] == {"id": spared.id}


@pytest.mark.rule("S9")
@pytest.mark.rule("A10")
@pytest.mark.promise("A4")
async def test_a_portal_account_suspended_on_one_process_is_out_on_the_other(two: Site) -> None:
    here, _ = two.doors
    practice = await here.practice()
    staff = await here.person(practice, Role.STAFF)
    held, spared = await here.held(practice), await here.held(practice)
    await out(two, held, spared, SUSPEND, staff.token, p=held.id)


@pytest.mark.rule("S11")
@pytest.mark.rule("A10")
@pytest.mark.promise("A4")
async def test_a_guardian_removed_on_one_process_is_out_on_the_other(two: Site) -> None:
    here, _ = two.doors
    practice = await here.practice()
    staff = await here.person(practice, Role.STAFF)
    spared = await here.held(practice)
    gil = await here.held(practice, spared.patient, relationship="mother")
    found = (await here.data(HOLDERS, staff.token, p=gil.id))["patient"]["portalAccount"]["holders"]
    [holder] = [each["id"] for each in found if each["relationship"] is not None]
    await out(two, gil, spared, REMOVE, staff.token, h=holder)
