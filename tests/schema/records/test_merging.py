"""Two records of one patient become one: what belongs to the merged one moves, and its id answers with the kept one."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from deployment import APPS, Person
from files_stage import Desk, a_patient, desk_at
from schema.people.stage import ARCHIVE, CREATE, SEARCH, UPDATE

from bedside_core.auth import Role
from bedside_core.database import DB, acting, unit
from bedside_core.notify import Fact, Recipient
from bedside_core.records.catalogue import contributions
from bedside_core.testing import Database, until

MERGE = """mutation($k: ID!, $m: ID!, $c: String!, $f: [PatientField!]) {
    mergePatients(keepId: $k, mergeId: $m, clientId: $c, choices: $f) { id firstName lastName mrn phone email } }"""
ONE = "query($i: ID!) { patient(id: $i) { id mrn } }"
LISTED = "query($a: Boolean!) { patients(archived: $a) { nodes { id } } }"
FILES = "query($p: ID!) { patientFiles(patientId: $p) { nodes { id } } }"
ACCESSES = "query($p: ID!) { patientAccesses(patientId: $p, first: 50) { nodes { action patientIds } } }"
ATTACH = "mutation($u: ID!, $p: ID!) { attachToPatient(uploadId: $u, patientId: $p) { id } }"
EXPORT = 'mutation($p: ID!) { exportPatient(patientId: $p, clientId: "e") { id } }'
MISSING = "0199aaaa-0000-7000-8000-000000000000"
STAYS = {"patient", "audit_entry", "creation"}
"""What remains about a merged record: the pointer, and what the trail says of it, which nobody changes."""


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


async def about(desk: Desk, patient_id: UUID) -> dict[str, int]:
    """Return how many rows of each declared table are about a patient."""
    found: dict[str, int] = {}
    for _, data in contributions(desk.deployment.platform):
        for table in data.tables:
            if table.patient is not None:
                sql = f'SELECT count(*) AS n FROM "{table.name}" t WHERE {table.patient.replace("$1", "$1::uuid")}'
                [row] = await desk.rows(sql, patient_id)
                if row["n"]:
                    found[table.name] = row["n"]
    return found


async def noticed(desk: Desk, patient_id: UUID) -> None:
    """Put a row about a patient into what is kept by person: notifications, preferences, browsers."""
    platform, practice_id = desk.deployment.platform, desk.practice.id
    with acting(practice_id):
        async with unit() as work:
            to = Recipient.patient(patient_id, practice_id)
            data = {Fact.SENDER: "Ada", Fact.TIME: platform.clock.now(), Fact.LINK: "/"}
            made = await platform.notify.send(work, "core.trial", to=to, data=data, key="one")
            await DB.execute(
                "INSERT INTO notification_box (practice_id, person_id, position) VALUES ($1, $2, 1)",
                practice_id, patient_id,
            )  # fmt: skip
            await DB.execute(
                """INSERT INTO notification_shown
                    (practice_id, notification_id, person_id, position, kind, facts, items, shown_at)
                VALUES ($1, $2, $3, 1, 'core.trial', '{}', '{}', now())""",
                practice_id, made, patient_id,
            )  # fmt: skip
            await DB.execute(
                "INSERT INTO notification_preference (practice_id, person_id, language) VALUES ($1, $2, 'es')",
                practice_id, patient_id,
            )  # fmt: skip
            await DB.execute(
                """INSERT INTO push_subscription (id, practice_id, person_id, endpoint, public_key, secret, created_at)
                VALUES (gen_random_uuid(), $1, $2, 'https://push.example/1', 'k', 's', now())""",
                practice_id, patient_id,
            )  # fmt: skip


async def merged(desk: Desk, who: Person, keep: object, merge: object, client_id: str = "m", **how: Any) -> Any:
    data = await desk.deployment.data(MERGE, who.token, k=str(keep), m=str(merge), c=client_id, **how)
    return data["mergePatients"]


@pytest.mark.rule("A14")
async def test_whatever_points_to_the_merged_record_points_to_the_kept_one(
    fresh_database: Database, tmp_path: Any
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        data = desk.deployment.data
        keep, gone = await a_patient(desk.deployment, desk.practice), desk.patient
        file = await desk.attached(b"Some words.", "words.txt")
        await desk.deployment.data(ONE, desk.ada.token, i=str(gone.id))
        await data(EXPORT, desk.olga.token, p=str(gone.id))
        for each in (keep.id, gone.id):  # both have some of everything, so that nothing stands in the way of the other
            await noticed(desk, each)
        for person in (gone.id, desk.ada.member.id):
            await desk.rows(
                """WITH c AS (INSERT INTO conversation
                    (id, practice_id, kind, only_key, subject_id, created_by, created_at, active_at)
                VALUES (gen_random_uuid(), $1, 'patient', $2::uuid::text, $3, $2, now(), now()) RETURNING id)
                INSERT INTO participant (practice_id, conversation_id, person_id, kind, home_id, joined_at)
                SELECT $1, id, $3, 'patient', $1, now() FROM c""",
                desk.practice.id, person, gone.id,
            )  # fmt: skip
        before = {**await about(desk, gone.id)}
        assert {"file", "data_export", "notification", "notification_shown", "participant", "person_word"} <= set(
            before
        )
        kept = await merged(desk, desk.olga, keep.id, gone.id)
        assert (kept["id"], kept["mrn"], kept["lastName"]) == (str(keep.id), keep.mrn, keep.last_name)
        assert set(await about(desk, gone.id)) <= STAYS
        after = await about(desk, keep.id)
        assert (after["file"], after["data_export"], after["participant"]) == (1, 1, 2)
        assert (after["notification"], after["notification_shown"], after["notification_preference"]) == (2, 2, 1)
        assert after["patient"] == 2
        shown = await desk.rows("SELECT position FROM notification_shown ORDER BY 1")
        assert [row["position"] for row in shown] == [1, 2]
        # the merged record's id answers with the kept one, and takes nothing more
        assert (await data(ONE, desk.ada.token, i=str(gone.id)))["patient"] == {"id": str(keep.id), "mrn": keep.mrn}
        files = await data(FILES, desk.ada.token, p=str(keep.id))
        assert files["patientFiles"]["nodes"] == [{"id": file["id"]}]
        assert (await desk.get(f"/files/{file['id']}")).content == b"Some words."
        upload = await desk.uploaded(b"more")
        assert await desk.deployment.code(ATTACH, desk.ada.token, u=upload, p=str(gone.id)) == "NOT_FOUND"
        for query, values in ((UPDATE, {"p": {"gender": "y"}}), (ARCHIVE, {"a": False})):
            assert await desk.deployment.code(query, desk.olga.token, id=str(gone.id), **values) == "NOT_FOUND"
        for archived, ids in ((False, [str(keep.id)]), (True, [])):
            listed = await data(LISTED, desk.ada.token, a=archived)
            assert [node["id"] for node in listed["patients"]["nodes"]] == ids
        found = await data(SEARCH, desk.ada.token, t=gone.last_name)
        assert found["search"]["nodes"] == []
        # who saw the one has seen the patient
        seen = (await data(ACCESSES, desk.olga.token, p=str(keep.id)))["patientAccesses"]["nodes"]
        [entry] = [each for each in seen if each["action"] == "patients.merge"]
        assert sorted(entry["patientIds"]) == sorted([str(keep.id), str(gone.id)])
        assert any(each["patientIds"] == [str(gone.id)] for each in seen)


@pytest.mark.rule("P3")
async def test_what_was_chosen_is_taken_over_and_mrns_stay_the_practice_s(
    fresh_database: Database, tmp_path: Any
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        first, second = desk.patient, await a_patient(desk.deployment, desk.practice)
        third = await a_patient(desk.deployment, desk.practice)
        kept = await merged(desk, desk.olga, first.id, second.id, f=["LAST_NAME", "MRN"])
        assert (kept["lastName"], kept["mrn"], kept["firstName"]) == (second.last_name, second.mrn, first.first_name)
        [pointer] = await desk.rows("SELECT mrn, last_name FROM patient WHERE id = $1", second.id)
        assert tuple(pointer) == (first.mrn, second.last_name)
        new = {
            "firstName": "Ruth", "lastName": "Abel", "dateOfBirth": "1950-02-03", "mrn": first.mrn, "gender": "f",
            "email": "r@example.org",
        }  # fmt: skip
        assert await desk.deployment.code(CREATE, desk.olga.token, i=new, c="taken") == "CONFLICT"
        # merged again: no chain of pointers
        await merged(desk, desk.olga, third.id, first.id, "again")
        for id in (first.id, second.id):
            answer = await desk.deployment.data(ONE, desk.ada.token, i=str(id))
            assert answer["patient"] == {"id": str(third.id), "mrn": third.mrn}
        # a choice that would leave nobody reachable
        await desk.deployment.data(UPDATE, desk.olga.token, id=str(third.id), p={"phone": "2025550143", "email": None})
        other = await a_patient(desk.deployment, desk.practice)
        values = {"k": str(third.id), "m": str(other.id), "c": "none", "f": ["PHONE"]}
        assert await desk.deployment.code(MERGE, desk.olga.token, **values) == "INVALID_INPUT"
        assert (await desk.deployment.data(ONE, desk.ada.token, i=str(other.id)))["patient"]["id"] == str(other.id)


@pytest.mark.rule("P1")
@pytest.mark.rule("G9")
@pytest.mark.rule("A12")
async def test_merging_is_for_leaders_within_the_practice_and_done_once(
    fresh_database: Database, tmp_path: Any
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        deployment = desk.deployment
        elsewhere = await deployment.practice("Elsewhere")
        foreign = await a_patient(deployment, elsewhere)
        eve = await deployment.person(elsewhere, Role.OWNER, "Eve")
        other, third = [await a_patient(deployment, desk.practice) for _ in range(2)]
        mine, theirs = str(desk.patient.id), str(foreign.id)
        for token, keep, merge, code in [
            (desk.ada.token, mine, str(other.id), "FORBIDDEN"),
            (eve.token, mine, str(other.id), "NOT_FOUND"),
            (desk.olga.token, mine, theirs, "NOT_FOUND"),
            (desk.olga.token, theirs, mine, "NOT_FOUND"),
            (desk.olga.token, mine, MISSING, "NOT_FOUND"),
            (desk.olga.token, mine, mine, "INVALID_INPUT"),
        ]:
            assert await deployment.code(MERGE, token, k=keep, m=merge, c="x") == code
        await deployment.data(ARCHIVE, desk.olga.token, id=str(third.id), a=True)
        assert await deployment.code(MERGE, desk.olga.token, k=str(third.id), m=mine, c="x") == "CONFLICT"
        assert [row["n"] for row in await desk.rows("SELECT count(merged_into) AS n FROM patient")] == [0]
        answers = await asyncio.gather(*(merged(desk, desk.olga, mine, other.id, "same") for _ in range(5)))
        assert {answer["id"] for answer in answers} == {mine}
        # two who merge the same two at once, each the other way round: one of them is told
        fourth, fifth = [str((await a_patient(deployment, desk.practice)).id) for _ in range(2)]
        bodies = await asyncio.gather(
            deployment.ask(MERGE, desk.olga.token, k=fourth, m=fifth, c="to and"),
            deployment.ask(MERGE, desk.olga.token, k=fifth, m=fourth, c="fro"),
        )
        assert sorted("errors" in body for body in bodies) == [False, True]
        entries = await desk.rows("SELECT FROM audit_entry WHERE action = 'patients.merge'")
        assert len(entries) == 2
        assert await deployment.code(MERGE, desk.olga.token, k=mine, m=str(other.id), c="later") == "NOT_FOUND"


@pytest.mark.rule("G9")
async def test_a_patient_made_again_by_a_retry_is_the_kept_record_once_it_was_merged(
    fresh_database: Database, tmp_path: Any
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        data, keep = desk.deployment.data, str(desk.patient.id)
        new = {
            "firstName": "Ruth", "lastName": "Abel", "dateOfBirth": "1950-02-03", "mrn": "Z-1", "gender": "f",
            "email": "r@example.org",
        }  # fmt: skip
        [made] = (await data(CREATE, desk.ada.token, i=new, c="once")).values()
        await merged(desk, desk.olga, keep, made["id"])
        [again] = (await data(CREATE, desk.ada.token, i=new, c="once")).values()
        assert again["id"] == keep
        assert await desk.count("patient") == 2


async def _waits(desk: Desk) -> bool:
    """Whether somebody waits for another's lock."""
    return bool((await desk.rows("SELECT count(*) AS n FROM pg_locks WHERE NOT granted"))[0]["n"])


@pytest.mark.rule("P8")
async def test_a_file_attached_while_a_merge_runs_is_the_kept_record_s_or_stays_an_upload(
    fresh_database: Database, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        deployment, files = desk.deployment, desk.deployment.platform.files
        keep, gone = await a_patient(deployment, desk.practice), desk.patient
        upload = await desk.uploaded(b"Some words.")
        attach, merging = files.attach, list[asyncio.Task[Any]]()

        async def meanwhile(*given: Any) -> Any:
            """Attach once a merge has begun, and waits or is over."""
            merge = merged(desk, desk.olga, keep.id, gone.id)
            merging.append(asyncio.get_running_loop().create_task(merge, context=Context()))

            async def waits_or_is_over() -> bool:
                return merging[0].done() or await _waits(desk)

            await until(waits_or_is_over, "the merge", 60)
            return await attach(*given)

        monkeypatch.setattr(files, "attach", meanwhile)
        await deployment.data(ATTACH, desk.ada.token, u=upload, p=str(gone.id))
        monkeypatch.undo()
        await merging[0]
        found = await deployment.data(FILES, desk.ada.token, p=str(keep.id))
        assert found["patientFiles"]["nodes"] == [{"id": upload}]
        assert (await desk.get(f"/files/{upload}")).content == b"Some words."

        # the other way round: the merge is under way, and who attaches or exports waits for it
        late, third = await desk.uploaded(b"more"), await a_patient(deployment, desk.practice)
        other = await asyncpg.connect(desk.database.owner_dsn)
        try:
            async with other.transaction():
                await other.execute("SELECT FROM patient WHERE id = $1 FOR UPDATE", third.id)
                pointer = "UPDATE patient SET merged_into = $2, merged_at = now(), archived_at = now() WHERE id = $1"
                await other.execute(pointer, third.id, keep.id)
                asked = [
                    asyncio.create_task(deployment.code(ATTACH, desk.ada.token, u=late, p=str(third.id))),
                    asyncio.create_task(deployment.code(EXPORT, desk.olga.token, p=str(third.id))),
                ]

                async def both_wait() -> bool:
                    [row] = await desk.rows("SELECT count(*) AS n FROM pg_locks WHERE NOT granted")
                    return row["n"] == 2 or any(task.done() for task in asked)

                await until(both_wait, "who attaches and who exports", 60)
            assert await asyncio.gather(*asked) == ["NOT_FOUND", "NOT_FOUND"]
        finally:
            await other.close()
        assert [row["state"] for row in await desk.rows("SELECT state FROM file WHERE id = $1::text::uuid", late)] == [
            "stored"
        ]
        assert await desk.count("data_export") == 0
