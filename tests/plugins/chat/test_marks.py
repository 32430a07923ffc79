"""What is put to messages: acknowledgements (C10), reactions, receipts (C14); and that retries are none (C13)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from plugins.chat.hall import ACKNOWLEDGE, DELETE, LIST, MARK, REACT, URGENT, allow, group, said, with_patient
from plugins.chat.ward import SEND, Ward

from bedside_core.testing import statements


async def counts(ward: Ward, token: str) -> dict[str, tuple[int, int]]:
    """Unread and urgent ones of each conversation."""
    nodes = (await ward.deployment.data(LIST, token))["conversations"]["nodes"]
    return {each["id"]: (each["unread"], each["urgent"]) for each in nodes}


@pytest.mark.rule("C10")
async def test_each_recipient_of_an_urgent_message_acknowledges_it(ward: Ward) -> None:
    deployment = ward.deployment
    carl = await deployment.person(ward.practice, name="Carl")
    round_ = await group(ward, ward.ben, carl)
    sent = (await deployment.data(URGENT, ward.ada.token, i=round_, b="Come now", c="m-1"))["sendMessage"]
    asked = {each["personId"]: each["acknowledgedAt"] for each in sent["acknowledgements"]}
    assert asked == {ward.ben.id: None, carl.id: None}
    assert (await counts(ward, ward.ben.token))[round_] == (1, 1)
    assert (await counts(ward, ward.ada.token))[round_] == (0, 0)
    first = (await deployment.data(ACKNOWLEDGE, ward.ben.token, m=sent["id"]))["acknowledgeMessage"]
    told = {each["personId"]: each["acknowledgedAt"] for each in first["acknowledgements"]}
    assert told[ward.ben.id] is not None and told[carl.id] is None
    again = (await deployment.data(ACKNOWLEDGE, ward.ben.token, m=sent["id"]))["acknowledgeMessage"]
    assert again == first
    assert (await counts(ward, ward.ben.token))[round_] == (1, 0)  # to acknowledge is not to read
    assert (await counts(ward, carl.token))[round_] == (1, 1)
    # not who sent it, not who came later, not who is not in it; and nothing that is not urgent
    dora = await deployment.person(ward.practice, name="Dora")
    plain = await said(ward, round_, "no hurry", "m-2")
    for person, message in ((ward.ada, sent), (dora, sent), (ward.ben, plain)):
        assert await deployment.code(ACKNOWLEDGE, person.token, m=message["id"]) == "NOT_FOUND"
    await deployment.data(DELETE, ward.ada.token, m=sent["id"])
    assert (await counts(ward, carl.token))[round_] == (1, 0)


@pytest.mark.rule("C10")
@pytest.mark.rule("C14")
async def test_reading_is_said_and_never_goes_back_and_others_see_how_far(ward: Ward) -> None:
    deployment, messages = ward.deployment, []
    for number in range(3):
        messages.append(await ward.send(f"m{number}", f"m-{number}"))
    assert (await counts(ward, ward.ben.token))[ward.conversation] == (3, 0)

    async def mark(cursor: str) -> dict[str, Any]:
        return (await deployment.data(MARK, ward.ben.token, i=ward.conversation, u=cursor))["markConversationRead"]

    assert (await mark(messages[1]["cursor"]))["unread"] == 1
    assert (await mark(messages[0]["cursor"]))["unread"] == 1
    data = await deployment.data(
        "query($i: ID!) { conversation(id: $i) { unread participants { nodes { id readUpTo } } } }",
        ward.ada.token,
        i=ward.conversation,
    )
    shown = {each["id"]: each["readUpTo"] for each in data["conversation"]["participants"]["nodes"]}
    assert shown == {ward.ada.id: messages[2]["cursor"], ward.ben.id: messages[1]["cursor"]}
    await deployment.data(DELETE, ward.ada.token, m=messages[2]["id"])  # what was deleted is unread no more
    assert (await counts(ward, ward.ben.token))[ward.conversation] == (0, 0)
    await ward.send("an answer", "b-1", ward.ben)  # who sends has read up to there
    assert (await counts(ward, ward.ben.token))[ward.conversation] == (0, 0)
    carl = await deployment.person(ward.practice, name="Carl")
    assert await deployment.code(MARK, carl.token, i=ward.conversation, u=messages[0]["cursor"]) == "NOT_FOUND"
    assert await deployment.code(MARK, ward.ben.token, i=ward.conversation, u="zz") == "INVALID_INPUT"
    with statements() as ran:
        await mark(messages[2]["cursor"])
    assert len(ran) <= 8, ran


@pytest.mark.rule("C14")
async def test_reactions_are_put_and_taken_away_once_each(ward: Ward) -> None:
    deployment, sent = ward.deployment, await ward.send("good news", "m-1")

    async def react(token: str, emoji: str, on: bool = True) -> list[tuple[str, list[str]]]:
        data = await deployment.data(REACT, token, m=sent["id"], e=emoji, on=on)
        return [(each["emoji"], each["personIds"]) for each in data["reactToMessage"]["reactions"]]

    assert await react(ward.ben.token, "👍") == [("👍", [ward.ben.id])]
    assert await react(ward.ben.token, "👍") == [("👍", [ward.ben.id])]
    assert await react(ward.ada.token, "👍") == [("👍", [ward.ben.id, ward.ada.id])]
    assert await react(ward.ada.token, "❤️") == [("👍", [ward.ben.id, ward.ada.id]), ("❤️", [ward.ada.id])]
    assert await react(ward.ben.token, "👍", on=False) == [("👍", [ward.ada.id]), ("❤️", [ward.ada.id])]
    assert await react(ward.ben.token, "👍", on=False) == [("👍", [ward.ada.id]), ("❤️", [ward.ada.id])]
    before = await ward.count("message_reaction")
    for emoji in ("", "ok", "a👍", "👍 👍", "<b>", "👍" * 17, "\n"):
        assert await deployment.code(REACT, ward.ben.token, m=sent["id"], e=emoji) == "INVALID_INPUT", emoji
    carl = await deployment.person(ward.practice, name="Carl")
    for target in (sent["id"], "0199aaaa-0000-7000-8000-000000000000"):
        assert await deployment.code(REACT, carl.token, m=target, e="👍") == "NOT_FOUND"
    assert await ward.count("message_reaction") == before == 2
    gone = (await deployment.data(DELETE, ward.ada.token, m=sent["id"]))["deleteMessage"]
    assert gone["reactions"] == [] and await ward.count("message_reaction") == 0
    assert await deployment.code(REACT, ward.ben.token, m=sent["id"], e="👍") == "CONFLICT"


@pytest.mark.rule("C13")
async def test_a_retry_of_any_message_returns_the_first_in_every_kind_of_conversation(ward: Ward) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    await allow(ward, patientsInPortal=True)
    with_pat, round_ = await with_patient(ward, held), await group(ward, ward.ben)
    everyone = """mutation($i: ID!, $b: String!, $c: String!, $u: Boolean!, $r: ID) {
        sendMessage(conversationId: $i, body: $b, clientId: $c, urgent: $u, replyTo: $r) { id urgent replyToId } }"""
    for conversation, sender in ((ward.conversation, ward.ada), (with_pat, held), (round_, ward.ben)):
        first = await said(ward, conversation, "one", "k-1", sender)
        values = {"i": conversation, "b": "two", "c": "k-2", "u": True, "r": first["id"]}
        sent, *again = await asyncio.gather(*(deployment.data(everyone, sender.token, **values) for _ in range(5)))
        assert again == [sent] * 4
        for changed in ({"b": "other"}, {"u": False}, {"r": None}):
            assert await deployment.code(everyone, sender.token, **{**values, **changed}) == "CONFLICT"
        missing = {"c": "k-3", "r": "0199aaaa-0000-7000-8000-000000000000"}
        assert await deployment.code(everyone, sender.token, **{**values, **missing}) == "NOT_FOUND"
    assert await ward.count("message") == 6
    # an answer is to a message of the same conversation
    foreign = await said(ward, round_, "elsewhere", "k-9", ward.ben)
    values = {"i": ward.conversation, "b": "two", "c": "k-4", "u": False, "r": foreign["id"]}
    assert await deployment.code(everyone, ward.ben.token, **values) == "NOT_FOUND"


@pytest.mark.rule("C13")
@pytest.mark.rule("C11")
async def test_a_retry_of_what_was_deleted_meanwhile_brings_nothing_back(ward: Ward) -> None:
    sent = await ward.send("the canary", "m-1")
    await ward.deployment.data(DELETE, ward.ada.token, m=sent["id"])
    again = await ward.deployment.data(SEND, ward.ada.token, i=ward.conversation, b="the canary", c="m-1")
    assert (again["sendMessage"]["id"], again["sendMessage"]["body"]) == (sent["id"], "")
    assert await ward.messages() == [""]
