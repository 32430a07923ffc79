"""Two records of one patient become one: who acts for the merged one acts for the kept one, and is told of it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from audit_stage import trail
from deployment import PASSWORD as HELD
from deployment import unannounced
from plugins.portal.desk import BORN, CONFIRM, GUARDIAN, INVITE, OWN, PASSWORD, REGISTER, REINSTATE, SUSPEND, Desk
from schema.records.test_merging import MERGE

from bedside_core.database import DB, acting
from bedside_core.people import Patient
from bedside_portal.api import PortalAccountChanged, PortalHolderChanged

SIGN_IN = "mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { token } }"
RECORD = "{ ownRecord { id } }"


@contextmanager
def heard(desk: Desk) -> Generator[list[Any]]:
    """Gather what the portal's listeners are told."""
    listeners, told = desk.deployment.platform.events, list[Any]()
    deliver = listeners.deliver

    def gather(events: Any) -> None:
        told.extend(each for each in events if isinstance(each, PortalAccountChanged | PortalHolderChanged))
        deliver(events)

    listeners.deliver = gather
    try:
        yield told
    finally:
        listeners.deliver = deliver


async def merge(desk: Desk, keep: Patient, gone: Patient) -> None:
    await desk.deployment.data(MERGE, desk.owner.token, k=str(keep.id), m=str(gone.id), c=f"m-{gone.id}")


@pytest.mark.rule("S9")
async def test_an_account_that_works_outlives_an_invitation_of_the_kept_record(desk: Desk) -> None:
    door = desk.deployment
    keep = await door.patient(desk.practice, "Kay")
    invited, secret = await desk.invited(keep)
    email = await desk.registered()
    past = len(await trail(desk.practice.id))
    with heard(desk) as told:
        await merge(desk, keep, desk.patient)
    account = await desk.account(keep)
    assert account["state"] == "ACTIVE"
    [holder] = account["holders"]
    assert (holder["relationship"], holder["state"]) == (None, "ACTIVE")
    own = await door.data(OWN, await door.sign_in(email, PASSWORD))
    assert own["ownRecord"]["id"] == str(keep.id)
    assert await door.code(CONFIRM, s=secret, b=BORN) == "LINK_OVER"
    states = [each for each in told if isinstance(each, PortalAccountChanged)]
    assert [(each.patient_id, each.before, each.state) for each in states] == [
        (keep.id, "invited", "active"),
        (desk.patient.id, "active", "none"),
    ]
    holders = [each for each in told if isinstance(each, PortalHolderChanged)]
    assert [(each.patient_id, str(each.holder_id), each.state) for each in holders] == [
        (keep.id, invited["id"], "removed"),
        (keep.id, holder["id"], "active"),
    ]
    entries = [entry for entry in await trail(desk.practice.id, past=past) if entry.action.startswith("portal.")]
    assert [(entry.action, entry.target) for entry in entries] == [
        ("portal.revoke", invited["id"]),
        ("portal.move", holder["id"]),
    ]


@pytest.mark.rule("S9")
@pytest.mark.rule("S11")
async def test_who_acts_or_is_invited_for_both_is_there_once_and_guardians_move(desk: Desk) -> None:
    door = desk.deployment
    kept = await door.held(desk.practice)
    other = await door.held(desk.practice)
    await door.hold(other.patient, kept.account_id, kept.email, relationship="father")
    mother = await door.held(desk.practice, other.patient, relationship="mother")
    _, secret = await desk.guarded(other.patient, "aunt@guardians.example", "aunt")
    await merge(desk, kept.patient, other.patient)
    account = await desk.account(kept.patient)
    assert [(each["relationship"], each["state"]) for each in account["holders"]] == [
        (None, "ACTIVE"),
        ("mother", "ACTIVE"),
        ("aunt", "INVITED"),
    ]
    # who acted for the kept one goes on; who acted for the merged one signs in anew, or never
    assert (await door.data(OWN, kept.token))["ownRecord"]["id"] == kept.id
    for token in (other.token, mother.token):
        assert await door.code(RECORD, token) == "UNAUTHENTICATED"
    signed = await door.sign_in(mother.email)
    assert (await door.data(OWN, signed))["ownRecord"]["id"] == kept.id
    assert await door.code(SIGN_IN, e=other.email, p=HELD) == "UNAUTHENTICATED"
    assert await door.data(REGISTER, s=secret, b=BORN, p=PASSWORD)

    # two invitations: the kept record's stays, and the other's link is void
    keep, gone = [await door.patient(desk.practice, name) for name in ("Kim", "Gus")]
    _, stays = await desk.invited(keep)
    _, void = await desk.invited(gone)
    await merge(desk, keep, gone)
    assert await door.code(CONFIRM, s=void, b=BORN) == "LINK_OVER"
    assert await door.data(CONFIRM, s=stays, b=BORN)
    assert len((await desk.account(keep))["holders"]) == 1


@pytest.mark.rule("A10")
@pytest.mark.promise("A4")
async def test_a_suspension_that_comes_with_the_merged_record_ends_the_kept_one_s_sessions(desk: Desk) -> None:
    door = desk.deployment
    kept, gone = [await door.held(desk.practice) for _ in range(2)]
    await desk.data(SUSPEND, p=gone.id)
    past = len(await trail(desk.practice.id))
    async with door.socket(kept.token) as socket:
        with heard(desk) as told:
            await merge(desk, kept.patient, gone.patient)
        assert await socket.closed() == (4403, "Session ended")
    assert (await desk.account(kept.patient))["state"] == "SUSPENDED"
    assert await door.code(RECORD, kept.token) == "UNAUTHENTICATED"
    states = [each for each in told if isinstance(each, PortalAccountChanged)]
    assert [(each.patient_id, each.before, each.state) for each in states] == [
        (kept.patient.id, "active", "suspended"),
        (gone.patient.id, "suspended", "none"),
    ]
    entries = await trail(desk.practice.id, past=past)
    assert [entry.target for entry in entries if entry.action == "portal.suspend"] == [kept.id]
    # they sign in anew, as after any suspension
    assert (await desk.data(REINSTATE, p=kept.id))["state"] == "ACTIVE"
    assert await door.code(RECORD, kept.token) == "UNAUTHENTICATED"
    assert (await door.data(OWN, await door.sign_in(kept.email)))["ownRecord"]["id"] == kept.id


@pytest.mark.rule("A10")
@pytest.mark.promise("A4")
async def test_the_merged_record_s_sockets_close_though_the_announcement_is_lost(desk: Desk) -> None:
    door = desk.deployment
    keep, gone = await door.patient(desk.practice, "Kay"), await door.held(desk.practice)
    async with door.socket(gone.token) as socket, unannounced(door):
        await merge(desk, keep, gone.patient)
        assert await socket.closed() == (4403, "Session ended")


@pytest.mark.rule("S9")
@pytest.mark.rule("S11")
async def test_nobody_is_invited_to_a_merged_record(desk: Desk) -> None:
    door, gone = desk.deployment, str(desk.patient.id)
    keep = await door.held(desk.practice)
    await merge(desk, keep.patient, desk.patient)
    guardian = {"firstName": "Gil", "lastName": "Ward", "relationship": "mother", "email": "gil@guardians.example"}
    for query, values in (
        (INVITE, {"h": "EMAIL", "c": "one"}),
        (GUARDIAN, {"g": guardian, "c": "two"}),
        (SUSPEND, {}),
        (REINSTATE, {}),
    ):
        assert await desk.code(query, p=gone, **values) == "NOT_FOUND"
    account = await desk.account(keep.patient)
    assert (account["state"], len(account["holders"])) == ("ACTIVE", 1)
    with acting(desk.practice.id):
        assert await DB.fetchval("SELECT count(*) FROM portal_holder") == 1
