"""Backups: what is restored elsewhere is what was backed up, and what is not whole passes for nothing (promise O1)."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec
import pytest
from backup_stage import KEY, bedside, bytes_in, everything, lived_in, told, upload
from cli_stage import server_folder
from deployment import APPS, served
from files_stage import DELETE, LIST

from bedside_core.auth import Role
from bedside_core.backup import BackupFailed, create, restore, verify
from bedside_core.backup.keys import passphrase_in
from bedside_core.backup.layout import listed, part_of, read_manifest, write_manifest
from bedside_core.config import Config
from bedside_core.database import EmbeddedServer, prepare_roles
from bedside_core.database.dump import is_bare
from bedside_core.database.engine import connect
from bedside_core.people import NewPatient
from bedside_core.testing import Database, Templates, until

pytestmark = pytest.mark.timeout(400)  # several servers are started, each beside everything else


@dataclass(frozen=True)
class Source:
    """A deployment that was used, and a backup of it."""

    database: Database
    variables: dict[str, str]
    data: Path
    anchor: Path
    backup: Path
    content: dict[str, list[object]]
    """All of its database, just after the backup was made."""

    @property
    def config(self) -> Config:
        given = {name.removeprefix("BEDSIDE_").lower(): value for name, value in self.variables.items()}
        return Config.model_validate(given)


@pytest.fixture(scope="module")
def source(
    postgres_server: EmbeddedServer, database_templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Source]:
    async def prepared(name: str) -> None:
        template = await database_templates.name("bedside_core.piccolo_app", APPS)
        await postgres_server.create_database(name, template=template)
        # A copy of a database has none of its rights.
        await prepare_roles(postgres_server.owner_dsn(name), postgres_server.application_dsn(name))

    name = database_templates.fresh_name()
    asyncio.run(prepared(name))
    database = Database(name, postgres_server.application_dsn(name), postgres_server.owner_dsn(name))
    folder = tmp_path_factory.mktemp("source")
    data, anchor = folder / "data", folder / "anchor"
    asyncio.run(lived_in(database, data, anchor))
    variables = {
        "BEDSIDE_DATABASE_URL": database.dsn,
        "BEDSIDE_DATABASE_OWNER_URL": database.owner_dsn,
        "BEDSIDE_DATA": str(data),
        "BEDSIDE_AUDIT_ANCHOR": str(anchor),
        "BEDSIDE_SECRET_KEY": KEY,
    }
    passphrase = folder / "passphrase"
    passphrase.write_text("correct horse battery\n")
    made = told("backup", "create", str(folder / "backups"), "--passphrase-file", str(passphrase), given=variables)
    content = asyncio.run(everything(database.owner_dsn))
    yield Source(database, variables, data, anchor, Path(made["folder"]), content)
    asyncio.run(postgres_server.drop_database(name))


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    with server_folder() as folder:
        yield folder / "data"


@pytest.fixture
def copy(source: Source, tmp_path: Path) -> Path:
    """A copy of the backup, to lay hands on."""
    return shutil.copytree(source.backup, tmp_path / source.backup.name)


def rows(content: dict[str, list[object]], table: str) -> list[object]:
    return content[f"rows of {table}"]


def files_with_rows(source: Source) -> dict[str, str]:
    """What the store holds for rows; bytes that are about to be removed are in no backup."""

    async def keys() -> list[str]:
        owner = await connect(source.database.owner_dsn)
        try:
            return [row["key"] for row in await owner.fetch("SELECT key FROM file_object WHERE file_id IS NOT NULL")]
        finally:
            await owner.close()

    stored = bytes_in(source.data / "files")
    return {key: stored[key] for key in asyncio.run(keys())}


async def open_sessions(dsn: str) -> int:
    owner = await connect(dsn)
    try:
        return await owner.fetchval("SELECT count(*) FROM session WHERE ended_at IS NULL")
    finally:
        await owner.close()


def test_every_table_holds_something(source: Source) -> None:
    empty = [name for name, found in source.content.items() if name.startswith("rows of ") and not found]
    assert empty == []
    assert len(bytes_in(source.data / "files")) >= 2


@pytest.mark.promise("O1")
@pytest.mark.rule("A14")
def test_what_is_restored_on_an_empty_machine_equals_what_was_backed_up(source: Source, elsewhere: Path) -> None:
    passphrase = source.backup.parents[1] / "passphrase"
    there = {"BEDSIDE_DATA": str(elsewhere)}
    said = bedside("backup", "restore", str(source.backup), "--passphrase-file", str(passphrase), given=there).stdout
    assert said.startswith("Restored ")
    assert "BEDSIDE_DATABASE_URL" in said  # which variables were set, by name
    assert KEY not in said

    async def restored() -> tuple[dict[str, list[object]], int]:
        server = await EmbeddedServer.start(elsewhere / "postgres")
        try:
            return await everything(server.owner_dsn()), await open_sessions(server.owner_dsn())
        finally:
            await server.stop()

    found, still_open = asyncio.run(restored())
    # What came after the dump's moment: there that the backup was complete, here that it was restored.
    later = {"audit_entry", "audit_unsealed"}
    assert found.keys() == source.content.keys()
    for name, expected in source.content.items():
        if name.removeprefix("rows of ") not in later | {"session"}:
            assert found[name] == expected, name
    assert len(rows(found, "session")) == len(rows(source.content, "session"))
    assert asyncio.run(open_sessions(source.database.owner_dsn)) > 0
    assert still_open == 0
    assert "Everybody is signed out." in said
    entries, before = ({str(entry) for entry in rows(content, "audit_entry")} for content in (found, source.content))
    assert [("backup.restore" in entry) for entry in entries - before] == [True]
    assert [("backup.complete" in entry) for entry in before - entries] == [True]

    assert bytes_in(elsewhere / "files") == files_with_rows(source)
    assert bytes_in(elsewhere / "audit") == bytes_in(source.anchor)
    assert (elsewhere / "secret.key").read_text() == KEY
    assert {path.stat().st_mode & 0o077 for path in (elsewhere / "secret.key", *(elsewhere / "audit").iterdir())} == {0}
    verdicts = told("audit", "verify", given=there)
    assert [verdict["fault"] for verdict in verdicts] == [None] * len(verdicts)
    assert sum(verdict["sealed"] for verdict in verdicts) == len(rows(source.content, "audit_seal"))
    assert sum(verdict["anchored"] for verdict in verdicts) > 0
    findings = {finding["name"]: finding["state"] for finding in told("doctor", given=there)}
    assert {name: findings[name] for name in ("role", "migrations", "tables")} == dict.fromkeys(
        ("role", "migrations", "tables"), "ok"
    )
    # A second time there is something already, and nothing of it is touched.
    refused = bedside("backup", "restore", str(source.backup), fails=True, given=there).stderr
    assert "already: a backup is restored into an empty one" in refused


@pytest.mark.promise("O1")
@pytest.mark.rule("A10")
@pytest.mark.parametrize("phase", ["restoring the database", "comparing"])
def test_a_restore_that_is_killed_leaves_nothing_or_no_session_open(
    source: Source, postgres_server: EmbeddedServer, database_templates: Templates, elsewhere: Path, phase: str
) -> None:
    name = database_templates.fresh_name()
    asyncio.run(postgres_server.create_database(name))
    owner = postgres_server.owner_dsn(name)
    given = {
        "BEDSIDE_DATABASE_URL": postgres_server.application_dsn(name),
        "BEDSIDE_DATABASE_OWNER_URL": owner,
        "BEDSIDE_DATA": str(elsewhere),
        "BEDSIDE_AUDIT_ANCHOR": str(elsewhere / "audit"),
        "BEDSIDE_SECRET_KEY": KEY,
    }
    restoring = (sys.executable, "-m", "bedside_core.cli", "backup", "restore", str(source.backup))
    with subprocess.Popen(restoring, env={**os.environ, **given}, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith(phase):
                process.kill()
                break
    assert process.returncode == -9, said

    async def left() -> tuple[bool, int]:
        """Tell, once nobody else is connected, whether there are tables, and how many sessions are open."""
        connection = await connect(owner)
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"
        try:

            async def alone() -> bool:
                return await connection.fetchval(others, name) == 0

            await until(alone, "the end of what it had started", 60.0)
        finally:
            await connection.close()
        bare = await is_bare(owner)
        return bare, 0 if bare else await open_sessions(owner)

    assert asyncio.run(open_sessions(source.database.owner_dsn)) > 0
    assert asyncio.run(left()) == (phase != "comparing", 0)
    if phase != "comparing":
        assert bedside("backup", "restore", str(source.backup), given=given).stdout.startswith("Restored ")
        assert asyncio.run(left()) == (False, 0)
    asyncio.run(postgres_server.drop_database(name))


def test_a_deep_look_restores_it_aside_and_follows_the_trail(source: Source) -> None:
    found = told("backup", "verify", str(source.backup), "--deep")
    assert found["faults"] == []
    assert found["entries"] == len(rows(source.content, "audit_seal"))
    assert (found["files"], found["key"]) == (len(files_with_rows(source)), "included")


def test_a_backup_is_readable_by_its_owner_alone_and_holds_the_key_only_sealed(source: Source) -> None:
    assert {path.stat().st_mode & 0o077 for path in (source.backup, *source.backup.rglob("*"))} == {0}
    for path in source.backup.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
    manifest = json.loads((source.backup / "manifest.json").read_text())
    assert "BEDSIDE_SECRET_KEY" in manifest["settings"]


def corrupt(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def found_in(backup: Path) -> str:
    """What is wrong with a backup; nothing where it is whole."""
    try:
        return "; ".join(asyncio.run(verify(backup)).faults)
    except BackupFailed as error:
        return str(error)


@pytest.mark.promise("O1")
def test_each_kind_of_damage_is_found_without_a_database(copy: Path) -> None:
    stored = min(path for path in (copy / "files").rglob("*") if path.is_file())
    parts = [copy / name for name in ("database.dump", "files.jsonl", "manifest.json", "secret.key.sealed")]
    for path in (*parts, stored, *(copy / "anchor").iterdir()):
        before = path.read_bytes()
        for damage in (corrupt, shorten, Path.unlink):
            damage(path)
            assert path.name in found_in(copy), (path.name, damage)
            path.write_bytes(before)
    (copy / "files" / "stranger").write_text("x")
    assert found_in(copy) == "1 files belong to nothing"
    (copy / "files" / "stranger").unlink()
    (copy / "stranger").write_text("x")
    assert found_in(copy) == "stranger is no part of the backup"
    (copy / "stranger").unlink()
    assert found_in(copy) == ""
    corrupt(copy / "database.dump")
    assert "BAD  database.dump is not what was backed up" in bedside("backup", "verify", str(copy), fails=True).stdout


def rewrite(backup: Path, **changes: object) -> None:
    """Have a manifest say something else, with a checksum that fits."""
    write_manifest(backup, msgspec.structs.replace(read_manifest(backup), **changes))


@pytest.mark.promise("J1")
def test_a_deep_look_finds_rows_files_and_trails_that_do_not_agree(copy: Path) -> None:
    manifest = read_manifest(copy)
    tables = {**manifest.tables, "patient": msgspec.structs.replace(manifest.tables["patient"], hash="1")}
    listing = copy / "files.jsonl"
    listing.write_text(listing.read_text().splitlines()[0] + "\n")
    stored = list(listed(copy))
    keys = {str(path.relative_to(copy / "files")) for path in (copy / "files").rglob("*") if path.is_file()}
    for key in keys - {stored[0].key}:
        (copy / "files" / key).unlink()
    anchor = min((copy / "anchor").iterdir())
    lines = [json.loads(line) for line in anchor.read_text().splitlines()]
    last = max((line for line in lines), key=lambda line: line["count"])
    anchor.write_text(anchor.read_text() + json.dumps({**last, "count": last["count"] + 5, "head": "ab" * 32}) + "\n")
    parts = {**manifest.parts, "files.jsonl": part_of(listing), f"anchor/{anchor.name}": part_of(anchor)}
    rewrite(copy, tables=tables, parts=parts, files=1, file_bytes=stored[0].size)
    assert found_in(copy) == ""
    faults = told("backup", "verify", str(copy), "--deep", fails=True)["faults"]
    assert [fault.split(":")[0] for fault in faults[:2]] == [
        "the table patient holds other rows",
        "files.jsonl and the rows name different files from " + min(keys - {stored[0].key}) + " on"
        if stored[0].key < min(keys - {stored[0].key}, default="z")
        else "files.jsonl names files that no row does",
    ]
    assert faults[2:] == [
        f"the audit trail of {last['practice']}: the trail ends at {last['count']}, "
        f"and {last['count'] + 5} entries were anchored"
    ]


def refusal(backup: Path, passphrase: str | None = None, **given: object) -> str:
    """Restore into what the configuration says, which has to be refused; returns why."""
    config = Config.model_validate({"audit_anchor": None, **given})
    with pytest.raises(BackupFailed) as refused:
        asyncio.run(restore(config, backup, passphrase=passphrase))
    return str(refused.value)


def test_a_newer_versions_backup_is_refused_and_nothing_is_made(copy: Path, elsewhere: Path) -> None:
    migrations = read_manifest(copy).migrations
    for app, of in (("core", "Bedside "), ("portal", "a version of the plugin portal")):
        newer = f"{app}_2999_01_01t00_00"
        rewrite(copy, migrations={**migrations, app: [*migrations[app], newer]})
        said = refusal(copy, data=elsewhere)
        assert of in said
        assert f"which is newer: {newer}" in said
    rewrite(copy, migrations={**migrations, "absent": ["absent_2999_01_01t00_00"]}, format=99)
    assert "needs a newer version" in refusal(copy, data=elsewhere)
    assert not elsewhere.exists()


def test_a_target_that_holds_anything_or_another_key_is_refused(
    source: Source, elsewhere: Path, tmp_path: Path
) -> None:
    stranger = tmp_path / "other" / "files" / ("ab" * 16) / ("cd" * 16)
    stranger.parent.mkdir(parents=True)
    stranger.write_text("x")
    anchor = tmp_path / "anchor"
    anchor.mkdir()
    (anchor / "2020-01.jsonl").write_text("{}\n")
    for told_so, given in (
        ("holds files already", {"files_url": f"file://{tmp_path}/other"}),
        ("holds another trail's anchor", {"audit_anchor": anchor}),
        ("key is another than the backup's", {"secret_key": "x" * 40}),
    ):
        assert told_so in refusal(source.backup, **{"data": elsewhere, "audit_anchor": elsewhere / "audit", **given})
    assert "does not open the deployment's key" in refusal(source.backup, "another horse battery", data=elsewhere)
    short = tmp_path / "short"
    short.write_text("12345\n")
    with pytest.raises(BackupFailed, match="less than 12 characters"):
        passphrase_in(short)
    there = {"database_url": source.database.dsn, "database_owner_url": source.database.owner_dsn}
    assert "has tables already" in refusal(source.backup, data=elsewhere, audit_anchor=elsewhere / "audit", **there)
    assert bytes_in(elsewhere) == {}


@pytest.mark.promise("O1")
def test_a_backup_that_was_interrupted_passes_for_nothing_and_is_swept_by_the_next(
    source: Source, tmp_path: Path
) -> None:
    into = tmp_path / "backups"
    killed = 0
    for phase in ("dumping the database", "copying files"):
        with subprocess.Popen(
            (sys.executable, "-m", "bedside_core.cli", "backup", "create", str(into)),
            env={**os.environ, **source.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith(phase):
                    process.kill()
                    break
        left = [path for path in into.iterdir() if path.name != ".lock"]
        assert [path.suffix for path in left] == [".unfinished"], "each sweeps what the one before has left"
        assert "was never finished" in found_in(left[0])
        renamed = left[0].rename(into / "bedside-20200101T000000Z")
        assert "is no backup" in found_in(renamed)
        shutil.rmtree(renamed)
        killed += 1
    assert killed == 2
    (into / "bedside-20200101T000000Z.unfinished").mkdir()
    names = [asyncio.run(create(source.config, into, keep=2)).folder.name for _ in range(3)]
    assert sorted(path.name for path in into.iterdir()) == sorted([".lock", *names[1:]])
    assert [found_in(into / name) for name in names[1:]] == ["", ""]


@pytest.mark.promise("O1")
def test_a_backup_made_while_people_work_is_of_one_moment(source: Source, tmp_path: Path) -> None:
    async def worked() -> Path:
        config = {
            "data": source.data,
            "audit_anchor": source.anchor,
            "worker": True,
            "secret_key": KEY,
            "public_url": "https://clinic.example",
        }
        async with served(source.database, **config) as deployment:
            practice = await deployment.practice("Busy")
            ada = await deployment.person(practice, Role.OWNER)
            stop, made = asyncio.Event(), 0

            async def work() -> None:
                nonlocal made
                while not stop.is_set():
                    new = NewPatient(
                        first_name="Pat", last_name="Moore", date_of_birth=date(1950, 2, 3), mrn=f"W{made}",
                        gender="female", phone="+12025550143", email=None,
                    )  # fmt: skip
                    patient = await deployment.platform.people.create_patient(practice.id, new)
                    await upload(deployment, ada, os.urandom(50_000).hex().encode(), str(patient.id), f"w{made}")
                    if made % 3 == 0:
                        files = await deployment.data(LIST, ada.token, p=str(patient.id), f=1, a=None)
                        await deployment.data(DELETE, ada.token, i=files["patientFiles"]["nodes"][0]["id"])
                    made += 1

            working = asyncio.create_task(work())
            await until(lambda: made > 2, "the work has begun", 60)
            before = made
            backup = await asyncio.to_thread(
                told, "backup", "create", str(tmp_path / "backups"), given=source.variables
            )
            assert made > before, "nobody worked meanwhile"
            stop.set()
            await working
            return Path(backup["folder"])

    folder = asyncio.run(worked())
    found = told("backup", "verify", str(folder), "--deep")
    assert (found["faults"], found["files_lost"], found["key"]) == ([], 0, "left out")
    assert found["files"] > 2


MEASURED = """
import sys
from pathlib import Path
from bedside_core.cli import main
try:
    main(sys.argv[1:])
finally:
    [peak] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    print(peak.split()[1])
"""


def peak(*arguments: str, **given: str) -> int:
    """Run a backup's command and return the most memory it had, in megabytes."""
    done = subprocess.run(
        (sys.executable, "-c", MEASURED, "backup", *arguments),
        env={**os.environ, **given}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout.splitlines()[-1]) >> 10


@pytest.mark.promise("O1")
def test_memory_stays_bounded_however_long_a_file_is(source: Source, tmp_path: Path) -> None:
    key, size = f"files/{'ab' * 16}/{'cd' * 16}", 250 << 20
    big = source.data / "files" / key
    big.parent.mkdir(parents=True, exist_ok=True)

    async def rows(sql: str) -> None:
        owner = await connect(source.database.owner_dsn)
        try:
            await owner.execute("SET session_replication_role = replica; " + sql)
        finally:
            await owner.close()

    with big.open("wb") as file:
        file.truncate(size)
    asyncio.run(
        rows(
            "INSERT INTO file_object (key, practice_id, file_id, kind, size, created_at) "
            f"VALUES ('{key}', gen_random_uuid(), gen_random_uuid(), 'content', {size}, now())"
        )
    )
    try:
        peaks = [
            peak("create", str(tmp_path), **source.variables),
            peak("verify", str(next(tmp_path.glob("bedside-*")))),
        ]
        assert max(peaks) < 200, "megabytes"
    finally:
        asyncio.run(rows(f"DELETE FROM file_object WHERE key = '{key}'"))
        big.unlink()
