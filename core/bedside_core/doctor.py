"""Looks at everything that a deployment needs, and says of each thing whether it is well and what to do if not."""

from __future__ import annotations

import os
import platform as machine
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bedside_core import precautions, tables
from bedside_core.boot import apps_of, outlined
from bedside_core.client import is_built
from bedside_core.config import Config
from bedside_core.database import DB, EmbeddedServer, Kind, OldServer, check_role, pending, table_faults
from bedside_core.database.driver import Connection, asyncpg
from bedside_core.database.engine import connect
from bedside_core.database.migrate import read_app
from bedside_core.demo.folder import is_demo
from bedside_core.entrance import is_loopback
from bedside_core.errors import Problem
from bedside_core.findings import Finding, fail, ok, warn
from bedside_core.plugins import Plugins, Status
from bedside_core.serving import listens_locally

_OURS = frozenset({"BEDSIDE_DEBUG", "BEDSIDE_FULL", "BEDSIDE_REQUIRE"})
"""Variables that are none of `Config`'s: for developers."""

_WHICH = "SELECT current_database() || ' of ' || pg_postmaster_start_time()::text"


async def examine(config: Config) -> AsyncIterator[Finding]:
    """Yield the findings of a deployment, one after the other. Nothing is changed by looking.

    Args:
        config: the deployment's configuration.
    """
    yield ok("python", f"Python {machine.python_version()} on {machine.system()}")
    given = (*_variables(config), *_address(config), _anchor(config.anchor), _bundle())
    for finding in (*given, *precautions.of_machine(config)):
        yield finding
    plugins = outlined(config.model_copy(update={"strict": False})).plugins
    for finding in _plugins(plugins):
        yield finding
    async for finding in _database(config, plugins):
        yield finding


def _anchor(folder: Path) -> Finding:
    made = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    if not made.is_dir() or not os.access(made, os.W_OK | os.X_OK):
        return fail("anchor", f"{made} can't be written", "Let BEDSIDE_AUDIT_ANCHOR name a folder of Bedside's user.")
    return ok("anchor", f"heads of the audit trail are written to {folder}")


def _variables(config: Config) -> list[Finding]:
    findings: list[Finding] = []
    known = {f"BEDSIDE_{name.upper()}" for name in Config.model_fields} | _OURS
    prefixes = tuple(f"BEDSIDE_{plugin.upper()}_" for plugin in config.plugins)
    for name in sorted(os.environ):
        if name.startswith("BEDSIDE_") and name not in known and not name.startswith(prefixes):
            findings.append(warn("variables", f"{name} is no variable of Bedside's", "Is it misspelt?"))
    if config.demo or config.testing:
        name = "BEDSIDE_DEMO" if config.demo else "BEDSIDE_TESTING"
        findings.append(fail("variables", f"{name} is set, with which anybody could move the clock", f"Unset {name}."))
    if config.database_url is None and is_demo(config.data):
        findings.append(fail("data", f"{config.data} is the demo's folder", "Set BEDSIDE_DATA to another one."))
    return findings or [ok("variables", "all are known")]


def _address(config: Config) -> list[Finding]:
    if config.public_url is None:
        if listens_locally(config.host):
            return [warn("address", "BEDSIDE_PUBLIC_URL is not set", "Set it once a proxy stands in front.")]
        return [
            fail(
                "address",
                f"{config.host} is reached without a proxy, and so without TLS",
                "Listen on 127.0.0.1, put a proxy with TLS in front, and set BEDSIDE_PUBLIC_URL.",
            )
        ]
    parts = urlsplit(config.public_url)
    if parts.scheme != "https" and not is_loopback(parts.netloc):
        return [fail("address", f"{config.public_url} is not https", "Let the proxy end TLS; see docs/operations.md.")]
    if parts.path not in {"", "/"} or not parts.netloc:
        return [fail("address", f"{config.public_url} is not scheme and host alone", "Leave its path out.")]
    return [ok("address", f"{config.public_url} leads to {config.host}, port {config.port}")]


def _bundle() -> Finding:
    if not is_built():
        return warn("client", "the client is not built", "Run `make install`, or install a wheel.")
    return ok("client", "the client is built")


def _plugins(plugins: Plugins) -> list[Finding]:
    findings: list[Finding] = []
    for report in plugins.report():
        if report.status is Status.ACTIVE:
            findings.append(ok(f"plugin {report.name}", f"{report.title} {report.version}"))
        elif report.status is Status.FAILED:
            findings.append(
                fail(
                    f"plugin {report.name}",
                    report.reason or "failed",
                    "`bedside plugins check` says more; or leave it out of BEDSIDE_PLUGINS.",
                )
            )
    return findings


async def _database(config: Config, plugins: Plugins) -> AsyncGenerator[Finding]:
    if config.database_url is None:
        if not (config.data / "postgres" / "cluster").is_dir():
            yield ok("database", f"the private server will be made in {config.data} at the first start")
            return
        server = await EmbeddedServer.start(config.data / "postgres")
        try:
            async for finding in _of(server.application_dsn(), server.owner_dsn(), plugins):
                yield finding
        finally:
            await server.stop()
    else:
        async for finding in _of(config.database_url, config.database_owner_url, plugins):
            yield finding


async def _of(dsn: str, owner_dsn: str | None, plugins: Plugins) -> AsyncGenerator[Finding]:
    migrating = "Run `bedside migrate`; the private server migrates at the next start."
    try:
        async with _opened(dsn):
            yield ok("database", f"PostgreSQL {await DB.fetchval('SHOW server_version')} answers")
            if unfit := await check_role():
                for reason in unfit:
                    yield fail("role", reason, "BEDSIDE_DATABASE_URL has to name a role that `bedside migrate` made.")
            else:
                yield ok("role", "the application's role owns and bypasses nothing")
            if missing := await pending(dsn, apps_of(plugins)):
                yield fail("migrations", f"{len(missing)} are pending: {', '.join(missing)}", migrating)
                return
            yield ok("migrations", "all were applied")
            async with _looking(owner_dsn) as connection:
                which = await connection.fetchval(_WHICH)
                if which != await DB.fetchval(_WHICH):
                    yield fail("owner", f"BEDSIDE_DATABASE_OWNER_URL reaches {which}", "Let both name one database.")
                    return
                for finding in await _tables(connection, plugins):
                    yield finding
            yield await _clock()
            yield await _sealing()
            async for finding in precautions.of_database():
                yield finding
    except (Problem, OldServer, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        yield fail("database", f"{error}{cause}", "Check BEDSIDE_DATABASE_URL, and whether the server runs.")


@asynccontextmanager
async def _opened(dsn: str) -> AsyncGenerator[None]:
    await DB.open(dsn, max_size=2)
    try:
        yield
    finally:
        await DB.close()


@asynccontextmanager
async def _looking(owner_dsn: str | None) -> AsyncGenerator[Connection]:
    """Give a connection as the owner, where there is one; the application's role may read the catalogue too."""
    if owner_dsn is None:
        async with DB.connection() as connection:
            yield connection
        return
    owner = await connect(owner_dsn)
    try:
        yield owner
    finally:
        await owner.close()


async def _tables(connection: Connection, plugins: Plugins) -> list[Finding]:
    kinds: dict[str, Kind] = dict(tables.TABLE_KINDS)
    for app in apps_of(plugins):
        kinds.update(read_app(app, ()).kinds)
    faults = await table_faults(connection, kinds)
    # A plugin that is no longer active leaves its tables; that they have no kind is no hole.
    left = [fault for fault in faults if "has no declared kind" in fault]
    findings = [
        fail("tables", fault, "Rows may reach another practice: stop serving, and mend the table's migration.")
        for fault in faults
        if fault not in left
    ]
    if left:
        what = ", ".join(fault.split()[1] for fault in left)
        findings.append(warn("tables", f"no active plugin declares {what}", "Enable its plugin, or drop what is old."))
    return findings or [ok("tables", f"{len(kinds)} tables are secured as their kinds say")]


async def _sealing() -> Finding:
    """Tell whether somebody seals the audit trail, which takes less than a second."""
    row = await DB.fetchrow(
        """SELECT sum(entries) AS waiting, min(since) AS since, min(since) < now() - interval '1 minute' AS late
        FROM audit_unsealed_practices()"""
    )
    if row is not None and row["late"]:
        return warn(
            "audit",
            f"{row['waiting']} entries wait for their seal, the oldest since {row['since']:%Y-%m-%d %H:%M} UTC",
            "Let a process run jobs (BEDSIDE_WORKER, or `bedside worker`), and see what its log says of the anchor.",
        )
    return ok("audit", "the audit trail is sealed; `bedside audit verify` tells whether it is whole")


async def _clock() -> Finding:
    offset = float(await DB.fetchval("SELECT clock_offset_seconds()"))
    if offset:
        return warn(
            "clock",
            f"its row says {offset:g} s, which counts in demo and tests only",
            "Was this database a demo's or a test's? Then make a new one.",
        )
    return ok("clock", "it is the machine's")
