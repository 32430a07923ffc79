"""Who acts for a patient is told what the patient is told; until a day at most, and no longer than they act (S11)."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from audit_stage import trail
from core.notify.test_push import text
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from deployment import Held
from plugins.portal.desk import BORN, CONFIRM, HOLDER, MISSING, PASSWORD, REGISTER, REMOVE, SUSPEND, Desk
from schema.records.test_merging import MERGE

from bedside_core.database import DB, acting, unit
from bedside_core.jobs.declared import JobRun
from bedside_core.notify import Fact, Recipient
from bedside_core.testing import until
from bedside_portal.endings import end_guardians
from bedside_portal.service import PortalService

UNTIL = f"mutation($h: ID!, $d: Date) {{ setGuardianUntil(holderId: $h, until: $d) {{ {HOLDER} until }} }}"
GUARDIAN = """mutation($p: ID!, $g: GuardianInput!, $c: String!) {
    inviteGuardian(patientId: $p, input: $g, clientId: $c) { id until state } }"""
PUSH = """mutation($e: String!, $p: String!, $s: String!) {
    subscribeToPush(endpoint: $e, publicKey: $p, secret: $s) }"""
RECORD = "{ ownRecord { id } }"
GIL = {"firstName": "Gil", "lastName": "Ward", "relationship": "mother", "email": "gil@home.example"}


async def tell(desk: Desk, held: Held) -> None:
    """Notify a patient, as a service would."""
    facts = {Fact.SENDER: "Olga", Fact.TIME: desk.deployment.platform.clock.now(), Fact.LINK: "/"}
    with acting(desk.practice.id):
        async with unit() as work:
            to = Recipient.patient(held.patient.id, desk.practice.id)
            await desk.deployment.platform.notify.send(work, "core.trial", to=to, data=facts, after=timedelta())


async def deliveries(desk: Desk, channel: str) -> list[tuple[str, str]]:
    with acting(desk.practice.id):
        rows = await DB.fetch(
            """SELECT d.address, d.state FROM notification_delivery d JOIN notification n ON n.id = d.notification_id
            WHERE d.channel = $1 AND n.recipient = 'patient' ORDER BY d.created_at, d.address""",
            channel,
        )
    return [(row["address"], row["state"]) for row in rows]


async def ended(desk: Desk, count: int) -> list[tuple[str, str]]:
    """Wait until so many mails have come to an end, and return what became of them."""
    found: list[tuple[str, str]] = []

    async def done() -> bool:
        found[:] = [each for each in await deliveries(desk, "email") if each[1] != "waiting"]
        return len(found) >= count

    await until(done, "the mails", 60)
    return found


def today(desk: Desk) -> Any:
    return desk.deployment.platform.clock.now().astimezone(ZoneInfo(desk.practice.zone)).date()


async def end(desk: Desk) -> None:
    """Run the job now, whatever the schedule says."""
    platform = desk.deployment.platform
    with acting(desk.practice.id):
        await end_guardians(JobRun(platform=platform, practice_id=desk.practice.id, payload={}, attempt=1))


@pytest.mark.rule("S11", "N1")
async def test_guardians_are_told_what_the_patient_is_told_and_nobody_twice(desk: Desk) -> None:
    door = desk.deployment
    child = await door.held(desk.practice)
    mother = await door.held(desk.practice, child.patient, relationship="mother")
    father = await door.held(desk.practice, child.patient, relationship="father")
    stranger = await door.held(desk.practice)
    await tell(desk, child)
    told = await ended(desk, 3)
    assert sorted(told) == sorted(
        (address, "sent") for address in (str(child.patient.email), mother.email, father.email)
    )
    assert stranger.email not in str(desk.mail.mails) and child.email not in str(desk.mail.mails)
    # Suspended, nobody acts for the child: the record's own address alone is written to.
    await desk.data(SUSPEND, p=child.id)
    await tell(desk, child)
    assert (await ended(desk, 4))[3:] == [(str(child.patient.email), "sent")]


@pytest.mark.rule("S11", "S9")
async def test_a_guardian_invited_by_sms_is_told_by_sms_as_well_and_a_record_without_address_by_its_account(
    desk: Desk,
) -> None:
    door, number = desk.deployment, "+12025550188"
    child = await door.held(desk.practice)
    patch = "mutation($p: ID!) { updatePatient(id: $p, patch: { email: null }) { id } }"
    await desk.data(patch, p=child.id)
    given = {**GIL, "email": None, "phone": number}
    await desk.data(GUARDIAN, p=child.id, g=given, c="g-1")
    chosen = await desk.chosen(await desk.secret(number), "gil@home.example")
    assert await door.data(REGISTER, s=chosen, b=BORN, p=PASSWORD)
    count = len(desk.phone.taken)
    await tell(desk, child)
    assert sorted(address for address, _ in await ended(desk, 2)) == sorted([child.email, "gil@home.example"])

    def texted() -> bool:
        return {taken.to for taken in desk.phone.taken[count:]} == {str(child.patient.phone), number}

    await until(texted, "an SMS to both", 60)


@pytest.mark.rule("S11", "N5")
@pytest.mark.promise("A4")
@pytest.mark.parametrize("how", ["removed", "suspended"])
async def test_what_waits_for_a_guardian_who_acts_no_more_is_not_sent(desk: Desk, how: str) -> None:
    door = desk.deployment
    child = await door.held(desk.practice)
    gil = await door.held(desk.practice, child.patient, relationship="mother")
    for each in (child, gil):
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        public = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        given = {"e": f"https://push.example/{each.email}", "p": text(public), "s": text(os.urandom(16))}
        assert (await door.data(PUSH, each.token, **given))["subscribeToPush"] is True

    async def away(_: Any) -> str:
        return "451 4.3.0 try again"

    desk.mail.answer = away
    await tell(desk, child)

    async def tried() -> bool:
        with acting(desk.practice.id):
            return await DB.fetchval("SELECT count(*) FROM notification_attempt WHERE outcome = 'temporary'") >= 2

    await until(tried, "both mails to be tried", 60)
    if how == "removed":
        [_, holder] = (await desk.account(child.patient))["holders"]
        await desk.data(REMOVE, h=holder["id"])
    else:
        await desk.data(SUSPEND, p=child.id)
    states = dict(await deliveries(desk, "email"))
    assert states == {str(child.patient.email): "waiting", gil.email: "cancelled"}
    with acting(desk.practice.id):
        browsers = [row["endpoint"] for row in await DB.fetch("SELECT endpoint FROM push_subscription")]
    assert browsers == ([f"https://push.example/{child.email}"] if how == "removed" else [])
    desk.mail.answer = lambda _: None
    await door.platform.clock.move(timedelta(minutes=30))
    await until(lambda: bool(desk.letters(str(child.patient.email))), "the patient's mail", 60)
    assert desk.letters(gil.email) == []


@pytest.mark.rule("S11", "A10")
@pytest.mark.promise("A4")
async def test_a_guardian_acts_until_the_day_that_staff_has_said_and_no_longer(desk: Desk) -> None:
    door = desk.deployment
    child = await door.held(desk.practice)
    gil = await door.held(desk.practice, child.patient, relationship="mother")
    [own, holder] = (await desk.account(child.patient))["holders"]
    last = today(desk) + timedelta(days=2)
    past = len(await trail(desk.practice.id))
    assert (await desk.data(UNTIL, h=holder["id"], d=last.isoformat()))["until"] == last.isoformat()
    assert (await desk.data(UNTIL, h=holder["id"], d=last.isoformat()))["until"] == last.isoformat()
    for variables, code in (
        ({"h": holder["id"], "d": (today(desk) - timedelta(days=1)).isoformat()}, "INVALID_INPUT"),
        ({"h": own["id"], "d": last.isoformat()}, "CONFLICT"),
        ({"h": MISSING, "d": last.isoformat()}, "NOT_FOUND"),
    ):
        assert await desk.code(UNTIL, **variables) == code
    assert await door.code(UNTIL, gil.token, h=holder["id"]) == "FORBIDDEN"
    now = door.platform.clock.now()
    midnight = datetime(last.year, last.month, last.day, tzinfo=ZoneInfo(desk.practice.zone)) + timedelta(days=1)
    await door.platform.clock.move(midnight.astimezone(UTC) - now - timedelta(minutes=30))
    fresh = await door.sign_in(gil.email)
    await end(desk)
    assert (await door.data(RECORD, fresh))["ownRecord"]["id"] == child.id
    async with door.socket(fresh) as socket:
        await door.platform.clock.move(timedelta(minutes=31))
        await end(desk)
        assert await socket.closed() == (4403, "Session ended")
    assert await door.code(RECORD, fresh) == "UNAUTHENTICATED"
    assert [each["relationship"] for each in (await desk.account(child.patient))["holders"]] == [None]
    entries = [e for e in await trail(desk.practice.id, past=past) if e.target == holder["id"]]
    assert [(e.action, e.patients) for e in entries] == [
        ("portal.until", [child.patient.id]), ("portal.remove", [child.patient.id]),
    ]  # fmt: skip
    assert [str(e.person_id) if e.person_id else None for e in entries] == [desk.staff.id, None]
    assert await desk.code(UNTIL, h=holder["id"]) == "CONFLICT"
    await end(desk)


@pytest.mark.rule("S11")
async def test_an_invitation_ends_on_that_day_too_and_a_day_can_be_taken_back(desk: Desk) -> None:
    last = today(desk) + timedelta(days=1)
    given = {**GIL, "until": last.isoformat()}
    made = await desk.data(GUARDIAN, p=str(desk.patient.id), g=given, c="g-1")
    assert made["until"] == last.isoformat()
    again = await desk.data(GUARDIAN, p=str(desk.patient.id), g=given, c="g-1")
    assert again["id"] == made["id"]
    assert await desk.code(GUARDIAN, p=str(desk.patient.id), g=GIL, c="g-1") == "CONFLICT"
    yesterday = {**GIL, "until": (today(desk) - timedelta(days=1)).isoformat()}
    body = await desk.deployment.ask(GUARDIAN, desk.staff.token, p=str(desk.patient.id), g=yesterday, c="g-2")
    assert body["errors"][0]["extensions"]["field"] == ["input", "until"]
    kept = await desk.data(GUARDIAN, p=str(desk.patient.id), g={**given, "email": "carer@home.example"}, c="g-3")
    assert (await desk.data(UNTIL, h=kept["id"], d=None))["until"] is None
    secret = await desk.secret("gil@home.example")
    await desk.deployment.platform.clock.move(timedelta(days=2))
    await end(desk)
    assert await desk.deployment.code(CONFIRM, s=secret, b=BORN) == "LINK_OVER"
    assert [each["id"] for each in (await desk.account())["holders"]] == [kept["id"]]


@pytest.mark.rule("S9", "S11")
@pytest.mark.promise("A4")
async def test_a_session_that_a_sign_in_beside_it_has_left_ends_by_what_is_heard(desk: Desk) -> None:
    door = desk.deployment
    child = await door.held(desk.practice)
    gil = await door.held(desk.practice, child.patient, relationship="mother")
    portal = door.platform.service(PortalService)
    with acting(desk.practice.id):
        async with unit():  # as if the sign-in's own transaction came after the end of sessions
            before = await portal.locked(child.patient.id)
            await portal.removed(before, before.holders[1].id, "portal.remove")
    count = "SELECT count(*) FROM session WHERE account_id = $1 AND ended_at IS NULL"

    async def over() -> bool:
        connection: Any = await asyncpg.connect(desk.database.owner_dsn)
        try:
            return await connection.fetchval(count, gil.account_id) == 0
        finally:
            await connection.close()

    await until(over, "the session to end", 60)
    assert (await door.data(RECORD, child.token))["ownRecord"]["id"] == child.id


@pytest.mark.rule("S9")
async def test_merged_records_keep_what_was_decided_about_booking_and_settings_of_the_kept_one(desk: Desk) -> None:
    door = desk.deployment
    keep, gone = await door.held(desk.practice), await door.held(desk.practice)
    decide = "mutation($p: ID!, $a: Boolean) { setPatientBooking(patientId: $p, allowed: $a) { booking } }"
    remind = """mutation($m: Int!) { updateChatPatientSettings(patch: { unreadEmailMinutes: $m }) {
        unreadEmailMinutes } }"""
    await desk.data(decide, p=keep.id, a=True)
    await desk.data(decide, p=gone.id, a=False)
    await door.data(remind, gone.token, m=30)
    await door.data(MERGE, desk.owner.token, k=keep.id, m=gone.id, c="m-1")
    state = "query($p: ID!) { patient(id: $p) { portalAccount { booking } } }"
    assert (await desk.data(state, p=keep.id))["portalAccount"] == {"booking": False}
    with acting(desk.practice.id):
        rows = await DB.fetch("SELECT patient_id::text AS id, stored::text FROM patient_setting")
        assert await DB.fetchval("SELECT count(*) FROM portal_booking") == 1
    assert [tuple(row) for row in rows] == [(keep.id, '{"unread_email_minutes": 30}')]
