"""Who saw and did what is in the audit trail before anybody has the answer, seen over HTTP and sockets (A14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from audit_stage import ACCESSES, ENTRIES, PATIENT, PATIENTS, closed_trail, length, owner, trail
from deployment import PASSWORD, served
from vitals_stage import ENABLED, FOLLOW, READ, RECORD, VITALS_APPS, Clinic

from bedside_core.audit import DEPLOYMENT, Via
from bedside_core.audit.anchor import Anchor
from bedside_core.audit.verify import Verdict, verify
from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.testing import Database, statements, until

SIGN_IN = "mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { token } }"
BOTH = """query($p: ID!) { patients(first: 50) { nodes { id vitals { nodes { systolic } } vitalsDays { day } } }
    patient(id: $p) { lastName } }"""
MISSING = "0199aaaa-0000-7000-8000-000000000000"


@pytest.fixture(scope="session")
def database_apps() -> tuple[str, ...]:
    return VITALS_APPS


@pytest_asyncio.fixture
async def clinic(fresh_database: Database) -> AsyncGenerator[Clinic, None]:
    async with served(fresh_database, plugins=ENABLED, strict=True) as deployment:
        yield await Clinic(deployment).open()


@pytest.mark.rule("A14")
async def test_a_query_that_returns_fifty_patients_is_one_entry_naming_them_and_one_statement(clinic: Clinic) -> None:
    costs: list[int] = []
    for wanted in (5, 50):
        while await count(clinic, "patient") < wanted:
            await clinic.record(await clinic.patient())
        ids = [
            UUID(node["id"]) for node in (await clinic.data(PATIENTS, clinic.ada.token, first=50))["patients"]["nodes"]
        ]
        assert len(ids) == wanted
        before = await length(clinic.practice.id)
        with statements() as ran:
            await clinic.data(BOTH, clinic.ada.token, p=str(ids[0]))
        [entry] = await trail(clinic.practice.id, past=before)
        assert (entry.action, entry.via, entry.role) == ("patients.read", Via.GRAPHQL, "practitioner")
        assert (str(entry.person_id), entry.operator, len(entry.request_id)) == (clinic.ada.id, False, 16)
        assert sorted(entry.patients) == sorted(ids)
        assert entry.detail == {"fields": ["patient", "patients"]}
        assert sum("audit_entry" in sql for sql in ran) == 1
        costs.append(len(ran))
    assert costs == [costs[0]] * 2


async def test_an_operation_that_reads_no_patient_costs_no_statement_and_leaves_no_entry(clinic: Clinic) -> None:
    before = await length(clinic.practice.id)
    with statements() as ran:
        await clinic.data("{ members { nodes { name } } practice { name } viewer { role } }", clinic.ada.token)
        assert await clinic.code(PATIENT, clinic.ada.token, p=MISSING) == "NOT_FOUND"
    assert [sql for sql in ran if "audit" in sql] == []
    assert await length(clinic.practice.id) == before


@pytest.mark.rule("A14")
async def test_a_write_and_what_was_read_for_it_are_one_entry(clinic: Clinic) -> None:
    patient = await clinic.patient()
    before = await length(clinic.practice.id)
    recorded = await clinic.record(patient)
    [entry] = await trail(clinic.practice.id, past=before)
    assert (entry.action, entry.kind, entry.target) == ("vitals.record", "vitals", recorded["id"])
    assert list(entry.patients) == [UUID(patient)]


@pytest.mark.rule("A14")
async def test_what_can_t_be_entered_is_withheld(clinic: Clinic, fresh_database: Database) -> None:
    patient = await clinic.patient(last_name="Canary")
    before = await length(clinic.practice.id)
    async with closed_trail(fresh_database):
        answer = await clinic.deployment.http.post(
            "/graphql",
            json={"query": PATIENT, "variables": {"p": patient}},
            headers={"authorization": f"Bearer {clinic.ada.token}", "accept": "application/graphql-response+json"},
        )
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
        assert "Canary" not in answer.text and "data" not in answer.json()
        async with clinic.deployment.socket(clinic.ada.token) as socket:
            assert await socket.error(await socket.subscribe(PATIENT, p=patient)) == "UNAVAILABLE"
        export = await clinic.deployment.http.get("/vitals/export.csv", headers=bearer(clinic.ada.token))
        assert (export.status_code, export.json()["code"]) == (503, "UNAVAILABLE")
        assert export.json()["requestId"] == export.headers["x-request-id"]
        # Nobody's data is in it, so it needs no entry.
        assert (await clinic.data("{ practice { name } }", clinic.ada.token))["practice"] == {"name": "Bay View"}
    assert await length(clinic.practice.id) == before
    assert (await clinic.data(PATIENT, clinic.ada.token, p=patient))["patient"] == {"lastName": "Canary"}


@pytest.mark.rule("A14")
async def test_a_change_that_can_t_be_entered_is_not_made(clinic: Clinic, fresh_database: Database) -> None:
    patient = await clinic.patient()
    settings = "mutation { updateVitalsSettings(patch: { alertSystolic: 150 }) { alertSystolic } }"
    sessions = await count(clinic, "session", fresh_database)
    before = await length(clinic.practice.id)
    async with closed_trail(fresh_database):
        assert await clinic.code(RECORD, clinic.ada.token, **clinic.given(patient)) == "UNAVAILABLE"
        assert await clinic.code(settings, clinic.max.token) == "UNAVAILABLE"
        assert await clinic.code(SIGN_IN, None, e=clinic.ada.email, p=PASSWORD) == "UNAVAILABLE"
        assert await clinic.code("mutation { signOut }", clinic.ada.token) == "UNAVAILABLE"
    assert await clinic.recorded() == 0
    assert await count(clinic, "setting") == 0
    assert await count(clinic, "session", fresh_database) == sessions
    assert await length(clinic.practice.id) == before
    assert (await clinic.data("{ viewer { role } }", clinic.ada.token))["viewer"] == {"role": "PRACTITIONER"}


@pytest.mark.rule("A14")
async def test_each_event_of_a_subscription_is_entered_before_it_leaves(
    clinic: Clinic, fresh_database: Database
) -> None:
    patient = await clinic.patient()
    first = await clinic.record(patient, 120)
    for systolic in (121, 122):
        await clinic.record(patient, systolic)
    before = await length(clinic.practice.id)
    async with clinic.deployment.socket(clinic.max.token) as socket:
        key = await socket.subscribe(FOLLOW, p=patient, after=first["cursor"])
        for number in (1, 2):
            assert (await socket.next(key))["vitalsRecorded"]["systolic"] == 120 + number
            read = [entry for entry in await trail(clinic.practice.id, past=before) if entry.action == "patients.read"]
            assert len(read) >= number
            assert {(*entry.patients, str(entry.person_id)) for entry in read} == {(UUID(patient), clinic.max.id)}
            assert {tuple(entry.detail["fields"]) for entry in read} == {("vitalsRecorded",)}
        recorded = await clinic.recorded()
        await clinic.record(patient, 123)
        assert (await socket.next(key))["vitalsRecorded"]["systolic"] == 123
        async with owner(fresh_database) as connection:
            await connection.execute(
                f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN RAISE EXCEPTION 'no'; END$$;
                CREATE TRIGGER refuse BEFORE INSERT ON audit_entry FOR EACH ROW
                WHEN (NEW.person_id = '{clinic.max.id}') EXECUTE FUNCTION refuse()"""
            )
        await clinic.record(patient, 124)  # by Ada, whose acts can still be entered
        assert await socket.error(key) == "UNAVAILABLE"
        assert await clinic.recorded() == recorded + 2
    read = [entry for entry in await trail(clinic.practice.id, past=before) if entry.action == "patients.read"]
    assert len(read) == 3


@pytest.mark.rule("A14")
async def test_an_export_is_one_entry_naming_everybody_in_it(clinic: Clinic) -> None:
    patients = [await clinic.patient() for _ in range(4)]
    for patient in patients[:3]:
        await clinic.record(patient)
    before = await length(clinic.practice.id)
    answer = await clinic.deployment.http.get("/vitals/export.csv", headers=bearer(clinic.ada.token))
    assert (answer.status_code, len(answer.text.splitlines())) == (200, 4)
    [entry] = await trail(clinic.practice.id, past=before)
    assert (entry.action, entry.via, entry.detail) == ("vitals.export", Via.REST, {"route": "/vitals/export.csv"})
    assert set(entry.patients) == {UUID(patient) for patient in patients[:3]}
    assert (str(entry.person_id), entry.request_id) == (clinic.ada.id, answer.headers["x-request-id"])


@pytest.mark.rule("A14")
async def test_signing_in_and_out_and_failing_to_are_entered(clinic: Clinic, fresh_database: Database) -> None:
    before, others = await length(clinic.practice.id), await length(DEPLOYMENT)
    token = await clinic.deployment.sign_in(clinic.ada.email)
    await clinic.data("mutation { signOut }", token)
    assert await clinic.code(SIGN_IN, None, e=clinic.ada.email, p="wrong") == "UNAUTHENTICATED"
    opened, ended, refused = await trail(clinic.practice.id, past=before)
    assert [entry.action for entry in (opened, ended, refused)] == ["session.open", "session.end", "session.refuse"]
    assert {str(opened.person_id), str(ended.person_id)} == {clinic.ada.id}
    assert (opened.account_id, opened.target) == (ended.account_id, ended.target)
    assert (refused.account_id, refused.role, refused.target) == (None, None, str(opened.account_id))
    assert await length(DEPLOYMENT) == others

    # An unknown address costs as many statements, and stands in nobody's trail but the deployment's.
    costs: list[int] = []
    for email in (clinic.ada.email, "nobody@example.org"):
        with statements() as ran:
            assert await clinic.code(SIGN_IN, None, e=email, p="wrong") == "UNAUTHENTICATED"
        costs.append(len(ran))
    assert costs == [3, 3]  # the account and its lock, the failure counted, the entry
    [unknown] = await trail(DEPLOYMENT, past=others)
    assert (unknown.action, unknown.target, unknown.detail) == ("session.refuse", None, {"fields": ["signIn"]})
    assert await length(clinic.practice.id) == before + 4


@pytest.mark.rule("A14")
@pytest.mark.rule("A15")
async def test_owners_see_each_of_the_operator_s_acts(clinic: Clinic) -> None:
    operator = await clinic.deployment.operator()
    olive = await clinic.deployment.person(clinic.practice, Role.OWNER, "Olive")
    change = "mutation($p: ID!, $t: PlanTier!) { changePlan(practiceId: $p, tier: $t) { tier } }"
    await clinic.data(change, operator, p=str(clinic.practice.id), t="premium")
    nodes = (await clinic.data(ENTRIES, olive.token, a="plans.change"))["auditEntries"]["nodes"]
    assert [(node["operator"], node["role"], node["member"], node["via"]) for node in nodes] == [
        (True, "OPERATOR", None, "graphql"),
        (False, None, None, "system"),  # how the stage itself put the practice on its tier
    ]
    assert nodes[0]["details"] == [
        {"name": "changed", "values": ["tier"]}, {"name": "fields", "values": ["changePlan"]},
    ]  # fmt: skip
    assert nodes[0]["target"] == str(clinic.practice.id)


@pytest.mark.rule("A14")
async def test_owners_find_entries_by_patient_member_action_and_time_page_by_page(clinic: Clinic) -> None:
    olive = await clinic.deployment.person(clinic.practice, Role.OWNER, "Olive")
    ann, bob = await clinic.patient(), await clinic.patient()
    for token in (clinic.ada.token, clinic.max.token):
        await clinic.data(PATIENT, token, p=ann)
    await clinic.data(PATIENT, clinic.ada.token, p=bob)

    async def found(**conditions: object) -> list[tuple[str, str | None, list[str]]]:
        page = (await clinic.data(ENTRIES, olive.token, **conditions))["auditEntries"]
        return [(node["action"], (node["member"] or {}).get("name"), node["patientIds"]) for node in page["nodes"]]

    ada, max_ = clinic.ada.member.name, clinic.max.member.name
    assert (await found(p=ann, a="patients.read")) == [("patients.read", max_, [ann]), ("patients.read", ada, [ann])]
    assert (await found(m=clinic.ada.id)) == [("patients.read", ada, [bob]), ("patients.read", ada, [ann])]
    assert (await found(p=bob, m=clinic.max.id)) == []
    assert (await found(p=MISSING)) == (await found(p="nonsense")) == (await found(m="nonsense")) == []
    [newest] = (await clinic.data(ENTRIES, olive.token, m=clinic.ada.id, first=1))["auditEntries"]["nodes"]
    assert (await found(p=bob, since=newest["at"], a="patients.read")) == [("patients.read", ada, [bob])]
    assert (await found(p=bob, until=newest["at"], a="patients.read")) == []

    pages, after = [], None
    total = await length(clinic.practice.id)
    while True:
        page = (await clinic.data(ENTRIES, olive.token, first=3, after=after))["auditEntries"]
        pages += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    # Each page read is an entry itself, newer than where the next one goes on.
    assert len(pages) == total and len(set(pages)) == total
    assert pages == sorted(pages, reverse=True)
    assert await clinic.code(ENTRIES, olive.token, after="nonsense") == "INVALID_INPUT"


@pytest.mark.rule("A14")
async def test_reading_the_trail_is_entered_in_it(clinic: Clinic) -> None:
    olive = await clinic.deployment.person(clinic.practice, Role.OWNER, "Olive")
    patient = await clinic.patient()
    before = await length(clinic.practice.id)
    assert (await clinic.data(ACCESSES, olive.token, p=patient))["patientAccesses"]["nodes"] == [
        {"action": "patients.create", "member": None, "patientIds": [patient]}
    ]
    [entry] = await trail(clinic.practice.id, past=before)
    assert (entry.action, entry.target, list(entry.patients)) == ("audit.read", patient, [UUID(patient)])
    assert str(entry.person_id) == olive.id
    told = (await clinic.data(ACCESSES, olive.token, p=patient))["patientAccesses"]["nodes"]
    assert [(node["action"], node["member"]) for node in told] == [
        ("audit.read", {"name": olive.member.name}), ("patients.create", None),
    ]  # fmt: skip


@pytest.mark.rule("A14")
@pytest.mark.rule("P1")
async def test_the_trail_is_the_practice_s_owners_alone(clinic: Clinic) -> None:
    patient, foreign = await clinic.patient(), await clinic.patient(clinic.neighbour)
    olive = await clinic.deployment.person(clinic.practice, Role.OWNER, "Olive")
    operator = await clinic.deployment.operator()
    before = await length(clinic.practice.id), await length(clinic.neighbour.id)
    for token in (clinic.ada.token, clinic.max.token, operator):
        assert await clinic.code(ENTRIES, token) == "FORBIDDEN"
        assert await clinic.code(ACCESSES, token, p=patient) == "FORBIDDEN"
    assert await clinic.code(ENTRIES, None) == "UNAUTHENTICATED"
    assert await clinic.code(ACCESSES, olive.token, p=foreign) == "NOT_FOUND"
    assert await clinic.code(ACCESSES, olive.token, p=MISSING) == "NOT_FOUND"
    assert (await length(clinic.practice.id), await length(clinic.neighbour.id)) == before
    nodes = (await clinic.data(ENTRIES, olive.token, p=foreign))["auditEntries"]["nodes"]
    assert nodes == []
    assert await length(clinic.neighbour.id) == before[1]


@pytest.mark.rule("A14")
async def test_the_application_can_add_entries_and_never_change_or_remove_one(clinic: Clinic) -> None:
    before = await trail(clinic.practice.id)
    for table in ("audit_entry", "audit_seal"):
        for sql in (f"UPDATE {table} SET practice_id = practice_id", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with acting(clinic.practice.id), pytest.raises(asyncpg.InsufficientPrivilegeError):
                await DB.execute(sql)
    with acting(clinic.neighbour.id), pytest.raises(asyncpg.PostgresError):  # nor one of another practice
        await DB.execute("INSERT INTO audit_entry SELECT (jsonb_populate_record(e, '{}')).* FROM audit_entry e")
    assert await trail(clinic.practice.id) == before


@pytest.mark.rule("A14")
async def test_reads_at_once_are_an_entry_each_and_those_of_one_operation_share_one(clinic: Clinic) -> None:
    patients = [await clinic.patient() for _ in range(3)]
    before = await length(clinic.practice.id)
    await asyncio.gather(*(clinic.data(READ, clinic.ada.token, p=patient) for patient in patients))
    three = "query($a: ID!, $b: ID!, $c: ID!) { a: patient(id: $a) { mrn } b: patient(id: $b) { mrn } c: patient(id: $c) { mrn } }"  # noqa: E501
    await clinic.data(three, clinic.max.token, **dict(zip("abc", patients, strict=True)))
    entries = await trail(clinic.practice.id, past=before)
    assert [len(entry.patients) for entry in entries] == [1, 1, 1, 3]
    assert {id for entry in entries[:3] for id in entry.patients} == {UUID(patient) for patient in patients}


@pytest.mark.promise("J1")
@pytest.mark.rule("A14")
async def test_a_running_server_seals_what_it_enters_and_tampering_with_one_read_is_seen(
    fresh_database: Database, tmp_path: Path
) -> None:
    anchor = Anchor(tmp_path / "anchor")
    async with served(
        fresh_database, plugins=ENABLED, strict=True, worker=True, audit_anchor=anchor.folder
    ) as deployment:
        clinic = await Clinic(deployment).open()
        olive = await deployment.person(clinic.practice, Role.OWNER, "Olive")
        patient = await clinic.patient()
        await clinic.data(PATIENT, clinic.ada.token, p=patient)
        await clinic.record(patient)

        async def verdict() -> Verdict:
            [found] = [found async for found in verify(anchor, clinic.practice.id)]
            return found

        async def whole() -> bool:
            found = await verdict()
            return (found.fault, found.unsealed, found.anchored) == (None, 0, await length(clinic.practice.id))

        await until(whole, "everything is sealed and anchored", 60)
        told = (await clinic.data(ENTRIES, olive.token, p=patient, m=clinic.ada.id))["auditEntries"]["nodes"]
        assert [node["action"] for node in told] == ["vitals.record", "patients.read"]
        async with owner(fresh_database) as connection:
            await connection.execute("UPDATE audit_entry SET person_id = NULL WHERE id = $1", UUID(told[1]["id"]))
        fault = (await verdict()).fault
        assert fault is not None
        assert (fault.kind, fault.entry_id) == ("changed", UUID(told[1]["id"]))


async def count(clinic: Clinic, table: str, database: Database | None = None) -> int:
    """How many rows a table has: the practice's, or all as the owner sees them."""
    sql = f"SELECT count(*) FROM {table}"
    if database is None:
        with acting(clinic.practice.id):
            return await DB.fetchval(sql)
    async with owner(database) as connection:
        return await connection.fetchval(sql)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
