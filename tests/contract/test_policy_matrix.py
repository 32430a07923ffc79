"""The policy, driven over HTTP: every field a client can begin with, by every role, with own, others' and missing ids.

Nothing here names a field: the schema and policy.toml do, so a new field is tested once it has its row.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from accounts_stage import WIDE, cheap_hashes
from deployment import APPS, Deployment, Held, Person, served
from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema

from bedside_core.auth import Role
from bedside_core.people import Practice
from bedside_core.testing import Database
from bedside_graphql.endpoint import schema_of
from contract import operations, policy
from contract.world import CONFIG, KINDS, MEMBERS, MISSING

BESIDE = {
    "pgqueuer",
    "pgqueuer_log",
    "pgqueuer_schedules",
    "pgqueuer_statistics",
    "job_schedule",
    "job_attempt",
    "audit_seal",
    "audit_unsealed",
}
"""Tables that change by themselves."""
ROWS = {"session": "(to_jsonb(t) - 'last_seen_at')::text"}
"""What of a row counts: who asks is seen, whatever is answered."""


@pytest.fixture(autouse=True)
def wide_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """More is asked here than a person asks."""
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


async def digests(database: Database) -> dict[str, str]:
    """What the rows of each table come to."""
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        tables = {
            row["tablename"] for row in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        }
        digest = "SELECT '{0}', md5(coalesce(string_agg({1}, '|' ORDER BY {1}), '')) FROM {0} t"
        looks = (digest.format(table, ROWS.get(table, "t::text")) for table in sorted(tables - BESIDE))
        return dict(await owner.fetch(" UNION ALL ".join(looks)))
    finally:
        await owner.close()


async def forget_attempts(database: Database) -> None:
    """Have nobody be locked out."""
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute("DELETE FROM attempt")
    await owner.close()


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Name the tables that are not as they were."""
    return [table for table in before if before[table] != after[table]]


def bare(body: Mapping[str, Any]) -> str:
    """Return an answer without what differs from request to request."""
    told = json.loads(json.dumps(body))
    told.pop("extensions", None)
    for error in told.get("errors", []):
        error["extensions"].pop("requestId")
    return json.dumps(told, sort_keys=True)


def codes(body: Mapping[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in body.get("errors", [])]


@dataclass
class Matrix:
    """Runs the rows of the policy against a deployment: its people, and those of whom they may not know."""

    deployment: Deployment
    database: Database
    home: Practice
    away: Practice
    stranger: Person
    """Somebody of the other practice."""
    colleague: Person
    patient: Held
    faults: list[str] = field(default_factory=list[str])
    unmoved: dict[Role, tuple[str, Person | Held]] = field(default_factory=dict[Role, tuple[str, Person | Held]])
    """One of each role who is refused whatever is asked, and so stays as they are."""

    def __post_init__(self) -> None:
        self.schema: GraphQLSchema = schema_of(self.deployment.platform)._schema
        self.rows = policy.policy()

    def roots(self) -> Iterable[tuple[str, str, GraphQLField, Mapping[str, Any]]]:
        for root in policy.ROOTS:
            kind = self.schema.get_type(root)
            assert isinstance(kind, GraphQLObjectType)
            for name, built in kind.fields.items():
                yield root, name, built, self.rows[f"{root}.{name}"]

    async def ask(
        self,
        root: str,
        name: str,
        built: GraphQLField,
        row: Mapping[str, Any],
        token: str | None,
        ids: Mapping[str, str],
        depth: int | None = None,
    ) -> dict[str, Any]:
        arguments = operations.values(built, ids, row.get("given", {}))
        document = operations.document(self.schema, root, name, arguments, depth=depth)
        if root != "Subscription":
            return await self.deployment.ask(document, token, **arguments)
        async with self.deployment.socket(token) as socket:
            await socket.subscribe(document, **arguments)
            message = await socket.receive()
            return {"errors": message["payload"]} if message["type"] == "error" else message["payload"]

    async def person(self, role: Role) -> tuple[str, Person | Held]:
        """Return a token of that role, and a person of the home practice who makes what it acts on."""
        if role is Role.PATIENT:
            held = await self.deployment.held(self.home)
            return held.token, held
        if role is Role.OPERATOR:
            return await self.deployment.operator(), await self.deployment.person(self.home, Role.OWNER)
        person = await self.deployment.person(self.home, role)
        return person.token, person

    async def refusable(self, role: Role) -> tuple[str, Person | Held]:
        """Return somebody of that role for questions that change nothing."""
        if role not in self.unmoved:
            self.unmoved[role] = await self.person(role)
        return self.unmoved[role]

    async def made(self, row: Mapping[str, Any], practice: Practice, person: Person | Held) -> dict[str, str]:
        return {
            path: await KINDS[kind].make(self.deployment, practice, person) for path, kind in row.get("ids", {}).items()
        }

    async def refused(self, root: str, name: str, built: GraphQLField, row: Mapping[str, Any]) -> None:
        """Whoever lacks the permission gets its code, and nothing is changed."""
        if row.get("public"):
            return
        ids = await self.made(row, self.home, await self.deployment.person(self.home, Role.OWNER))
        allowed = self.rows["roles"][row["permission"]]
        people = [
            (role, (await self.refusable(role))[0])
            for role in (*MEMBERS, Role.PATIENT, Role.OPERATOR)
            if role.value not in allowed
        ]
        before = await digests(self.database)
        for role, token in [(None, None), *people]:
            body = await self.ask(root, name, built, row, token, ids)
            wanted = "UNAUTHENTICATED" if role is None else "FORBIDDEN"
            if codes(body) != [wanted] or any((body.get("data") or {}).values()):
                self.faults.append(f"{root}.{name} as {role or 'nobody'} answers {body}, not {wanted}")
        if tables := changed(before, await digests(self.database)):
            self.faults.append(f"{root}.{name} changed {tables} for those it refused")

    async def allowed(self, root: str, name: str, built: GraphQLField, row: Mapping[str, Any]) -> None:
        """Whoever has the permission gets an answer about what is theirs."""
        if root == "Subscription":
            return
        for role in (*MEMBERS, Role.PATIENT, Role.OPERATOR):
            if not row.get("public") and role.value not in self.rows["roles"][row["permission"]]:
                continue
            token, person = await self.person(role)
            await forget_attempts(self.database)  # there are more roles than a wrong password is heard
            body = await self.ask(root, name, built, row, token, await self.made(row, self.home, person))
            personal = any(KINDS[kind].personal for kind in row.get("ids", {}).values())
            # What is a person's own is somebody else's for the operator, who makes nothing of a practice.
            others = role is Role.OPERATOR and personal and "own" not in row
            if codes(body) != (["NOT_FOUND"] if others else row.get("own", [])):
                self.faults.append(f"{root}.{name} as {role} answers {body} about what is theirs")

    async def indistinguishable(self, root: str, name: str, built: GraphQLField, row: Mapping[str, Any]) -> None:
        """Others', other practices' and missing ids are told alike, and change nothing."""
        filters = row.get("filters", {})
        for path, kind in {**row.get("ids", {}), **filters}.items():
            others = {"other practice's": await KINDS[kind].make(self.deployment, self.away, self.stranger)}
            if KINDS[kind].personal:
                others["another's"] = await KINDS[kind].make(self.deployment, self.home, self.colleague)
            rest = {**row, "ids": {other: its for other, its in row.get("ids", {}).items() if other != path}}
            for role in (*MEMBERS, Role.PATIENT):
                if not row.get("public") and role.value not in self.rows["roles"][row["permission"]]:
                    continue
                token, person = await self.refusable(role)
                own = await self.made(rest, self.home, person)
                foreign = dict(others)
                if role is Role.PATIENT and not KINDS[kind].everybodys:
                    foreign["another patient's"] = await KINDS[kind].make(self.deployment, self.home, self.patient)
                before = await digests(self.database)
                missing = bare(await self.ask(root, name, built, row, token, {**own, path: MISSING}, 0))
                for word, id in foreign.items():
                    told = bare(await self.ask(root, name, built, row, token, {**own, path: id}, 0))
                    if told != missing:
                        self.faults.append(
                            f"{root}.{name}({path}) as {role}: {word} {told} is not as missing {missing}"
                        )
                code = row.get("missing", "NOT_FOUND")
                # A public built may answer that the role does not allow what is asked about.
                told_by_role = role is Role.PATIENT and row.get("public") and "FORBIDDEN" in missing
                if code not in missing and not told_by_role and (path not in filters or "errors" in missing):
                    self.faults.append(f"{root}.{name}({path}) as {role}: a missing id is told {missing}")
                # What was looked at on the way, and is the person's own to see, stands in the trail; that the password
                # was right on the way is counted.
                tables = set(changed(before, await digests(self.database))) - {"audit_entry", "attempt"}
                if tables:
                    self.faults.append(f"{root}.{name}({path}) as {role} changed {tables} by ids that are not theirs")


async def matrix(database: Database, check: str) -> list[str]:
    with cheap_hashes(), tempfile.TemporaryDirectory() as data:
        async with served(database, data=Path(data), **CONFIG) as deployment:
            return await _matrix(deployment, database, check)


async def _matrix(deployment: Deployment, database: Database, check: str) -> list[str]:
    home, away = await deployment.practice("Home"), await deployment.practice("Away")
    for role in MEMBERS:  # so that each practice keeps an owner whoever is changed
        await deployment.person(home, role)
    stranger = await deployment.person(away, Role.OWNER)
    colleague, patient = await deployment.person(home), await deployment.held(home)
    run = Matrix(deployment, database, home, away, stranger, colleague, patient)
    for root, name, built, row in run.roots():
        await getattr(run, check)(root, name, built, row)
    print(*run.faults, sep="\n")  # whole, where pytest would shorten it
    return run.faults


@pytest.mark.promise("A1")
@pytest.mark.rule("A12")
@pytest.mark.timeout(300)
async def test_who_lacks_the_permission_of_a_field_is_refused_and_nothing_changes(fresh_database: Database) -> None:
    assert await matrix(fresh_database, "refused") == []


@pytest.mark.promise("A1")
@pytest.mark.rule("A12")
@pytest.mark.timeout(300)
async def test_who_has_the_permission_of_a_field_is_answered_about_what_is_theirs(fresh_database: Database) -> None:
    assert await matrix(fresh_database, "allowed") == []


@pytest.mark.promise("A1")
@pytest.mark.rule("P1")
@pytest.mark.timeout(600)
async def test_others_and_missing_ids_are_told_alike(fresh_database: Database) -> None:
    assert await matrix(fresh_database, "indistinguishable") == []
