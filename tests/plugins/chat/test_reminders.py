"""Urgent messages: told at once, and reminded of until they are acknowledged, six times at most."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from notify_stage import PREFER, until
from plugins.chat.outside import ACKNOWLEDGE, DELETE, GROUP, LEAVE, OWN, READ, Outside, outside

from bedside_chat import reminders
from bedside_core.database import acting
from bedside_core.jobs.declared import JobRun
from bedside_core.testing import Database

OPEN = "SELECT person_id, reminded, remind_at FROM urgent_recipient ORDER BY person_id"


@pytest_asyncio.fixture
async def house(fresh_database: Database) -> AsyncGenerator[Outside]:
    async with outside(fresh_database) as house:
        yield house


async def quiet(house: Outside) -> None:
    """Have ben's quiet hours go from two hours ago to six hours from now."""
    now = house.deployment.platform.clock.now()
    begin, end = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-2, 6))
    patch = {"zone": "UTC", "quietFrom": begin, "quietUntil": end}
    await house.deployment.data(PREFER, house.ben.token, p=patch)


async def reminded(house: Outside, times: int) -> None:
    """Wait until the one open urgent message was reminded of so often."""

    async def done() -> bool:
        [row] = await house.rows(OPEN)
        return row["reminded"] == times

    await until(done, f"reminder {times}", 60)
    await house.settled()


@pytest.mark.rule("C10", "N3")
async def test_an_urgent_message_is_told_of_at_once_in_quiet_hours_too(house: Outside) -> None:
    await quiet(house)
    await house.send("not so urgent", house.ada)
    await house.send("please come", house.ada, urgent=True)
    await until(lambda: len(house.mail.mails) == 1, "the mail")
    await house.after_the_delay()
    assert [mail.subject for mail in house.mails(house.ben)] == [f"An urgent message from {house.ada.member.name}"]


@pytest.mark.rule("N6", "C10")
async def test_it_is_reminded_of_every_five_minutes_six_times_at_most(house: Outside) -> None:
    sent = await house.send("please come", house.ada, urgent=True)
    await house.deployment.data(READ, house.ben.token, i=house.conversation, u=sent["cursor"])  # which settles nothing
    await house.pass_time(minutes=4)
    await house.settled()
    [row] = await house.rows(OPEN)
    assert (str(row["person_id"]), row["reminded"]) == (house.ben.id, 0)
    before = len(house.mails(house.ben))
    await house.pass_time(minutes=2)
    for times in range(1, 7):
        await reminded(house, times)
        assert len(house.mails(house.ben)) == before + times
        await house.pass_time(minutes=5)
    [row] = await house.rows(OPEN)
    assert (row["reminded"], row["remind_at"]) == (6, None)
    subjects = {mail.subject for mail in house.mails(house.ben)[before:]}
    assert subjects == {f"Reminder: an urgent message from {house.ada.member.name}"}
    assert house.mails(house.ada) == []


async def run(house: Outside) -> None:
    """Run the job now, whatever the schedule says."""
    platform = house.deployment.platform
    with acting(house.practice.id):
        await reminders.remind(JobRun(platform=platform, practice_id=house.practice.id, payload={}, attempt=1))


async def due_texts(house: Outside) -> list[tuple[str, str]]:
    rows = await house.rows(
        "SELECT recipient_id::text AS person, kind FROM notification WHERE kind = 'chat.urgent_reminder'"
        " AND state <> 'cancelled' ORDER BY 1"
    )
    return [tuple(row) for row in rows]


@pytest.mark.rule("N6", "C10", "C11", "C9")
@pytest.mark.parametrize("ends", ["acknowledged", "deleted", "left", "switched off"])
async def test_what_ends_a_message_or_switches_it_off_ends_its_reminders(house: Outside, ends: str) -> None:
    people = [house.ben.id, house.owner.id]
    group = (await house.deployment.data(GROUP, house.ada.token, n="Round", c="g", p=people))["createGroup"]["id"]
    sent = await house.send("please come", house.ada, group, urgent=True)
    match ends:
        case "acknowledged":
            await house.deployment.data(ACKNOWLEDGE, house.ben.token, i=sent["id"])
        case "deleted":
            await house.deployment.data(DELETE, house.ada.token, i=sent["id"])
        case "left":
            await house.deployment.data(LEAVE, house.ben.token, i=group)
        case _:
            await house.deployment.data(OWN, house.ben.token, p={"urgentReminders": False})
    await house.pass_time(minutes=6)
    others = [] if ends == "deleted" else [(house.owner.id, "chat.urgent_reminder")]

    async def told() -> bool:
        return await due_texts(house) == others

    await run(house)
    await until(told, "the reminder of the other", 60)
    rows = {str(row["person_id"]): (row["reminded"], row["remind_at"]) for row in await house.rows(OPEN)}
    assert rows.get(house.ben.id, (0, None)) == (0, None)


@pytest.mark.rule("N6")
async def test_an_acknowledgement_takes_back_what_is_on_its_way(house: Outside) -> None:
    async def away(_: Any) -> str:
        return "451 4.3.0 try again"

    house.mail.answer = away
    sent = await house.send("please come", house.ada, urgent=True)

    async def tried() -> bool:
        return bool(await house.rows("SELECT FROM notification_delivery WHERE attempts > 0 AND channel = 'email'"))

    await until(tried, "an attempt", 60)
    await house.deployment.data(ACKNOWLEDGE, house.ben.token, i=sent["id"])
    assert await house.shown(house.ben) == []
    house.mail.answer = lambda _: None
    await house.pass_time(minutes=30)
    await house.settled()
    assert house.mail.mails == []


@pytest.mark.rule("N5", "N6")
async def test_a_process_that_ends_within_a_reminder_has_reminded_nobody_and_the_next_one_does(
    house: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.send("please come", house.ada, urgent=True)
    notify = house.deployment.platform.notify
    house.deployment.platform.clock.now()
    [row] = await house.rows(OPEN)
    monkeypatch.setattr(type(house.deployment.platform.clock), "now", lambda _: row["remind_at"] + timedelta(seconds=1))

    async def dies(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(type(notify), "send_all", dies)
        with pytest.raises(KeyboardInterrupt):
            await run(house)
    [row] = await house.rows(OPEN)
    assert row["reminded"] == 0
    await run(house)
    await run(house)
    [row] = await house.rows(OPEN)
    assert row["reminded"] == 1
    assert await due_texts(house) == [(house.ben.id, "chat.urgent_reminder")]


UNREAD = "mutation($p: ChatOwnSettingsPatch!) { updateChatOwnSettings(patch: $p) { unreadEmailMinutes } }"


@pytest.mark.rule("N6")
async def test_unread_messages_are_reminded_of_after_the_time_that_a_member_has_set_and_once(house: Outside) -> None:
    refused = {"unreadEmailMinutes": 3}
    assert await house.deployment.code(UNREAD, house.ben.token, p=refused) == "INVALID_INPUT"
    await house.deployment.data(UNREAD, house.ben.token, p={"unreadEmailMinutes": 30})
    people = [house.ben.id, house.owner.id]
    group = (await house.deployment.data(GROUP, house.ada.token, n="Round", c="g", p=people))["createGroup"]["id"]
    await house.send("one", house.ada, group)
    other = await house.send("read in time", house.ada)
    await house.after_the_delay()
    await house.deployment.data(READ, house.ben.token, i=house.conversation, u=other["cursor"])
    before = len(house.mails(house.ben))

    async def rows() -> list[Any]:
        sql = "SELECT recipient_id::text AS person, state FROM notification WHERE kind LIKE 'chat.unread%'"
        return [tuple(row) for row in await house.rows(sql)]

    await house.pass_time(minutes=20)
    await run(house)
    assert await rows() == []
    await house.pass_time(minutes=9)

    async def told() -> bool:
        await run(house)
        return len(await rows()) == 1

    await until(told, "the reminder", 60)
    assert [person for person, _ in await rows()] == [house.ben.id]
    await house.after_the_delay()
    subjects = [mail.subject for mail in house.mails(house.ben)[before:]]
    assert subjects == [f"Reminder: an unread message from {house.ada.member.name}"]
    await house.pass_time(hours=2)
    await run(house)
    assert len(await rows()) == 1
    last = await house.send("two", house.ada, group)
    await house.pass_time(minutes=31)
    await run(house)
    assert len(await rows()) == 2
    await house.deployment.data(READ, house.ben.token, i=group, u=last["cursor"])
    assert sorted(state for _, state in await rows()) == ["cancelled", "cancelled"]


@pytest.mark.rule("N6")
async def test_quiet_hours_hold_back_reminders_of_unread_messages(house: Outside) -> None:
    await house.deployment.data(UNREAD, house.ben.token, p={"unreadEmailMinutes": 5, "unreadSmsMinutes": 5})
    await quiet(house)
    await house.send("one", house.ada)
    await house.pass_time(minutes=6)
    await run(house)
    kinds = await house.rows("SELECT DISTINCT kind FROM notification WHERE kind LIKE 'chat.unread%' ORDER BY 1")
    assert [row["kind"] for row in kinds] == ["chat.unread_email", "chat.unread_sms"]
    await house.after_the_delay()
    assert house.mail.mails == []


AS_PATIENT = """mutation($p: ChatPatientSettingsPatch!) { updateChatPatientSettings(patch: $p) {
    urgentReminders unreadEmailMinutes unreadSmsMinutes } }"""
SEEN_AS_PATIENT = "{ chatPatientSettings { urgentReminders unreadEmailMinutes unreadSmsMinutes } }"
SUSPEND = "mutation($p: ID!) { suspendPortalAccount(patientId: $p) { state } }"
FROM_HERE = "SELECT recipient, recipient_id::text AS person, kind FROM notification WHERE kind LIKE 'chat.unread%'"


async def of_unread(house: Outside) -> list[tuple[str, str, str]]:
    await run(house)
    return sorted(tuple(row) for row in await house.rows(FROM_HERE))


@pytest.mark.rule("N6", "S10")
async def test_a_patient_is_reminded_of_unread_messages_as_they_have_set_it(house: Outside) -> None:
    door = house.deployment
    pat, talk = await house.held()
    other = await door.held(house.practice)
    assert (await door.data(SEEN_AS_PATIENT, pat.token))["chatPatientSettings"] == {
        "urgentReminders": True, "unreadEmailMinutes": 0, "unreadSmsMinutes": 0,
    }  # fmt: skip
    await house.send("one", house.ada, talk)
    await house.pass_time(hours=3)
    assert await of_unread(house) == []
    assert await door.code(AS_PATIENT, pat.token, p={"unreadSmsMinutes": 4}) == "INVALID_INPUT"
    chosen = {"unreadEmailMinutes": 30, "unreadSmsMinutes": 60}
    told = (await door.data(AS_PATIENT, pat.token, p=chosen))["updateChatPatientSettings"]
    assert told == {"urgentReminders": True, **chosen}
    assert (await door.data(SEEN_AS_PATIENT, other.token))["chatPatientSettings"]["unreadEmailMinutes"] == 0
    mine = [("patient", pat.id, "chat.unread_email"), ("patient", pat.id, "chat.unread_sms")]
    assert await of_unread(house) == mine
    await house.after_the_delay()
    [mail] = [each for each in house.mails(pat) if each.subject.startswith("Reminder")]
    assert house.ada.member.name in mail.subject and "one" not in mail.text
    [sms] = [taken for taken in house.phone.taken if "still unread" in taken.text]
    assert sms.to == pat.patient.phone
    await house.pass_time(hours=3)
    assert await of_unread(house) == mine  # once, until more is written
    second = await house.send("two", house.ada, talk)
    await house.pass_time(minutes=31)
    assert len(await of_unread(house)) == 3
    await door.data(READ, pat.token, i=talk, u=second["cursor"])
    await house.pass_time(minutes=40)
    assert len(await of_unread(house)) == 3


@pytest.mark.rule("N6", "S10")
async def test_a_patient_switches_reminders_of_urgent_messages_off(house: Outside) -> None:
    pat, talk = await house.held()
    told = await house.deployment.data(AS_PATIENT, pat.token, p={"urgentReminders": False})
    assert told["updateChatPatientSettings"]["urgentReminders"] is False
    await house.send("please come", house.ada, talk, urgent=True)
    await house.pass_time(minutes=6)
    await run(house)
    [row] = await house.rows(OPEN)
    assert (str(row["person_id"]), row["reminded"], row["remind_at"]) == (pat.id, 0, None)
    assert await due_texts(house) == []


@pytest.mark.rule("N6", "C2")
async def test_nobody_is_reminded_of_what_a_suspended_account_can_not_read(house: Outside) -> None:
    pat, talk = await house.held()
    await house.deployment.data(AS_PATIENT, pat.token, p={"unreadEmailMinutes": 5})
    await house.send("please come", house.ada, talk, urgent=True)
    await house.deployment.data(SUSPEND, house.owner.token, p=pat.id)
    await house.pass_time(minutes=6)
    assert await of_unread(house) == []
    assert await due_texts(house) == []


@pytest.mark.rule("S10", "A12")
async def test_patients_and_members_have_each_their_own_settings_and_not_the_others(house: Outside) -> None:
    pat, _ = await house.held()
    door, before = house.deployment, await house.rows("SELECT stored::text FROM setting WHERE plugin = 'chat'")
    for query in (SEEN_AS_PATIENT, AS_PATIENT):
        assert await door.code(query, house.ben.token, p={"unreadEmailMinutes": 30}) == "FORBIDDEN"
    for query in (UNREAD, "{ chatOwnSettings { unreadEmailMinutes } }"):
        assert await door.code(query, pat.token, p={"unreadEmailMinutes": 30}) == "FORBIDDEN"
    assert await house.rows("SELECT stored::text FROM setting WHERE plugin = 'chat'") == before
    assert await house.rows("SELECT stored FROM patient_setting") == []
