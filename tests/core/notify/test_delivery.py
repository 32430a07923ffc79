"""Notifications arrive: once, gathered, on every channel, and the log tells of each attempt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

import pytest
import pytest_asyncio
from accounts_stage import rows
from notify_stage import PUBLIC_URL, SETTINGS, Ward, until, wants_calls
from notify_stage import ward as ward_

from bedside_core.database import DB, acting, unit
from bedside_core.errors import Problem
from bedside_core.notify import Fact, Recipient
from bedside_core.testing import Database, statements


@pytest_asyncio.fixture
async def ward(fresh_database: Database) -> AsyncGenerator[Ward]:
    async with ward_(fresh_database) as ward:
        yield ward


@pytest.mark.rule("N3", "N5")
async def test_several_within_the_delay_make_one_mail_and_none_comes_before(ward: Ward) -> None:
    made = {await ward.send("ward.message", key="talk", item=str(number)) for number in range(3)}
    assert len(made) == 1
    await ward.pass_time(seconds=100)
    await ward.settled()
    assert ward.mail.mails == []
    await ward.pass_time(seconds=30)
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    await ward.settled()
    [mail] = ward.mail.mails
    assert (mail.to, mail.subject) == (ward.ada.email, "A message from Ben Stone at Bay View")
    assert f"{PUBLIC_URL}/chat/1" in mail.text
    assert f'href="{PUBLIC_URL}/chat/1"' in mail.html
    assert mail.message["From"] == "Bay View <no-reply@clinic.example>"
    await ward.send("ward.message", key="talk", item="4")
    await ward.pass_time(seconds=125)
    await until(lambda: len(ward.mail.mails) == 2, "the next one, after the first was sent")
    assert len(ward.mail.copies()) == 2


@pytest.mark.rule("N3")
async def test_the_delay_is_the_practice_s_setting(ward: Ward) -> None:
    await ward.deployment.data(SETTINGS, ward.owner.token, p={"delaySeconds": 0})
    await ward.send("ward.message", key="talk")
    await until(lambda: len(ward.mail.mails) == 1, "a mail without delay")
    assert await ward.deployment.code(SETTINGS, ward.owner.token, p={"delaySeconds": 3601}) == "INVALID_INPUT"
    assert await ward.deployment.code(SETTINGS, ward.ada.token, p={"delaySeconds": 5}) == "FORBIDDEN"


@pytest.mark.rule("N1")
async def test_every_channel_has_its_line_in_the_log_with_each_attempt(ward: Ward) -> None:
    pat = await ward.patient(phone="+12125550123", email="pat@patients.example")
    await wants_calls(pat)
    await ward.send("ward.alarm", pat)
    await until(lambda: len(ward.mail.mails) == 1 and len(ward.phone.taken) == 2, "mail, SMS and call")
    await ward.settled()
    found = {entry["channel"]: entry for entry in await ward.log(str(pat.id))}
    assert {channel: entry["state"] for channel, entry in found.items()} == {
        "IN_APP": "delivered", "EMAIL": "sent", "SMS": "sent", "VOICE": "sent",
    }  # fmt: skip
    assert found["EMAIL"]["address"] == "pat@patients.example"
    assert found["SMS"]["address"] == found["VOICE"]["address"] == "+12125550123"
    for entry in found.values():
        assert (entry["recipient"], entry["recipientId"]) == ("patient", str(pat.id))
        [attempt] = entry["attempts"]
        assert (attempt["number"], attempt["outcome"]) == (1, "sent")
        assert attempt["endedAt"] is not None


@pytest.mark.rule("N1")
async def test_a_member_is_reached_by_the_phone_of_their_profile(ward: Ward) -> None:
    profile = "mutation($p: ProfilePatch!) { updateProfile(patch: $p) { phone } }"
    await ward.deployment.data(profile, ward.ada.token, p={"phone": "+12125550188"})
    await ward.prefer(ward.ada, calls=True)
    await ward.send("ward.alarm")
    await until(lambda: len(ward.phone.taken) == 2, "SMS and call")
    assert {(taken.kind, taken.to) for taken in ward.phone.taken} == {
        ("Messages", "+12125550188"),
        ("Calls", "+12125550188"),
    }
    await ward.settled()
    told = {entry["channel"]: (entry["state"], entry["address"]) for entry in await ward.log()}
    assert told["SMS"] == told["VOICE"] == ("sent", "…88")  # a member's own is not for the log (A8)


@pytest.mark.rule("N1")
async def test_what_can_not_be_reached_is_logged_as_such_and_the_rest_is_sent(ward: Ward) -> None:
    await ward.send("ward.message", after=None, key="talk")  # Ada has no phone, and pushes are not configured
    await ward.pass_time(seconds=125)
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    told = {entry["channel"]: (entry["state"], entry["reason"]) for entry in await ward.log()}
    assert told["SMS"] == ("impossible", "no address")
    assert told["PUSH"] == ("impossible", "not configured in this deployment")


@pytest.mark.rule("N1")
async def test_a_phone_stands_in_for_the_mail_that_nobody_can_get(ward: Ward) -> None:
    by_phone = await ward.patient(phone="+12125550124", email=None)
    secret = "/join#s3cret-Token_1"
    await ward.send("ward.invitation", by_phone, data={Fact.LINK: secret}, after=None)
    await ward.pass_time(seconds=125)
    await until(lambda: len(ward.phone.taken) == 1, "the SMS")
    assert ward.phone.taken[0].text == f"You are invited to Bay View {PUBLIC_URL}{secret}"
    assert ward.mail.mails == []
    await ward.settled()
    with acting(ward.practice.id):
        # The secret lets in whoever has it: once it is sent, we have it no longer.
        assert await DB.fetchval("SELECT facts FROM notification") == {}


@pytest.mark.rule("A14")
@pytest.mark.rule("N1")
async def test_whoever_reads_a_patient_s_addresses_in_the_log_is_entered_with_their_name(
    ward: Ward, fresh_database: Database
) -> None:
    entered = "SELECT action, patients FROM audit_entry WHERE person_id = $1 AND patients <> '{}' ORDER BY id"
    patients = [await ward.patient(phone=None, email=f"pat{number}@example.org") for number in range(2)]
    await ward.send("ward.alarm")
    await ward.settled()
    assert [entry["recipient"] for entry in await ward.log()] == ["member"] * len(await ward.log())
    assert await rows(fresh_database, entered, ward.owner.member.id) == []
    for patient in patients:
        await ward.send("ward.round", patient, data={Fact.TIME: ward.deployment.platform.clock.now()})
    await ward.pass_time(seconds=125)
    await ward.settled()
    before = len(await rows(fresh_database, entered, ward.owner.member.id))
    shown = {UUID(entry["recipientId"]) for entry in await ward.log() if entry["recipient"] == "patient"}
    assert shown == {patient.id for patient in patients}
    entries = await rows(fresh_database, entered, ward.owner.member.id)
    assert len(entries) == before + 1
    assert set(entries[-1]["patients"]) == shown


@pytest.mark.rule("N3")
@pytest.mark.promise("N3")
async def test_what_was_read_deleted_or_called_off_meanwhile_sends_none(ward: Ward) -> None:
    for number in range(2):
        await ward.send("ward.message", key="read", item=str(number))
        await ward.send("ward.message", key="deleted", item=str(number))
    await ward.send("ward.round", key="moved", data={Fact.TIME: ward.deployment.platform.clock.now()})
    assert await ward.cancel("ward.message", "read", to=ward.to_ada) == 1
    assert await ward.cancel("ward.message", "deleted", item="0") == 0  # the other is still there
    assert await ward.cancel("ward.message", "deleted", item="1") == 1
    assert await ward.cancel("ward.round", "moved") == 1
    await ward.send("ward.message", key="kept", item="0")
    await ward.pass_time(seconds=125)
    await until(lambda: len(ward.mail.mails) == 1, "the only one left")
    await ward.settled()
    assert len(ward.mail.mails) == 1
    assert [entry["kind"] for entry in await ward.log() if entry["channel"] == "EMAIL"] == ["ward.message"]


@pytest.mark.rule("N3")
@pytest.mark.promise("N3")
async def test_a_deleted_message_is_not_told_of_in_the_name_of_whoever_wrote_it(ward: Ward) -> None:
    for item, sender in (("a", "Ana"), ("b", "Bob")):
        facts = {Fact.SENDER: sender, Fact.LINK: f"/chat/{item}"}
        await ward.send("ward.message", key="talk", item=item, data=facts)
    assert await ward.cancel("ward.message", "talk", item="b") == 0
    await ward.pass_time(seconds=130)
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    await ward.settled()
    [mail] = ward.mail.mails
    assert mail.subject == "A message from Ana at Bay View"
    assert f"{PUBLIC_URL}/chat/a" in mail.text
    assert "Bob" not in str(mail.message)


@pytest.mark.promise("N3")
async def test_what_waits_for_a_mail_server_can_still_be_called_off(ward: Ward) -> None:
    await ward.mail.away()
    await ward.send("ward.message", key="talk")
    await ward.pass_time(seconds=125)
    await ward.settled()
    assert [len(entry["attempts"]) for entry in await ward.log() if entry["channel"] == "EMAIL"] == [1]
    await ward.cancel("ward.message", "talk")
    await ward.mail.open()
    await ward.pass_time(minutes=10)
    await ward.settled()
    assert ward.mail.mails == []
    assert await ward.states("EMAIL") == ["cancelled"]


@pytest.mark.rule("N3")
@pytest.mark.promise("N3")
async def test_what_waits_for_a_mail_server_is_not_sent_once_it_was_read_in_the_application(ward: Ward) -> None:
    await ward.mail.away()
    await ward.send("ward.message", key="talk")
    await ward.pass_time(seconds=125)
    await ward.settled()
    listed = await ward.deployment.data("{ notifications(first: 5) { nodes { id } } }", ward.ada.token)
    [shown] = listed["notifications"]["nodes"]
    read = "mutation($i: ID!) { markNotificationRead(id: $i) { readAt } }"
    assert (await ward.deployment.data(read, ward.ada.token, i=shown["id"]))["markNotificationRead"]["readAt"]
    await ward.mail.open()
    await ward.pass_time(minutes=10)
    await ward.settled()
    assert ward.mail.mails == []
    assert await ward.states("EMAIL") == ["cancelled"]


@pytest.mark.rule("N3")
async def test_one_with_the_same_dedupe_is_never_sent_twice(ward: Ward) -> None:
    now = ward.deployment.platform.clock.now()
    first = await ward.send("ward.round", dedupe="appointment-1", data={Fact.TIME: now})
    await ward.pass_time(seconds=125)
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    assert await ward.send("ward.round", dedupe="appointment-1", data={Fact.TIME: now}) == first
    await ward.pass_time(seconds=125)
    await ward.settled()
    assert len(ward.mail.mails) == 1


@pytest.mark.rule("N5")
async def test_what_is_rolled_back_sends_nothing_and_sending_costs_one_statement(ward: Ward) -> None:
    notify = ward.deployment.platform.notify
    with acting(ward.practice.id), pytest.raises(Problem):
        async with unit() as work:
            with statements() as ran:
                await notify.send(work, "ward.alarm", to=ward.to_ada)
                await asyncio.sleep(0)  # asyncpg tells of it in the loop's next turn
            assert len(ran) == 1
            raise Problem("no")
    await ward.send("ward.alarm")
    await until(lambda: len(ward.mail.mails) >= 1, "the mail of what was committed")
    await ward.settled()
    assert len(ward.mail.mails) == 1


@pytest.mark.rule("A5")
async def test_an_account_is_written_to_by_nobody_and_no_practice_sees_it(ward: Ward) -> None:
    """As about a lockout: whoever signs in wrongly acts for nobody."""
    actor = await ward.deployment.platform.auth.authenticate(ward.ada.token)
    assert actor is not None
    async with unit() as work:
        made = await ward.deployment.platform.notify.send(
            work, "ward.invitation", to=Recipient.account(actor.account_id), data={Fact.LINK: "/unlock#abc"}
        )
    assert made is not None
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    assert ward.mail.mails[0].to == ward.ada.email
    assert ward.mail.mails[0].message["From"] == "Bedside <no-reply@clinic.example>"
    assert await ward.log() == []


@pytest.mark.rule("P1")
async def test_nobody_is_notified_for_a_practice_they_are_not_of(ward: Ward) -> None:
    other = await ward.deployment.practice("Elsewhere", tier=None)
    boss = await ward.deployment.person(other, name="Eve")
    assert await ward.send("ward.alarm", Recipient.member(boss.member.id, ward.practice.id)) is None
    assert await ward.send("ward.alarm", Recipient.member(ward.ada.member.id, other.id)) is None
    # A conversation across practices notifies the other's people in their practice's log, not in ours.
    assert await ward.send("ward.alarm", Recipient.member(boss.member.id, other.id)) is not None
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    assert ward.mail.mails[0].to == boss.email
    assert await ward.log() == []


@pytest.mark.rule("A7")
async def test_a_link_s_secret_stands_behind_the_fence_where_no_server_sees_it(ward: Ward) -> None:
    notify, whom = ward.deployment.platform.notify, Recipient.address(email="x@y.example")
    async with unit() as work:
        for link in ("https://elsewhere.example/", "//elsewhere.example", "/join?token=1", "/a b", "javascript:1"):
            with pytest.raises(ValueError, match="no path of ours"):
                await notify.send(work, "ward.invitation", to=whom, data={Fact.LINK: link})
        with pytest.raises(ValueError, match="wrong facts"):
            await notify.send(work, "ward.invitation", to=whom)
