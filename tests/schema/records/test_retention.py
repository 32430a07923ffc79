"""Retention: owners are told whose time is over, and a month later records are archived or erased for good."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from deployment import APPS
from files_stage import Desk, desk_at
from schema.people.stage import ARCHIVE, CREATE, UPDATE
from schema.records.test_merging import about, noticed

from bedside_core.auth import Role
from bedside_core.config import FIRST_PARTY
from bedside_core.testing import Database, statements

SET = """mutation($y: Int!, $e: Boolean!) {
    updateRecordsSettings(patch: { retentionYears: $y, retentionErases: $e }) { retentionYears retentionErases } }"""
DUE = "query($n: Int) { retentionDue(first: $n) { nodes { patient { id mrn } actsAt erases } } }"
LISTED = "query($a: Boolean!) { patients(archived: $a) { nodes { mrn } } }"
NOTICES = "{ notifications { nodes { kind text link } } }"
MONTH = timedelta(days=30)


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


async def patient(desk: Desk, mrn: str, **facts: str) -> str:
    new = {
        "firstName": "Canary", "lastName": f"Bird{mrn}", "dateOfBirth": "1950-02-03", "mrn": mrn, "gender": "x",
        "email": f"canary{mrn}@example.org", **facts,
    }  # fmt: skip
    return (await desk.deployment.data(CREATE, desk.ada.token, i=new, c=mrn))["createPatient"]["id"]


async def night(desk: Desk, later: timedelta = timedelta()) -> None:
    """Let time pass, and run the nightly job."""
    await desk.deployment.platform.clock.move(later)
    await desk.run("retain")


async def aged(desk: Desk, *mrns: str, years: int = 3) -> None:
    """Have patients' records be as they are since years ago; to move the clock as far would end every session."""
    owner = await asyncpg.connect(desk.database.owner_dsn)
    try:
        await owner.execute("SET session_replication_role = replica")  # the trigger would make them of today
        await owner.execute(
            """UPDATE patient SET created_at = created_at - make_interval(years => $2),
                changed_at = changed_at - make_interval(years => $2), merged_at = merged_at - make_interval(years => $2)
            WHERE mrn = ANY($1)""",
            mrns,
            years,
        )
        if years > 0:
            await owner.execute("UPDATE file SET attached_at = attached_at - make_interval(years => $1)", years)
            await owner.execute("UPDATE message SET sent_at = sent_at - make_interval(years => $1)", years)
    finally:
        await owner.close()


async def due(desk: Desk) -> list[tuple[str, bool]]:
    found = (await desk.deployment.data(DUE, desk.olga.token))["retentionDue"]["nodes"]
    return [(node["patient"]["mrn"], node["erases"]) for node in found]


async def listed(desk: Desk, archived: bool) -> set[str]:
    found = await desk.deployment.data(LISTED, desk.ada.token, a=archived)
    return {node["mrn"] for node in found["patients"]["nodes"]}


async def notices(desk: Desk) -> list[dict[str, Any]]:
    await desk.deployment.platform.clock.move(timedelta(minutes=10))  # they come with a slight delay
    await desk.run("notify_plan")
    found = (await desk.deployment.data(NOTICES, desk.olga.token))["notifications"]["nodes"]
    return [node for node in found if node["kind"] == "core.retention_due"]


@pytest.mark.rule("A14")
async def test_a_page_of_whose_time_is_over_names_those_on_it_alone_in_the_trail(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        await patient(desk, "A")
        await desk.deployment.data(SET, desk.olga.token, y=2, e=False)
        await aged(desk, "A", desk.patient.mrn)
        await night(desk)
        query = DUE.replace("nodes {", "pageInfo { hasNextPage } nodes {", 1)
        page = (await desk.deployment.data(query, desk.olga.token, n=1))["retentionDue"]
        [node] = page["nodes"]
        assert page["pageInfo"]["hasNextPage"] is True
        [entry] = await desk.rows("SELECT patients FROM audit_entry WHERE action = 'patients.read' ORDER BY id")
        assert [str(id) for id in entry["patients"]] == [node["patient"]["id"]]


async def test_records_are_kept_for_ever_by_default_and_archived_a_month_after_owners_were_told(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        mine = desk.patient.mrn
        await patient(desk, "A")
        await aged(desk, "A", mine)
        await night(desk)
        assert (await due(desk), await listed(desk, False)) == ([], {"A", mine})
        assert await desk.deployment.code(SET, desk.ada.token, y=2, e=False) == "FORBIDDEN"
        assert await desk.deployment.code(SET, desk.olga.token, y=101, e=False) == "INVALID_INPUT"
        await desk.deployment.data(SET, desk.olga.token, y=2, e=False)
        await patient(desk, "B")  # of today
        await night(desk)
        await night(desk)  # once more changes nothing
        assert await due(desk) == [(mine, False), ("A", False)]
        assert await listed(desk, False) == {"A", "B", mine}
        [told] = await notices(desk)
        assert told["link"].endswith("/patients")
        assert "Bird" not in told["text"]
        assert [await desk.deployment.code(DUE, who.token) for who in (desk.ada,)] == ["FORBIDDEN"]
        # something happens with one of them: a file; of the others nothing is done a day too early
        await desk.attached(b"Some words.")
        await night(desk, MONTH - timedelta(days=1))
        assert (await due(desk), await listed(desk, True)) == ([("A", False)], set())
        await night(desk, timedelta(days=1))
        assert (await due(desk), await listed(desk, True)) == ([], {"A"})
        assert await listed(desk, False) == {"B", mine}
        entries = await desk.rows("SELECT action, via FROM audit_entry WHERE action = 'patients.archive'")
        assert [tuple(entry) for entry in entries] == [("patients.archive", "system")]
        await desk.deployment.data(SET, desk.olga.token, y=0, e=False)
        await aged(desk, "B", mine, years=90)
        await night(desk)
        assert (await due(desk), await listed(desk, False)) == ([], {"B", mine})


@pytest.mark.promise("F2")
async def test_what_is_erased_is_in_no_row_file_or_queue_and_the_trail_still_says_that_it_was(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        data = desk.deployment.data
        gone, other = await patient(desk, "G"), await patient(desk, "O")
        pointer = await patient(desk, "P")
        merge = 'mutation($k: ID!, $m: ID!) { mergePatients(keepId: $k, mergeId: $m, clientId: "m") { id } }'
        await data(merge, desk.olga.token, k=gone, m=pointer)
        for owner in (gone, other):
            upload = await desk.uploaded(b"canary in a file of " + owner.encode(), "canary.txt")
            attach = "mutation($u: ID!, $p: ID!) { attachToPatient(uploadId: $u, patientId: $p) { id } }"
            await data(attach, desk.ada.token, u=upload, p=owner)
        [row] = await desk.rows("SELECT $1::text::uuid AS id", gone)
        await noticed(desk, row["id"])
        await desk.rows(
            """WITH c AS (
                INSERT INTO conversation
                    (id, practice_id, kind, only_key, subject_id, created_by, created_at, active_at)
                VALUES (gen_random_uuid(), $1, 'patient', 'k', $3, $2, now(), now()) RETURNING id),
            p AS (INSERT INTO participant (practice_id, conversation_id, person_id, kind, home_id, joined_at)
                SELECT $1, c.id, p, k, $1, now()
                FROM c, unnest(ARRAY[$2, $3]::uuid[], ARRAY['member', 'patient']) AS t(p, k))
            INSERT INTO message (id, practice_id, conversation_id, position, changed, number, sender_id, body,
                client_id, sent_at)
            SELECT gen_random_uuid(), $1, c.id, 1, 1, 1, $2, 'canary in a message', 'x', now() FROM c""",
            desk.practice.id, desk.ada.member.id, row["id"],
        )  # fmt: skip
        export = 'mutation($p: ID!) { exportPatient(patientId: $p, clientId: "e") { id } }'
        begun = (await data(export, desk.olga.token, p=gone))["exportPatient"]["id"]
        await desk.run("export_data", export_id=begun)
        of_all = (await data('mutation { exportPractice(clientId: "p") { id } }', desk.olga.token))["exportPractice"]
        of_other = (await data(export.replace('"e"', '"o"'), desk.olga.token, p=other))["exportPatient"]
        for each in (of_all, of_other):
            await desk.run("export_data", export_id=each["id"])
        await data(ARCHIVE, desk.olga.token, id=gone, a=True)  # the archive does not keep it
        await data(SET, desk.olga.token, y=2, e=False)
        await aged(desk, "G", "P", "O", desk.patient.mrn)
        await night(desk)
        assert {mrn for mrn, _ in await due(desk)} == {"O", desk.patient.mrn}
        # that it is to be more than the archive is told anew, and begins anew
        await data(SET, desk.olga.token, y=2, e=True)
        await night(desk, MONTH)
        assert set(await due(desk)) == {("G", True), ("O", True), (desk.patient.mrn, True)}
        assert len(await notices(desk)) == 2
        assert await desk.count("patient") == 4
        for active in (other, str(desk.patient.id)):  # who is changed meanwhile stays
            await data(UPDATE, desk.ada.token, id=active, p={"gender": "y"})
        await aged(desk, "O", desk.patient.mrn, years=-3)
        await night(desk, MONTH)
        await desk.run("remove_bytes")
        assert set(await about(desk, row["id"])) <= {"audit_entry"}
        states = {str(row["id"]): row["state"] for row in await desk.rows("SELECT id, state FROM data_export")}
        assert states == {of_all["id"]: "expired", of_other["id"]: "ready"}
        everything = await desk.everything()
        for word in ("BirdG", "BirdP", "canaryG@", "canary in a message", gone.encode().hex()):
            assert word not in everything, word
        kept = b"".join(path.read_bytes() for path in desk.kept())
        assert b"canary in a file of " + gone.encode() not in kept
        assert b"canary in a file of " + other.encode() in kept
        assert "BirdO" in everything
        found = await desk.rows("SELECT patients FROM audit_entry WHERE action = 'patients.erase'")
        assert [entry["patients"] for entry in found] == [[row["id"]]]
        seen = "query($p: ID!) { auditEntries(patientId: $p, first: 50) { nodes { action } } }"
        actions = (await data(seen, desk.olga.token, p=gone))["auditEntries"]["nodes"]
        assert {"patients.create", "files.attach", "patients.erase"} <= {node["action"] for node in actions}


async def test_whose_time_is_over_is_listed_in_a_constant_number_of_statements(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        for number in range(5):
            await patient(desk, f"N{number}")
        await aged(desk, desk.patient.mrn, *(f"N{number}" for number in range(5)))
        await desk.deployment.data(SET, desk.olga.token, y=1, e=False)
        await night(desk)
        mona = await desk.deployment.person(desk.practice, Role.MANAGER)
        costs = []
        for size in (1, 6):
            with statements() as ran:
                found = await desk.deployment.data(DUE, mona.token, n=size)
            assert len(found["retentionDue"]["nodes"]) == size
            costs.append(len(ran))
        assert costs[0] == costs[1] <= 4


async def test_nothing_is_done_while_a_plugin_is_off_that_has_kept_something_of_the_practice(
    fresh_database: Database, tmp_path: Path
) -> None:
    on = tuple(name for name in FIRST_PARTY if name != "chat")
    async with desk_at(fresh_database, tmp_path, plugins=on) as desk:
        await patient(desk, "A")
        await desk.deployment.data(SET, desk.olga.token, y=2, e=True)
        await aged(desk, "A")
        await desk.rows(
            """INSERT INTO conversation (id, practice_id, kind, only_key, created_by, created_at, active_at)
            VALUES (gen_random_uuid(), $1, 'direct', 'k', $2, now(), now())""",
            desk.practice.id,
            desk.ada.member.id,
        )
        await night(desk)
        assert await due(desk) == []
        await night(desk, MONTH)
        assert await listed(desk, False) == {"A", desk.patient.mrn}
        await desk.rows("DELETE FROM conversation")
        await night(desk)
        assert await due(desk) == [("A", True)]
