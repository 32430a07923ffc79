"""What becomes of guests when records are merged or erased, in the sandbox, and what they cost (C6, G8)."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from deployment import served
from plugins.chat.lobby import BORN, EXTERNAL, LINKS, READ, SEND, SEND_LINK, Lobby, client_id
from schema.records.test_merging import MERGE
from schema.test_sandbox import OUTBOX, made

from bedside_chat.records import RECORDS
from bedside_core.database import acting, unit
from bedside_core.records.erasing import erase_patient
from bedside_core.testing import Database, statements, until

ADD = "mutation($i: ContactInput!, $c: String!) { addContact(input: $i, clientId: $c) { id } }"


@pytest.mark.rule("C6")
@pytest.mark.promise("A4")
async def test_a_merged_patients_guests_are_out_and_a_new_link_leads_to_the_same_conversation(lobby: Lobby) -> None:
    conversation, patient, secret = await lobby.patient()
    await lobby.data(SEND, i=conversation, b="Hello", c=client_id())
    keep = await lobby.deployment.patient(lobby.practice, "Kay")
    token = await lobby.entered(secret, BORN)
    async with lobby.deployment.socket(token) as socket:
        await lobby.data(MERGE, lobby.olga, k=str(keep.id), m=patient, c=client_id())
        assert await socket.closed() == (4403, "Session ended")
    assert await lobby.code(LINKS, token, i=conversation) == "UNAUTHENTICATED"
    assert (await lobby.refusal(secret, BORN))[:2] in {(410, "LINK_OVER"), (404, "NOT_FOUND")}
    send = "mutation($i: ID!, $p: ID!) { sendGuestLink(conversationId: $i, personId: $p) { id } }"
    await lobby.data(send, i=conversation, p=str(keep.id))
    token = await lobby.entered(await lobby.secret(str(keep.email)), BORN)
    assert await lobby.read(conversation, token) == ["Hello"]


@pytest.mark.rule("C6")
@pytest.mark.promise("A4")
async def test_an_erased_patients_guests_are_out(lobby: Lobby) -> None:
    conversation, patient, secret = await lobby.patient()
    token = await lobby.entered(secret, BORN)
    assert RECORDS.erase is not None
    async with lobby.deployment.socket(token) as socket:
        with acting(lobby.practice.id):
            async with unit():
                await RECORDS.erase(lobby.deployment.platform, UUID(patient))
        assert await socket.closed() == (4403, "Session ended")
    assert await lobby.code(READ, token, i=conversation) == "UNAUTHENTICATED"
    assert (await lobby.refusal(secret, BORN))[0] in {404, 410}
    assert await lobby.rows("SELECT * FROM guest_link") == []
    owner = await asyncpg.connect(lobby.database.owner_dsn)
    assert await owner.fetchval("SELECT count(*) FROM guest_session WHERE person_id = $1", UUID(patient)) == 0
    await owner.close()


@pytest.mark.rule("C6")
@pytest.mark.rule("G8")
async def test_the_sandboxs_links_stand_in_its_outbox_and_leave_the_house_for_nobody(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with served(fresh_database, worker=True, data=tmp_path) as deployment:
        token = await made(deployment)
        given = {"firstName": "Cora", "lastName": "Lane", "email": "cora@example.org"}
        contact = (await deployment.data(ADD, token, i=given, c="contact"))["addContact"]["id"]
        begun = (await deployment.data(EXTERNAL, token, p=contact, c="begin"))["startExternalConversation"]
        letters: list[str] = []

        async def there() -> bool:
            nodes = (await deployment.data(OUTBOX, token))["sandboxOutbox"]["nodes"]
            letters[:] = [node["text"] for node in nodes if node["to"] == "cora@example.org"]
            return bool(letters)

        await until(there, "the letter in the outbox", 60)
        secret = letters[0].split("/chat/guest#")[1][:43]
        answer = await deployment.http.post("/chat/guest/exchange", json={"secret": secret})
        guest = answer.json()
        assert guest["conversationId"] == begun["id"]
        assert (await deployment.data(READ, guest["token"], i=begun["id"]))["conversation"]["id"] == begun["id"]


@pytest.mark.rule("C6")
async def test_what_a_guest_does_takes_a_constant_number_of_statements(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with served(fresh_database, data=tmp_path) as deployment:  # whose worker's statements would be counted
        guest = await deployment.guest(await deployment.practice())
        numbers: set[tuple[int, int]] = set()
        for round_ in range(4):
            for _ in range(5):
                given = {"i": guest.conversation_id, "b": "More", "c": client_id()}
                await deployment.data(SEND, guest.member.token, **given)
            given = {"i": guest.conversation_id, "b": f"Message {round_}", "c": client_id()}
            with statements() as sending:
                await deployment.data(SEND, guest.token, **given)
            with statements() as reading:
                await deployment.data(READ, guest.token, i=guest.conversation_id)
            if round_:  # in the first a session is noted as seen
                numbers.add((len(sending), len(reading)))
        print(f"statements of sending and reading: {numbers}")
        assert len(numbers) == 1
        assert max(numbers.pop()) <= 12


@pytest.mark.rule("C6")
async def test_of_the_bearers_that_a_person_fetches_for_one_link_the_ten_newest_stay(lobby: Lobby) -> None:
    conversation, _, secret = await lobby.external()
    bearers = [await lobby.entered(secret) for _ in range(10)]
    async with lobby.deployment.socket(bearers[0]) as socket:
        newest = await lobby.entered(secret)
        assert await socket.closed() == (4403, "Session ended")
    assert await lobby.code(READ, bearers[0], i=conversation) == "UNAUTHENTICATED"
    for bearer in (*bearers[1:], newest):
        assert await lobby.read(conversation, bearer) == []


@pytest.mark.rule("C6", "N3")
async def test_a_merged_patient_is_sent_no_letter_whose_link_is_void(lobby: Lobby) -> None:
    conversation, patient, secret = await lobby.patient()
    await lobby.entered(secret, BORN)
    await lobby.data(SEND, i=conversation, b="Hello", c=client_id())
    keep = await lobby.deployment.patient(lobby.practice, "Kay")
    count = len(lobby.mail.mails)
    await lobby.data(MERGE, lobby.olga, k=str(keep.id), m=patient, c=client_id())
    await lobby.after_the_delay()
    assert len(lobby.mail.mails) == count


@pytest.mark.rule("C6")
@pytest.mark.promise("A4")
async def test_of_an_erased_patient_neither_address_nor_link_stays_though_they_were_merged(lobby: Lobby) -> None:
    conversation, merged, first = await lobby.patient()
    other = await lobby.external()
    await lobby.entered(first, BORN)
    await lobby.data(SEND, i=conversation, b="Hello", c=client_id())
    await lobby.after_the_delay()
    keep = await lobby.deployment.patient(lobby.practice, "Kay")
    [address] = [row["email"] for row in await lobby.rows(f"SELECT email FROM patient WHERE id = '{merged}'")]
    second = await lobby.secret(address, 2)
    await lobby.data(MERGE, lobby.olga, k=str(keep.id), m=merged, c=client_id())
    for secret in (first, second):
        assert await lobby.refusal(secret, BORN) == (410, "LINK_OVER", "voided")
    assert (await lobby.link(conversation, str(keep.id)))["state"] == "REVOKED"
    owner = await asyncpg.connect(lobby.database.owner_dsn)
    try:
        assert await owner.fetchval("SELECT count(*) FROM link WHERE voided_at IS NULL") == 1
        await lobby.data(SEND_LINK, i=conversation, p=str(keep.id))
        third = await lobby.secret(str(keep.email))
        with acting(lobby.practice.id):
            async with unit() as work:
                await erase_patient(lobby.deployment.platform, work, lobby.practice.id, keep.id)
        for secret in (first, second, third):
            assert (await lobby.refusal(secret, BORN))[:2] == (410, "LINK_OVER")
        for table in ("notification", "notification_delivery", "notification_attempt", "guest_link"):
            rows = await owner.fetch(f"SELECT t::text AS row FROM {table} t")
            for gone in (address, str(keep.email), merged, str(keep.id)):
                assert not [row for row in rows if gone in row["row"]], (table, gone)
        # What was sent to somebody else stays.
        assert await owner.fetchval("SELECT count(*) FROM link") == 1
    finally:
        await owner.close()
    await lobby.entered(other[2])
