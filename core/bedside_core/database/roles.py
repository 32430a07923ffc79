"""The roles of a database: the application's login owns nothing, bypasses nothing, and has what migrations grant."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, unquote, urlsplit

from bedside_core.database.driver import Connection, DedicatedConnection, asyncpg
from bedside_core.database.engine import DB, connect
from bedside_core.database.kinds import APPLICATION, QUEUE

QUEUE_DOOR = "bedside_queue_door"
"""Stands between the login role and the queue's: it does not inherit, so the queue's rights come by `SET ROLE` alone.
(From PostgreSQL 16 a membership can say so itself; on 15 only a role can.)"""

TRIES = 5


class RolesMissing(RuntimeError):
    """The owner may not create the roles that are missing; the message has the SQL for somebody who may."""


async def prepare_roles(owner_dsn: str, application_dsn: str) -> None:
    """Make the roles where they are absent, and give them the database. Can be repeated, also by two processes at once.

    Args:
        owner_dsn: URL as the owner of the database.
        application_dsn: URL as the application's login role, whose name and password are taken for a role that is made.

    Raises:
        RolesMissing: roles are absent and the owner may not create any.
        Unavailable: there is no server.
    """
    login, password = _login(application_dsn)
    owner = await connect(owner_dsn)
    try:
        for left in reversed(range(TRIES)):
            try:
                await _prepare(owner, login, password)
            except asyncpg.InternalServerError:  # "tuple concurrently updated": roles belong to the whole server
                if not left:
                    raise
                await asyncio.sleep(0.05)
            else:
                return
    finally:
        await owner.close()


async def check_role() -> list[str]:
    """Return why the role that `DB` is connected as is unfit for the application; empty when it is fit."""
    row = await DB.fetchrow(
        """SELECT current_user::text AS name, rolsuper, rolbypassrls, rolcreaterole,
                  pg_has_role(current_user, $1, 'USAGE') AS member,
                  (SELECT count(*) FROM pg_class WHERE relowner = pg_roles.oid AND relkind IN ('r', 'p')) AS owned
           FROM pg_roles WHERE rolname = current_user AND EXISTS (SELECT FROM pg_roles WHERE rolname = $1)""",
        APPLICATION,
    )
    if row is None:
        return [f"the role {APPLICATION} does not exist: run `bedside migrate` as the owner"]
    reasons = {
        "is a superuser, whom row-level security does not bind": row["rolsuper"],
        "has BYPASSRLS": row["rolbypassrls"],
        "may create roles": row["rolcreaterole"],
        "owns tables, and row-level security does not bind owners": row["owned"],
        f"is not a member of {APPLICATION}": not row["member"],
    }
    return [f"the database role {row['name']} {reason}" for reason, holds in reasons.items() if holds]


async def _prepare(owner: DedicatedConnection, login: str, password: str | None) -> None:
    wanted = {
        APPLICATION: "NOLOGIN",
        QUEUE: "NOLOGIN",
        QUEUE_DOOR: "NOLOGIN NOINHERIT",
        login: "LOGIN INHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"
        + (f" PASSWORD {_literal(password)}" if password else ""),
    }
    for role, options in wanted.items():
        if not await _exists(owner, role):
            await _create(owner, role, options, wanted)
    database = _quoted(await owner.fetchval("SELECT current_database()"))
    for member, group in ((login, APPLICATION), (QUEUE_DOOR, QUEUE), (login, QUEUE_DOOR)):
        if not await owner.fetchval(
            """SELECT EXISTS (SELECT FROM pg_auth_members
                              WHERE roleid = $1::text::regrole AND member = $2::text::regrole)""",
            _quoted(group),
            _quoted(member),
        ):
            await owner.execute(f"GRANT {_quoted(group)} TO {_quoted(member)}")
    await owner.execute(
        # No TEMPORARY: a temporary table could stand in front of a real one for code that does not pin its search path.
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC; REVOKE CREATE ON SCHEMA public FROM PUBLIC; "
        f"GRANT CONNECT ON DATABASE {database} TO {APPLICATION}, {QUEUE}; "
        f"GRANT USAGE ON SCHEMA public TO {APPLICATION}, {QUEUE}"
    )


async def _exists(owner: Connection, role: str) -> bool:
    return await owner.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role)


async def _create(owner: Connection, role: str, options: str, wanted: dict[str, str]) -> None:
    try:
        await owner.execute(f"CREATE ROLE {_quoted(role)} {options}")
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        pass  # another process was quicker
    except asyncpg.InsufficientPrivilegeError as error:
        told = "; ".join(f"CREATE ROLE {_quoted(name)} {how.split(' PASSWORD ')[0]}" for name, how in wanted.items())
        raise RolesMissing(f"the owner may not create the role {role}; let an administrator run: {told}") from error


def _login(dsn: str) -> tuple[str, str | None]:
    """Return user and password of a URL."""
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    user = unquote(parts.username) if parts.username else query.get("user", [""])[0]
    password = unquote(parts.password) if parts.password else query.get("password", [None])[0]
    if not user:
        raise ValueError("the database URL of the application names no user")
    return user, password


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"
