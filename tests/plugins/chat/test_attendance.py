"""Who takes part in a conversation is a connection: pages of it, their order, and what they cost (G2)."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from plugins.chat.hall import ADD, LEAVE, LIST, TEAM, allow, group, said, with_patient
from plugins.chat.ward import START, Ward

from bedside_core.testing import Database, statements

PAGE = """query($i: ID!, $f: Int, $a: String) { conversation(id: $i) {
    participantCount participants(first: $f, after: $a) { nodes { id name } edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""
LISTED = """query($f: Int) { conversations(first: 10) { nodes { id participantCount participants(first: $f) {
    nodes { id name label } pageInfo { hasNextPage } } } } }"""


async def page(ward: Ward, conversation: str, **values: Any) -> dict[str, Any]:
    """A page of who takes part, as Ada asks for it."""
    data = await ward.deployment.data(PAGE, ward.ada.token, i=conversation, **values)
    found = data["conversation"]["participants"]
    assert [edge["node"]["id"] for edge in found["edges"]] == [node["id"] for node in found["nodes"]]
    cursors = [edge["cursor"] for edge in found["edges"]]
    if cursors:
        assert (found["pageInfo"]["startCursor"], found["pageInfo"]["endCursor"]) == (cursors[0], cursors[-1])
    return found


async def crowd(ward: Ward, database: Database, conversation: str, people: int) -> None:
    """Have so many more members take part, who joined one at a time or ten at once."""
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        await owner.execute(
            "CREATE TEMP TABLE crowd AS SELECT n, gen_random_uuid() AS id FROM generate_series(1, $1) n", people
        )
        await owner.execute(
            """INSERT INTO account (id, email, created_at)
            SELECT id, 'crowd-' || id || '@example.org', now() FROM crowd"""
        )
        await owner.execute(
            """INSERT INTO member (id, practice_id, account_id, first_name, last_name, role, created_at)
            SELECT id, $1, id, 'Cy', 'Crowd ' || n, 'staff', now() FROM crowd""",
            ward.practice.id,
        )
        await owner.execute(
            """INSERT INTO participant (practice_id, conversation_id, person_id, kind, home_id, shown_name, joined_at)
            SELECT $1, $2, id, 'member', $1, 'Cy', now() + n / 10 * interval '1 minute' FROM crowd""",
            ward.practice.id,
            conversation,
        )
    finally:
        await owner.close()


@pytest.mark.rule("G2")
async def test_a_team_of_hundreds_comes_page_by_page_each_once(ward: Ward, fresh_database: Database) -> None:
    team = (await ward.deployment.data(TEAM, ward.ada.token, c="t"))["openTeamConversation"]["id"]
    await crowd(ward, fresh_database, team, 248)
    counted = await ward.deployment.data(PAGE, ward.ada.token, i=team)
    assert counted["conversation"]["participantCount"] == 250
    found: list[str] = []
    after, sizes = None, []
    while True:
        one = await page(ward, team, f=1000, a=after)  # at most a hundred come
        sizes.append(len(one["nodes"]))
        assert one["pageInfo"]["hasPreviousPage"] is (after is not None)
        found += [each["id"] for each in one["nodes"]]
        after = one["pageInfo"]["endCursor"]
        if not one["pageInfo"]["hasNextPage"]:
            break
    assert sizes == [100, 100, 50] and len(set(found)) == 250
    assert set(found[:2]) == {ward.ada.id, ward.ben.id}
    assert [each["id"] for each in (await page(ward, team))["nodes"]] == found[:20]
    beyond = await page(ward, team, a=after)
    assert (beyond["nodes"], beyond["pageInfo"]["hasNextPage"], beyond["pageInfo"]["endCursor"]) == ([], False, None)


@pytest.mark.rule("G2")
async def test_a_cursor_stays_right_while_people_leave_and_join(ward: Ward) -> None:
    deployment = ward.deployment
    carl, dora, eve = [await deployment.person(ward.practice, name=name) for name in ("Carl", "Dora", "Eve")]
    round_ = await group(ward)
    for person in (ward.ben, carl, dora):
        await deployment.data(ADD, ward.ada.token, i=round_, p=[person.id])
    first = await page(ward, round_, f=2)
    assert [each["id"] for each in first["nodes"]] == [ward.ada.id, ward.ben.id] and first["pageInfo"]["hasNextPage"]
    await deployment.data(LEAVE, ward.ben.token, i=round_)  # who stands at the cursor
    await deployment.data(ADD, ward.ada.token, i=round_, p=[eve.id])
    await deployment.data(ADD, ward.ada.token, i=round_, p=[ward.ben.id])  # comes back, as the last
    rest = await page(ward, round_, f=10, a=first["pageInfo"]["endCursor"])
    assert [each["id"] for each in rest["nodes"]] == [carl.id, dora.id, eve.id, ward.ben.id]
    assert not rest["pageInfo"]["hasNextPage"]


@pytest.mark.rule("G2")
async def test_whom_a_conversation_is_with_stands_on_its_first_page(ward: Ward) -> None:
    deployment, held = ward.deployment, await ward.deployment.held(ward.practice)
    await allow(ward, patientsInPortal=True)
    patient = await with_patient(ward, held)
    await deployment.data(ADD, ward.ada.token, i=patient, p=[ward.ben.id])
    assert [each["id"] for each in (await page(ward, patient, f=1))["nodes"]] == [held.id]
    await deployment.data(LEAVE, held.token, i=patient)
    assert [each["id"] for each in (await page(ward, patient, f=1))["nodes"]] == [ward.ada.id]
    await said(ward, patient, "Your results are there", "m-1")  # and they are back (C9)
    one = await page(ward, patient, f=1)
    assert [each["id"] for each in one["nodes"]] == [held.id] and one["pageInfo"]["hasNextPage"]
    rest = await page(ward, patient, a=one["pageInfo"]["endCursor"])
    assert [each["id"] for each in rest["nodes"]] == [ward.ada.id, ward.ben.id]
    assert {each["id"] for each in (await page(ward, ward.conversation))["nodes"]} == {ward.ada.id, ward.ben.id}


@pytest.mark.rule("G2")
async def test_pages_of_nobody_and_foreign_cursors_are_refused(ward: Ward) -> None:
    foreign = (await ward.deployment.data(LIST.replace("nodes {", "pageInfo { endCursor } nodes {"), ward.ada.token))[
        "conversations"
    ]["pageInfo"]["endCursor"]
    for values, field in (({"f": 0}, "first"), ({"a": "zz"}, "after"), ({"a": foreign}, "after")):
        answer = await ward.deployment.ask(PAGE, ward.ada.token, i=ward.conversation, **values)
        [error] = answer["errors"]
        assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", [field]), values
        assert answer["data"]["conversation"]["participants"] is None  # the rest of the conversation is there
        assert answer["data"]["conversation"]["participantCount"] == 2


@pytest.mark.rule("G2")
@pytest.mark.rule("G4")
async def test_pages_for_a_list_of_conversations_cost_a_constant_number_of_statements(
    ward: Ward, fresh_database: Database
) -> None:
    deployment = ward.deployment
    team = (await deployment.data(TEAM, ward.ada.token, c="t"))["openTeamConversation"]["id"]
    await crowd(ward, fresh_database, team, 60)
    costs = []
    for round_ in range(2):
        for number in range(3):
            person = await deployment.person(ward.practice, name=f"P{number}")
            await deployment.data(START, ward.ada.token, m=person.id, c=f"{round_}-{number}")
        with statements() as ran:
            listed = (await deployment.data(LISTED, ward.ada.token, f=30))["conversations"]["nodes"]
        costs.append((len(listed), len(ran)))
        counts = {each["id"]: each["participantCount"] for each in listed}
        assert counts == {each["id"]: 2 for each in listed} | {team: 62}
        for each in listed:
            people = each["participants"]
            assert len({one["id"] for one in people["nodes"]}) == len(people["nodes"]) == min(counts[each["id"]], 30)
            assert people["pageInfo"]["hasNextPage"] is (each["id"] == team)
    # who asks, the list, how many they are, a page of each, how people are shown, and their names
    assert costs == [(5, 6), (8, 6)]
    # the page around the fields is what they cost, as with any list
    cheap, dear = [
        (await deployment.ask(LISTED, ward.ada.token, f=size))["extensions"]["cost"]["requested"] for size in (1, 30)
    ]
    assert dear - cheap == 10 * 29 * 6
