"""What people are told of messages outside the application: gathered, without content, and taken back when settled."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from notify_stage import PREFER, PUBLIC_URL, until
from plugins.chat.outside import (
    DELETE,
    GROUP,
    LEAVE,
    READ,
    REMOVE,
    SEND,
    START_PATIENT,
    Outside,
    outside,
)

from bedside_core.auth import Role
from bedside_core.testing import Database, statements

SECRET = "the biopsy is back"


@pytest_asyncio.fixture
async def house(fresh_database: Database) -> AsyncGenerator[Outside]:
    async with outside(fresh_database) as house:
        yield house


@pytest.mark.rule("N3", "N4")
async def test_several_messages_make_one_mail_that_names_practice_and_sender_alone(house: Outside) -> None:
    for text in (SECRET, f"{SECRET} again", "three"):
        await house.send(text, house.ada)
    await house.pass_time(seconds=100)
    await house.settled()
    assert house.mail.mails == []
    await house.after_the_delay()
    [mail] = house.mail.mails
    link = f"{PUBLIC_URL}/chat/{house.conversation}"
    assert (mail.to, mail.subject) == (house.ben.email, f"A new message from {house.ada.member.name}")
    assert "Bay View" in mail.text and link in mail.text
    assert "biopsy" not in f"{mail.text}{mail.html}{mail.subject}"
    assert await house.shown(house.ada) == []
    [shown] = await house.shown(house.ben)
    assert (shown["text"], shown["link"]) == (
        f"{house.ada.member.name} has written to you.",
        f"/chat/{house.conversation}",
    )
    for table in ("notification", "notification_delivery", "notification_shown", "notification_attempt"):
        rows = await house.rows(f"SELECT t::text FROM {table} t")
        assert rows and not [row for row in rows if "biopsy" in row["t"]], table


@pytest.mark.rule("N2")
async def test_the_mail_about_a_message_can_not_be_switched_off_and_sms_can(house: Outside) -> None:
    pat, talk = await house.held()
    phones = "UPDATE patient SET phone = '+12125550123' WHERE id = $1"
    await house.rows(phones, pat.patient.id)
    await house.send("hello", house.ada, talk)
    await house.after_the_delay()
    [text] = house.phone.taken
    assert f"Bay View: a new message from {house.ada.member.name}" in str(text)
    assert [mail.subject for mail in house.mails(pat)] == [f"A new message from {house.ada.member.name}"]
    off = {"switchedOff": ["EMAIL", "SMS", "PUSH"], "language": "SPANISH"}
    await house.deployment.data(PREFER, pat.token, p=off)
    await house.send("hello again", house.ada, talk)
    await house.after_the_delay()
    assert [mail.subject for mail in house.mails(pat)][1:] == [f"Un mensaje nuevo de {house.ada.member.name}"]
    assert len(house.phone.taken) == 1


@pytest.mark.rule("N4")
async def test_the_name_of_a_group_is_in_nothing_that_is_sent(house: Outside) -> None:
    made = await house.deployment.data(GROUP, house.ada.token, n="Oncology round", c="g", p=[house.ben.id])
    await house.send("hello", house.ada, made["createGroup"]["id"], urgent=True)
    await until(lambda: len(house.mail.mails) == 1, "the mail")
    [mail] = house.mail.mails
    assert "Oncology" not in f"{mail.subject}{mail.text}{mail.html}"
    assert "Oncology" not in str(await house.shown(house.ben))


@pytest.mark.rule("N3")
@pytest.mark.promise("N3")
async def test_what_was_read_sends_none_and_what_is_unread_still_does(house: Outside) -> None:
    first = await house.send("one", house.ada)
    await house.send("two", house.ada)
    await house.deployment.data(READ, house.ben.token, i=house.conversation, u=first["cursor"])
    [row] = await house.rows("SELECT state, items FROM notification")
    assert (row["state"], len(row["items"])) == ("waiting", 1)
    await house.after_the_delay()
    assert len(house.mails(house.ben)) == 1
    assert len(await house.shown(house.ben)) == 1
    last = await house.send("three", house.ada)
    assert (await house.deployment.data(READ, house.ben.token, i=house.conversation, u=last["cursor"])) == {
        "markConversationRead": {"unread": 0}
    }
    assert await house.shown(house.ben) == []  # what was told of is read, too
    await house.after_the_delay()
    assert len(house.mail.mails) == 1


@pytest.mark.rule("N3")
async def test_fetching_and_following_is_not_reading_and_answering_is(house: Outside) -> None:
    await house.send("one", house.ada)
    query = "query($i: ID!) { conversation(id: $i) { unread messages(last: 5) { nodes { body } } } }"
    await house.deployment.data(query, house.ben.token, i=house.conversation)
    async with house.deployment.socket(house.ben.token) as socket:
        follow = "subscription($i: ID!) { conversationEvents(conversationId: $i) { __typename } }"
        key = await socket.subscribe(follow, i=house.conversation)
        await house.send("two", house.ada)
        assert (await socket.next(key))["conversationEvents"] == {"__typename": "MessageChanged"}
    await house.after_the_delay()
    assert len(house.mails(house.ben)) == 1
    await house.send("three", house.ada)
    await house.send("four", house.ben)
    await house.after_the_delay()
    assert (len(house.mails(house.ben)), len(house.mails(house.ada))) == (1, 1)


@pytest.mark.rule("N3", "C11")
@pytest.mark.promise("N3")
async def test_a_deleted_message_is_told_to_nobody_and_the_rest_in_the_name_of_who_wrote_it(house: Outside) -> None:
    made = await house.deployment.data(GROUP, house.ada.token, n="Round", c="g", p=[house.ben.id, house.owner.id])
    group = made["createGroup"]["id"]
    await house.send("by ada", house.ada, group)
    gone = await house.send("by ben", house.ben, group)
    await house.deployment.data(DELETE, house.ben.token, i=gone["id"])
    await house.after_the_delay()
    assert [mail.subject for mail in house.mails(house.owner)] == [f"A new message from {house.ada.member.name}"]
    assert house.mails(house.ada) == []
    only = await house.send("alone", house.ada, group)
    await house.deployment.data(DELETE, house.ada.token, i=only["id"])
    rows = await house.rows("SELECT state, facts::text, item_facts::text FROM notification WHERE state <> 'planned'")
    assert {tuple(row) for row in rows} == {("cancelled", "{}", "{}")}
    await house.after_the_delay()
    assert len(house.mails(house.owner)) == 1


@pytest.mark.rule("N3", "C9")
async def test_who_left_or_was_removed_is_told_no_more(house: Outside) -> None:
    made = await house.deployment.data(GROUP, house.ada.token, n="Round", c="g", p=[house.ben.id, house.owner.id])
    group = made["createGroup"]["id"]
    await house.send("hello", house.ada, group, urgent=False)
    await house.deployment.data(LEAVE, house.ben.token, i=group)
    await house.deployment.data(REMOVE, house.ada.token, i=group, p=house.owner.id)
    await house.after_the_delay()
    await house.send("hello?", house.ada, group)
    await house.after_the_delay()
    assert house.mail.mails == []
    assert await house.shown(house.ben) == await house.shown(house.owner) == []


@pytest.mark.rule("N2", "L9")
async def test_members_of_a_connected_practice_are_told_by_the_settings_of_their_own(house: Outside) -> None:
    deployment, hill = house.deployment, await house.deployment.practice("Hill")
    chief = await deployment.person(hill, Role.OWNER, name="Hilda")
    handle = (await deployment.data("{ practice { handle } }", chief.token))["practice"]["handle"]
    asked = await deployment.data(
        'mutation($p: String!) { requestConnection(practice: $p, clientId: "k") { id } }', house.owner.token, p=handle
    )
    accept = "mutation($i: ID!) { acceptConnection(id: $i) { id } }"
    await deployment.data(accept, chief.token, i=asked["requestConnection"]["id"])
    at_once = "mutation { updateNotificationsSettings(patch: { delaySeconds: 0, spanish: true }) { delaySeconds } }"
    await deployment.data(at_once, chief.token)
    start = 'mutation($m: ID!) { startConversation(memberId: $m, clientId: "h") { id } }'
    talk = (await deployment.data(start, house.ada.token, m=chief.id))["startConversation"]["id"]
    sent = await house.send("hello", house.ada, talk)
    await until(lambda: len(house.mails(chief)) == 1, "the mail, without delay")
    [mail] = house.mails(chief)
    assert mail.subject == f"Un mensaje nuevo de {house.ada.member.name}" and "Hill" in mail.text
    assert len(await house.shown(chief)) == 1
    await deployment.data(READ, chief.token, i=talk, u=sent["cursor"])
    assert await house.shown(chief) == []
    await house.send("and hello to you", chief, talk)
    await house.after_the_delay()
    assert [mail.subject for mail in house.mails(house.ada)] == [f"A new message from {chief.member.name}"]


@pytest.mark.rule("C6")
async def test_who_is_reached_by_a_link_is_sent_no_notification_to_sign_in(house: Outside) -> None:
    patient = await house.deployment.patient(house.practice)
    made = await house.deployment.data(START_PATIENT, house.ada.token, p=str(patient.id), c="l", l=True)
    await house.send("hello", house.ada, made["startPatientConversation"]["id"], urgent=True)
    assert await house.rows("SELECT FROM notification WHERE kind LIKE 'chat.%' AND recipient_id = $1", patient.id) == []


@pytest.mark.rule("N3")
async def test_telling_costs_the_same_however_many_are_told(house: Outside) -> None:
    costs: list[int] = []
    for count in (1, 8):
        people = [await house.deployment.person(house.practice, name=f"P{number}") for number in range(count)]
        ids = [person.id for person in people]
        made = await house.deployment.data(GROUP, house.ada.token, n="Round", c=f"g-{count}", p=ids)
        group = made["createGroup"]["id"]
        with statements() as ran:
            await house.send("hello", house.ada, group)
        costs.append(sum("chat_" in one or "notify_" in one or "message" in one for one in ran))
        rows = await house.rows("SELECT FROM notification WHERE same_key = $1", group)
        assert len(rows) == count
    assert costs[0] == costs[1]


@pytest.mark.promise("N3")
async def test_a_retry_tells_nobody_again(house: Outside) -> None:
    values = {"i": house.conversation, "b": "hello", "c": "same", "u": False}
    for _ in range(3):
        await house.deployment.data(SEND, house.ada.token, **values)
    await house.after_the_delay()
    await house.deployment.data(SEND, house.ada.token, **values)
    await house.after_the_delay()
    assert len(house.mail.mails) == 1
