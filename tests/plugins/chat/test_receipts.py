"""What members have read and acknowledged is not told to patients and guests, unless the practice lets them (C14)."""

from __future__ import annotations

from typing import Any

import pytest
from deployment import Deployment, Socket
from plugins.chat.hall import ACKNOWLEDGE, ADD, MARK, REACT, URGENT, allow, said, with_patient
from plugins.chat.lobby import SEND, Lobby, client_id
from plugins.chat.ward import Ward

SEEN = """query($i: ID!) { conversation(id: $i) { cursor participants { nodes { kind readUpTo } }
    messages(last: 9) { nodes { acknowledgements { acknowledgedAt } } } } }"""
FOLLOW = """subscription($i: ID!, $a: String) { conversationEvents(conversationId: $i, after: $a) { __typename
    ... on MessageChanged { cursor message { body reactions { emoji } acknowledgements { acknowledgedAt } } }
    ... on ParticipantChanged { cursor participant { kind readUpTo } } } }"""


async def seen(deployment: Deployment, token: str, conversation: str) -> tuple[dict[str, bool], list[bool]]:
    """Whose receipts somebody sees by kind, and whether they see of each acknowledgement that there is one."""
    found = (await deployment.data(SEEN, token, i=conversation))["conversation"]
    read = {each["kind"]: each["readUpTo"] is not None for each in found["participants"]["nodes"]}
    marks = [
        mark["acknowledgedAt"] is not None for each in found["messages"]["nodes"] for mark in each["acknowledgements"]
    ]
    return read, marks


async def heard(socket: Socket, key: str) -> dict[str, Any]:
    return (await socket.next(key))["conversationEvents"]


@pytest.mark.rule("C14")
async def test_a_patient_learns_neither_by_queries_nor_live_what_members_have_read(ward: Ward) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    await allow(ward, patientsInPortal=True)
    talk = await with_patient(ward, held)
    start = (await deployment.data(SEEN, held.token, i=talk))["conversation"]["cursor"]
    sent = (await deployment.data(URGENT, held.token, i=talk, b="now", c="m-1"))["sendMessage"]
    plain = await said(ward, talk, "and this", "m-2", held)
    async with deployment.socket(held.token) as socket:
        key = await socket.subscribe(FOLLOW, i=talk)
        await ward.quiet(1)
        await deployment.data(ACKNOWLEDGE, ward.ada.token, m=sent["id"])
        await deployment.data(MARK, ward.ada.token, i=talk, u=plain["cursor"])
        await deployment.data(REACT, ward.ada.token, m=plain["id"], e="👍")
        first = await heard(socket, key)  # the first thing that they are told of
        assert (first["message"]["body"], first["message"]["reactions"]) == ("and this", [{"emoji": "👍"}])
        assert await seen(deployment, held.token, talk) == ({"PATIENT": True, "MEMBER": False}, [False])
        assert await seen(deployment, ward.ada.token, talk) == ({"PATIENT": True, "MEMBER": True}, [True])

        await allow(ward, presenceForPatients=True)
        assert await seen(deployment, held.token, talk) == ({"PATIENT": True, "MEMBER": True}, [True])
        last = await said(ward, talk, "one more", "m-3", held)
        assert (await heard(socket, key))["message"]["body"] == "one more"
        await deployment.data(MARK, ward.ada.token, i=talk, u=last["cursor"])
        told = await heard(socket, key)
        assert told["participant"] == {"kind": "MEMBER", "readUpTo": last["cursor"]}
    await allow(ward, presenceForPatients=False)
    async with deployment.socket(held.token) as socket:  # whoever resumes has all that there was, but receipts
        key = await socket.subscribe(FOLLOW, i=talk, a=start)
        events = [await heard(socket, key) for _ in range(3)]
        assert [each["message"]["body"] for each in events] == ["now", "and this", "one more"]
        assert events[0]["message"]["acknowledgements"] == [{"acknowledgedAt": None}]
        await deployment.data(REACT, ward.ada.token, m=plain["id"], e="❤️")
        assert (await heard(socket, key))["message"]["body"] == "and this"


@pytest.mark.rule("C14", "C16")
async def test_what_else_has_changed_in_somebody_reaches_a_patient_though_they_have_read_since(ward: Ward) -> None:
    """A member who joins and reads before the patient looks is told of as one who joined."""
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    await allow(ward, patientsInPortal=True)
    talk = await with_patient(ward, held)
    sent = await said(ward, talk, "hello", "m-1", held)
    start = (await deployment.data(SEEN, held.token, i=talk))["conversation"]["cursor"]
    await deployment.data(ADD, ward.ada.token, i=talk, p=[ward.ben.id])
    await said(ward, talk, "between", "m-2", held)
    await deployment.data(MARK, ward.ben.token, i=talk, u=sent["cursor"])
    async with deployment.socket(held.token) as socket:
        key = await socket.subscribe(FOLLOW, i=talk, a=start)
        joined, between = await heard(socket, key), await heard(socket, key)
        assert joined["participant"] == {"kind": "MEMBER", "readUpTo": None}
        assert between["message"]["body"] == "between"


@pytest.mark.rule("C14", "C6")
async def test_a_guest_learns_nothing_of_it_either(lobby: Lobby) -> None:
    conversation, _, first = await lobby.external()
    guest = await lobby.entered(first)
    sent = await lobby.data(SEND, guest, i=conversation, b="hello", c=client_id())
    async with lobby.deployment.socket(guest) as socket:
        key = await socket.subscribe(FOLLOW, i=conversation, a=sent["cursor"])
        await lobby.data(MARK, i=conversation, u=sent["cursor"])
        await lobby.data(SEND, guest, i=conversation, b="anybody?", c=client_id())
        assert (await heard(socket, key))["message"]["body"] == "anybody?"
    assert await seen(lobby.deployment, guest, conversation) == ({"CONTACT": True, "MEMBER": False}, [])
