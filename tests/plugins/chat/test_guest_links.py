"""Links for people without an account: sent, sent again, called off, over; and how their secret is exchanged (C6)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from plugins.chat.lobby import (
    BORN,
    BY_LINK,
    EXTERNAL,
    LEAVE,
    LINKS,
    MISSING,
    REMOVE,
    REVOKE_LINK,
    SEND,
    SEND_LINK,
    Lobby,
    client_id,
)

from bedside_core.access import Tier
from bedside_core.auth import Role
from bedside_plans.service import PlanService

GROUP = """mutation($p: [ID!], $c: String!) { createGroup(name: "Ward", personIds: $p, clientId: $c) {
    id participants { nodes { id guestLink { channel address state } } } } }"""
ADD = """mutation($i: ID!, $p: [ID!]!) { addParticipants(conversationId: $i, personIds: $p) {
    id participants { nodes { id guestLink { state } } } } }"""
OUTSIDERS = "mutation { updateChatSettings(patch: { outsidersInGroups: true }) { outsidersInGroups } }"
DAYS = "mutation($n: Int!) { updateChatSettings(patch: { guestDays: $n }) { guestDays } }"
ENTRIES = """{ auditEntries(first: 50) { nodes { action role target memberId patientIds details { name values } } } }"""


@pytest.mark.rule("C6")
@pytest.mark.rule("N4")
async def test_starting_with_a_contact_sends_a_link_by_mail_that_says_who_and_nothing_else(lobby: Lobby) -> None:
    contact = await lobby.contact("cora@example.org")
    started = await lobby.data(EXTERNAL, p=contact, c=client_id())
    secret = await lobby.secret("cora@example.org")
    assert len(secret) == 43  # 256 bits (promise A6)
    [letter] = lobby.letters("cora@example.org")
    assert lobby.ada.member.name in letter and lobby.practice.name in letter
    [link] = [each["guestLink"] for each in started["participants"]["nodes"] if each["id"] == contact]
    sent, expires = datetime.fromisoformat(link.pop("sentAt")), datetime.fromisoformat(link.pop("expiresAt"))
    assert link == {"channel": "EMAIL", "address": "c•••@example.org", "state": "OPEN"}
    assert expires - sent == timedelta(days=14)
    assert [each["guestLink"] for each in started["participants"]["nodes"] if each["id"] == lobby.ada.id] == [None]
    # Starting again finds the conversation, and sends no second link while the first is open.
    again = await lobby.data(EXTERNAL, p=contact, c=client_id())
    assert (again["id"], len(lobby.letters("cora@example.org"))) == (started["id"], 1)


@pytest.mark.rule("C6")
@pytest.mark.rule("C2")
async def test_a_link_goes_by_sms_where_that_is_asked_for_or_all_there_is(lobby: Lobby) -> None:
    contact = await lobby.contact(phone="+12025550171")
    started = await lobby.data(EXTERNAL, p=contact, c=client_id())
    assert len(await lobby.secret("+12025550171")) == 43
    link = await lobby.link(started["id"], contact)
    assert (link["channel"], link["address"]) == ("SMS", "•••0171")
    assert await lobby.code(SEND_LINK, i=started["id"], p=contact, h="EMAIL") == "INVALID_INPUT"
    assert (await lobby.link(started["id"], contact)) == link
    patient = await lobby.deployment.patient(lobby.practice)
    started = await lobby.data(BY_LINK, p=str(patient.id), c=client_id(), h="SMS")
    assert await lobby.secret(str(patient.phone))
    assert (await lobby.link(started["id"], str(patient.id)))["channel"] == "SMS"


@pytest.mark.rule("C6")
@pytest.mark.rule("C7")
async def test_a_contact_added_to_a_group_is_sent_a_link(lobby: Lobby) -> None:
    await lobby.data(OUTSIDERS, lobby.olga)
    one, two = await lobby.contact("one@example.org"), await lobby.contact("two@example.org")
    group = await lobby.data(GROUP, p=[one], c=client_id())
    assert [each["guestLink"] for each in group["participants"]["nodes"] if each["id"] == one] == [
        {"channel": "EMAIL", "address": "o•••@example.org", "state": "OPEN"}
    ]
    token = await lobby.entered(await lobby.secret("one@example.org"))
    await lobby.data(SEND, token, i=group["id"], b="Hello", c=client_id())
    added = await lobby.data(ADD, i=group["id"], p=[two])
    assert [each["guestLink"] for each in added["participants"]["nodes"] if each["id"] == two] == [{"state": "OPEN"}]
    assert await lobby.read(group["id"], await lobby.entered(await lobby.secret("two@example.org"))) == ["Hello"]


@pytest.mark.rule("C6")
@pytest.mark.rule("A7")
@pytest.mark.promise("A6")
async def test_get_and_head_change_nothing_and_the_secret_is_good_until_the_link_ends(lobby: Lobby) -> None:
    _, _, secret = await lobby.external()
    before = await lobby.rows("SELECT * FROM guest_link")
    http = lobby.deployment.http
    page = await http.get("/chat/guest")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert (await http.head("/chat/guest")).status_code in {200, 405}
    for method in ("GET", "HEAD"):
        assert (await http.request(method, "/chat/guest/exchange")).status_code == 405
    assert await lobby.rows("SELECT * FROM guest_link") == before
    one, two = await lobby.entered(secret), await lobby.entered(secret)
    assert one != two and one.startswith("bedside_guest_")
    assert (await lobby.exchange("x" * 43)).json()["code"] == "LINK_OVER"
    for given in (
        {},
        {"secret": 1},
        {"secret": "a\0"},
        {"secret": "ä"},
        [secret],
        {"secret": secret, "dateOfBirth": 3},
    ):
        answer = await http.post("/chat/guest/exchange", json=given)
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_INPUT"), given
    too_long = await http.post("/chat/guest/exchange", json={"secret": "a" * 5000})
    assert too_long.json()["code"] == "INVALID_INPUT"


@pytest.mark.rule("C6")
@pytest.mark.rule("A2")
@pytest.mark.promise("A4")
async def test_a_link_sent_again_takes_the_place_of_the_older_one_and_puts_its_guests_out(lobby: Lobby) -> None:
    conversation, contact, old = await lobby.external()
    token = await lobby.entered(old)
    await lobby.data(SEND_LINK, i=conversation, p=contact)
    new = await lobby.secret("cora@example.org", 2)
    assert await lobby.refusal(old) == (410, "LINK_OVER", "voided")
    assert await lobby.code(LINKS, token, i=conversation) == "UNAUTHENTICATED"
    assert await lobby.read(conversation, await lobby.entered(new)) == []


@pytest.mark.rule("C6")
@pytest.mark.promise("A4")
async def test_a_link_called_off_lets_nobody_in_any_more(lobby: Lobby) -> None:
    conversation, contact, secret = await lobby.external()
    token = await lobby.entered(secret)
    async with lobby.deployment.socket(token) as socket:
        revoked = await lobby.data(REVOKE_LINK, i=conversation, p=contact)
        assert await socket.closed() == (4403, "Session ended")
    [link] = [each["guestLink"] for each in revoked["participants"]["nodes"] if each["id"] == contact]
    assert link["state"] == "REVOKED"
    assert await lobby.code(LINKS, token, i=conversation) == "UNAUTHENTICATED"
    assert await lobby.refusal(secret) == (410, "LINK_OVER", "voided")
    rows = await lobby.rows("SELECT * FROM guest_link")
    await lobby.data(REVOKE_LINK, i=conversation, p=contact)  # repeating it changes nothing
    assert await lobby.rows("SELECT * FROM guest_link") == rows


@pytest.mark.rule("C6")
async def test_a_link_ends_after_the_days_that_the_practice_has_set(lobby: Lobby) -> None:
    for wrong in (0, 91):
        assert await lobby.code(DAYS, lobby.olga, n=wrong) == "INVALID_INPUT"
    assert await lobby.data(DAYS, lobby.olga, n=1) == {"guestDays": 1}
    conversation, contact, secret = await lobby.external()
    await lobby.later(hours=23, minutes=50)
    token = await lobby.entered(secret)
    assert await lobby.read(conversation, token) == []
    await lobby.later(minutes=11)
    assert await lobby.code(LINKS, token, i=conversation) == "UNAUTHENTICATED"  # no bearer outlives its link
    assert await lobby.refusal(secret) == (410, "LINK_OVER", "expired")
    assert (await lobby.link(conversation, contact))["state"] == "EXPIRED"
    started = await lobby.data(EXTERNAL, p=contact, c=client_id())  # starting anew sends another
    assert started["id"] == conversation
    assert await lobby.read(conversation, await lobby.entered(await lobby.secret("cora@example.org", 2))) == []


@pytest.mark.rule("C6")
async def test_a_bearer_lasts_an_hour_after_it_was_used_last(lobby: Lobby) -> None:
    conversation, _, secret = await lobby.external()
    token = await lobby.entered(secret)
    for _ in range(3):
        await lobby.later(minutes=50)
        assert await lobby.read(conversation, token) == []
    async with lobby.deployment.socket(token) as socket:
        await lobby.later(minutes=61)
        assert await socket.closed() == (4403, "Session ended")
    assert await lobby.code(LINKS, token, i=conversation) == "UNAUTHENTICATED"
    assert await lobby.read(conversation, await lobby.entered(secret)) == []


@pytest.mark.rule("C2")
@pytest.mark.rule("C6")
@pytest.mark.promise("A6")
async def test_a_patients_link_asks_the_date_of_birth_and_is_void_after_five_wrong_ones(lobby: Lobby) -> None:
    conversation, patient, secret = await lobby.patient()
    assert await lobby.refusal(secret) == (403, "DATE_OF_BIRTH_NEEDED", None)
    for left in (4, 3):
        assert await lobby.refusal(secret, "1980-02-04") == (403, "DATE_OF_BIRTH_WRONG", left)
    token = await lobby.entered(secret, BORN)  # which begins the count anew
    assert await lobby.read(conversation, token) == []
    for left in (4, 3, 2, 1, 0):
        assert await lobby.refusal(secret, "1980-02-04") == (403, "DATE_OF_BIRTH_WRONG", left)
    assert await lobby.refusal(secret, BORN) == (410, "LINK_OVER", "voided")
    assert await lobby.code(LINKS, token, i=conversation) == "UNAUTHENTICATED"
    assert (await lobby.link(conversation, patient))["state"] == "LOCKED"
    await lobby.data(SEND_LINK, i=conversation, p=patient)
    again = await lobby.secret((await _address(lobby, patient)), 2)
    assert (await lobby.link(conversation, patient))["state"] == "OPEN"
    assert await lobby.read(conversation, await lobby.entered(again, BORN)) == []


async def _address(lobby: Lobby, patient: str) -> str:
    return (await lobby.rows(f"SELECT email FROM patient WHERE id = '{patient}'"))[0]["email"]


@pytest.mark.rule("C6")
@pytest.mark.promise("A6")
async def test_six_secrets_in_a_row_that_are_nobodys_lock_the_place_they_come_from(lobby: Lobby) -> None:
    _, _, secret = await lobby.external()
    for _ in range(5):
        assert (await lobby.refusal("y" * 43))[:2] == (410, "LINK_OVER")
    assert (await lobby.refusal("y" * 43))[:2] == (429, "SIGN_IN_LOCKED")
    assert (await lobby.refusal(secret))[:2] == (429, "SIGN_IN_LOCKED")
    assert await lobby.rows("SELECT * FROM audit_entry WHERE action = 'chat.guest_enter'") == []
    await lobby.later(minutes=16)
    await lobby.entered(secret)


@pytest.mark.rule("C6")
@pytest.mark.promise("A4")
async def test_who_left_or_was_removed_has_nothing_any_more_until_they_are_sent_another_link(lobby: Lobby) -> None:
    conversation, contact, secret = await lobby.external()
    token = await lobby.entered(secret)
    async with lobby.deployment.socket(token) as socket:
        assert await lobby.data(LEAVE, token, i=conversation) is True
        assert await socket.closed() == (4403, "Session ended")
    assert await lobby.code(LINKS, token, i=conversation) == "UNAUTHENTICATED"
    assert await lobby.refusal(secret) == (410, "LINK_OVER", "voided")
    assert await lobby.code(SEND, i=conversation, b="Are you there?", c=client_id()) == "NOT_REACHED"
    await lobby.data(SEND_LINK, i=conversation, p=contact)  # which brings it back to them (C9)
    await lobby.data(SEND, i=conversation, b="Are you there?", c=client_id())
    token = await lobby.entered(await lobby.secret("cora@example.org", 2))
    assert await lobby.read(conversation, token) == ["Are you there?"]

    await lobby.data(OUTSIDERS, lobby.olga)
    other = await lobby.contact("removed@example.org")
    group = (await lobby.data(GROUP, p=[other], c=client_id()))["id"]
    secret = await lobby.secret("removed@example.org")
    token = await lobby.entered(secret)
    async with lobby.deployment.socket(token) as socket:
        await lobby.data(REMOVE, i=group, p=other)
        assert await socket.closed() == (4403, "Session ended")
    assert await lobby.refusal(secret) == (410, "LINK_OVER", "voided")
    assert await lobby.code(SEND_LINK, i=group, p=other) == "NOT_FOUND"


@pytest.mark.rule("C6")
@pytest.mark.rule("P1")
@pytest.mark.promise("A1")
async def test_links_are_for_members_who_take_part_and_of_nobody_else(lobby: Lobby) -> None:
    conversation, contact, _ = await lobby.external()
    ben = await lobby.deployment.person(lobby.practice, name="Ben")
    away = await lobby.deployment.person(await lobby.deployment.practice("Away"), Role.OWNER)
    before = await lobby.rows("SELECT * FROM guest_link")
    for query in (SEND_LINK, REVOKE_LINK):
        for person in (ben, away, lobby.olga):
            assert await lobby.code(query, person, i=conversation, p=contact) == "NOT_FOUND"
        assert await lobby.code(query, i=conversation, p=MISSING) == "NOT_FOUND"
        assert await lobby.code(query, i=conversation, p=lobby.ada.id) == "NOT_FOUND"
        held = await lobby.deployment.held(lobby.practice)
        assert await lobby.code(query, held.token, i=conversation, p=contact) == "FORBIDDEN"
    assert await lobby.rows("SELECT * FROM guest_link") == before


@pytest.mark.rule("L2")
@pytest.mark.rule("L9")
async def test_on_starter_a_link_is_sent_for_files_and_the_guest_writes_no_text(lobby: Lobby) -> None:
    await lobby.deployment.platform.service(PlanService).change_plan(lobby.practice.id, Tier.STARTER)
    conversation, _, secret = await lobby.external()
    token = await lobby.entered(secret)
    assert await lobby.code(SEND, token, i=conversation, b="no", c=client_id()) == "FEATURE_NOT_IN_PLAN"
    upload = await lobby.uploaded(token, b"Some words.\n", "a.txt")
    await lobby.data(SEND, token, i=conversation, b="", c=client_id(), u=[upload])
    assert await lobby.read(conversation) == [""]


@pytest.mark.rule("A14")
@pytest.mark.rule("C6")
async def test_the_trail_tells_of_links_sent_followed_refused_and_called_off(lobby: Lobby) -> None:
    conversation, patient, secret = await lobby.patient()
    await lobby.refusal(secret, "1980-02-04")
    token = await lobby.entered(secret, BORN)
    await lobby.data(SEND, token, i=conversation, b="Hello", c=client_id())
    await lobby.data(REVOKE_LINK, i=conversation, p=patient)
    await lobby.refusal(secret, BORN)
    nodes = (await lobby.data(ENTRIES, lobby.olga))["nodes"]
    told = [(node["action"], node["role"]) for node in reversed(nodes) if node["action"].startswith("chat.")]
    assert told == [
        ("chat.start", "PRACTITIONER"),
        ("chat.send_link", "PRACTITIONER"),
        ("chat.guest_refuse", None),
        ("chat.guest_enter", "GUEST"),
        ("chat.send", "GUEST"),
        ("chat.revoke_link", "PRACTITIONER"),
        ("chat.guest_refuse", None),
    ]
    about = [node["patientIds"] for node in nodes if node["action"] in {"chat.guest_enter", "chat.send_link"}]
    assert about == [[patient], [patient]]
    rows = await lobby.rows("SELECT account_id, person_id::text AS person FROM audit_entry WHERE role = 'guest'")
    assert rows and {(row["account_id"], row["person"]) for row in rows} == {(None, patient)}


@pytest.mark.rule("N8")
@pytest.mark.rule("C6")
async def test_the_letter_is_in_spanish_where_the_practice_writes_so(lobby: Lobby) -> None:
    await lobby.data("mutation { updateNotificationsSettings(patch: { spanish: true }) { spanish } }", lobby.olga)
    await lobby.external()
    [letter] = lobby.letters("cora@example.org")
    assert "ha abierto una conversación segura con usted" in letter
