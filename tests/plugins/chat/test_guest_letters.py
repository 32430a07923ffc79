"""Further messages to people without an account: a letter with a link that lets them in, gathered and taken back."""

from __future__ import annotations

import asyncpg
import pytest
from plugins.chat.lobby import (
    BORN,
    EXTERNAL,
    LEAVE,
    REVOKE_LINK,
    SEND,
    SEND_LINK,
    Lobby,
    client_id,
)
from schema.people.stage import UPDATE

from bedside_core.testing import statements

SECRET_TEXT = "the biopsy is back"
URGENT = """mutation($i: ID!, $c: String!) {
    sendMessage(conversationId: $i, body: "now", clientId: $c, urgent: true) { id } }"""
SMS = "mutation($on: Boolean!) { updateNotificationsSettings(patch: { sms: $on }) { sms } }"
MARK_READ = "mutation($i: ID!, $u: String!) { markConversationRead(conversationId: $i, upTo: $u) { unread } }"
GROUP = """mutation($p: [ID!], $c: String!) { createGroup(name: "Ward", personIds: $p, clientId: $c) { id } }"""
OUTSIDERS = "mutation { updateChatSettings(patch: { outsidersInGroups: true }) { outsidersInGroups } }"
DELETE = "mutation($m: ID!) { deleteMessage(messageId: $m) { id } }"


async def write(lobby: Lobby, conversation: str, text: str = SECRET_TEXT) -> dict[str, str]:
    return await lobby.data(SEND, i=conversation, b=text, c=client_id())


@pytest.mark.rule("C6", "N3", "N4")
async def test_several_messages_make_one_letter_whose_link_lets_in_beside_the_first_one(lobby: Lobby) -> None:
    conversation, _, first = await lobby.external()
    bearer = await lobby.entered(first)
    await write(lobby, conversation)
    await write(lobby, conversation, "two")
    await lobby.later(seconds=100)
    assert len(lobby.letters("cora@example.org")) == 1
    await lobby.after_the_delay()
    second = await lobby.secret("cora@example.org", 2)
    [_, letter] = lobby.letters("cora@example.org")
    assert lobby.ada.member.name in letter and lobby.practice.name in letter and "biopsy" not in letter
    assert second != first
    # Both lead into the conversation, and whoever is in it stays.
    for token in (bearer, await lobby.entered(second), await lobby.entered(first)):
        assert await lobby.read(conversation, token) == [SECRET_TEXT, "two"]
    for table in ("notification", "notification_delivery", "notification_attempt"):
        rows = await lobby.rows(f"SELECT t::text AS row FROM {table} t")
        assert rows and not [row for row in rows if "biopsy" in row["row"] or second in row["row"]], table


@pytest.mark.rule("C6", "N3")
async def test_a_letter_that_has_just_been_sent_and_not_opened_stands_for_the_first_message(lobby: Lobby) -> None:
    conversation, _, first = await lobby.external()
    await write(lobby, conversation)
    await lobby.after_the_delay()
    assert len(lobby.letters("cora@example.org")) == 1
    await write(lobby, conversation, "two")  # two minutes later it stands for nothing more
    await lobby.after_the_delay()
    assert len(lobby.letters("cora@example.org")) == 2
    assert await lobby.read(conversation, await lobby.entered(first)) == [SECRET_TEXT, "two"]


@pytest.mark.rule("C6", "C2", "N2")
async def test_who_was_sent_the_link_by_sms_gets_the_next_one_that_way(lobby: Lobby) -> None:
    contact = await lobby.contact("cora@example.org", "+12025550171")
    started = await lobby.data(
        """mutation($p: ID!, $c: String!) { startExternalConversation(contactId: $p, clientId: $c, channel: SMS) {
            id } }""",
        p=contact,
        c=client_id(),
    )
    await lobby.entered(await lobby.secret("+12025550171"))
    await write(lobby, started["id"])
    await lobby.after_the_delay()
    assert await lobby.read(started["id"], await lobby.entered(await lobby.secret("+12025550171", 2))) == [SECRET_TEXT]
    assert lobby.letters("cora@example.org") == []


@pytest.mark.rule("N2", "C6")
async def test_where_sms_are_switched_off_who_has_an_address_is_written_to_there_and_a_mere_phone_gets_sms(
    lobby: Lobby,
) -> None:
    both = await lobby.contact("cora@example.org", "+12025550171")
    phone = await lobby.contact(phone="+12025550172")
    talk = (await lobby.data(EXTERNAL, p=both, c=client_id(), h="SMS"))["id"]
    await lobby.entered(await lobby.secret("+12025550171"))
    await lobby.data(SMS, lobby.olga, on=False)
    await write(lobby, talk)
    await lobby.after_the_delay()
    assert await lobby.read(talk, await lobby.entered(await lobby.secret("cora@example.org"))) == [SECRET_TEXT]
    link = await lobby.link(talk, both)
    assert (link["channel"], link["address"]) == ("EMAIL", "c•••@example.org")

    # A member who asks for an SMS is told, and nothing is sent or voided; without a word it is by e-mail.
    before = await lobby.rows("SELECT * FROM guest_link")
    answer = await lobby.deployment.ask(SEND_LINK, lobby.ada.token, i=talk, p=both, h="SMS")
    [error] = answer["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("SWITCHED_OFF", ["channel"])
    assert await lobby.rows("SELECT * FROM guest_link") == before
    await lobby.data(SEND_LINK, i=talk, p=both)
    await lobby.secret("cora@example.org", 2)

    only = (await lobby.data(EXTERNAL, p=phone, c=client_id(), h="SMS"))["id"]
    await lobby.entered(await lobby.secret("+12025550172"))
    await write(lobby, only)
    await lobby.after_the_delay()
    await lobby.entered(await lobby.secret("+12025550172", 2))
    assert len(lobby.letters("+12025550171")) == 1
    await lobby.data(SMS, lobby.olga, on=True)
    await lobby.data(SEND_LINK, i=talk, p=both, h="SMS")
    await lobby.secret("+12025550171", 2)


@pytest.mark.rule("C6", "A6")
async def test_a_patients_next_link_asks_for_the_date_of_birth_as_well(lobby: Lobby) -> None:
    conversation, patient, first = await lobby.patient()
    await lobby.entered(first, BORN)
    await write(lobby, conversation)
    await lobby.after_the_delay()
    [address] = [row["email"] for row in await lobby.rows(f"SELECT email FROM patient WHERE id = '{patient}'")]
    second = await lobby.secret(address, 2)
    assert await lobby.refusal(second) == (403, "DATE_OF_BIRTH_NEEDED", None)
    for left in (4, 3, 2, 1, 0):  # five attempts at all of a person's links together
        assert await lobby.refusal((first, second)[left % 2], "1999-09-09") == (403, "DATE_OF_BIRTH_WRONG", left)
    for secret in (first, second):
        assert await lobby.refusal(secret, BORN) == (410, "LINK_OVER", "voided")


@pytest.mark.rule("N3", "C11")
async def test_what_was_read_answered_or_deleted_meanwhile_is_told_of_in_no_letter(lobby: Lobby) -> None:
    conversation, _, first = await lobby.external()
    guest = await lobby.entered(first)
    sent = await write(lobby, conversation)
    assert await lobby.data(MARK_READ, guest, i=conversation, u=sent["cursor"]) == {"unread": 0}
    await lobby.after_the_delay()
    await write(lobby, conversation)
    await lobby.data(SEND, guest, i=conversation, b="answered", c=client_id())
    await lobby.after_the_delay()
    deleted = await write(lobby, conversation)
    await lobby.data(DELETE, m=deleted["id"])
    await lobby.after_the_delay()
    assert len(lobby.letters("cora@example.org")) == 1
    await write(lobby, conversation)
    deleted = await write(lobby, conversation)
    await lobby.data(DELETE, m=deleted["id"])
    await lobby.after_the_delay()  # what is left is told of
    assert len(lobby.letters("cora@example.org")) == 2
    await lobby.entered(await lobby.secret("cora@example.org", 2))


@pytest.mark.rule("C6")
async def test_calling_off_sending_anew_leaving_and_expiry_end_the_links_of_every_letter(lobby: Lobby) -> None:
    conversation, contact, first = await lobby.external()
    await lobby.entered(first)
    await write(lobby, conversation)
    await lobby.after_the_delay()
    second = await lobby.secret("cora@example.org", 2)
    await write(lobby, conversation)  # a letter that waits goes with the link that it holds
    await lobby.data(SEND_LINK, i=conversation, p=contact)
    third = await lobby.secret("cora@example.org", 3)
    await lobby.after_the_delay()
    assert len(lobby.letters("cora@example.org")) == 3
    for secret in (first, second):
        assert await lobby.refusal(secret) == (410, "LINK_OVER", "voided")
    await lobby.entered(third)
    await write(lobby, conversation)
    await lobby.after_the_delay()
    fourth = await lobby.secret("cora@example.org", 4)
    await write(lobby, conversation)
    await lobby.data(REVOKE_LINK, i=conversation, p=contact)
    refused = {"i": conversation, "b": "unheard", "c": client_id()}
    assert await lobby.code(SEND, **refused) == "NOT_REACHED"  # nobody is told by a link that is called off
    await lobby.after_the_delay()
    assert len(lobby.letters("cora@example.org")) == 4
    for secret in (third, fourth):
        assert await lobby.refusal(secret) == (410, "LINK_OVER", "voided")

    await lobby.data(SEND_LINK, i=conversation, p=contact)
    fifth = await lobby.secret("cora@example.org", 5)
    guest = await lobby.entered(fifth)
    await write(lobby, conversation)
    await lobby.data(LEAVE, guest, i=conversation)
    await lobby.after_the_delay()
    assert len(lobby.letters("cora@example.org")) == 5

    await lobby.data(SEND_LINK, i=conversation, p=contact)
    sixth = await lobby.secret("cora@example.org", 6)
    await lobby.entered(sixth)
    await write(lobby, conversation)
    await lobby.after_the_delay()
    seventh = await lobby.secret("cora@example.org", 7)
    await lobby.later(days=14)
    assert await lobby.code(SEND, **refused) == "NOT_REACHED"
    await lobby.after_the_delay()
    assert len(lobby.letters("cora@example.org")) == 7
    for secret in (sixth, seventh):
        assert await lobby.refusal(secret) == (410, "LINK_OVER", "expired")


@pytest.mark.rule("C6", "C10")
async def test_an_urgent_message_is_told_of_at_once_and_members_see_when_a_guest_came(lobby: Lobby) -> None:
    conversation, contact, first = await lobby.external()
    query = "query($i: ID!) { conversation(id: $i) { participants { nodes { id guestLink { enteredAt } } } } }"

    async def came() -> object:
        people = (await lobby.data(query, i=conversation))["participants"]["nodes"]
        return next(each["guestLink"]["enteredAt"] for each in people if each["id"] == contact)

    assert await came() is None
    await lobby.entered(first)
    assert await came() is not None
    await lobby.data(URGENT, i=conversation, c=client_id())
    await lobby.entered(await lobby.secret("cora@example.org", 2))


@pytest.mark.rule("C6", "N3")
@pytest.mark.promise("A6")
async def test_messages_that_one_letter_tells_of_open_one_further_link(lobby: Lobby) -> None:
    conversation, _, first = await lobby.external()
    await lobby.entered(first)
    owner = await asyncpg.connect(lobby.database.owner_dsn)
    count = "SELECT count(*) FROM link WHERE purpose = 'chat.guest' AND voided_at IS NULL"
    try:
        for letters in (2, 3):
            for number in range(5):
                last = await write(lobby, conversation, f"{letters} {number}")
                assert await owner.fetchval(count) == letters
            await lobby.data(DELETE, m=last["id"])  # what is left is told of, by the same link
            await lobby.after_the_delay()
            assert len(lobby.letters("cora@example.org")) == letters
            await lobby.entered(await lobby.secret("cora@example.org", letters))
    finally:
        await owner.close()


async def sent(lobby: Lobby) -> list[tuple[str, list[str]]]:
    """What the trail tells of links that were sent: the channel, and which patients it is about."""
    rows = await lobby.rows("SELECT * FROM audit_entry WHERE action = 'chat.send_link' ORDER BY id")
    return [(row["detail"]["channel"], [str(each) for each in row["patients"]]) for row in rows]


@pytest.mark.rule("C6", "N2", "A14")
async def test_who_has_no_address_of_that_kind_any_more_is_told_by_the_other_channel(lobby: Lobby) -> None:
    conversation, patient, first = await lobby.patient()
    await lobby.entered(first, BORN)
    [row] = await lobby.rows(f"SELECT email, phone FROM patient WHERE id = '{patient}'")
    await lobby.data(UPDATE, id=patient, p={"email": None})
    await write(lobby, conversation)
    link = await lobby.link(conversation, patient)
    assert (link["channel"], link["address"], link["state"]) == ("SMS", f"•••{row['phone'][-4:]}", "OPEN")
    await lobby.after_the_delay()
    assert len(lobby.letters(row["email"])) == 1
    await lobby.entered(await lobby.secret(row["phone"]), BORN)
    assert await sent(lobby) == [("email", [patient]), ("sms", [patient])]
    # The next one goes the same way, and nothing is entered for it.
    await write(lobby, conversation)
    await lobby.after_the_delay()
    assert len(lobby.letters(row["phone"])) == 2
    assert (await lobby.link(conversation, patient), len(await sent(lobby))) == (link, 2)


@pytest.mark.rule("C6", "A14", "N2")
async def test_where_a_letter_goes_elsewhere_members_see_where_and_one_that_waits_goes_there_too(lobby: Lobby) -> None:
    conversation, patient, first = await lobby.patient()
    await lobby.entered(first, BORN)
    [row] = await lobby.rows(f"SELECT email FROM patient WHERE id = '{patient}'")
    shown = await lobby.link(conversation, patient)
    await write(lobby, conversation)
    assert (await lobby.link(conversation, patient), len(await sent(lobby))) == (shown, 1)
    await lobby.data(UPDATE, id=patient, p={"email": "elsewhere@example.org"})
    await write(lobby, conversation, "two")
    assert await lobby.link(conversation, patient) == {**shown, "address": "e•••@example.org"}
    assert await sent(lobby) == [("email", [patient])] * 2
    await lobby.after_the_delay()
    assert (len(lobby.letters(row["email"])), len(lobby.letters("elsewhere@example.org"))) == (1, 1)
    second = await lobby.secret("elsewhere@example.org")
    assert await lobby.read(conversation, await lobby.entered(second, BORN)) == [SECRET_TEXT, "two"]


@pytest.mark.rule("C6")
async def test_a_message_to_somebody_by_link_costs_two_statements_more_however_many_they_are(lobby: Lobby) -> None:
    conversation, _, first = await lobby.external()
    await lobby.entered(first)
    others = [str(await lobby.contact(f"dora{number}@example.org")) for number in range(3)]
    await lobby.data(OUTSIDERS, lobby.olga)
    group = (await lobby.data(GROUP, p=others, c=client_id()))["id"]
    for number in range(3):
        await lobby.entered(await lobby.secret(f"dora{number}@example.org"))
    for place in (conversation, group):
        with statements() as ran:
            await write(lobby, place)
        told = [each for each in ran if "link_add" in each or "notify_put(" in each]
        assert len(told) == 2, place
