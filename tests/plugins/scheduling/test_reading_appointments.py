"""Who reads which appointments: the practice its own, a patient theirs, in constantly many statements (S10, A14)."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest
from plugins.scheduling.agenda import CANCEL, LIST, ONE, PEOPLE, STATES, Agenda
from plugins.scheduling.groupwork import WAIT
from plugins.scheduling.rota import at, monday, text

from bedside_core.database import DB, acting
from bedside_core.testing import Database, statements

OWN_PEOPLE = PEOPLE.replace("portalAccount { state }", "")
KEY = """mutation($n: String!, $s: [String!]!, $e: DateTime!, $c: String!) {
    createApiKey(name: $n, scopes: $s, expiresAt: $e, clientId: $c) { token } }"""
NOBODY = "0199aaaa-0000-7000-8000-000000000000"


def day(*, days: int = 1, **more: object) -> dict[str, object]:
    """Return the arguments of a list of some days."""
    return {"f": text(at(monday(), 0)), "t": text(at(monday() + timedelta(days=days), 0)), **more}


@pytest.mark.rule("S10")
@pytest.mark.promise("A1")
async def test_a_patient_reads_their_own_and_nothing_of_others(agenda: Agenda) -> None:
    house, pat = agenda.rota, agenda.rota.pat
    other = await house.deployment.held(house.practice)
    stranger = await house.deployment.held(await house.deployment.practice("Abbey"))
    kind = await house.type(house.ada, name="Class", capacity=3, selfScheduling=False)
    both = await agenda.book(house.desk, at(monday(), 9), house.ada, typeId=kind, patientIds=[other.id, pat.id])
    mine = await agenda.book(house.desk, at(monday(), 10), house.ada, patientIds=[pat.id])
    theirs = await agenda.book(house.desk, at(monday(), 11), house.ada, patientIds=[other.id])
    shown = (await agenda.ask(pat, LIST, **day()))["nodes"]
    assert [(each["id"], each["patients"]) for each in shown] == [
        (both["id"], [{"patientId": pat.id}]),
        (mine["id"], [{"patientId": pat.id}]),
    ]
    assert (await agenda.ask(pat, LIST, **day(p=pat.id)))["nodes"] == shown
    body = await house.deployment.ask(ONE, pat.token, a=both["id"])
    assert other.id not in str(body) and other.patient.last_name not in str(body)
    for id in (theirs["id"], NOBODY, "x"):
        assert await agenda.code(pat, ONE, a=id) == "NOT_FOUND"
        assert await agenda.code(stranger, ONE, a=id) == "NOT_FOUND"
    assert await agenda.code(pat, LIST, **day(p=other.id)) == "NOT_FOUND"
    assert (await agenda.ask(stranger, LIST, **day()))["nodes"] == []
    guardian = await house.deployment.held(house.practice, pat.patient, relationship="aunt")
    assert (await agenda.ask(guardian, LIST, **day()))["nodes"] == shown
    named = (await agenda.ask(pat, OWN_PEOPLE, **day()))["nodes"]
    assert [each["patients"][0]["hasPortalAccount"] for each in named] == [None, None]
    assert [each["patients"][0]["canInvite"] for each in named] == [False, False]
    assert named[0]["bookedBy"] == {"name": house.desk.member.name, "patient": False}


@pytest.mark.rule("A13")
@pytest.mark.promise("A1")
async def test_a_key_for_appointments_alone_leads_to_no_patient_s_record(agenda: Agenda) -> None:
    house = agenda.rota
    await house.set(waitingList=True)
    kind = await house.type(house.ada, name="Visit")
    booked = await agenda.book(house.desk, at(monday(), 9), house.ada, typeId=kind, patientIds=[house.pat.id])
    wish = {"typeId": kind, "patientId": house.pat.id, "until": text(at(monday(), 20))}
    await agenda.ask(house.desk, WAIT, i=wish, c="w")
    keys = [
        (await agenda.ask(house.olga, KEY, n=name, s=scopes, c=name, e=text(at(monday(), 0))))["token"]
        for name, scopes in (
            ("calendar", ["scheduling.read"]),
            ("whole", ["scheduling.read", "patients.read", "portal.read"]),
        )
    ]
    for query in (
        "query($a: ID!) { appointment(id: $a) { patients { patientId patient { mrn } } } }",
        "query($a: ID!) { appointment(id: $a) { patients { patientId hasPortalAccount } } }",
        "query($a: ID!) { waitingList { nodes { patientId patient { mrn } } } appointment(id: $a) { id } }",
    ):
        narrow, whole = [await house.deployment.ask(query, key, a=booked["id"]) for key in keys]
        assert [each["extensions"]["code"] for each in narrow["errors"]] == ["FORBIDDEN"], query
        assert house.pat.id in str(narrow["data"])
        assert str(house.pat.patient.mrn) not in str(narrow)
        assert "errors" not in whole, whole


@pytest.mark.rule("S10")
async def test_lists_are_narrowed_by_time_people_and_state_and_paged(agenda: Agenda) -> None:
    house, first = agenda.rota, monday()
    other = await house.deployment.held(house.practice)
    made: list[str] = []
    for hour, who, of in (
        (8, house.ada, house.pat),
        (8, house.ben, other),
        (9, house.ada, other),
        (23, house.ben, house.pat),
    ):
        booked = await agenda.book(house.desk, at(first, hour, 30), who, patientIds=[of.id], minutes=60)
        made.append(booked["id"])
    same = sorted(made[:2])
    whole = [*same, *made[2:]]

    async def ids(**given: object) -> list[str]:
        return [each["id"] for each in (await agenda.ask(house.olga, LIST, **day(**given)))["nodes"]]  # type: ignore[arg-type]

    assert await ids() == whole
    assert await ids(m=[house.ada.id]) == [made[0], made[2]]
    assert set(await ids(m=[house.ada.id, house.ben.id])) == set(made)
    assert await ids(m=[NOBODY]) == []
    assert await ids(p=other.id) == [made[1], made[2]]
    assert await ids(p=other.id, m=[house.ben.id]) == [made[1]]
    assert await ids(p=NOBODY) == []
    # What reaches into a time is in it; what ends as it begins is not.
    assert await ids(f=text(at(first, 9)), t=text(at(first, 9, 30))) == same
    assert await ids(f=text(at(first, 9, 30)), t=text(at(first, 10))) == [made[2]]
    assert await ids(f=text(at(first + timedelta(days=1), 0)), t=text(at(first + timedelta(days=2), 0))) == [made[3]]
    await agenda.ask(house.desk, CANCEL, a=made[2])
    assert await ids() == [*same, made[3]]
    assert await ids(s=["CANCELLED"]) == [made[2]]
    assert await ids(s=STATES) == whole
    assert await ids(s=[]) == []
    found: list[str] = []
    cursor, more = None, True
    while more:
        page = await agenda.ask(house.olga, LIST, **day(n=1, a=cursor, s=STATES))
        found += [each["id"] for each in page["nodes"]]
        cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert found == whole


@pytest.mark.rule("S10")
async def test_a_list_says_what_is_wrong_with_what_it_is_asked(agenda: Agenda) -> None:
    house, nine = agenda.rota, at(monday(), 9)
    for given, field in (
        ({"f": text(nine), "t": text(nine)}, "to"),
        ({"f": text(nine), "t": text(nine + timedelta(days=401))}, "to"),
        (day(m=[NOBODY] * 101), "memberIds"),
        (day(n=0), "first"),
        (day(a="x"), "after"),
    ):
        told = await agenda.refused(house.desk, LIST, **given)
        assert (told["code"], told["field"]) == ("INVALID_INPUT", [field]), given
    ever = {"f": "2000-01-01T00:00:00Z", "t": "2100-01-01T00:00:00Z"}
    assert (await agenda.ask(house.pat, LIST, **ever))["nodes"] == []
    assert (await agenda.ask(house.desk, LIST, p=house.pat.id, **ever))["nodes"] == []


@pytest.mark.rule("A14")
async def test_reading_is_entered_with_whom_it_showed(agenda: Agenda) -> None:
    house, pat = agenda.rota, agenda.rota.pat
    other = await house.deployment.held(house.practice)
    for number, each in enumerate((pat, other)):
        await agenda.book(house.desk, at(monday(), 9 + number), house.ada, patientIds=[each.id])
    query = "{ appointments(from: $f, to: $t, first: $n) { nodes { id } } }"

    async def last(who: object) -> set[str]:
        await house.deployment.data(f"query($f: DateTime!, $t: DateTime!, $n: Int) {query}", who.token, **day(n=1))  # type: ignore[attr-defined]
        with acting(house.practice.id):
            row = await DB.fetchrow("SELECT action, patients FROM audit_entry ORDER BY id DESC LIMIT 1")
        assert row is not None and row["action"] == "patients.read"
        return {str(each) for each in row["patients"]}

    assert await last(house.ada) == {pat.id}
    assert await last(other) == {other.id}


@pytest.mark.rule("S10")
async def test_reading_takes_a_constant_number_of_statements(agenda: Agenda) -> None:
    house, first = agenda.rota, monday()
    kind = await house.type(house.ada)
    costs: dict[str, list[int]] = {"desk": [], "patient": [], "ids": []}
    for days, people in ((1, 2), (7, 8)):
        for number in range(people):
            for who in (house.ada, house.ben):
                patient = house.pat if number % 2 else await house.deployment.held(house.practice)
                when = at(first + timedelta(days=days - 1), 8 + number)
                await agenda.book(house.desk, when, who, typeId=kind, patientIds=[patient.id])
        whole = {"f": text(at(first, 0)), "t": text(at(first + timedelta(days=days), 0)), "n": 30}
        for who, name, query in (
            (house.desk, "desk", PEOPLE),
            (house.pat, "patient", OWN_PEOPLE),
            (house.desk, "ids", LIST),
        ):
            with statements() as ran:
                body = await agenda.ask(who, query, **whole)
            assert len(body["nodes"]) == {1: {"patient": 2}, 7: {"patient": 10}}[days].get(name, 4 if days == 1 else 20)
            costs[name].append(len(ran))
    assert all(few == many for few, many in costs.values())
    assert {name: both[0] for name, both in costs.items()} == {"desk": 12, "patient": 15, "ids": 3}


@pytest.mark.rule("S10")
async def test_a_calendar_is_found_by_its_index_under_row_level_security(
    agenda: Agenda, fresh_database: Database
) -> None:
    house, first = agenda.rota, monday()
    owner = await asyncpg.connect(fresh_database.owner_dsn)
    await owner.execute(
        """INSERT INTO appointment (id, practice_id, kind, state, starts_at, ends_at, zone, capacity, booked_by,
            by_patient, client_id, created_at)
        SELECT gen_random_uuid(), $1, 'in_person', 'booked', $2::timestamptz + n * interval '1 hour',
            $2::timestamptz + n * interval '1 hour' + interval '30 minutes', 'UTC', 1, $1, false, n::text, $2
        FROM generate_series(1, 5000) n""",
        house.practice.id,
        at(first, 0),
    )
    await owner.execute("ANALYZE appointment")
    await owner.close()
    with statements() as ran:
        found = await agenda.ask(house.desk, LIST, **day())
    assert len(found["nodes"]) == 20
    [page] = [each for each in ran if "FROM appointment a WHERE" in each]
    for attended in (None, False):
        with acting(house.practice.id):
            values = (at(first, 0), at(first + timedelta(days=1), 0), ["booked"], None, None, [], attended, 21)
            plan = "\n".join(row["QUERY PLAN"] for row in await DB.fetch(f"EXPLAIN {page}", *values))
        scan = plan[plan.index("appointment_by_time") :].splitlines()
        assert "Index Cond" in scan[1] and scan[1].count("starts_at") == 2, plan
