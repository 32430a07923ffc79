"""Dumps a database as it was at one moment, puts a dump back, and tells whether two databases hold the same."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from asyncio import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
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
async def snapshot(owner_dsn: str) -> AsyncGenerator[Snapshot]:
    """Hold on to a moment of the database during the block.

    Args:
        owner_dsn: URL as the owner of the tables, whom row-level security does not bind.

    Raises:
        Unavailable: there is no server.
    """
    connection = await connect(owner_dsn)
    try:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
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


async def restore(owner_dsn: str, path: Path) -> None:
    """Put a dump into a bare database, all or nothing; the roles have to be there.

    Args:
        owner_dsn: URL as who will own the tables.
        path: what `dump` wrote. It is code, and runs with that role's rights.

    Raises:
        DumpFailed: it can't be put back; the database is as it was.
    """
    arguments = ("--no-owner", "--single-transaction", "--exit-on-error", "--no-password")
    connection = await connect(owner_dsn)
    try:
        version = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    await _run("pg_restore", _major(version), owner_dsn, *arguments, str(path))
    connection = await connect(owner_dsn)
    try:
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def readable(path: Path) -> str | None:
    """Return why a dump can't be read to its end, without a database; None where it can."""
    program = await asyncio.to_thread(_program, "pg_restore", VERSION)
    process = await subprocess.create_subprocess_exec(
        program, "--file=/dev/null", str(path), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, said = await process.communicate()
    return _last(said) if process.returncode else None


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


async def _run(name: str, server: int, dsn: str, *arguments: str) -> None:
    program = await asyncio.to_thread(_program, name, server)
    url, password = without_password(dsn)
    process = await subprocess.create_subprocess_exec(
        program,
        f"--dbname={url}",
        *arguments,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **({"PGPASSWORD": password} if password else {})},
        umask=0o077,
    )
    try:
        _, said = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise DumpFailed(f"{name} failed: {_last(said)}")


def _last(said: bytes) -> str:
    """Return the first complaint; what follows may quote rows (`DETAIL`, `CONTEXT`)."""
    lines = [line for line in said.decode(errors="replace").splitlines() if "error:" in line]
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
