"""Roles on servers of others: any PostgreSQL from 15 on, by URL, over TCP, with an owner who is no superuser."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest

from bedside_core.database import (
    DB,
    EmbeddedServer,
    OldServer,
    RolesMissing,
    acting,
    check_role,
    migrate,
    pending,
    prepare_roles,
)
from bedside_core.database.engine import refuse_old_server
from bedside_core.database.server import binaries
from bedside_core.ids import uuid7
from bedside_core.testing import Database
from rulebook import needs

WARD, ROUNDS = "ward.piccolo_app", "rounds.piccolo_app"
EAST, WEST = uuid7(), uuid7()


@pytest.fixture(scope="session")
def database_core() -> str:
    return WARD


@dataclass(frozen=True)
class External:
    """A server that somebody else runs."""

    port: int
    version: int

    def dsn(self, user: str, password: str, database: str = "clinic") -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"


def folder_of(program: str) -> Path:
    return Path(program).resolve().parent


@pytest.fixture(params=["newest", "oldest"])
async def external(request: pytest.FixtureRequest, postgres_server: EmbeddedServer) -> AsyncGenerator[External]:
    """A server over TCP with passwords: the newest from our wheel, the oldest where the system has it."""
    programs = binaries() if request.param == "newest" else folder_of(needs("postgres"))
    base = Path(tempfile.mkdtemp(prefix="bedside-external-", dir=postgres_server.folder.parent))
    owner = postgres_server.folder.stat()  # whoever may run PostgreSQL: as root that is a user of its own
    os.chown(base, owner.st_uid, owner.st_gid)
    (base / "password").write_text("super")
    (base / "password").chmod(0o644)

    def run(program: str, *args: str) -> None:
        command = (str(programs / program), "-D", str(base / "data"), *args)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", user=owner.st_uid, group=owner.st_gid)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    run(
        "initdb", "-U", "chief", "--auth=scram-sha-256", f"--pwfile={base / 'password'}", "--no-sync", "--encoding=UTF8"
    )
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={base} -c fsync=off"
    run("pg_ctl", "start", "-w", "-l", str(base / "log"), "-o", options)
    try:
        chief = await asyncpg.connect(f"postgresql://chief:super@127.0.0.1:{port}/postgres")
        version = chief.get_server_version().major
        await chief.execute(
            "CREATE ROLE clinic LOGIN CREATEROLE PASSWORD 'own'; CREATE ROLE powerless LOGIN PASSWORD 'no'"
        )
        await chief.execute("CREATE DATABASE clinic OWNER clinic")
        await chief.close()
        yield External(port, version)
    finally:
        run("pg_ctl", "stop", "-w", "-m", "immediate")
        shutil.rmtree(base)


@pytest.mark.promise("A3")
async def test_a_server_of_others_serves_with_an_owner_who_is_no_superuser(external: External) -> None:
    assert external.version >= 15
    owner, application = external.dsn("clinic", "own"), external.dsn("bedside", "it%27s%5C%20secret")
    await prepare_roles(owner, application)
    await prepare_roles(owner, application)
    done = await migrate(owner, [ROUNDS], core=WARD)
    assert done.failed == {}
    assert await pending(application, [ROUNDS], core=WARD) == []

    await DB.open(application)
    try:
        assert await check_role() == []
        note = uuid7()
        with acting(EAST):
            await DB.execute("INSERT INTO note (id, practice_id, body) VALUES ($1, $2, 'east')", note, EAST)
            assert await DB.fetchval("SELECT body FROM note") == "east"
        with acting(WEST):
            assert await DB.fetch("SELECT * FROM note") == []
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await DB.execute("INSERT INTO note (id, practice_id, body) VALUES ($1, $2, 'x')", uuid7(), EAST)
        assert await DB.fetch("SELECT * FROM note") == []
        for statement in ("SELECT * FROM practice", "CREATE TABLE own (id int)", "CREATE TEMPORARY TABLE own (id int)"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await DB.execute(statement)
        assert await DB.fetchval("SELECT practice_name($1)", EAST) is None
    finally:
        await DB.close()


async def test_the_queue_is_reached_by_taking_its_role_on_only(external: External) -> None:
    owner, application = external.dsn("clinic", "own"), external.dsn("bedside", "pw")
    await prepare_roles(owner, application)
    setter = await asyncpg.connect(owner)
    await setter.execute(
        "CREATE TABLE jobs (id int); GRANT SELECT ON jobs TO bedside_queue; CREATE TABLE other (id int)"
    )
    await setter.close()
    connection = await asyncpg.connect(application)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM jobs")
        async with connection.transaction():
            await connection.execute("SET LOCAL ROLE bedside_queue")
            assert await connection.fetch("SELECT * FROM jobs") == []
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await connection.fetch("SELECT * FROM other")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM jobs")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SET ROLE clinic")
    finally:
        await connection.close()


async def test_an_owner_without_the_right_is_told_what_an_administrator_must_run(external: External) -> None:
    with pytest.raises(RolesMissing) as missing:
        await prepare_roles(external.dsn("powerless", "no", "clinic"), external.dsn("bedside", "pw"))
    assert 'CREATE ROLE "bedside_application" NOLOGIN' in str(missing.value)
    assert "pw" not in str(missing.value)


async def test_roles_can_be_prepared_in_several_databases_at_once(postgres_server: EmbeddedServer) -> None:
    names = [f"roles_{number}" for number in range(4)]
    await asyncio.gather(*(postgres_server.create_database(name) for name in names))
    server = postgres_server
    await asyncio.gather(
        *(prepare_roles(server.owner_dsn(name), server.application_dsn(name)) for name in names for _ in range(3))
    )
    await asyncio.gather(*(postgres_server.drop_database(name) for name in names))


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("ALTER ROLE unfit SUPERUSER", "is a superuser, whom row-level security does not bind"),
        ("ALTER ROLE unfit BYPASSRLS", "has BYPASSRLS"),
        ("ALTER ROLE unfit CREATEROLE", "may create roles"),
        ("ALTER TABLE note OWNER TO unfit", "owns tables, and row-level security does not bind owners"),
        ("REVOKE bedside_application FROM unfit", "is not a member of bedside_application"),
    ],
)
async def test_an_unfit_role_is_told_why(fresh_database: Database, sql: str, reason: str) -> None:
    owner = await asyncpg.connect(fresh_database.owner_dsn)
    unfit = fresh_database.dsn.replace("bedside_app@", "unfit@")
    try:
        await prepare_roles(fresh_database.owner_dsn, unfit)
        await DB.open(unfit, min_size=1, max_size=2)
        assert await check_role() == []
        await owner.execute(sql)
        assert await check_role() == [f"the database role unfit {reason}"]
    finally:
        await DB.close()
        await owner.execute("REASSIGN OWNED BY unfit TO postgres; DROP OWNED BY unfit; DROP ROLE unfit")
        await owner.close()


async def test_a_database_without_roles_says_to_migrate(external: External) -> None:
    await DB.open(external.dsn("powerless", "no"))
    try:
        assert await check_role() == ["the role bedside_application does not exist: run `bedside migrate` as the owner"]
    finally:
        await DB.close()


def test_a_server_older_than_15_is_refused() -> None:
    def server(major: int) -> SimpleNamespace:
        return SimpleNamespace(get_server_version=lambda: SimpleNamespace(major=major, minor=9))

    refuse_old_server(server(15))
    with pytest.raises(OldServer, match=r"PostgreSQL 15 or newer is needed; this server is 14\.9"):
        refuse_old_server(server(14))
