"""What a guest reaches: the one conversation of their link, with its files, and nothing else (C6, promise A6)."""

from __future__ import annotations

import pytest
from files_stage import photo
from plugins.chat.lobby import (
    BORN,
    BY_LINK,
    CONTACT,
    FOLLOW,
    LINKS,
    READ,
    SEND,
    Lobby,
    client_id,
)

REACT = 'mutation($m: ID!) { reactToMessage(messageId: $m, emoji: "👍") { reactions { emoji personIds } } }'
URGENT = """mutation($i: ID!, $c: String!) {
    sendMessage(conversationId: $i, body: "Now", urgent: true, clientId: $c) { id cursor } }"""
ACKNOWLEDGE = "mutation($m: ID!) { acknowledgeMessage(messageId: $m) { acknowledgements { acknowledgedAt } } }"
MARK = "mutation($i: ID!, $u: String!) { markConversationRead(conversationId: $i, upTo: $u) { unread } }"
DELETE = "mutation($m: ID!) { deleteMessage(messageId: $m) { deletedAt } }"
MAY_DELETE = "mutation { updateChatSettings(patch: { patientsDelete: true }) { patientsDelete } }"
LIST = "{ conversations { nodes { id } } }"
MESSAGE = "query($m: ID!) { message(id: $m) { body } }"
FILE = "query($f: ID!) { file(id: $f) { id } }"
EXPORT = """mutation($i: ID!, $f: ConversationExportFormat!, $c: String!) {
    exportConversation(conversationId: $i, format: $f, clientId: $c) { state } }"""
CAN = "query($a: String!, $t: ID) { can(action: $a, target: $t) { allowed code } }"


@pytest.mark.rule("C6")
async def test_a_guest_reads_writes_follows_reacts_acknowledges_and_marks_as_read(lobby: Lobby) -> None:
    conversation, contact, secret = await lobby.external()
    token = await lobby.entered(secret)
    urgent = await lobby.data(URGENT, i=conversation, c=client_id())
    async with lobby.deployment.socket(token) as socket:
        key = await socket.subscribe(FOLLOW, i=conversation, a=None)
        found = await lobby.data(READ, token, i=conversation)
        assert [node["body"] for node in found["messages"]["nodes"]] == ["Now"]
        mine = await lobby.data(SEND, token, i=conversation, b="Hello", c="one")
        assert await lobby.data(SEND, token, i=conversation, b="Hello", c="one") == mine  # a retry is the first (C13)
        while (await socket.next(key))["conversationEvents"] != {"message": {"body": "Hello"}}:
            pass
    assert await lobby.read(conversation) == ["Now", "Hello"]
    reacted = await lobby.data(REACT, token, m=urgent["id"])
    assert reacted == {"reactions": [{"emoji": "👍", "personIds": [contact]}]}
    [acknowledged] = (await lobby.data(ACKNOWLEDGE, token, m=urgent["id"]))["acknowledgements"]
    assert acknowledged["acknowledgedAt"] is not None
    assert await lobby.data(MARK, token, i=conversation, u=mine["cursor"]) == {"unread": 0}
    assert await lobby.code(DELETE, token, m=mine["id"]) == "FORBIDDEN"
    await lobby.data(MAY_DELETE, lobby.olga)
    assert (await lobby.data(DELETE, token, m=mine["id"]))["deletedAt"] is not None
    assert await lobby.code(DELETE, token, m=urgent["id"]) == "FORBIDDEN"
    assert await lobby.read(conversation) == ["Now", ""]


@pytest.mark.rule("C6")
@pytest.mark.rule("C12")
async def test_a_guest_sends_a_photo_and_gets_the_files_of_the_conversation(lobby: Lobby) -> None:
    conversation, _, secret = await lobby.external()
    token = await lobby.entered(secret)
    picture = photo()
    upload = await lobby.uploaded(token, picture, "wound.jpg")
    await lobby.data(SEND, token, i=conversation, b="", c=client_id(), u=[upload])
    theirs = await lobby.uploaded(lobby.ada.token, b"Some words.\n", "a.txt")
    await lobby.data(SEND, i=conversation, b="", c=client_id(), u=[theirs])
    for by in (token, lobby.ada.token):
        nodes = (await lobby.data(READ, by, i=conversation))["messages"]["nodes"]
        [[shot], [text]] = [node["attachments"] for node in nodes]
        assert (await lobby.get(shot["previewUrl"], by)).headers["content-type"] == "image/jpeg"
        assert (await lobby.get(shot["url"], by)).status_code == 200
        assert (await lobby.get(text["url"], by)).content == b"Some words.\n"
        assert text["uploadedBy"] == (None if by == token else {"id": lobby.ada.id})


@pytest.mark.rule("C6")
@pytest.mark.rule("C12")
@pytest.mark.rule("S10")
async def test_a_patient_in_the_portal_uploads_and_downloads_too(lobby: Lobby) -> None:
    held = await lobby.deployment.held(lobby.practice)
    upload = await lobby.uploaded(held.token, b"Some words.\n", "a.txt")
    assert (await lobby.get(f"/files/{upload}", held.token)).content == b"Some words.\n"
    assert (await lobby.get(f"/files/{upload}", lobby.ada.token)).status_code == 404


@pytest.mark.rule("C6")
@pytest.mark.promise("A6")
async def test_a_guest_reaches_the_one_conversation_and_no_other_of_the_same_person(lobby: Lobby) -> None:
    patient = await lobby.deployment.patient(lobby.practice)
    one = (await lobby.data(BY_LINK, p=str(patient.id), c=client_id()))["id"]
    first = await lobby.secret(str(patient.email))
    two = (await lobby.data(BY_LINK, lobby.olga, p=str(patient.id), c=client_id()))["id"]
    await lobby.secret(str(patient.email), 2)
    upload = await lobby.uploaded(lobby.olga.token, b"Of Olga.\n", "a.txt")
    sent = await lobby.data(SEND, lobby.olga, i=two, b="Elsewhere", c=client_id(), u=[upload])
    token = await lobby.entered(first, BORN)
    assert await lobby.data(LIST, token) == {"nodes": [{"id": one}]}
    before = await lobby.rows("SELECT * FROM message")
    for query, values in (
        (LINKS, {"i": two}),
        (READ, {"i": two}),
        (SEND, {"i": two, "b": "no", "c": client_id()}),
        (MARK, {"i": two, "u": sent["cursor"]}),
        (MESSAGE, {"m": sent["id"]}),
        (REACT, {"m": sent["id"]}),
        (ACKNOWLEDGE, {"m": sent["id"]}),
        (DELETE, {"m": sent["id"]}),
        (FILE, {"f": upload}),
        ("mutation($i: ID!) { leaveConversation(conversationId: $i) }", {"i": two}),
    ):
        assert await lobby.code(query, token, **values) == "NOT_FOUND", query
    assert (await lobby.get(f"/files/{upload}", token)).status_code == 404
    async with lobby.deployment.socket(token) as socket:
        assert await socket.error(await socket.subscribe(FOLLOW, i=two)) == "NOT_FOUND"
    assert await lobby.rows("SELECT * FROM message") == before
    assert await lobby.data(CAN, token, a="chat.send", t=two) == {"allowed": False, "code": "NOT_FOUND"}
    assert await lobby.data(CAN, token, a="chat.send", t=one) == {"allowed": True, "code": None}


@pytest.mark.rule("C6")
@pytest.mark.promise("A6")
async def test_a_guest_is_nobody_else(lobby: Lobby) -> None:
    conversation, contact, secret = await lobby.external()
    token = await lobby.entered(secret)
    assert await lobby.deployment.data("{ viewer { id } }", token) == {"viewer": None}
    people = await lobby.data(LINKS, token, i=conversation)
    assert [each["guestLink"] for each in people["participants"]["nodes"]] == [None, None]
    for query in (
        "{ practice { name } }",
        "{ contacts { nodes { id } } }",
        "{ members { nodes { id } } }",
        "{ patients { nodes { id } } }",
        "{ notifications { nodes { id } } }",
        "{ sessions { id } }",
        "{ profile { firstName } }",
        "{ groups { nodes { id } } }",
        "mutation { signOut }",
        "mutation { signOutEverywhere }",
        'mutation { openTeamConversation(clientId: "x") { id } }',
        f'mutation {{ startExternalConversation(contactId: "{contact}", clientId: "x") {{ id }} }}',
        f'mutation {{ addParticipants(conversationId: "{conversation}", personIds: []) {{ id }} }}',
    ):
        assert await lobby.code(query, token) == "FORBIDDEN", query
    given = {"firstName": "A", "lastName": "B", "email": "b@example.org", "phone": None}
    assert await lobby.code(CONTACT, token, i=given, c=client_id()) == "FORBIDDEN"


@pytest.mark.rule("C6")
@pytest.mark.rule("C15")
async def test_a_guest_exports_nothing_and_is_told_so_before(lobby: Lobby) -> None:
    conversation, _, secret = await lobby.external()
    token = await lobby.entered(secret)
    assert await lobby.data(CAN, a="chat.export", t=conversation) == {"allowed": True, "code": None}
    for target in (conversation, None):
        assert await lobby.data(CAN, token, a="chat.export", t=target) == {"allowed": False, "code": "FORBIDDEN"}
    for form in ("JSON", "PDF"):
        assert await lobby.code(EXPORT, token, i=conversation, f=form, c=client_id()) == "FORBIDDEN"
    assert await lobby.code("{ conversationExports { nodes { id } } }", token) == "FORBIDDEN"
    assert await lobby.rows("SELECT * FROM conversation_export") == []


@pytest.mark.rule("C6")
@pytest.mark.rule("P2")
async def test_a_member_of_a_connected_practice_is_no_guest(lobby: Lobby) -> None:
    away = await lobby.deployment.practice("Away")
    owner = await lobby.deployment.person(away, name="Oda")
    chief = await lobby.deployment.person(away, lobby.olga.member.role, name="Chief")
    request = "mutation($p: String!, $c: String!) { requestConnection(practice: $p, clientId: $c) { id } }"
    asked = await lobby.data(request, lobby.olga, p=str(away.id), c=client_id())
    await lobby.data("mutation($i: ID!) { acceptConnection(id: $i) { id } }", chief, i=asked["id"])
    profile = "mutation($p: ProfilePatch!) { updateProfile(patch: $p) { emailFor } }"
    await lobby.data(profile, owner, p={"emailFor": "CONNECTED"})  # else they are found by nobody (A8)
    found = await lobby.data(
        "mutation($i: ContactInput!, $c: String!) { addContact(input: $i, clientId: $c) { id kind } }",
        i={"firstName": "Oda", "lastName": "X", "email": owner.email, "phone": None},
        c=client_id(),
    )
    assert found == {"id": owner.id, "kind": "MEMBER"}
    started = "mutation($m: ID!, $c: String!) { startConversation(memberId: $m, clientId: $c) { id } }"
    conversation = (await lobby.data(started, m=owner.id, c=client_id()))["id"]
    await lobby.data(SEND, i=conversation, b="Hello", c=client_id())
    assert await lobby.read(conversation, owner) == ["Hello"]
    assert await lobby.rows("SELECT * FROM guest_link") == []
    assert lobby.letters(owner.email) == []
