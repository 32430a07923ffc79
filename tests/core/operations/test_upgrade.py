"""An older deployment is upgraded: its dump gets today's tables, and its people find what was theirs (promise O1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from deployment import APPS, served

from bedside_core.auth import token_hash
from bedside_core.database import EmbeddedServer, migrate, prepare_roles
from bedside_core.testing import Database, Templates

pytestmark = pytest.mark.timeout(300)  # several servers are started, each beside everything else

DUMPS = sorted((Path(__file__).parent / "dumps").glob("*.sql"))
PASSWORD = "quiet-otter-by-the-river"  # of the demo's people, who are in the dump
TOKEN = "signed-in-before-the-upgrade"
SESSION = """SELECT session.id, first_name || ' ' || last_name AS name FROM session
    JOIN member ON member.id = member_id JOIN account ON account.id = member.account_id
    WHERE email LIKE '%@premium.example' ORDER BY 1 LIMIT 1"""
ROWS = """SELECT 'practice' AS kind, id::text, name AS said FROM practice
    UNION ALL SELECT 'account', id::text, email FROM account
    UNION ALL SELECT 'member', id::text, first_name || ' ' || last_name || ' ' || role FROM member
    UNION ALL SELECT 'patient', id::text,
        first_name || ' ' || last_name || ' ' || date_of_birth || ' ' || mrn FROM patient
    UNION ALL SELECT 'message', id::text, body FROM message ORDER BY 1, 2"""


@pytest.fixture(params=DUMPS, ids=lambda path: path.stem)
async def older(
    request: pytest.FixtureRequest, postgres_server: EmbeddedServer, database_templates: Templates
) -> AsyncGenerator[Database]:
    """A database as an older version left it."""
    name = database_templates.fresh_name()
    await postgres_server.create_database(name)
    database = Database(name, postgres_server.application_dsn(name), postgres_server.owner_dsn(name))
    await prepare_roles(database.owner_dsn, database.dsn)
    await owned(database, request.param.read_text(encoding="utf-8"))
    yield database
    await postgres_server.drop_database(name)


async def owned(database: Database, sql: str, *values: object) -> list[Any]:
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        return await owner.fetch(sql, *values) if values or sql.startswith("SELECT") else [await owner.execute(sql)]
    finally:
        await owner.close()


@pytest.mark.promise("O1")
async def test_an_older_deployment_is_migrated_and_everybody_finds_what_was_theirs(older: Database) -> None:
    before = await owned(older, ROWS)
    assert {row["kind"] for row in before} == {"practice", "account", "member", "patient", "message"}
    [session] = await owned(older, SESSION)
    await owned(
        older,
        "UPDATE session SET token_hash = $2, expires_at = now() + interval '1 hour', ended_at = NULL WHERE id = $1",
        session["id"],
        token_hash(TOKEN),
    )
    migrated = await migrate(older.owner_dsn, APPS)
    assert migrated.failed == {}
    assert sum(map(len, migrated.applied.values())) > 0, "there is nothing to upgrade any more: take an older dump"
    assert await owned(older, ROWS) == before
    assert (await migrate(older.owner_dsn, APPS)).applied == dict.fromkeys(migrated.applied, ())

    async with served(older, worker=True) as deployment:
        # Who was signed in stays so, and who was not signs in with the password of old.
        viewer = await deployment.data("{ viewer { role member { name } } practice { name } }", TOKEN)
        assert viewer["viewer"]["member"]["name"] == session["name"]
        token = await deployment.sign_in("practitioner@premium.example", PASSWORD)
        practice = viewer["practice"]["name"]
        found = await deployment.data(
            """{ practice { name } patients(first: 100) { nodes { firstName lastName dateOfBirth mrn } }
            conversations(first: 10) { nodes { messages(first: 50) { nodes { body } } } } }""",
            token,
        )
        assert found["practice"] == {"name": practice}
        patients = {
            f"{each['firstName']} {each['lastName']} {each['dateOfBirth']} {each['mrn']}"
            for each in found["patients"]["nodes"]
        }
        of_practice = await owned(
            older,
            """SELECT first_name || ' ' || last_name || ' ' || date_of_birth || ' ' || mrn AS said FROM patient
            WHERE practice_id = (SELECT id FROM practice WHERE name = $1)""",
            practice,
        )
        assert patients == {row["said"] for row in of_practice}
        assert len(patients) > 0
        bodies = {message["body"] for each in found["conversations"]["nodes"] for message in each["messages"]["nodes"]}
        assert bodies <= {row["said"] for row in before if row["kind"] == "message"}
        assert len(bodies) > 3
        # And what is new works on what is old.
        searched = await deployment.data(
            "query($q: String!) { search(text: $q, first: 5) { nodes { __typename } } }",
            token,
            q=found["patients"]["nodes"][0]["lastName"],
        )
        assert len(searched["search"]["nodes"]) > 0
