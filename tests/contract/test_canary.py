"""A canary of one practice in every field of every table that it can fill, and another practice that asks for all.

Nothing here names a field of the schema or a column: both are read from the running deployment. A table with rows of a
practice that `furnish` does not fill fails the build.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog
from accounts_stage import WIDE, cheap_hashes
from deployment import APPS, Deployment, Held, Person, served
from graphql import GraphQLObjectType

from bedside_core.auth import Role
from bedside_core.people import Practice
from bedside_core.testing import Database
from bedside_graphql.endpoint import schema_of
from contract import operations, policy
from contract.world import ACCEPT, CONFIG, KINDS, MEMBERS, REQUEST, client_id, furnish

CANARY = "canary"
DEPTH = 4
EXEMPT = {
    "job_attempt", "job_schedule", "clock",  # hold nothing of a practice
    "audit_seal", "audit_unsealed",  # ids and hashes alone, which come and go by themselves
}  # fmt: skip
DIRECTORY = {
    "practice.name", "member.first_name", "member.last_name", "member.phone", "account.email",
    "connection.named",  # what the other practice named ours by
}  # fmt: skip
"""What a connected practice may see (P2, A8)."""

_OWNED = """
SELECT c.relname AS table_name, array_agg(a.attname::text) AS columns FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname NOT LIKE 'pgqueuer%'
AND c.relname <> 'migration' GROUP BY c.relname ORDER BY c.relname"""

_TEXTS = """
SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1
AND data_type IN ('text', 'character varying', 'jsonb', 'json') AND is_generated = 'NEVER'"""


@pytest.fixture(autouse=True)
def wide_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """More is asked here than a person asks."""
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


def whose(table: str, columns: list[str]) -> str | None:
    """Return the condition on a table's rows of the practice $1, None where it has none of any practice."""
    accounts = "(SELECT account_id FROM member WHERE practice_id = $1)"
    if table == "practice":
        return "id = $1"
    if table == "account":
        return f"id IN {accounts}"
    if "practice_id" in columns:
        return "practice_id = $1"
    if "account_id" in columns:
        return f"account_id IN {accounts}"
    if {"asker", "asked"} <= set(columns):
        return "$1 IN (asker, asked)"
    return None


@dataclass
class Planted:
    """What was planted.

    Args:
        columns: `table.column` of every column that holds a canary.
        ids: ids of the practice's rows, which are as telling as their names.
        empty: tables of practices without a row.
    """

    columns: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    empty: list[str] = field(default_factory=list)


async def plant(database: Database, practice: Practice) -> Planted:
    """Put `canary-<table>-<column>` into each text of each row of a practice that the table's checks allow."""
    planted = Planted()
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        for row in await owner.fetch(_OWNED):
            table, condition = row["table_name"], whose(row["table_name"], row["columns"])
            if condition is None or table in EXEMPT:
                continue
            keys = await owner.fetch(f"SELECT ctid, * FROM {table} WHERE {condition}", practice.id)
            if not keys and "practice_id" in row["columns"]:
                planted.empty.append(table)
            if "id" in row["columns"]:
                planted.ids |= {str(key["id"]) for key in keys}
            for column in await owner.fetch(_TEXTS, table):
                if await _fill(owner, table, column["column_name"], column["data_type"], condition, practice):
                    planted.columns.add(f"{table}.{column['column_name']}")
    finally:
        await owner.close()
    return planted


async def _fill(owner: Any, table: str, column: str, kind: str, condition: str, practice: Practice) -> bool:
    mark = f"{CANARY}-{table}-{column}-"
    filled = False
    rows = await owner.fetch(f"SELECT ctid::text AS place FROM {table} WHERE {condition}", practice.id)
    for row in rows:
        for end in ("", "@example.org"):  # an address needs an @
            words = f"'{mark}' || left(md5(random()::text), 8) || '{end}'"
            new = f"{column} || jsonb_build_object({words}, {words})" if kind.startswith("json") else words
            try:
                async with owner.transaction():
                    changed = await owner.execute(
                        f"UPDATE {table} SET {column} = {new} WHERE ctid = $1::text::tid", row["place"]
                    )
            except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError):
                continue  # one of a few words, or a reference: nothing a practice could write freely
            filled = filled or changed == "UPDATE 1"
            break
    return filled


class Listener:
    """Everything that was sent to practice A, with what asked for it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.schema = schema_of(deployment.platform)._schema
        self.rows = policy.policy()
        self.heard: list[tuple[str, str]] = []
        self.operations = 0

    async def everything(
        self, person: Person | Held, foreign: Mapping[str, list[str]], roots: Sequence[str] = policy.ROOTS
    ) -> None:
        """Run every field as somebody, with generous selections and another practice's ids."""
        for root in roots:
            kind = self.schema.get_type(root)
            assert isinstance(kind, GraphQLObjectType)
            for name, built in kind.fields.items():
                row = self.rows[f"{root}.{name}"]
                if name in {"signOut", "signOutEverywhere", "requestConnection"}:  # end the session; change the view
                    continue
                for given in self.inputs(built, row, foreign):
                    arguments = operations.values(built, {}, given)
                    if "first" in built.args:
                        arguments["first"] = 20
                    text = operations.document(self.schema, root, name, arguments, depth=DEPTH)
                    await self.run(f"{root}.{name}", root, text, arguments, person)

    def inputs(self, built: Any, row: Mapping[str, Any], foreign: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        ids: Mapping[str, str] = {**row.get("ids", {}), **row.get("filters", {})}
        given: dict[str, Any] = dict(row.get("given", {}))
        if "text" in built.args:
            given["text"] = CANARY[:3]
        several = [{path: foreign[kind][index] for path, kind in ids.items()} for index in range(2)] if ids else [{}]
        bare = [{}] if any(path == "practiceId" for path in ids) else []  # one's own where none is named
        return [{**given, **chosen} for chosen in [*several, *bare]]

    async def run(self, what: str, root: str, text: str, arguments: dict[str, Any], person: Person | Held) -> None:
        self.operations += 1
        if root == "Subscription":
            async with self.deployment.socket(person.token) as socket:
                await socket.subscribe(text, **arguments)
                if self.rows[what].get("quiet"):
                    await socket.subscribe("{ __typename }")
                self.heard.append((what, json.dumps(await socket.receive())))
            return
        headers = {"authorization": f"Bearer {person.token}"}
        answer = await self.deployment.http.post(
            "/graphql", json={"query": text, "variables": arguments}, headers=headers
        )
        assert answer.status_code == 200, (what, text, answer.text)
        self.heard.append((what, str(answer.headers) + answer.text))

    def found(self) -> set[str]:
        """Return `table.column` of every canary that was heard."""
        return {
            token.split("-")[1] + "." + token.split("-")[2]
            for _, text in self.heard
            for token in (CANARY + part.split('"')[0] for part in text.split(CANARY)[1:])
        }


Stage = tuple[Deployment, Listener, Practice, Person, Planted, dict[str, list[str]]]


@asynccontextmanager
async def staged(
    database: Database,
) -> AsyncGenerator[tuple[Deployment, Listener, Practice, Person, Planted, dict[str, list[str]]]]:
    """Practice A's listener, and practice B with a canary in everything."""
    with cheap_hashes(), tempfile.TemporaryDirectory() as data:
        async with served(database, data=Path(data), **CONFIG) as deployment:
            home, other = await deployment.practice("Home"), await deployment.practice("Other")
            boss = await deployment.person(other, Role.OWNER)
            await furnish(deployment, other, boss)
            foreign = {
                name: [await kind.make(deployment, other, boss) for _ in range(2)] for name, kind in KINDS.items()
            }
            planted = await plant(database, other)
            yield deployment, Listener(deployment), home, boss, planted, foreign


@pytest.mark.promise("A2")
@pytest.mark.rule("P1")
@pytest.mark.timeout(600)
async def test_an_unconnected_practice_gets_no_byte_of_another_and_no_log_tells_one(
    fresh_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with structlog.testing.capture_logs() as logged:
        async with staged(fresh_database) as (deployment, listener, home, boss, planted, foreign):
            assert planted.empty == []
            assert {"patient.first_name", "message.body", "contact.email", "account.email"} <= planted.columns
            for role in MEMBERS:
                await listener.everything(await deployment.person(home, role), foreign)
            await listener.everything(await deployment.held(home), foreign)
            for path in ("/health/ready", "/health/live", "/metrics", "/graphql/schema.graphql"):
                listener.heard.append((path, (await deployment.http.get(path)).text))
            # the same questions, asked by the practice itself, are full of it
            own = Listener(deployment)
            await own.everything(boss, foreign, ["Query"])
            assert {"patient.first_name", "patient.mrn", "message.body", "contact.email"} <= own.found()
    # Looked for once nothing runs in this loop any more, which it would hold up.
    assert [(what, text) for what, text in listener.heard if CANARY in text] == []
    assert {(what, id) for what, text in listener.heard for id in planted.ids if id in text} == set()
    assert len(logged) > listener.operations
    assert [entry for entry in logged if CANARY in json.dumps(entry, default=str)] == []
    # asyncpg and others log by the standard library; httpx is the test's own client
    others = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore", "websockets"))]
    assert [record.name for record in others if CANARY in record.getMessage()] == []


@pytest.mark.promise("A2")
@pytest.mark.rule("P2")
@pytest.mark.timeout(600)
async def test_a_connected_practice_gets_the_directory_and_nothing_else(fresh_database: Database) -> None:
    async with staged(fresh_database) as (deployment, listener, home, boss, _, foreign):
        ada = await deployment.person(home, Role.OWNER)
        asked = await deployment.data(REQUEST, ada.token, p=str(boss.member.practice_id), c=client_id())
        await deployment.data(ACCEPT, boss.token, i=asked["requestConnection"]["id"])
        await listener.everything(ada, foreign)
        found = listener.found()
        assert {"practice.name", "member.first_name", "member.last_name"} <= found
        assert found - DIRECTORY == set()
        assert "account.email" not in found and "member.phone" not in found  # by default
        owner = await asyncpg.connect(fresh_database.owner_dsn)
        await owner.execute("UPDATE member SET email_for = 'connected', phone_for = 'connected'")
        await owner.close()
        await listener.everything(ada, foreign)
        assert listener.found() - DIRECTORY == set()
        assert {"account.email", "member.phone"} <= listener.found()
