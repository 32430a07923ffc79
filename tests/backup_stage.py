"""What tests of backups share: a deployment with something in every table, and everything a database says of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
from deployment import Person, served
from files_stage import ATTACH, CREATE, sha256

from bedside_core.auth import Role
from bedside_core.people import NewPatient
from bedside_core.testing import Database, until
from contract.world import furnish

KEY = "k" * 40
DEADLINE = 240.0

# What a row of these has to hold where a type or a list of values does not say it, as SQL.
BY_HAND: dict[str, dict[str, str]] = {}

# What was never granted and what is granted by default say the same.
RIGHTS = "(SELECT array_agg(each::text ORDER BY each::text) FROM unnest(coalesce({0}, acldefault({1}, {2}))) AS each)"

KIND = '''(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char"'''

CATALOGUE = {
    "tables": f"""SELECT relname, relkind, relrowsecurity, relforcerowsecurity, reloptions::text,
        {RIGHTS.format("relacl", KIND, "relowner")}
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S', 'v', 'i') ORDER BY 1""",
    "columns": """SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attacl::text,
        pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attnum > 0 AND NOT attisdropped AND attrelid IN
            (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r') ORDER BY 1, 2""",
    "policies": "SELECT * FROM pg_policies WHERE schemaname = 'public' ORDER BY tablename, policyname",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    "constraints": """SELECT conrelid::regclass::text, conname, convalidated, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "triggers": "SELECT pg_get_triggerdef(oid), tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
    "functions": f"""SELECT pg_get_functiondef(oid), prosecdef, {RIGHTS.format("proacl", "'f'", "proowner")}
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1""",
    "types": """SELECT t.typname, e.enumlabel FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
        ORDER BY 1, e.enumsortorder""",
    "sequences": "SELECT sequencename, last_value, increment_by FROM pg_sequences ORDER BY 1",
    "schema": f"""SELECT {RIGHTS.format("nspacl", "'n'", "nspowner")}
        FROM pg_namespace WHERE nspname = 'public'""",
    "groups": """SELECT rolname, rolsuper, rolinherit, rolcanlogin, rolbypassrls, rolcreaterole FROM pg_roles
        WHERE rolname IN ('bedside_application', 'bedside_queue', 'bedside_queue_door') ORDER BY 1""",
    "rights": f"""SELECT {RIGHTS.format("datacl", "'d'", "datdba")}
        FROM pg_database WHERE datname = current_database()""",
}


def bedside(
    *arguments: str, given: Mapping[str, str] | None = None, fails: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command as an operator does, in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BEDSIDE_")}
    done = subprocess.run(
        (sys.executable, "-m", "bedside_core.cli", *arguments),
        env={**environment, **(given or {})},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


def told(*arguments: str, given: Mapping[str, str] | None = None, fails: bool = False) -> Any:
    """Run a command with --json and return what it printed."""
    return json.loads(bedside(*arguments, "--json", given=given, fails=fails).stdout)


async def lived_in(database: Database, data: Path, anchor: Path) -> None:
    """Serve a deployment and use it, so that little of it is empty; then put a row into whatever table has none."""
    config = {
        "data": data,
        "audit_anchor": anchor,
        "worker": True,
        "secret_key": KEY,
        "public_url": "https://clinic.example",
    }
    async with served(database, **config) as deployment:
        practice = await deployment.practice()
        ada = await deployment.person(practice, Role.OWNER)
        await furnish(deployment, practice, ada)
        patient = await deployment.platform.people.create_patient(
            practice.id,
            NewPatient(first_name="Ünï", last_name="Møller", date_of_birth=date(1950, 2, 3), mrn="B-1", gender="female",
                       phone="+12025550143", email=None),
        )  # fmt: skip
        for number, content in enumerate((b"a letter", os.urandom(3 << 20).hex().encode())):
            await upload(deployment, ada, content, str(patient.id), f"u{number}")
        owner = await asyncpg.connect(database.owner_dsn)
        try:
            await until(lambda: _sealed(owner), "the audit trail is sealed", 60)
        finally:
            await owner.close()
    await fill_empty_tables(database.owner_dsn)


async def upload(deployment: Any, person: Person, content: bytes, patient: str, client_id: str) -> None:
    """Upload bytes and put them with a patient."""
    values = {"name": f"{client_id}.txt", "size": len(content), "sha": sha256(content), "c": client_id}
    made = (await deployment.data(CREATE, person.token, **values))["createUpload"]
    headers = {"authorization": f"Bearer {person.token}"}
    answer = await deployment.http.put(made["url"], content=content, headers=headers)
    assert answer.json().get("state") == "stored", answer.text
    await deployment.data(ATTACH, person.token, u=made["id"], p=patient)


async def _sealed(owner: Any) -> bool:
    return not await owner.fetchval("SELECT EXISTS (SELECT FROM audit_unsealed)")


async def fill_empty_tables(dsn: str) -> None:
    """Put one row into each table that has none, but the audit trail's, whose rows have to agree with each other."""
    owner = await asyncpg.connect(dsn)
    try:
        practice = await owner.fetchval("SELECT id FROM practice ORDER BY id LIMIT 1")
        tables = await owner.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
        )
        names = [row["relname"] for row in tables if not row["relname"].startswith("audit_")]
        left = [name for name in names if not await owner.fetchval(f'SELECT EXISTS (SELECT FROM "{name}")')]
        while left:  # some refer to others, which come first
            failed: dict[str, str] = {}
            for name in left:
                try:
                    await _fill(owner, name, practice)
                except (asyncpg.PostgresError, LookupError) as error:
                    failed[name] = str(error)
            assert len(failed) < len(left), f"tests/backup_stage.py, BY_HAND, has to say what these hold: {failed}"
            left = list(failed)
    finally:
        await owner.close()


_numbers = count(1)
_BY_TYPE = {
    "uuid": "gen_random_uuid()", "text": "'t-{n}'", "boolean": "true", "bytea": "decode(repeat('ab', 32), 'hex')",
    "integer": "{n}", "bigint": "{n}", "smallint": "{n}", "double precision": "0.1", "numeric": "1.5",
    "date": "'2026-01-31'", "timestamp with time zone": "now()", "timestamp without time zone": "localtimestamp",
    "jsonb": "'{{\"a\": [1.50, null]}}'", "json": "'[1]'", "interval": "'90 minutes'", "inet": "'::1'",
    "time without time zone": "'09:30'", "character varying": "'t-{n}'", "tsvector": "to_tsvector('simple', 'one two')",
}  # fmt: skip


async def _fill(owner: Any, table: str, practice: Any) -> None:
    columns = await owner.fetch(
        """SELECT attname AS name, format_type(atttypid, NULL) AS type,
            attgenerated <> '' OR EXISTS (SELECT FROM pg_attrdef
                WHERE adrelid = attrelid AND adnum = attnum AND pg_get_expr(adbin, adrelid) ~ '^nextval') AS made,
            (SELECT min(enumlabel) FROM pg_enum WHERE enumtypid = atttypid) AS label,
            (SELECT substring(min(pg_get_constraintdef(c.oid)) FROM $$'([^']*)'::text$$) FROM pg_constraint c
                WHERE c.conrelid = attrelid AND c.contype = 'c' AND c.conkey = ARRAY[attnum]
                AND pg_get_constraintdef(c.oid) ~ 'ANY|= ''') AS allowed
        FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum""",
        f'"{table}"',
    )
    values = {"practice_id": f"'{practice}'"} | await _referred(owner, table, practice) | BY_HAND.get(table, {})
    row: dict[str, str] = {}
    for column in columns:
        name, kind = column["name"], column["type"]
        if column["made"]:
            continue
        if name in values:
            row[name] = values[name]
        elif name == "email":
            row[name] = f"'t{next(_numbers)}@example.org'"
        elif column["label"] or column["allowed"]:
            row[name] = f"'{column['label'] or column['allowed']}'"
        elif kind.endswith("[]"):
            row[name] = f"ARRAY[{_BY_TYPE[kind[:-2]].format(n=next(_numbers))}]::{kind}"
        else:
            row[name] = _BY_TYPE[kind].format(n=next(_numbers))
    names = ", ".join(f'"{name}"' for name in row)
    await owner.execute(f'INSERT INTO "{table}" ({names}) VALUES ({", ".join(row.values())})')


async def _referred(owner: Any, table: str, practice: Any) -> dict[str, str]:
    """Return values for the columns that refer to other tables, of rows that are there."""
    keys = await owner.fetch(
        """SELECT confrelid::regclass::text AS other,
            (SELECT array_agg(attname::text ORDER BY n) FROM unnest(conkey) WITH ORDINALITY AS k(number, n)
                JOIN pg_attribute ON attrelid = conrelid AND attnum = number) AS own,
            (SELECT array_agg(attname::text ORDER BY n) FROM unnest(confkey) WITH ORDINALITY AS k(number, n)
                JOIN pg_attribute ON attrelid = confrelid AND attnum = number) AS theirs
        FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype = 'f' ORDER BY cardinality(conkey)""",
        f'"{table}"',
    )
    values: dict[str, str] = {}
    for key in keys:
        theirs = ", ".join(f'"{name}"::text' for name in key["theirs"])
        within = " WHERE practice_id = $1::uuid" if "practice_id" in key["theirs"] else ""
        arguments = (practice,) if within else ()
        found = await owner.fetchrow(f"SELECT {theirs} FROM {key['other']}{within} ORDER BY 1 LIMIT 1", *arguments)
        if found is None:
            raise LookupError(f"{key['other']} has no row")
        values |= {name: f"'{value}'" for name, value in zip(key["own"], found.values(), strict=True)}
    return values


async def everything(dsn: str) -> dict[str, list[Any]]:
    """Return every row of every table as text, and what the catalogue says of the database."""
    owner = await asyncpg.connect(dsn)
    try:
        found: dict[str, list[Any]] = {}
        for name, sql in CATALOGUE.items():
            found[name] = [tuple(row.values()) for row in await owner.fetch(sql)]
        for row in await owner.fetch(CATALOGUE["tables"]):
            if row["relkind"] == b"r":
                name = row["relname"]
                rows = await owner.fetch(f'SELECT whole::text AS said FROM "{name}" AS whole ORDER BY 1')
                found[f"rows of {name}"] = [row["said"] for row in rows]
        return found
    finally:
        await owner.close()


def bytes_in(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder."""
    return {str(path.relative_to(folder)): sha256(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
