"""Searching messages: within what one may read, by words, newest first, and by an index whatever others write (C14)."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from deployment import Held, Person
from plugins.chat.hall import DELETE, LEAVE, allow, group, said, with_patient
from plugins.chat.ward import START, Ward

from bedside_chat.words import words_of
from bedside_core.auth import Role
from bedside_core.database import DB
from bedside_core.testing import Database, statements
from rulebook import size

SEARCH = """query($t: String!, $i: ID, $f: Int, $a: String) {
    searchMessages(text: $t, conversationId: $i, first: $f, after: $a) {
        nodes { message { id body } conversation { id } snippet { text found } }
        pageInfo { hasNextPage endCursor } } }"""
NAMED = "query($t: String!) { conversations(text: $t) { nodes { id } } }"


async def found(ward: Ward, person: Person | Held, text: str, **values: Any) -> list[str]:
    page = (await ward.deployment.data(SEARCH, person.token, t=text, **values))["searchMessages"]
    return [node["message"]["body"] for node in page["nodes"]]


@pytest.mark.rule("C14")
async def test_messages_are_found_by_the_beginnings_of_all_words_the_newest_first(ward: Ward) -> None:
    for number, body in enumerate(
        (
            "Room 2 is free.",
            "The ROOM, by the *garden*, is Ángela’s",
            "nothing of it",
            "Straße 12: room/bath (warm)",
            "ROOMY? don't know",
        )
    ):
        await ward.send(body, f"m-{number}")
    every = [
        "ROOMY? don't know",
        "Straße 12: room/bath (warm)",
        "The ROOM, by the *garden*, is Ángela’s",
        "Room 2 is free.",
    ]
    for text, expected in (
        ("room", every),
        ("ROOM", every),
        ("free room", every[3:]),
        ("room fre", every[3:]),
        ("gard", every[2:3]),
        ("angelas", every[2:3]),
        ("ÁNGELA'S", every[2:3]),
        ("strasse bath", every[1:2]),
        ("dont", every[:1]),
        ("oom", []),
        ("room nowhere", []),
        ("", []),
        ("?! …", []),
        ("' | ! & :* \\", []),
    ):
        assert await found(ward, ward.ben, text) == expected, text
    assert await ward.deployment.code(SEARCH, ward.ada.token, t="x" * 201) == "INVALID_INPUT"


@pytest.mark.rule("C14")
@pytest.mark.rule("A12")
@pytest.mark.promise("A2")
async def test_only_conversations_that_one_takes_part_in_now_are_searched(ward: Ward) -> None:
    await ward.send("the canary sings", "m-1")
    owner = await ward.deployment.person(ward.practice, Role.OWNER, "Otto")
    eve = await ward.deployment.person(await ward.deployment.practice("Hill"), Role.OWNER, "Eve")
    for person in (owner, eve):
        assert await found(ward, person, "canary") == []
        assert await ward.deployment.code(SEARCH, person.token, t="canary", i=ward.conversation) == "NOT_FOUND"
    carl = await ward.deployment.person(ward.practice, name="Carl")
    other = await group(ward, carl)
    await said(ward, other, "a canary in the group", "g-1")
    assert await found(ward, ward.ada, "canary") == ["a canary in the group", "the canary sings"]
    assert await found(ward, ward.ada, "canary", i=ward.conversation) == ["the canary sings"]
    assert await found(ward, ward.ben, "canary") == ["the canary sings"]
    assert await found(ward, carl, "canary") == ["a canary in the group"]
    await ward.deployment.data(LEAVE, carl.token, i=other)
    assert await found(ward, carl, "canary") == []
    assert await ward.deployment.code(SEARCH, carl.token, t="canary", i=other) == "NOT_FOUND"


@pytest.mark.rule("C14")
async def test_patients_search_their_own(ward: Ward) -> None:
    await allow(ward, patientsInPortal=True)
    one, two = await ward.deployment.held(ward.practice), await ward.deployment.held(ward.practice)
    for held in (one, two):
        await said(ward, await with_patient(ward, held), f"canary for {held.patient.last_name}", "m-1")
    await ward.send("canary among us", "m-1")
    for held in (one, two):
        assert await found(ward, held, "canary") == [f"canary for {held.patient.last_name}"]
    assert len(await found(ward, ward.ada, "canary")) == 3


@pytest.mark.rule("C11")
@pytest.mark.promise("F2")
async def test_what_was_deleted_is_not_found_and_stands_in_no_index(ward: Ward, fresh_database: Database) -> None:
    sent = await ward.send("the canary sings", "m-1")
    assert await found(ward, ward.ada, "canary") == ["the canary sings"]
    await ward.deployment.data(DELETE, ward.ada.token, m=sent["id"])
    assert await found(ward, ward.ada, "canary") == await found(ward, ward.ben, "canary") == []
    owner = await asyncpg.connect(fresh_database.owner_dsn)
    try:
        assert await owner.fetchval("SELECT count(*) FROM message WHERE words::text LIKE '%canary%'") == 0
    finally:
        await owner.close()


@pytest.mark.rule("C14")
async def test_a_snippet_shows_why_a_message_was_found(ward: Ward) -> None:
    await ward.send("long " * 40 + "before the café, and a Cafeteria " + "after " * 60, "m-1")
    await ward.send("Café", "m-2")
    page = (await ward.deployment.data(SEARCH, ward.ben.token, t="cafe"))["searchMessages"]
    short, long = [node["snippet"] for node in page["nodes"]]
    assert short == [{"text": "Café", "found": True}]
    assert [each["text"] for each in long if each["found"]] == ["café", "Cafeteria"]
    assert long[0] == long[-1] == {"text": "…", "found": False}
    whole = "".join(each["text"] for each in long[1:-1])
    assert len(whole) == 160 and whole in page["nodes"][1]["message"]["body"]


@pytest.mark.rule("G2")
async def test_pages_hold_while_messages_come_and_cost_a_constant_number_of_statements(ward: Ward) -> None:
    for number in range(1, 8):
        await ward.send(f"note {number}", f"m-{number}")
    costs, seen, after = [], [], None
    while True:
        with statements() as ran:
            page = (await ward.deployment.data(SEARCH, ward.ada.token, t="note", f=3, a=after))["searchMessages"]
        costs.append(len(ran))
        seen += [node["message"]["body"] for node in page["nodes"]]
        await ward.send(f"note later {len(seen)}", f"later-{len(seen)}")
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == [f"note {number}" for number in range(7, 0, -1)]
    # who asks, what is found, the conversations
    assert costs == [3, 3, 3]
    assert await ward.deployment.code(SEARCH, ward.ada.token, t="note", a="zz") == "INVALID_INPUT"


@pytest.mark.rule("C14")
@pytest.mark.promise("A3")
async def test_however_many_messages_of_others_there_are_does_not_matter(ward: Ward, fresh_database: Database) -> None:
    await ward.send("the needle in it", "m-1")
    owner = await asyncpg.connect(fresh_database.owner_dsn)
    try:
        await owner.execute(
            """INSERT INTO conversation (id, practice_id, kind, only_key, created_by, created_at, active_at)
            SELECT gen_random_uuid(), $1, 'direct', 'other ' || n, gen_random_uuid(), now(), now()
            FROM generate_series(1, 100) AS n""",
            ward.practice.id,
        )
        await owner.execute(
            """INSERT INTO message (id, practice_id, conversation_id, "position", number, changed, sender_id, body,
                client_id, sent_at)
            SELECT gen_random_uuid(), c.practice_id, c.id, n, n, n, c.created_by, 'the needle in it', n::text, now()
            FROM conversation c, generate_series(1, $1::int) AS n WHERE c.only_key LIKE 'other %'""",
            size(200, 2000),  # of each of a hundred conversations
        )
        await owner.execute("ANALYZE message, conversation, participant")
    finally:
        await owner.close()
    application = await asyncpg.connect(fresh_database.dsn)
    try:
        await application.execute(f"SET app.practice_id = '{ward.practice.id}'")
        await application.execute(f"SET app.person_id = '{ward.ada.id}'")
        async with application.transaction():
            rows = await application.fetch("SELECT * FROM chat_search('needle', NULL, NULL, NULL, 21)")
            assert len(rows) == 1
            looked = await application.fetchrow(
                "SELECT seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'message'"
            )
            assert (looked["seq_scan"], looked["idx_tup_fetch"]) == (0, 1)
    finally:
        await application.close()
    with statements() as ran:
        assert await found(ward, ward.ada, "needle") == ["the needle in it"]
    assert len(ran) == 3


@pytest.mark.rule("C5")
async def test_the_side_list_is_searched_by_the_names_of_today(ward: Ward) -> None:
    await allow(ward, patientsInPortal=True)
    carl = await ward.deployment.person(ward.practice, name="Zoë")
    data = await ward.deployment.data(START, ward.ada.token, m=carl.id, c="s-2")
    direct = data["startConversation"]["id"]
    held = await ward.deployment.held(ward.practice)
    patient = await with_patient(ward, held)
    rounds = await group(ward, name="Ward round (night)")

    async def named(text: str) -> list[str]:
        page = await ward.deployment.data(NAMED, ward.ada.token, t=text)
        return [node["id"] for node in page["conversations"]["nodes"]]

    assert await named("zoe") == [direct]
    assert await named("night wa") == [rounds]
    assert await named(held.patient.last_name) == [patient]
    assert await named("ada") == []
    assert await named("") == [rounds, patient, direct, ward.conversation]
    await ward.deployment.data(
        'mutation($i: ID!) { updatePatient(id: $i, patch: { lastName: "Newname" }) { id } }', ward.ada.token, i=held.id
    )
    assert await named("newn") == [patient]
    assert await named(held.patient.last_name) == []
    assert await ward.deployment.code(NAMED, ward.ada.token, t="x" * 201) == "INVALID_INPUT"


async def test_the_words_of_search_and_of_snippets_are_the_same(ward: Ward) -> None:

    for text in (
        "Ángela’s *bold* word/word a.b ﬁne ½ ŁÓDŹ smørrebrød İstanbul 👍good “quoted” 漢字 naïve—dash",
        "x\u200by z",
    ):
        assert sorted(await DB.fetchval("SELECT chat_words($1)", text)) == sorted(words_of(text)), text
