"""Patients imported from outside: uploads over HTTP, the job of a worker, progress over a socket (P5)."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest
from accounts_stage import MAKE_KEY
from deployment import APPS
from imports_stage import HEADER, IMPORT, REFUSALS, STANDING, held_at, import_desk, row, table, waits
from jobs_stage import settled, until

from bedside_core.auth import Role
from bedside_core.testing import Database, statements
from rulebook import size

PATIENTS = "{ patients(first: 100) { nodes { firstName lastName dateOfBirth mrn gender phone email } } }"
CREATE = "mutation($i: PatientInput!, $c: String!) { createPatient(input: $i, clientId: $c) { id } }"
MISSING = "0199aaaa-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest.mark.rule("P5")
@pytest.mark.rule("G5")
async def test_a_dry_run_imports_nothing_and_its_upload_is_imported_afterwards(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with import_desk(fresh_database, tmp_path) as desk:
        upload = await desk.uploaded(table([row(1), row(2, phone="", email="r@example.org"), "", ",,,,,,"]))
        steps = await desk.followed(await desk.begun(upload, dryRun=True))
        end = steps[-1]
        assert (end["state"], end["dryRun"], end["rows"], end["refused"], end["imported"]) == ("DONE", True, 2, 0, 2)
        assert (end["encoding"], end["delimiter"], end["ignoredColumns"], end["problem"]) == ("UTF_8", ",", [], None)
        assert [step["progress"] for step in steps] == sorted(step["progress"] for step in steps)
        assert end["progress"] == 1.0
        assert await desk.count("patient") == 0
        done = await desk.imported(upload)
        assert (done["state"], done["dryRun"], done["imported"], done["reportUrl"]) == ("DONE", False, 2, None)
        found = (await desk.deployment.data(PATIENTS, desk.mona.token))["patients"]["nodes"]
        assert found == [
            {"firstName": "Ruthb", "lastName": "Abel1", "dateOfBirth": "1950-02-03", "mrn": "I-1", "gender": "female",
             "phone": "+12025550143", "email": None},
            {"firstName": "Ruthc", "lastName": "Abel2", "dateOfBirth": "1950-02-03", "mrn": "I-2", "gender": "female",
             "phone": None, "email": "r@example.org"},
        ]  # fmt: skip
        # the table itself does not stay: of the file a tombstone is left
        assert [(r["state"], r["name"]) for r in await desk.rows("SELECT state, name FROM file")] == [("deleted", None)]
        standing = await desk.deployment.data(STANDING, desk.mona.token, i=done["id"])
        assert standing["patientImport"] == done
        again = {"uploadId": upload, "dryRun": False}
        assert await desk.deployment.code(IMPORT, desk.mona.token, i=again, c="again") in {"CONFLICT", "NOT_FOUND"}
        assert await desk.count("patient") == 2


WRONG = [
    (row(1), []),
    (row(2, first="1234"), [("firstName", "INVALID_INPUT")]),
    (row(3, born="1850-01-01", gender=" "), [("dateOfBirth", "INVALID_INPUT"), ("gender", "INVALID_INPUT")]),
    (row(4, phone="", email=""), [("phone", "INVALID_INPUT")]),
    (row(5, phone="+442079460958"), [("phone", "INVALID_INPUT")]),
    (row(6, email="ruth@localhost"), [("email", "INVALID_INPUT")]),
    (row(7, mrn="I-1"), [("mrn", "MRN_TWICE")]),
    (row(8, mrn="KNOWN"), [("mrn", "MRN_TAKEN")]),
    (row(9, born="03.02.1950"), [("dateOfBirth", "DATE_FORMAT")]),
    (row(10, born=""), [("dateOfBirth", "INVALID_INPUT")]),
    (row(11) + ",more", [(None, "ROW_MALFORMED")]),
    ('"Ru"th,Abel,1950-02-03,I-12,female,2025550143,', [(None, "ROW_MALFORMED")]),
    (row(13, last='"Abel\r\nBell"'), []),
    (row(14, mrn=""), [("mrn", "INVALID_INPUT")]),
    (row(15), []),
]
"""Rows with what is wrong with them; the thirteenth goes over two lines."""


def expected() -> list[tuple[int, list[tuple[str | None, str]]]]:
    lines = [number + 2 + (number > 12) for number in range(len(WRONG))]
    return [(line, faults) for line, (_, faults) in zip(lines, WRONG, strict=True) if faults]


@pytest.mark.rule("P5")
@pytest.mark.rule("P3")
@pytest.mark.rule("P4")
async def test_refused_rows_are_told_by_line_and_column_and_nothing_is_imported(
    fresh_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {
        "firstName": "Known", "lastName": "Already", "dateOfBirth": "1950-02-03", "mrn": "KNOWN", "gender": "x",
        "email": "k@example.org",
    }  # fmt: skip
    async with import_desk(fresh_database, tmp_path) as desk:
        await desk.deployment.data(CREATE, desk.mona.token, i=known, c="known")
        content = table([text for text, _ in WRONG])
        end = await desk.imported(content)
        assert (end["state"], end["rows"], end["imported"]) == ("REFUSED", len(WRONG), 0)
        assert end["problem"]["code"] == "ROWS_REFUSED"
        assert end["refused"] == len(expected())
        assert await desk.refusals(end["id"], n=100) == expected()
        assert await desk.count("patient") == 1
        # page by page
        page = await desk.deployment.data(REFUSALS, desk.mona.token, i=end["id"], n=4)
        assert [node["line"] for node in page["importRefusals"]["nodes"]] == [line for line, _ in expected()[:4]]
        after = page["importRefusals"]["pageInfo"]["endCursor"]
        assert await desk.refusals(end["id"], n=100, a=after) == expected()[4:]
        # the report as a file
        status, report = await desk.get(end["reportUrl"])
        assert (status, report[:3]) == (200, b"\xef\xbb\xbf")
        lines = list(csv.reader(io.StringIO(report.decode("utf-8-sig"), newline="")))
        assert lines[0] == ["line", "columns", "codes", "reasons"]
        assert [(int(line), codes.split(" | ")) for line, _, codes, _ in lines[1:]] == [
            (line, [code for _, code in faults]) for line, faults in expected()
        ]
        # the others can be imported all the same
        rest = await desk.imported(content, skipRefused=True)
        good = [text for text, faults in WRONG if not faults]
        assert (rest["state"], rest["imported"], rest["refused"]) == ("DONE", len(good), len(expected()))
        assert rest["problem"] is None
        assert await desk.refusals(rest["id"], n=100) == expected()
        found = (await desk.deployment.data(PATIENTS, desk.mona.token))["patients"]["nodes"]
        assert {node["mrn"] for node in found} == {"KNOWN", "I-1", "I-13", "I-15"}
        # nothing of a row is in a log, in the report, or beside the patients
        stored = "".join([str(r[0]) for r in await desk.rows("SELECT to_jsonb(t)::text FROM patient_import_refusal t")])
    logged = "".join(capsys.readouterr())
    for word in ("1234", "Abel3", "442079460958", "ruth@localhost", "1850", "03.02.1950"):
        assert word not in report.decode() + stored + logged, word


@pytest.mark.rule("P5")
async def test_cells_that_look_like_formulas_are_data(fresh_database: Database, tmp_path: Path) -> None:
    async with import_desk(fresh_database, tmp_path) as desk:
        cells = row(1, first="=1+cmd|' /C calc'!A0", last="@SUM(A)", mrn="+1", gender="-x")
        assert (await desk.imported(table([cells])))["imported"] == 1
        [found] = (await desk.deployment.data(PATIENTS, desk.mona.token))["patients"]["nodes"]
        assert (found["firstName"], found["lastName"]) == ("=1+cmd|' /C calc'!A0", "@SUM(A)")
        assert (found["mrn"], found["gender"]) == ("+1", "-x")


@pytest.mark.rule("P5")
async def test_spanish_headers_semicolons_old_encoding_and_days_first(fresh_database: Database, tmp_path: Path) -> None:
    header = "Teléfono;NOMBRE;Apellidos;Fecha de nacimiento;Historia clínica;Sexo;Notas"
    text = f"{header}\r\n2025550143;José;Núñez;03/02/1950;7;f;x\r\n"
    async with import_desk(fresh_database, tmp_path) as desk:
        upload = await desk.uploaded(text.encode("windows-1252"))
        told = await desk.imported(upload, dryRun=True, encoding="UTF_8", dates="DAY_FIRST")
        assert (told["state"], told["problem"]["code"]) == ("REFUSED", "ENCODING")
        done = await desk.imported(upload, dates="DAY_FIRST")
        assert (done["state"], done["encoding"], done["delimiter"]) == ("DONE", "WINDOWS_1252", ";")
        assert done["ignoredColumns"] == ["Notas"]
        [found] = (await desk.deployment.data(PATIENTS, desk.mona.token))["patients"]["nodes"]
        assert (found["firstName"], found["lastName"], found["dateOfBirth"]) == ("José", "Núñez", "1950-02-03")


@pytest.mark.rule("P5")
async def test_a_mapping_says_what_columns_are(fresh_database: Database, tmp_path: Path) -> None:
    content = table([row(1)], "Vorname,Nachname,Geboren,MRN,Gender,Phone,Email")
    mapping = [
        {"column": "Vorname", "field": "FIRST_NAME"}, {"column": "nachname ", "field": "LAST_NAME"},
        {"column": "Geboren", "field": "DATE_OF_BIRTH"},
    ]  # fmt: skip
    async with import_desk(fresh_database, tmp_path) as desk:
        upload = await desk.uploaded(content)
        told = await desk.imported(upload, dryRun=True)
        assert told["problem"]["code"] == "COLUMNS_MISSING"
        assert told["problem"]["message"].endswith("first name, last name, date of birth.")
        twice = {"uploadId": upload, "dryRun": True, "mapping": [mapping[0], {**mapping[1], "field": "FIRST_NAME"}]}
        assert await desk.deployment.code(IMPORT, desk.mona.token, i=twice, c="twice") == "INVALID_INPUT"
        strange = [{"column": "Alter", "field": "MRN"}]
        assert (await desk.imported(upload, dryRun=True, mapping=strange))["problem"]["code"] == "COLUMNS_UNCLEAR"
        assert (await desk.imported(upload, mapping=mapping))["imported"] == 1


@pytest.mark.rule("G9")
@pytest.mark.rule("P5")
async def test_a_retry_returns_the_first_import_and_ten_at_once_are_one(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with import_desk(fresh_database, tmp_path) as desk:
        upload = await desk.uploaded(table([row(n) for n in range(20)]))
        ids = await asyncio.gather(*(desk.begun(upload, "same") for _ in range(10)))
        assert len(set(ids)) == 1
        assert (await desk.followed(ids[0]))[-1]["imported"] == 20
        assert await desk.begun(upload, "same") == ids[0]
        other = {"uploadId": upload, "dryRun": True}
        assert await desk.deployment.code(IMPORT, desk.mona.token, i=other, c="same") == "CONFLICT"
        await settled(fresh_database)
        assert (await desk.count("patient"), await desk.count("patient_import")) == (20, 1)


@pytest.mark.rule("P1")
@pytest.mark.rule("P5")
async def test_imports_are_for_leaders_of_the_practice_and_told_to_nobody_else(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with import_desk(fresh_database, tmp_path) as desk:
        ben = await desk.deployment.person(desk.practice, Role.PRACTITIONER)
        eve = await desk.deployment.person(await desk.deployment.practice("Elsewhere"), Role.OWNER, "Eve")
        upload = await desk.uploaded(table([row(1, first="1")]))
        given = {"uploadId": upload, "dryRun": False}
        assert await desk.deployment.code(IMPORT, ben.token, i=given, c="x") == "FORBIDDEN"
        for token in (eve.token, (await desk.deployment.person(desk.practice, Role.OWNER)).token):
            assert await desk.deployment.code(IMPORT, token, i=given, c="x") == "NOT_FOUND"
            assert await desk.deployment.code(IMPORT, token, i={**given, "uploadId": MISSING}, c="y") == "NOT_FOUND"
        assert await desk.count("patient_import") == 0
        end = await desk.imported(upload)
        for query in (STANDING, REFUSALS):
            assert await desk.deployment.code(query, eve.token, i=end["id"]) == "NOT_FOUND"
            assert await desk.deployment.code(query, ben.token, i=end["id"]) == "FORBIDDEN"
        assert (await desk.get(end["reportUrl"]))[0] == 200
        assert [(await desk.get(end["reportUrl"], who))[0] for who in (ben, eve)] == [404, 404]


@pytest.mark.rule("A14")
async def test_an_import_is_in_the_audit_trail_with_who_asked_and_every_patient(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with import_desk(fresh_database, tmp_path) as desk:
        await desk.imported(table([row(n) for n in range(3)]))
        found = await desk.rows(
            """SELECT action, person_id, via, cardinality(patients) AS patients FROM audit_entry
            WHERE action IN ('imports.begin', 'patients.import', 'imports.done') ORDER BY id"""
        )
        assert [tuple(entry) for entry in found] == [
            ("imports.begin", desk.mona.member.id, "graphql", 0),
            ("patients.import", desk.mona.member.id, "job", 3),
            ("imports.done", desk.mona.member.id, "job", 0),
        ]
        named = await desk.rows("SELECT unnest(patients) AS id FROM audit_entry WHERE action = 'patients.import'")
        assert {r["id"] for r in named} == {r["id"] for r in await desk.rows("SELECT id FROM patient")}


@pytest.mark.rule("P5")
async def test_who_may_not_any_more_imports_nothing(fresh_database: Database, tmp_path: Path) -> None:
    async with import_desk(fresh_database, tmp_path, worker=False) as desk:
        owner = await desk.deployment.person(desk.practice, Role.OWNER, "Olga")
        upload = await desk.uploaded(table([row(1)]))
        demote = "mutation($m: ID!) { changeMemberRole(memberId: $m, role: STAFF) { role } }"
        import_id = await desk.begun(upload)
        await desk.deployment.data(demote, owner.token, m=desk.mona.id)
        await desk.run(import_id)
        desk.mona = owner
        end = (await desk.followed(import_id))[-1]
        assert (end["state"], end["problem"]["code"]) == ("REFUSED", "NOT_ALLOWED")
        assert await desk.count("patient") == 0


@pytest.mark.rule("A13")
async def test_what_a_key_has_begun_is_not_imported_once_the_key_is_revoked(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with import_desk(fresh_database, tmp_path, worker=False) as desk:
        data = desk.deployment.data
        until_then = (desk.deployment.platform.clock.now() + timedelta(days=9)).isoformat()
        for number, revoked in enumerate((True, False), 1):
            values = {"n": "Importer", "s": ["patients.import", "files.upload"], "u": until_then, "c": f"k{number}"}
            made = (await data(MAKE_KEY, desk.mona.token, **values))["createApiKey"]
            given = {"uploadId": await desk.uploaded(table([row(number)])), "dryRun": False}
            begun = (await data(IMPORT, made["token"], i=given, c=f"i{number}"))["importPatients"]["id"]
            if revoked:
                revoke = "mutation($i: ID!) { revokeApiKey(id: $i) }"
                assert (await data(revoke, desk.mona.token, i=made["key"]["id"]))["revokeApiKey"] is True
            await desk.run(begun)
            end = (await desk.followed(begun))[-1]
            assert (end["state"], (end["problem"] or {}).get("code")) == (
                ("REFUSED", "NOT_ALLOWED") if revoked else ("DONE", None)
            )
            assert await desk.count("patient") == (0 if revoked else 1)


@pytest.mark.rule("P5")
@pytest.mark.timeout(300)
async def test_the_cost_grows_with_the_rows_and_by_a_constant_number_of_statements_for_each_thousand(
    fresh_database: Database, tmp_path: Path
) -> None:
    small, large = size(500, 5000), size(2000, 10_000)
    async with import_desk(fresh_database, tmp_path) as desk:
        loop, took, ran = asyncio.get_running_loop(), [], []
        for base, count in ((0, small), (100_000, large)):
            content = table([row(base + n) for n in range(count)])
            upload = await desk.uploaded(content)
            await settled(fresh_database)
            began = loop.time()
            with statements() as counted:
                end = await desk.imported(upload)
            took.append((loop.time() - began) / count)
            ran.append(len([sql for sql in counted if "unnest($3::uuid[]" in str(sql) or "mrn = ANY" in str(sql)]))
            assert (end["state"], end["imported"]) == ("DONE", count)
        assert await desk.count("patient") == small + large
        assert ran == [2 * -(-small // 1000), 2 * -(-large // 1000)]
        assert took[1] < 3 * took[0]


@pytest.mark.rule("P5")
async def test_what_is_no_table_is_told_as_a_whole(fresh_database: Database, tmp_path: Path) -> None:
    wrong = {
        b"\r\n": "EMPTY",
        HEADER.encode(): "EMPTY",
        b"a,b\n1,2\n": "COLUMNS_MISSING",
        table([row(1)], HEADER.replace("Email", "Mobile")): "COLUMNS_UNCLEAR",
        table(["x,y,1950-02-03,1,f,2025550143,"] * 50_001): "TOO_LONG",
    }
    async with import_desk(fresh_database, tmp_path) as desk:
        for content, code in wrong.items():
            end = await desk.imported(content)
            assert (end["state"], end["problem"]["code"], end["imported"]) == ("REFUSED", code, 0)
        assert await desk.count("patient") == 0


@pytest.mark.rule("P5")
async def test_an_upload_that_is_gone_before_its_turn_is_told_and_old_imports_go(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with import_desk(fresh_database, tmp_path, worker=False) as desk:
        upload = await desk.uploaded(table([row(1, first="1")]))
        gone, told = await desk.begun(upload, dryRun=True), await desk.begun(upload, dryRun=True)
        await desk.run(told)
        assert (await desk.get((await desk.followed(told))[-1]["reportUrl"]))[0] == 200
        await desk.deployment.data("mutation($i: ID!) { cancelUpload(id: $i) }", desk.mona.token, i=upload)
        await desk.run(gone)
        assert (await desk.followed(gone))[-1]["problem"]["code"] == "FILE_GONE"
        await desk.run(gone)  # a job that is run again changes nothing
        assert (await desk.followed(gone))[-1]["problem"]["code"] == "FILE_GONE"
        await desk.expire()
        assert await desk.count("patient_import") == 2
        await desk.deployment.platform.clock.move(timedelta(days=31))
        await desk.expire()
        assert [await desk.count(name) for name in ("patient_import", "patient_import_refusal")] == [0, 0]
        assert [r["state"] for r in await desk.rows("SELECT state FROM file")] == ["deleted"]


@pytest.mark.rule("P5")
async def test_an_mrn_that_is_taken_while_the_rows_are_created_undoes_them_all(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with import_desk(fresh_database, tmp_path) as desk:
        upload = await desk.uploaded(table([row(n) for n in range(1500)]))
        async with held_at(desk, 1234, committed=True):
            import_id = await desk.begun(upload)
            await until(lambda: waits(desk), "the import waits")
        end = (await desk.followed(import_id))[-1]
        assert (end["state"], end["problem"]["code"], end["refused"]) == ("REFUSED", "ROWS_REFUSED", 1)
        assert await desk.refusals(import_id) == [(1236, [("mrn", "MRN_TAKEN")])]
        assert [r["mrn"] for r in await desk.rows("SELECT mrn FROM patient")] == ["I-1234"]
