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
from deployment import APPS, Deployment, Guest, Held, Person, served
from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema

from bedside_core.auth import Role
from bedside_core.people import Practice
from bedside_core.testing import Database
from bedside_graphql.endpoint import schema_of
from contract import operations, policy, visit_world
from contract.watching import Watch, watched
from contract.world import CONFIG, KINDS, MEMBERS, MISSING


@pytest.fixture(autouse=True)
def wide_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """More is asked here than a person asks."""
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


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
    watch: Watch
    home: Practice
    away: Practice
    stranger: Person
    """Somebody of the other practice."""
    colleague: Person
    patient: Held
    faults: list[str] = field(default_factory=list[str])
    unmoved: dict[tuple[Role, bool], tuple[str, Person | Held | Guest]] = field(
        default_factory=dict[tuple[Role, bool], tuple[str, Person | Held | Guest]]
    )
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

    async def person(self, role: Role, row: Mapping[str, Any]) -> tuple[str, Person | Held | Guest]:
        """Return a token of that role, and a person of the home practice who makes what it acts on.

        Guests are those of a conversation, or of a session where the row is telehealth's.
        """
        if role is Role.PATIENT:
            held = await self.deployment.held(self.home)
            return held.token, held
        if role is Role.GUEST:
            guest = await self.guest(row)
            return guest.token, guest
        if role is Role.OPERATOR:
            return await self.deployment.operator(), await self.deployment.person(self.home, Role.OWNER)
        person = await self.deployment.person(self.home, role)
        return person.token, person

    async def guest(self, row: Mapping[str, Any]) -> Guest:
        make = visit_world.guest if of_sessions(row) else Deployment.guest
        return await make(self.deployment, self.home)

    async def refusable(self, role: Role, row: Mapping[str, Any]) -> tuple[str, Person | Held | Guest]:
        """Return somebody of that role for questions that change nothing."""
        key = role, of_sessions(row)
        if key not in self.unmoved:
            self.unmoved[key] = await self.person(role, row)
        return self.unmoved[key]

    async def made(self, row: Mapping[str, Any], practice: Practice, person: Person | Held | Guest) -> dict[str, str]:
        return {
            # A guest has no account, and so nothing that is an account's.
            path: MISSING
            if isinstance(person, Guest) and KINDS[kind].of_account
            else await KINDS[kind].make(self.deployment, practice, person)
            for path, kind in row.get("ids", {}).items()
        }

    async def refused(self, root: str, name: str, built: GraphQLField, row: Mapping[str, Any]) -> None:
        """Whoever lacks the permission gets its code, and nothing is changed."""
        if row.get("public"):
            return
        ids = await self.made(row, self.home, await self.deployment.person(self.home, Role.OWNER))
        allowed = self.rows["roles"][row["permission"]]
        people = [
            (role, (await self.refusable(role, row))[0])
            for role in (*MEMBERS, Role.PATIENT, Role.GUEST, Role.OPERATOR)
            if role.value not in allowed
        ]
        await self.watch.changed()
        for role, token in [(None, None), *people]:
            body = await self.ask(root, name, built, row, token, ids)
            wanted = "UNAUTHENTICATED" if role is None else "FORBIDDEN"
            if codes(body) != [wanted] or any((body.get("data") or {}).values()):
                self.faults.append(f"{root}.{name} as {role or 'nobody'} answers {body}, not {wanted}")
        if tables := await self.watch.changed():
            self.faults.append(f"{root}.{name} changed {sorted(tables)} for those it refused")

    async def allowed(self, root: str, name: str, built: GraphQLField, row: Mapping[str, Any]) -> None:
        """Whoever has the permission gets an answer about what is theirs."""
        if root == "Subscription":
            return
        for role in (*MEMBERS, Role.PATIENT, Role.GUEST, Role.OPERATOR):
            if not row.get("public") and role.value not in self.rows["roles"][row["permission"]]:
                continue
            token, person = await self.person(role, row)
            await self.watch.forget_attempts()  # there are more roles than a wrong password is heard
            body = await self.ask(root, name, built, row, token, await self.made(row, self.home, person))
            personal = any(KINDS[kind].personal for kind in row.get("ids", {}).values())
            # What is a person's own is somebody else's for the operator, who makes nothing of a practice.
            others = role is Role.OPERATOR and personal and "own" not in row
            if role is Role.GUEST and row.get("public") and codes(body) == ["FORBIDDEN"]:
                continue  # what is about an account is not for guests
            own = row.get("own", [])
            if role is Role.PATIENT:
                own = row.get("own_of_patients", own)
            if codes(body) != (["NOT_FOUND"] if others else own):
                self.faults.append(f"{root}.{name} as {role} answers {body} about what is theirs")

    async def indistinguishable(self, root: str, name: str, built: GraphQLField, row: Mapping[str, Any]) -> None:
        """Others', other practices' and missing ids are told alike, and change nothing."""
        filters = row.get("filters", {})
        for path, kind in {**row.get("ids", {}), **filters}.items():
            others = {"other practice's": await KINDS[kind].make(self.deployment, self.away, self.stranger)}
            if KINDS[kind].personal:
                others["another's"] = await KINDS[kind].make(self.deployment, self.home, self.colleague)
            rest = {**row, "ids": {other: its for other, its in row.get("ids", {}).items() if other != path}}
            for role in (*MEMBERS, Role.PATIENT, Role.GUEST):
                if not row.get("public") and role.value not in self.rows["roles"][row["permission"]]:
                    continue
                token, person = await self.refusable(role, row)
                own = await self.made(rest, self.home, person)
                foreign = dict(others)
                if role is Role.GUEST and not KINDS[kind].of_account:
                    other = await self.guest(row)
                    foreign["another guest's"] = await KINDS[kind].make(self.deployment, self.home, other)
                if role is Role.PATIENT and not KINDS[kind].everybodys:
                    foreign["another patient's"] = await KINDS[kind].make(self.deployment, self.home, self.patient)
                await self.watch.changed()
                missing = bare(await self.ask(root, name, built, row, token, {**own, path: MISSING}, 0))
                for word, id in foreign.items():
                    told = bare(await self.ask(root, name, built, row, token, {**own, path: id}, 0))
                    if told != missing:
                        self.faults.append(
                            f"{root}.{name}({path}) as {role}: {word} {told} is not as missing {missing}"
                        )
                code = row.get("missing", "NOT_FOUND")
                # A public built may answer that the role does not allow what is asked about.
                told_by_role = role in {Role.PATIENT, Role.GUEST} and row.get("public") and "FORBIDDEN" in missing
                if code not in missing and not told_by_role and (path not in filters or "errors" in missing):
                    self.faults.append(f"{root}.{name}({path}) as {role}: a missing id is told {missing}")
                # What was looked at on the way, and is the person's own to see, stands in the trail; that the password
                # was right on the way is counted.
                tables = await self.watch.changed() - {"audit_entry", "attempt"}
                if tables:
                    self.faults.append(
                        f"{root}.{name}({path}) as {role} changed {sorted(tables)} by ids that are not theirs"
                    )


def of_sessions(row: Mapping[str, Any]) -> bool:
    """Tell whether a field is telehealth's, whose guests are those of its sessions."""
    return row.get("permission", "").startswith("telehealth.")


async def matrix(database: Database, check: str) -> list[str]:
    with cheap_hashes(), tempfile.TemporaryDirectory() as data:
        async with watched(database) as watch, served(database, data=Path(data), **CONFIG) as deployment:
            return await _matrix(deployment, watch, check)


async def _matrix(deployment: Deployment, watch: Watch, check: str) -> list[str]:
    home, away = await deployment.practice("Home"), await deployment.practice("Away")
    for role in MEMBERS:  # so that each practice keeps an owner whoever is changed
        await deployment.person(home, role)
    stranger = await deployment.person(away, Role.OWNER)
    colleague, patient = await deployment.person(home), await deployment.held(home)
    run = Matrix(deployment, watch, home, away, stranger, colleague, patient)
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


@pytest.mark.promise("A1")
async def test_what_has_changed_is_noticed_and_that_somebody_was_seen_is_not(fresh_database: Database) -> None:
    async with watched(fresh_database) as watch, served(fresh_database) as deployment:
        practice = await deployment.practice("Home")
        person = await deployment.person(practice)
        assert {"practice", "member", "session", "audit_entry"} <= await watch.changed()
        assert await watch.changed() == set()
        await deployment.data("{ viewer { id } }", person.token)
        owner = await asyncpg.connect(fresh_database.owner_dsn)
        try:
            await owner.execute("UPDATE session SET last_seen_at = now()")
            await owner.execute("UPDATE practice SET name = name")
            assert await watch.changed() == set()
            await owner.execute("UPDATE practice SET name = 'Eve'")
            await owner.execute("UPDATE session SET expires_at = now()")
            assert await watch.changed() == {"practice", "session"}
        finally:
            await owner.close()
