"""Who is sent a link and who is not: whatever the sender is called, members of connected practices, and groups."""

from __future__ import annotations

import pytest
from deployment import Person
from plugins.chat.connecting import ACCEPT, REQUEST
from plugins.chat.hall import ADD
from plugins.chat.lobby import CONTACT, EXTERNAL, LEAVE, READ, REMOVE, SEND, SEND_LINK, Lobby, client_id

from bedside_core.auth import Role

PROFILE = "mutation($p: ProfilePatch!) { updateProfile(patch: $p) { firstName } }"
GROUP = """mutation($p: [ID!], $c: String!) { createGroup(name: "Ward", personIds: $p, clientId: $c) {
    id participants { nodes { id } } } }"""
KIND = "query($i: ID!) { conversation(id: $i) { kind participants { nodes { id kind } } } }"
SHOWN = "mutation($p: ProfilePatch!) { updateProfile(patch: $p) { emailFor } }"
OUTSIDERS = "mutation($o: Boolean!) { updateChatSettings(patch: { outsidersInGroups: $o }) { outsidersInGroups } }"
SPANISH = "mutation($s: Boolean!) { updateNotificationsSettings(patch: { spanish: $s }) { spanish } }"
TABLES = ("conversation", "participant", "guest_link", "notification", "audit_entry")


@pytest.mark.rule("C6", "N4")
@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("A" * 100, "B" * 100, f"{'A' * 100} {'B' * 19}"),
        ("A" * 60, "B" * 62, f"{'A' * 60} {'B' * 59}"),
        ("A\u200db", "Moss", "Ab Moss"),
    ],
)
async def test_whatever_a_member_is_called_their_links_are_sent(lobby: Lobby, first: str, last: str, told: str) -> None:
    await lobby.data(OUTSIDERS, lobby.olga, o=True)
    await lobby.data(PROFILE, p={"firstName": first, "lastName": last})
    conversation, contact, secret = await lobby.external("one@example.org")
    await lobby.data(SEND_LINK, i=conversation, p=contact)
    await lobby.secret("one@example.org", 2)
    await lobby.patient()
    two, three = await lobby.contact("two@example.org"), await lobby.contact("three@example.org")
    group = await lobby.data(GROUP, p=[two], c=client_id())
    await lobby.data(ADD, i=group["id"], p=[three])
    await lobby.data(SEND, i=group["id"], b="Hello", c=client_id())
    for address in ("two@example.org", "three@example.org"):
        await lobby.secret(address)
        assert f"{told} of {lobby.practice.name}" in lobby.letters(address)[0].replace("=\n", "")
    assert secret


async def away(lobby: Lobby) -> tuple[Person, Person]:
    """A practice that nobody is connected to yet: its owner, and a member."""
    practice = await lobby.deployment.practice("Away")
    owner = await lobby.deployment.person(practice, Role.OWNER, name="Chief")
    return owner, await lobby.deployment.person(practice, name="Oda")


async def connected(lobby: Lobby, owner: Person) -> None:
    asked = await lobby.data(REQUEST, lobby.olga, p=str(owner.member.practice_id), c=client_id())
    await lobby.data(ACCEPT, owner, i=asked["id"])


async def become_seen(lobby: Lobby, owner: Person, member: Person) -> None:
    """Connect the practices, and have the member show their address."""
    await connected(lobby, owner)
    await lobby.data(SHOWN, member, p={"emailFor": "CONNECTED"})


async def changed(lobby: Lobby) -> list[object]:
    """All that the sending of a link would change."""
    return [await lobby.rows(f"SELECT t::text AS row FROM {table} t ORDER BY 1") for table in TABLES]


@pytest.mark.rule("C6", "A8")
async def test_a_contact_who_is_a_member_by_now_is_written_to_in_the_application(lobby: Lobby) -> None:
    chief, oda = await away(lobby)
    contact = await lobby.contact(oda.email)
    await connected(lobby, chief)
    # While the address is hidden they are a contact like anybody.
    started = await lobby.data(EXTERNAL, p=contact, c=client_id())
    assert (await lobby.data(KIND, i=started["id"]))["kind"] == "EXTERNAL"
    secret = await lobby.secret(oda.email)
    await lobby.data(SHOWN, oda, p={"emailFor": "CONNECTED"})
    before = await changed(lobby)
    refused = await lobby.deployment.ask(SEND_LINK, lobby.ada.token, i=started["id"], p=contact)
    told = refused["errors"][0]["extensions"]
    assert (told["code"], told["memberId"]) == ("CONFLICT", oda.id)
    assert await changed(lobby) == before
    assert (await lobby.exchange(secret)).status_code == 200  # what was sent stays good
    direct = await lobby.data(EXTERNAL, p=contact, c="direct")
    shown = await lobby.data(KIND, i=direct["id"])
    assert shown["kind"] == "DIRECT"
    assert {each["id"] for each in shown["participants"]["nodes"]} == {lobby.ada.id, oda.id}
    assert (await lobby.data(EXTERNAL, p=contact, c="direct"))["id"] == direct["id"]
    await lobby.data(SEND, i=direct["id"], b="Hello", c=client_id())
    assert await lobby.read(direct["id"], oda) == ["Hello"]
    assert len(await lobby.rows("SELECT id FROM guest_link")) == 1
    # and when they are a member no more, or are not seen, by a link again
    await lobby.data(SHOWN, oda, p={"emailFor": "NOBODY"})
    await lobby.data(SEND_LINK, i=started["id"], p=contact)
    await lobby.secret(oda.email, 2)


@pytest.mark.rule("C6", "C7")
async def test_a_contact_who_is_a_member_by_now_is_in_groups_as_that_member(lobby: Lobby) -> None:
    chief, oda = await away(lobby)
    await lobby.data(SHOWN, lobby.ada, p={"emailFor": "NOBODY"})
    contact = await lobby.contact(oda.email)
    given = {"firstName": "Ada", "lastName": "Own", "email": lobby.ada.email, "phone": None}
    own = (await lobby.data(CONTACT, lobby.olga, i=given, c=client_id()))["id"]
    await become_seen(lobby, chief, oda)
    conversations = await lobby.rows("SELECT id FROM conversation")
    assert await lobby.code(GROUP, p=[contact], c=client_id()) == "SWITCHED_OFF"
    assert await lobby.rows("SELECT id FROM conversation") == conversations
    await lobby.data(OUTSIDERS, lobby.olga, o=True)
    assert own != lobby.ada.id
    group = await lobby.data(GROUP, p=[contact, oda.id, own], c=client_id())
    assert {each["id"] for each in group["participants"]["nodes"]} == {lobby.ada.id, oda.id}
    await lobby.data(REMOVE, i=group["id"], p=oda.id)
    await lobby.data(ADD, i=group["id"], p=[oda.id, contact])
    await lobby.data(SEND, i=group["id"], b="Hello", c=client_id())
    assert await lobby.read(group["id"], oda) == ["Hello"]
    assert await lobby.rows("SELECT id FROM guest_link") == []
    assert lobby.letters(oda.email) == []


@pytest.mark.rule("C7", "C6")
async def test_no_link_brings_anybody_back_into_a_group_that_takes_no_outsiders_any_more(lobby: Lobby) -> None:
    await lobby.data(OUTSIDERS, lobby.olga, o=True)
    contact, stays = await lobby.contact("dora@example.org"), await lobby.contact("stays@example.org")
    group = (await lobby.data(GROUP, p=[contact, stays], c=client_id()))["id"]
    guest = await lobby.entered(await lobby.secret("dora@example.org"))
    await lobby.secret("stays@example.org")
    await lobby.data(LEAVE, guest, i=group)
    await lobby.data(OUTSIDERS, lobby.olga, o=False)
    before = await changed(lobby)
    assert await lobby.code(ADD, i=group, p=[contact]) == "SWITCHED_OFF"
    assert await lobby.code(SEND_LINK, i=group, p=contact) == "SWITCHED_OFF"
    assert await changed(lobby) == before
    assert await lobby.code(READ, guest, i=group) in {"UNAUTHENTICATED", "NOT_FOUND"}
    # Who is in it still may be sent another one, and so may all where it is allowed again.
    await lobby.data(SEND_LINK, i=group, p=stays)
    await lobby.secret("stays@example.org", 2)
    await lobby.data(OUTSIDERS, lobby.olga, o=True)
    await lobby.data(SEND_LINK, i=group, p=contact)
    assert await lobby.read(group, await lobby.entered(await lobby.secret("dora@example.org", 2))) == []


@pytest.mark.rule("P2", "N4", "N8")
@pytest.mark.parametrize(
    ("spanish", "told"),
    [
        (False, "{} has written to you in your secure conversation with {}."),
        (True, "{} le ha escrito en su conversación segura con {}."),
    ],
)
async def test_the_letter_of_a_connected_practices_member_does_not_say_they_are_of_the_owning_one(
    lobby: Lobby, spanish: bool, told: str
) -> None:
    await lobby.data(OUTSIDERS, lobby.olga, o=True)
    await lobby.data(SPANISH, lobby.olga, s=spanish)
    chief, oda = await away(lobby)
    await become_seen(lobby, chief, oda)
    contact = await lobby.contact("dora@example.org")
    group = (await lobby.data(GROUP, p=[contact, oda.id], c=client_id()))["id"]
    await lobby.entered(await lobby.secret("dora@example.org"))
    for person in (oda, lobby.ada):
        sent = len(lobby.letters("dora@example.org"))
        await lobby.data(SEND, person, i=group, b="Hello", c=client_id())
        await lobby.after_the_delay()
        await lobby.secret("dora@example.org", sent + 1)
        assert told.format(person.member.name, lobby.practice.name) in lobby.letters("dora@example.org")[-1]
