"""Patients who were written to by a link, and sign in to the portal since: the link is over (C2, C3, C6, N2)."""

from __future__ import annotations

from uuid import UUID

import pytest
from accounts_stage import cheap_hashes
from deployment import Held
from plugins.chat.lobby import (
    BORN,
    BY_LINK,
    LEAVE,
    LINKS,
    READ,
    REVOKE_LINK,
    SEND,
    SEND_LINK,
    Lobby,
    client_id,
)
from plugins.portal.desk import INVITE, PASSWORD, REGISTER, REINSTATE, SUSPEND
from plugins.portal.desk import SECRET as REGISTRATION
from schema.records.test_merging import MERGE

from bedside_chat.listeners import portal_account_changed
from bedside_core.database import acting
from bedside_core.testing import until
from bedside_portal.api import PortalAccountChanged

START = """mutation($p: ID!, $c: String!) { startPatientConversation(patientId: $p, clientId: $c) {
    id participants { nodes { id byLink guestLink { state } } } } }"""
EVENTS = """subscription($i: ID!) { conversationEvents(conversationId: $i) {
    ... on ParticipantChanged { participant { id byLink } } } }"""
URGENT = """mutation($i: ID!, $c: String!) {
    sendMessage(conversationId: $i, body: "now", clientId: $c, urgent: true) { id } }"""
SWITCH = "mutation($p: Boolean!) { updateChatSettings(patch: { patientsInPortal: $p }) { patientsInPortal } }"


async def holds(lobby: Lobby, patient: str) -> Held:
    """Have a patient sign in to the portal, of which chat has heard nothing yet."""
    with acting(lobby.practice.id):
        found = await lobby.deployment.platform.people.patients_by_id([UUID(patient)])
    return await lobby.deployment.held(lobby.practice, found[UUID(patient)])


async def assert_over(lobby: Lobby, secret: str, bearer: str, conversation: str) -> None:
    """Show that a link and who came by it are shut out for good."""
    assert (await lobby.refusal(secret, BORN))[:2] == (410, "LINK_OVER")
    assert await lobby.code(READ, bearer, i=conversation) == "UNAUTHENTICATED"
    [row] = await lobby.rows("SELECT revoked_at, failures FROM guest_link")
    assert row["revoked_at"] is not None and row["failures"] == 0


@pytest.mark.rule("C6")
@pytest.mark.promise("A4")
async def test_starting_again_with_a_patient_in_the_portal_voids_their_link_and_puts_its_guests_out(
    lobby: Lobby,
) -> None:
    conversation, patient, secret = await lobby.patient()
    guest = await lobby.entered(secret, BORN)
    held = await holds(lobby, patient)
    async with lobby.deployment.socket(guest) as socket:
        again = await lobby.data(START, p=patient, c=client_id())
        assert await socket.closed() == (4403, "Session ended")
    assert again["id"] == conversation
    assert [each for each in again["participants"]["nodes"] if each["id"] == patient] == [
        {"id": patient, "byLink": False, "guestLink": None}
    ]
    await assert_over(lobby, secret, guest, conversation)
    assert await lobby.read(conversation, held.token) == []
    # It is theirs to call off still, which changes nothing, and nobody can be sent one who is in the portal.
    before = await lobby.rows("SELECT * FROM guest_link")
    await lobby.data(REVOKE_LINK, i=conversation, p=patient)
    assert await lobby.code(SEND_LINK, i=conversation, p=patient) == "NOT_FOUND"
    assert await lobby.code(REVOKE_LINK, i=conversation, p=lobby.ada.id) == "NOT_FOUND"
    assert await lobby.rows("SELECT * FROM guest_link") == before


@pytest.mark.rule("C6", "C9")
@pytest.mark.promise("A4")
async def test_a_link_that_was_left_open_can_be_called_off_goes_with_its_person_and_lets_nobody_in(
    lobby: Lobby,
) -> None:
    conversation, patient, secret = await lobby.patient()
    guest = await lobby.entered(secret, BORN)
    held = await holds(lobby, patient)
    await lobby.rows("UPDATE participant SET by_link = false WHERE kind = 'patient' RETURNING 1")  # as it was before
    assert (await lobby.exchange(secret, BORN)).status_code == 404
    async with lobby.deployment.socket(guest) as socket:
        await lobby.data(LEAVE, held.token, i=conversation)
        assert await socket.closed() == (4403, "Session ended")
    await assert_over(lobby, secret, guest, conversation)
    await lobby.data(SWITCH, lobby.olga, p=True)
    await lobby.data(SEND, i=conversation, b="back again", c=client_id())
    await assert_over(lobby, secret, guest, conversation)

    other, patient, secret = await lobby.patient()
    guest = await lobby.entered(secret, BORN)
    await holds(lobby, patient)
    await lobby.rows("UPDATE participant SET by_link = false WHERE kind = 'patient' RETURNING 1")
    async with lobby.deployment.socket(guest) as socket:
        await lobby.data(REVOKE_LINK, i=other, p=patient)
        assert await socket.closed() == (4403, "Session ended")
    assert (await lobby.refusal(secret, BORN))[:2] == (410, "LINK_OVER")
    assert await lobby.code(READ, guest, i=other) == "UNAUTHENTICATED"


async def invited(lobby: Lobby, patient: str) -> str:
    """Invite a patient, who registers and signs in; returns the bearer."""
    holder = await lobby.data(INVITE, p=patient, h="EMAIL", c=client_id())
    address = holder["invitation"]["address"]

    def secrets() -> list[str]:
        return [found.group(1) for letter in lobby.letters(address) if (found := REGISTRATION.search(letter))]

    await until(lambda: bool(secrets()), "the invitation", 60)
    given = {"s": secrets()[0], "b": BORN, "p": PASSWORD, "c": client_id()}
    user = (await lobby.deployment.data(REGISTER, **given))["registerForPortal"]
    return await lobby.deployment.sign_in(user, PASSWORD)


async def by_link(lobby: Lobby, conversation: str) -> bool:
    """Whether the patient of a conversation is reached by a link."""
    people = (await lobby.data(LINKS, i=conversation))["participants"]["nodes"]
    return next(each["byLink"] for each in people if each["kind"] == "PATIENT")


async def in_portal(lobby: Lobby, conversation: str) -> None:
    async def turned() -> bool:
        return not await by_link(lobby, conversation)

    await until(turned, "the patient is reached in the portal", 60)


@pytest.mark.rule("C2", "C3", "C6", "N2")
@pytest.mark.promise("A4")
async def test_who_registers_for_the_portal_is_reached_there_and_their_link_is_over(lobby: Lobby) -> None:
    with cheap_hashes():
        conversation, patient, secret = await lobby.patient()
        guest = await lobby.entered(secret, BORN)
        async with lobby.deployment.socket(guest) as socket, lobby.deployment.socket(lobby.ada.token) as reader:
            following = await reader.subscribe(EVENTS, i=conversation)
            token = await invited(lobby, patient)
            await in_portal(lobby, conversation)
            assert await socket.closed() == (4403, "Session ended")
            event = await reader.next(following)
            assert event["conversationEvents"]["participant"] == {"id": patient, "byLink": False}
    await assert_over(lobby, secret, guest, conversation)
    # Chat for patients is switched off here, so in the portal they share files and write no text.
    assert await lobby.code(SEND, token, i=conversation, b="text", c=client_id()) == "SWITCHED_OFF"
    assert await lobby.code(SEND, i=conversation, b="text", c=client_id()) == "SWITCHED_OFF"
    assert await lobby.read(conversation, token) == []
    # They are told as patients in the portal are, of urgent messages again and again.
    await lobby.data(SWITCH, lobby.olga, p=True)
    [address] = [row["email"] for row in await lobby.rows(f"SELECT email FROM patient WHERE id = '{patient}'")]
    count = len(lobby.letters(address))
    await lobby.data(URGENT, i=conversation, c=client_id())
    await until(lambda: len(lobby.letters(address)) > count, "the letter", 60)
    assert "/chat/guest#" not in lobby.letters(address)[-1]
    assert [row["remind_at"] is not None for row in await lobby.rows("SELECT remind_at FROM urgent_recipient")] == [
        True
    ]

    # Suspended, they can be sent a link again, which is over when they are let in again.
    await lobby.data(SUSPEND, lobby.olga, p=patient)
    count = len(lobby.letters(address))
    again = await lobby.data(BY_LINK, p=patient, c=client_id())
    assert (again["id"], await by_link(lobby, conversation)) == (conversation, True)
    second = await lobby.secret(address, count + 1)
    guest = await lobby.entered(second, BORN)
    await lobby.data(REINSTATE, lobby.olga, p=patient)
    await in_portal(lobby, conversation)
    await assert_over(lobby, second, guest, conversation)


@pytest.mark.rule("C6", "S9")
async def test_what_chat_hears_late_or_twice_of_a_portal_account_ends_no_link_that_is_needed(lobby: Lobby) -> None:
    conversation, patient, secret = await lobby.patient()
    held = await holds(lobby, patient)
    guest = await lobby.entered(secret, BORN)
    await lobby.data(SUSPEND, lobby.olga, p=patient)
    assert await lobby.code(READ, guest, i=conversation) == "UNAUTHENTICATED"

    async def voided() -> bool:
        return bool(await lobby.rows("SELECT FROM guest_link WHERE revoked_at IS NOT NULL"))

    await until(voided, "the link of before to be void", 60)
    assert (await lobby.refusal(secret, BORN))[:2] == (410, "LINK_OVER")
    [address] = [row["email"] for row in await lobby.rows(f"SELECT email FROM patient WHERE id = '{patient}'")]
    count = len(lobby.letters(address))
    await lobby.data(BY_LINK, p=patient, c=client_id())  # staff decides to, suspended or not
    secret = await lobby.secret(address, count + 1)
    before = await lobby.rows("SELECT g.*, p.by_link FROM guest_link g JOIN participant p USING (person_id)")
    late = PortalAccountChanged(
        practice_id=lobby.practice.id, patient_id=UUID(patient), before="invited", state="active"
    )
    heard = portal_account_changed(lobby.deployment.platform)
    again = PortalAccountChanged(
        practice_id=lobby.practice.id, patient_id=UUID(patient), before="active", state="suspended"
    )
    with acting(lobby.practice.id):
        await heard(late)
        await heard(again)
    assert await lobby.rows("SELECT g.*, p.by_link FROM guest_link g JOIN participant p USING (person_id)") == before
    await lobby.entered(secret, BORN)
    await lobby.data(REINSTATE, lobby.olga, p=held.id)
    await in_portal(lobby, conversation)
    before = await lobby.rows('SELECT "position" FROM conversation')
    with acting(lobby.practice.id):
        await heard(late)
    assert await lobby.rows('SELECT "position" FROM conversation') == before


@pytest.mark.rule("C6", "N2")
@pytest.mark.promise("A4")
async def test_merged_into_a_record_with_a_portal_account_a_patient_is_reached_there(lobby: Lobby) -> None:
    await lobby.data(SWITCH, lobby.olga, p=True)
    conversation, patient, secret = await lobby.patient()
    guest = await lobby.entered(secret, BORN)
    keep = await lobby.deployment.held(lobby.practice)
    await lobby.data(MERGE, lobby.olga, k=keep.id, m=patient, c=client_id())
    assert not await by_link(lobby, conversation)
    await assert_over(lobby, secret, guest, conversation)
    count = len(lobby.letters(str(keep.patient.email)))
    await lobby.data(URGENT, i=conversation, c=client_id())
    await until(lambda: len(lobby.letters(str(keep.patient.email))) > count, "the letter", 60)
    assert await lobby.read(conversation, keep.token) == ["now"]
    assert [row["remind_at"] is not None for row in await lobby.rows("SELECT remind_at FROM urgent_recipient")] == [
        True
    ]
