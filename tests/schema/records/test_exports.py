"""Exports of a patient and of a practice, asked for, made by a worker, downloaded and taken away."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from contextvars import Context
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from accounts_stage import MAKE_KEY
from applications_stage import REMOVE, Client, registered
from deployment import APPS, Person
from files_stage import Desk, a_patient, desk_at

from bedside_core.auth import Role
from bedside_core.records import archive
from bedside_core.testing import Database, statements

FIELDS = "{ id patientId state reason url megabytes createdAt endedAt expiresAt }"
PATIENT = f"mutation($p: ID!, $c: String!) {{ exportPatient(patientId: $p, clientId: $c) {FIELDS} }}"
PRACTICE = f"mutation($c: String!) {{ exportPractice(clientId: $c) {FIELDS} }}"
ONE = f"query($i: ID!) {{ dataExport(id: $i) {FIELDS} }}"
MANY = f"query($n: Int!) {{ dataExports(first: $n) {{ nodes {FIELDS} }} }}"
DELETE = "mutation($i: ID!) { deleteFile(id: $i) { id } }"
MISSING = "0199aaaa-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


async def exported(desk: Desk, who: Person, query: str, **values: str) -> dict[str, Any]:
    """Ask for an export, have it made, and return it."""
    [begun] = (await desk.deployment.data(query, who.token, **values)).values()
    assert (begun["state"], begun["url"]) == ("WAITING", None)
    await desk.run("export_data", export_id=begun["id"])
    return (await desk.deployment.data(ONE, who.token, i=begun["id"]))["dataExport"]


async def opened(desk: Desk, url: str, who: Person) -> zipfile.ZipFile:
    answer = await desk.get(url, who)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"].startswith("attachment")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def lines(archive: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in archive.read(name).decode().splitlines()]


def text(archive: zipfile.ZipFile) -> str:
    return "\n".join(archive.read(name).decode("latin-1") for name in archive.namelist())


@pytest.mark.rule("A14")
async def test_a_patient_s_export_has_record_files_and_accesses_and_nothing_of_others(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        other = await a_patient(desk.deployment, desk.practice)
        await desk.deployment.data("{ patients { nodes { lastName } } }", desk.ada.token)
        content = b"What was found: nothing.\n"
        file = await desk.attached(content, "findings.txt")
        deleted = await desk.attached(b"to be gone", "gone.txt", desk.olga)
        await desk.deployment.data(DELETE, desk.olga.token, i=deleted["id"])
        found = await exported(desk, desk.olga, PATIENT, p=str(desk.patient.id), c="one")
        assert (found["state"], found["reason"], found["patientId"]) == ("READY", None, str(desk.patient.id))
        archive = await opened(desk, found["url"], desk.olga)
        [patient] = lines(archive, "data/core/patient.jsonl")
        assert (patient["id"], patient["last_name"]) == (str(desk.patient.id), desk.patient.last_name)
        states = {row["id"]: row["state"] for row in lines(archive, "data/core/file.jsonl")}
        assert states == {file["id"]: "attached", deleted["id"]: "deleted"}
        assert archive.read(f"files/{file['id']}/findings.txt") == content
        actions = {row["action"] for row in lines(archive, "data/core/audit_entry.jsonl")}
        assert {"patients.read", "files.attach", "files.delete", "exports.patient"} <= actions
        told = json.loads(archive.read("contents.json"))
        assert told["files"] == {
            f"files/{file['id']}/findings.txt": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        }
        assert told["tables"]["data/core/patient.jsonl"]["rows"] == 1
        assert told["lost"] == []
        assert b"not encrypted" in archive.read("README.txt")
        assert "data/core/member.jsonl" not in archive.namelist()
        for word in (str(other.id), other.last_name, "to be gone", "gone.txt"):
            assert word not in text(archive), word
        entries = await desk.rows(
            "SELECT action, person_id, patients FROM audit_entry WHERE action LIKE 'exports.%' ORDER BY id"
        )
        assert [tuple(entry) for entry in entries] == [
            ("exports.patient", desk.olga.member.id, [desk.patient.id]),
            ("exports.made", desk.olga.member.id, [desk.patient.id]),
        ]
        downloads = await desk.rows("SELECT person_id, patients FROM audit_entry WHERE action = 'files.download'")
        assert [tuple(entry) for entry in downloads] == [(desk.olga.member.id, [desk.patient.id])]


@pytest.mark.rule("P1")
@pytest.mark.rule("A14")
async def test_a_practice_s_export_has_everything_of_it_and_nothing_of_another(
    fresh_database: Database, tmp_path: Path
) -> None:
    start = 'mutation($m: ID!) { startConversation(memberId: $m, clientId: "s") { id } }'
    send = 'mutation($i: ID!) { sendMessage(conversationId: $i, body: "Canary seven", clientId: "m") { id } }'
    async with desk_at(fresh_database, tmp_path) as desk:
        deployment = desk.deployment
        eve = await deployment.person(await deployment.practice("Elsewhere"), Role.OWNER, "Eve")
        chat = (await deployment.data(start, desk.ada.token, m=desk.olga.id))["startConversation"]["id"]
        await deployment.data(send, desk.ada.token, i=chat)
        file = await desk.attached(b"Some words.", "words.txt")
        key = """mutation($u: DateTime!) {
            createApiKey(name: "Key", scopes: ["patients.read"], expiresAt: $u, clientId: "k") { token } }"""
        until = (deployment.platform.clock.now() + timedelta(days=9)).isoformat()
        token = (await deployment.data(key, desk.olga.token, u=until))["createApiKey"]["token"]
        first = await exported(desk, desk.olga, PRACTICE, c="one")
        found = await exported(desk, desk.olga, PRACTICE, c="two")  # the first one is not in it
        archive = await opened(desk, found["url"], desk.olga)
        assert [row["name"] for row in lines(archive, "data/core/practice.jsonl")] == [desk.practice.name]
        assert {row["id"] for row in lines(archive, "data/core/member.jsonl")} == {desk.ada.id, desk.olga.id}
        assert {row["email"] for row in lines(archive, "data/core/addresses.jsonl")} == {
            desk.ada.email,
            desk.olga.email,
        }
        assert [row["name"] for row in lines(archive, "data/core/api_keys.jsonl")] == ["Key"]
        assert [row["body"] for row in lines(archive, "data/chat/message.jsonl")] == ["Canary seven"]
        assert [row["tier"] for row in lines(archive, "data/plans/plan.jsonl")] == ["premium"]
        assert [name for name in archive.namelist() if name.startswith("files/")] == [f"files/{file['id']}/words.txt"]
        assert {row["id"] for row in lines(archive, "data/core/data_export.jsonl")} == {first["id"], found["id"]}
        second = await a_patient(deployment, desk.practice)  # who came since is in the trail of a newer one alone
        newer = await exported(desk, desk.olga, PRACTICE, c="three")
        await opened(desk, newer["url"], desk.olga)
        downloads = await desk.rows(
            "SELECT patients FROM audit_entry WHERE action = 'files.download' AND person_id = $1 ORDER BY id",
            desk.olga.member.id,
        )
        assert [set(entry["patients"]) for entry in downloads] == [
            {desk.patient.id}, {desk.patient.id, second.id},
        ]  # fmt: skip
        everything = text(archive)
        for word in (eve.id, eve.email, "Elsewhere", token, "token_hash", "argon2"):
            assert word not in everything, word


@pytest.mark.rule("A12")
@pytest.mark.rule("C15")
async def test_who_takes_no_part_in_a_conversation_reads_it_by_no_export_unless_an_owner(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        deployment = desk.deployment
        mia = await deployment.person(desk.practice, Role.MANAGER, "Mia")
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
            SELECT gen_random_uuid(), $1, c.id, 1, 1, 1, $2, 'Canary nine', 'x', now() FROM c""",
            desk.practice.id, desk.ada.member.id, desk.patient.id,
        )  # fmt: skip
        before = await desk.count("pgqueuer")
        for who in (mia, desk.ada):
            assert await deployment.code(PATIENT, who.token, p=str(desk.patient.id), c="one") == "FORBIDDEN"
        assert (await desk.count("data_export"), await desk.count("pgqueuer")) == (0, before)
        assert await desk.rows("SELECT 1 FROM audit_entry WHERE action LIKE 'exports.%'") == []
        found = await exported(desk, desk.olga, PATIENT, p=str(desk.patient.id), c="one")  # who takes no part either
        archive = await opened(desk, found["url"], desk.olga)
        assert [row["body"] for row in lines(archive, "data/chat/message.jsonl")] == ["Canary nine"]
        # one that was asked for as an owner is a manager's no more
        owner = await deployment.person(desk.practice, Role.OWNER, "Ora")
        ready = await exported(desk, owner, PATIENT, p=str(desk.patient.id), c="one")
        demote = "mutation($m: ID!) { changeMemberRole(memberId: $m, role: MANAGER) { role } }"
        await deployment.data(demote, desk.olga.token, m=owner.id)
        assert (await desk.get(ready["url"], owner)).status_code == 404
        assert await deployment.code(ONE, owner.token, i=ready["id"]) == "FORBIDDEN"


@pytest.mark.rule("A12")
@pytest.mark.rule("P1")
async def test_an_export_is_for_who_asked_alone_while_they_may_and_for_seven_days(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        deployment = desk.deployment
        mona = await deployment.person(desk.practice, Role.OWNER, "Mona")
        max_ = await deployment.person(desk.practice, Role.MANAGER, "Max")
        eve = await deployment.person(await deployment.practice("Elsewhere"), Role.OWNER, "Eve")
        target = {"p": str(desk.patient.id), "c": "x"}
        assert await deployment.code(PATIENT, desk.ada.token, **target) == "FORBIDDEN"
        assert await deployment.code(PRACTICE, max_.token, c="x") == "FORBIDDEN"
        assert await deployment.code(PATIENT, eve.token, **target) == "NOT_FOUND"
        assert await deployment.code(PATIENT, mona.token, p=MISSING, c="x") == "NOT_FOUND"
        assert await desk.count("data_export") == 0
        found = await exported(desk, mona, PATIENT, **target)
        again = (await deployment.data(PATIENT, mona.token, **target))["exportPatient"]
        assert (again["id"], await desk.count("data_export")) == (found["id"], 1)
        assert await deployment.code(PATIENT, mona.token, p=MISSING, c="x") == "NOT_FOUND"
        for who in (desk.olga, eve):  # each owner has to ask for one of their own
            assert await deployment.code(ONE, who.token, i=found["id"]) == "NOT_FOUND"
            assert (await desk.get(found["url"], who)).status_code == 404
            assert (await deployment.data(MANY, who.token, n=5))["dataExports"]["nodes"] == []
        costs = []
        for size in (1, 100):
            with statements() as ran:
                listed = await deployment.data(MANY, mona.token, n=size)
            assert [node["id"] for node in listed["dataExports"]["nodes"]] == [found["id"]]
            costs.append(len(ran))
        assert costs[0] == costs[1] <= 3
        # its bytes are no use of the practice's storage, and go when their time is over
        await deployment.platform.clock.move(timedelta(days=6))
        await desk.run("expire_exports")
        assert (await desk.get(found["url"], mona)).status_code == 200
        await deployment.platform.clock.move(timedelta(days=1, minutes=1))
        await desk.run("expire_exports")
        assert (await desk.get(found["url"], mona)).status_code == 404
        expired = (await deployment.data(ONE, mona.token, i=found["id"]))["dataExport"]
        assert (expired["state"], expired["url"]) == ("EXPIRED", None)
        await desk.run("remove_bytes")
        assert [path for path in desk.kept() if "files" in path.parts and "anchor" not in path.parts] == []
        # who was demoted meanwhile gets nothing
        [begun] = (await deployment.data(PATIENT, mona.token, p=target["p"], c="late")).values()
        demote = "mutation($m: ID!) { changeMemberRole(memberId: $m, role: MANAGER) { role } }"
        await deployment.data(demote, desk.olga.token, m=mona.id)
        await desk.run("export_data", export_id=begun["id"])
        [row] = await desk.rows("SELECT state, file_id FROM data_export WHERE client_id = 'late'")
        assert tuple(row) == ("failed", None)


@pytest.mark.promise("F2")
async def test_an_export_goes_with_a_file_of_it_that_is_deleted_for_good(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        other = await a_patient(desk.deployment, desk.practice)
        file = await desk.attached(b"canary content in a file", "canary.txt")
        of_practice = await exported(desk, desk.olga, PRACTICE, c="practice")
        of_patient = await exported(desk, desk.olga, PATIENT, p=str(desk.patient.id), c="patient")
        of_other = await exported(desk, desk.olga, PATIENT, p=str(other.id), c="other")
        await desk.deployment.data(DELETE, desk.olga.token, i=file["id"])
        for gone in (of_practice, of_patient):
            found = (await desk.deployment.data(ONE, desk.olga.token, i=gone["id"]))["dataExport"]
            assert (found["state"], found["url"]) == ("EXPIRED", None)
            assert (await desk.get(gone["url"], desk.olga)).status_code == 404
        await opened(desk, of_other["url"], desk.olga)
        await desk.run("remove_bytes")
        kept = [path for path in desk.kept() if "files" in path.parts and "anchor" not in path.parts]
        assert len(kept) == 1  # the other patient's export
        assert file["id"].encode() not in kept[0].read_bytes()


@pytest.mark.promise("F2")
async def test_what_is_deleted_while_an_export_is_made_is_not_in_it(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        files = [await desk.attached(b"canary content in a file", f"{name}.txt") for name in ("first", "second")]
        write, left = archive.write, [file["id"] for file in files]

        async def meanwhile(*given: Any) -> Any:
            """Have a file be deleted between the writing of an archive and its being ready."""
            contents = await write(*given)
            if left:
                delete = desk.deployment.data(DELETE, desk.olga.token, i=left.pop())
                await asyncio.get_running_loop().create_task(delete, context=Context())
            return contents

        monkeypatch.setattr(archive, "write", meanwhile)
        found = await exported(desk, desk.olga, PRACTICE, c="one")
        assert found["state"] == "READY"
        made = await opened(desk, found["url"], desk.olga)
        assert not [name for name in made.namelist() if name.startswith("files/")]
        # where it never ends, that is told
        left.extend([(await desk.attached(b"more", f"{number}.txt"))["id"] for number in range(3)])
        found = await exported(desk, desk.olga, PRACTICE, c="two")
        assert (found["state"], found["url"]) == ("FAILED", None)
        assert "deleted" in found["reason"]


@pytest.mark.rule("A13")
async def test_what_a_key_or_an_application_has_begun_is_not_exported_once_that_is_taken_away(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        data = desk.deployment.data
        until_then = (desk.deployment.platform.clock.now() + timedelta(days=9)).isoformat()
        values = {"n": "Exporter", "s": ["exports.patient"], "u": until_then, "c": "k"}
        made = (await data(MAKE_KEY, desk.olga.token, **values))["createApiKey"]
        app = await registered(desk.deployment, desk.olga.token, scopes=["exports.patient"])
        client = Client(desk.deployment, app, scope="exports.patient")
        access = (await client.exchange(await client.code(desk.olga.token))).json()["access_token"]
        for token, take_away, id in (
            (made["token"], "mutation($i: ID!) { revokeApiKey(id: $i) }", made["key"]["id"]),
            (access, REMOVE, app),
        ):
            first, second = [
                (await data(PATIENT, token, p=str(desk.patient.id), c=f"{id} {name}"))["exportPatient"]["id"]
                for name in ("one", "two")
            ]
            await desk.run("export_data", export_id=first)
            await data(take_away, desk.olga.token, i=id)
            await desk.run("export_data", export_id=second)
            [ready] = await desk.rows("SELECT state, file_id IS NULL FROM data_export WHERE id::text = $1", first)
            [failed] = await desk.rows("SELECT state, file_id IS NULL FROM data_export WHERE id::text = $1", second)
            assert (tuple(ready), tuple(failed)) == (("ready", False), ("failed", True))


async def test_a_job_that_runs_again_makes_no_second_archive_and_a_lost_file_is_told(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        file = await desk.attached(b"Some words.", "words.txt")
        for path in desk.kept():
            path.unlink()
        found = await exported(desk, desk.olga, PATIENT, p=str(desk.patient.id), c="one")
        await desk.run("export_data", export_id=found["id"])
        assert (await desk.deployment.data(ONE, desk.olga.token, i=found["id"]))["dataExport"] == found
        archive = await opened(desk, found["url"], desk.olga)
        assert json.loads(archive.read("contents.json"))["lost"] == [f"files/{file['id']}/words.txt"]
        for number in range(3):
            await desk.deployment.data(PRACTICE, desk.olga.token, c=f"more{number}")
        assert await desk.deployment.code(PRACTICE, desk.olga.token, c="too many") == "RATE_LIMITED"
        assert await desk.count("data_export") == 4


@pytest.mark.rule("G9")
async def test_an_export_that_is_never_made_fails_and_leaves_room_for_others(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*given: Any) -> None:
        raise OSError("no room")

    async with desk_at(fresh_database, tmp_path) as desk:
        data, token = desk.deployment.data, desk.olga.token
        begun = [(await data(PRACTICE, token, c=f"e{number}"))["exportPractice"]["id"] for number in range(3)]
        with monkeypatch.context() as patched:
            patched.setattr(archive, "write", broken)
            with pytest.raises(OSError, match="no room"):
                await desk.run("export_data", export_id=begun[0])  # as in each attempt, until it is held
        await desk.deployment.platform.clock.move(timedelta(hours=11))
        await desk.run("expire_exports")
        assert await desk.deployment.code(PRACTICE, token, c="e3") == "RATE_LIMITED"
        assert await desk.count("data_export") == 3
        await desk.deployment.platform.clock.move(timedelta(hours=1))
        for _ in range(2):
            await desk.run("expire_exports")
        for each in begun:
            found = (await data(ONE, token, i=each))["dataExport"]
            assert (found["state"], found["reason"]) == ("FAILED", "It could not be made. Ask for another one.")
        assert (await exported(desk, desk.olga, PRACTICE, c="e3"))["state"] == "READY"
        await desk.run("export_data", export_id=begun[0])  # a job that comes late makes nothing
        failed = await desk.rows("SELECT target FROM audit_entry WHERE action = 'exports.failed'")
        assert sorted(row["target"] for row in failed) == sorted(begun)
