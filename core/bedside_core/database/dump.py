"""Dumps a database as it was at one moment, puts a dump back, and tells whether two databases hold the same."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from asyncio import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from bedside_core.database.driver import DedicatedConnection
from bedside_core.database.engine import connect
from bedside_core.database.server import VERSION, binaries

_TABLES = """SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname"""

# A row as text depends on these alone; the time zone is set for every connection.
_AS_TEXT = """SET LOCAL datestyle = 'ISO, MDY'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1; SET LOCAL statement_timeout = 0"""


class DumpFailed(RuntimeError):
    """PostgreSQL's own program refused; the message ends with what it said, which names tables and no values."""


class Content(NamedTuple):
    """What a table holds.

    Args:
        rows: how many.
        hash: of all of them, in whatever order: the sum of 60 bits of each row's SHA-256, in decimal digits.
    """

    rows: int
    hash: str


class Snapshot:
    """A database at one moment, whatever others write meanwhile; made by `snapshot`."""

    def __init__(self, connection: DedicatedConnection, id: str, version: str) -> None:
        self.connection = connection
        self.id = id
        """By which `dump` sees the same moment."""
        self.version = version
        """Of the server."""

    async def contents(self) -> dict[str, Content]:
        """Return what each table of `public` holds. Reads every row once, and keeps none."""
        found: dict[str, Content] = {}
        for row in await self.connection.fetch(_TABLES):
            name: str = row["relname"]
            told = await self.connection.fetchrow(
                "SELECT count(*) AS rows, coalesce(sum(('x' || substr(encode(sha256(convert_to(bedside_row::text, "
                "'UTF8')), 'hex'), 1, 15))::bit(60)::bigint), 0)::text AS hash "
                f'FROM public."{name}" AS bedside_row'
            )
            if told is not None:
                found[name] = Content(told["rows"], told["hash"])
        return found

    async def sequences(self) -> dict[str, int | None]:
        """Return the last value of each sequence; None where there was none. Sequences belong to no moment."""
        rows = await self.connection.fetch(
            "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY sequencename"
        )
        return {row["sequencename"]: row["last_value"] for row in rows}

    async def migrations(self) -> dict[str, list[str]]:
        """Return the ids of the migrations that were run, by app."""
        found: dict[str, list[str]] = {}
        for row in await self.connection.fetch("SELECT app_name, name FROM migration ORDER BY app_name, name"):
            found.setdefault(row["app_name"], []).append(row["name"])
        return found


@asynccontextmanager
async def snapshot(owner_dsn: str, *, but: str | None = None) -> AsyncGenerator[Snapshot]:
    """Hold on to a moment of the database during the block.

    Args:
        owner_dsn: URL as the owner of the tables, whom row-level security does not bind.
        but: a statement by which the moment differs from what is there; nobody else sees it, and it is never committed.

    Raises:
        Unavailable: there is no server.
    """
    connection = await connect(owner_dsn)
    try:
        await connection.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ{'' if but else ' READ ONLY'}")
        if but:
            await connection.execute(but)
        await connection.execute(_AS_TEXT)
        id = await connection.fetchval("SELECT pg_export_snapshot()")
        yield Snapshot(connection, id, await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


async def is_bare(owner_dsn: str) -> bool:
    """Tell whether a database has no tables yet."""
    connection = await connect(owner_dsn)
    try:
        return not await connection.fetch(_TABLES)
    finally:
        await connection.close()


async def dump(owner_dsn: str, seen: Snapshot, path: Path) -> None:
    """Write everything of a database to a file, in PostgreSQL's custom format.

    Args:
        owner_dsn: URL as the owner.
        seen: the moment.
        path: the file.

    Raises:
        DumpFailed: it can't be written, or the server is newer than any `pg_dump` here.
    """
    arguments = ("--format=custom", f"--snapshot={seen.id}", "--no-password", f"--file={path}")
    await _run("pg_dump", _major(seen.version), owner_dsn, *arguments)


async def restore(owner_dsn: str, path: Path, *, also: str = "") -> None:
    """Put a dump into a bare database, all or nothing; the roles have to be there.

    The script of the dump is run between a BEGIN and a COMMIT that come from here: whoever is killed meanwhile, this
    process or one of PostgreSQL's, the script ends without its COMMIT.

    Args:
        owner_dsn: URL as who will own the tables.
        path: what `dump` wrote. It is code, and runs with that role's rights.
        also: statements that belong to it, such as what must not be without them; nothing is on the search path.

    Raises:
        DumpFailed: it can't be put back; the database is as it was.
    """
    connection = await connect(owner_dsn)
    try:
        version = _major(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()
    quiet = ("--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", "--file=-")
    script, into = _pipe()
    with into:
        with script:
            running = await _start("psql", version, *quiet, dsn=owner_dsn, stdin=script)
        refusal = asyncio.create_task(_complaint("psql", running))
        with suppress(BrokenPipeError):  # of which psql says why
            await asyncio.to_thread(into.write, b"BEGIN;\n")
        arguments = ("--file=-", "--no-owner", "--exit-on-error", str(path))
        try:
            unread = await _complaint("pg_restore", await _start("pg_restore", version, *arguments, stdout=into))
            if unread is None:
                with suppress(BrokenPipeError):
                    await asyncio.to_thread(into.write, f"{also};\nCOMMIT;\n".encode())
        except BaseException:
            refusal.cancel()
            with suppress(asyncio.CancelledError):
                await refusal
            raise
    if complaint := await refusal or unread:
        raise DumpFailed(complaint)
    connection = await connect(owner_dsn)
    try:
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def readable(path: Path) -> str | None:
    """Return why a dump can't be read to its end, without a database; None where it can."""
    return await _complaint("pg_restore", await _start("pg_restore", VERSION, "--file=/dev/null", str(path)))


def differences(expected: Mapping[str, Content], found: Mapping[str, Content]) -> list[str]:
    """Return in words where two databases hold different things."""
    told: list[str] = []
    for name in sorted({*expected, *found}):
        if name not in found:
            told.append(f"the table {name} is missing")
        elif name not in expected:
            told.append(f"the table {name} was not in the backup")
        elif expected[name] != found[name]:
            rows = expected[name].rows, found[name].rows
            told.append(f"the table {name} holds other rows" + (f": {rows[1]}, not {rows[0]}" * (rows[0] != rows[1])))
    return told


def _major(version: str) -> int:
    return int(re.split(r"[^0-9]", version, maxsplit=1)[0])


def _program(name: str, server: int) -> Path:
    """Return a program that a server of this version can be read with: ours, or for a newer server the system's."""
    if server <= VERSION:
        return binaries() / name
    found = shutil.which(name)
    if found is None:
        raise DumpFailed(f"the server is PostgreSQL {server}, and no {name} of that version is on the path")
    return Path(found)


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    """Return the two ends of a pipe: to read from, and to write to."""
    read, write = os.pipe()
    return os.fdopen(read, "rb", buffering=0), os.fdopen(write, "wb", buffering=0)


async def _run(name: str, server: int, dsn: str, *arguments: str) -> None:
    if complaint := await _complaint(name, await _start(name, server, *arguments, dsn=dsn)):
        raise DumpFailed(complaint)


async def _start(
    name: str,
    server: int,
    *arguments: str,
    dsn: str | None = None,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> subprocess.Process:
    """Start one of PostgreSQL's programs.

    Args:
        name: the program.
        server: major version of the server that it is for.
        arguments: further ones.
        dsn: what to connect to, if anything.
        stdin: where it reads; by default nothing.
        stdout: where it writes; by default nowhere.
    """
    program = await asyncio.to_thread(_program, name, server)
    url, password = without_password(dsn) if dsn is not None else (None, None)
    return await subprocess.create_subprocess_exec(
        program,
        *([f"--dbname={url}"] if url is not None else []),
        *arguments,
        stdin=stdin or subprocess.DEVNULL,
        stdout=stdout or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **({"PGPASSWORD": password} if password else {})},
        umask=0o077,
    )


async def _complaint(name: str, process: subprocess.Process) -> str | None:
    """Wait for a program's end, and return what it complained of; None where it was content."""
    try:
        _, said = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return f"{name} failed: {_last(said)}" if process.returncode else None


def _last(said: bytes) -> str:
    """Return the first complaint; what follows may quote rows (`DETAIL`, `CONTEXT`)."""
    lines = [line for line in said.decode(errors="replace").splitlines() if "error:" in line.lower()]
    return lines[0] if lines else "it did not say why"


def without_password(dsn: str) -> tuple[str, str | None]:
    """Return a URL that may stand on a command line, and the password that was in it."""
    parts = urlsplit(dsn)
    password = unquote(parts.password) if parts.password else None
    netloc = parts.netloc
    if parts.password is not None:
        user, _, host = netloc.rpartition("@")
        netloc = f"{user.split(':', 1)[0]}@{host}"
    query = parse_qsl(parts.query, keep_blank_values=True)
    password = password or dict(query).get("password")
    kept = urlencode([(name, value) for name, value in query if name != "password"], quote_via=quote)
    return f"{parts.scheme}://{netloc}{parts.path}" + (f"?{kept}" if kept else ""), password
