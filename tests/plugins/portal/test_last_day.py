"""After their last day guardians act for nobody, whether or not a job has run since (S11)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
import pytest_asyncio
import websockets
from audit_stage import trail
from deployment import Held
from plugins.portal.desk import BORN, CONFIRM, INVITE, PASSWORD, REGISTER, RESEND, SWITCH, Desk, opened
from plugins.portal.test_merging import heard
from plugins.portal.test_reach import GIL, GUARDIAN, RECORD, UNTIL, end, today
from schema.records.test_merging import MERGE

from bedside_core.database import DB, acting, unit
from bedside_core.notify import Reached
from bedside_core.testing import Database
from bedside_portal.api import PortalHolderChanged, PortalRules
from bedside_portal.reach import PortalReach

LOOK = "query($s: String!) { portalInvitation(secret: $s) { guardian } }"
PERSONAS = "{ viewer { personas { id } } }"
SIGN_IN = "mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { token } }"


@pytest_asyncio.fixture
async def desk(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Desk]:
    """A practice whose jobs nobody runs."""
    async with opened(fresh_database, data=tmp_path, worker=False) as opening:
        yield opening


async def guarded(desk: Desk, last: date) -> tuple[Held, Held]:
    """A child with a portal account of their own, and a mother who acts for them until a day."""
    child = await desk.deployment.held(desk.practice)
    gil = await desk.deployment.held(desk.practice, child.patient, relationship="mother")
    holders = (await desk.account(child.patient))["holders"]
    await desk.data(UNTIL, h=holders[-1]["id"], d=last.isoformat())
    return child, gil


async def to_the_end_of(desk: Desk, last: date, *, less: timedelta = timedelta()) -> None:
    """Move the clock to where a day ends in the practice's zone, or some time before."""
    midnight = datetime(last.year, last.month, last.day, tzinfo=ZoneInfo(desk.practice.zone)) + timedelta(days=1)
    clock = desk.deployment.platform.clock
    await clock.move(midnight.astimezone(UTC) - less - clock.now() + timedelta(seconds=1))


async def reached(desk: Desk, held: Held) -> list[Reached]:
    with acting(desk.practice.id):
        found = await PortalReach(desk.deployment.platform.clock).reach([held.patient.id])
    return list(found.get(held.patient.id, ()))


async def may_book(desk: Desk, held: Held) -> bool:
    with acting(desk.practice.id):
        rules = desk.deployment.platform.service(PortalRules)
        return await rules.may_book(held.patient.id, held.account_id) is None


@pytest.mark.rule("S11", "A10")
@pytest.mark.promise("A4")
async def test_who_acts_is_asked_by_the_day_and_not_of_a_job(desk: Desk) -> None:
    door, last = desk.deployment, today(desk) + timedelta(days=2)
    child, gil = await guarded(desk, last)
    sister = await door.patient(desk.practice, "Sue")
    await door.hold(sister, gil.account_id, gil.email, relationship="mother")
    await to_the_end_of(desk, last, less=timedelta(minutes=1))
    token, beside = await door.sign_in(gil.email), await door.sign_in(gil.email)
    await door.data(SWITCH, token, p=child.id)
    await door.data(SWITCH, beside, p=str(sister.id))
    assert (await door.data(RECORD, token))["ownRecord"]["id"] == child.id
    assert await reached(desk, child) == [Reached(email=gil.email)]
    assert await may_book(desk, gil)

    await to_the_end_of(desk, last)
    assert await door.code(RECORD, token) == "UNAUTHENTICATED"
    assert await door.code(SWITCH, beside, p=child.id) == "NOT_FOUND"
    personas = (await door.data(PERSONAS, beside))["viewer"]["personas"]
    assert [each["id"] for each in personas] == [str(sister.id)]
    assert await reached(desk, child) == []
    assert not await may_book(desk, gil)
    assert [each["relationship"] for each in (await desk.account(child.patient))["holders"]] == [None]
    holder = await _holder(gil)
    assert await desk.code(UNTIL, h=holder, d=None) == "CONFLICT"
    assert (await door.data(RECORD, child.token))["ownRecord"]["id"] == child.id


async def _holder(held: Held) -> str:
    with acting(held.patient.practice_id):
        return str(await DB.fetchval("SELECT id FROM portal_holder WHERE account_id = $1", held.account_id))


@pytest.mark.rule("S11", "A10")
async def test_a_socket_that_is_open_ends_with_the_next_look_at_its_session(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("PING", "0.1"), ("PONG", "1"), ("RECHECK", "0.1")):
        monkeypatch.setenv(f"BEDSIDE_GRAPHQL_{name}_SECONDS", seconds)
    async with opened(fresh_database, data=tmp_path, worker=False) as desk:
        last = today(desk)
        child, gil = await guarded(desk, last)
        async with desk.deployment.socket(gil.token) as socket:
            await to_the_end_of(desk, last)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket.receive()  # answers pings meanwhile
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4403, "Session ended")
        assert (await desk.deployment.data(RECORD, child.token))["ownRecord"]["id"] == child.id


@pytest.mark.rule("S11", "A6")
async def test_who_acts_for_nobody_any_more_is_told_what_a_stranger_is(desk: Desk) -> None:
    door, last = desk.deployment, today(desk)
    _, gil = await guarded(desk, last)
    await to_the_end_of(desk, last)
    gone = await door.ask(SIGN_IN, e=gil.email, p=PASSWORD)
    stranger = await door.ask(SIGN_IN, e="nobody@example.org", p=PASSWORD)
    told = [(each["errors"][0]["message"], each["errors"][0]["extensions"]["code"]) for each in (gone, stranger)]
    assert told[0] == told[1] and told[0][1] == "UNAUTHENTICATED"


@pytest.mark.rule("S9", "S11")
async def test_an_invitation_is_over_with_the_day_too(desk: Desk) -> None:
    last = today(desk) + timedelta(days=1)
    given = {**GIL, "until": last.isoformat()}
    made, secret = await _invited(desk, given)
    await to_the_end_of(desk, last, less=timedelta(minutes=1))
    assert (await desk.deployment.data(LOOK, s=secret))["portalInvitation"] == {"guardian": True}
    await to_the_end_of(desk, last)
    register = {"s": secret, "b": BORN, "p": PASSWORD}
    for query, variables in ((LOOK, {"s": secret}), (CONFIRM, {"s": secret, "b": BORN}), (REGISTER, register)):
        assert await desk.deployment.code(query, **variables) == "LINK_OVER"
    with acting(desk.practice.id):
        sent = "SELECT count(*), (SELECT max(sent_at) FROM portal_holder) FROM notification"
        before = await DB.fetch(sent)
        assert await desk.code(RESEND, h=made["id"]) == "CONFLICT"
        assert await DB.fetch(sent) == before
    account = await desk.account()
    assert (account["state"], account["holders"]) == ("NONE", [])


async def _invited(desk: Desk, given: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Invite a guardian with a link that the test issues itself, for nobody sends letters here."""
    made = await desk.data(GUARDIAN, p=str(desk.patient.id), g=given, c="g-1")
    with acting(desk.practice.id):
        async with unit() as work:
            links = desk.deployment.platform.links
            secret = await links.issue(work, "portal.invitation", UUID(made["id"]), lasts=timedelta(days=21))
    return made, secret


@pytest.mark.rule("S9", "S11")
async def test_the_job_tells_of_it_and_closes_what_was_open(desk: Desk) -> None:
    door, last = desk.deployment, today(desk)
    child = await door.patient(desk.practice)
    gil = await door.held(desk.practice, child, relationship="mother")
    holder = await _holder(gil)
    await desk.data(UNTIL, h=holder, d=last.isoformat())
    await to_the_end_of(desk, last)
    assert (await desk.account(child))["state"] == "NONE"
    with heard(desk) as told:
        await end(desk)
        await end(desk)
    assert [(type(each).__name__, each.state) for each in told] == [
        ("PortalAccountChanged", "none"), ("PortalHolderChanged", "removed"),
    ]  # fmt: skip
    assert [e.action for e in await trail(desk.practice.id) if e.target == holder] == ["portal.until", "portal.remove"]
    ended = "SELECT count(*) FROM session WHERE patient_id = $1 AND ended_at IS NULL"
    owner: Any = await asyncpg.connect(desk.database.owner_dsn)
    try:
        assert await owner.fetchval(ended, child.id) == 0
    finally:
        await owner.close()


@pytest.mark.rule("S9", "S11")
async def test_a_guardian_whose_last_day_is_over_for_the_kept_record_acts_by_the_merged_one(
    desk: Desk,
) -> None:
    door, last = desk.deployment, today(desk)
    keep, gone = await door.patient(desk.practice), await door.patient(desk.practice)
    gil = await door.held(desk.practice, keep, relationship="mother")
    await desk.data(UNTIL, h=await _holder(gil), d=last.isoformat())
    await door.hold(gone, gil.account_id, gil.email, relationship="mother")
    await to_the_end_of(desk, last)
    with heard(desk) as told:
        await door.data(MERGE, desk.owner.token, k=str(keep.id), m=str(gone.id), c="m-1")
        await end(desk)
    account = await desk.account(keep)
    assert (account["state"], [each["relationship"] for each in account["holders"]]) == ("ACTIVE", ["mother"])
    assert [each.state for each in told if isinstance(each, PortalHolderChanged)] == ["removed", "active"]
    assert await door.code(RECORD, gil.token) == "UNAUTHENTICATED"  # she signs in anew
    assert (await door.data(RECORD, await door.sign_in(gil.email)))["ownRecord"]["id"] == str(keep.id)


@pytest.mark.rule("S2", "S11")
async def test_a_patient_for_whom_nobody_acts_any_more_is_invited_anew(desk: Desk) -> None:
    door, last = desk.deployment, today(desk)
    child = await door.patient(desk.practice)
    gil = await door.held(desk.practice, child, relationship="mother")
    await desk.data(UNTIL, h=await _holder(gil), d=last.isoformat())
    await to_the_end_of(desk, last)
    assert (await desk.data(INVITE, p=str(child.id), h="EMAIL", c="i-1"))["state"] == "INVITED"
    assert (await desk.account(child))["state"] == "INVITED"
