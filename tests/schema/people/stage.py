"""Documents and small helpers for tests that drive people and practices over HTTP."""

from __future__ import annotations

from typing import Any

import asyncpg
from deployment import Deployment, Person

from bedside_core.people import Practice
from bedside_core.testing import Database

PATIENT = {
    "firstName": "Ruth", "lastName": "Abel", "dateOfBirth": "1950-02-03", "mrn": "M-1", "gender": "female",
    "phone": "(202) 555-0143",
}  # fmt: skip
CREATE = """mutation($i: PatientInput!, $c: String!) { createPatient(input: $i, clientId: $c) {
    id firstName lastName name dateOfBirth mrn gender phone email archivedAt } }"""
UPDATE = """mutation($id: ID!, $p: PatientPatch!) { updatePatient(id: $id, patch: $p) {
    firstName lastName dateOfBirth mrn gender phone email } }"""
ARCHIVE = "mutation($id: ID!, $a: Boolean!) { archivePatient(id: $id, archived: $a) { id archivedAt } }"
ROLE = "mutation($m: ID!, $r: Role!) { changeMemberRole(memberId: $m, role: $r) { role } }"
HOST = "mutation($m: ID!, $e: Boolean!) { setVideoHost(memberId: $m, enabled: $e) { videoHost } }"
DEACTIVATE = "mutation($m: ID!) { deactivateMember(memberId: $m) { active } }"
REACTIVATE = "mutation($m: ID!) { reactivateMember(memberId: $m) { active } }"
PROFILE = """mutation($p: ProfilePatch!) { updateProfile(patch: $p) {
    firstName lastName phone emailFor phoneFor } }"""
MEMBER = "query($id: ID!) { member(id: $id) { id name email phone practiceName videoHost } }"
LINK = "{ id practiceId practiceName state incoming }"
REQUEST = f"mutation($p: String!, $c: String!) {{ requestConnection(practice: $p, clientId: $c) {LINK} }}"
ACCEPT = f"mutation($i: ID!) {{ acceptConnection(id: $i) {LINK} }}"
DECLINE = f"mutation($i: ID!) {{ declineConnection(id: $i) {LINK} }}"
END = f"mutation($i: ID!) {{ endConnection(id: $i) {LINK} }}"
CONNECTIONS = f"{{ connections {{ nodes {LINK} }} }}"
CONTACT = """mutation($i: ContactInput!, $c: String!) { addContact(input: $i, clientId: $c) {
    id kind name label badge contact { phone email } member { id } } }"""
SEARCH = """query($t: String!, $k: [PersonKind!], $first: Int, $after: String) {
    search(text: $t, kinds: $k, first: $first, after: $after) {
        nodes { id kind name label badge } pageInfo { hasNextPage endCursor } } }"""


async def count(database: Database, table: str) -> int:
    """How many rows a table has, whosoever they are."""
    return await value(database, f"SELECT count(*) FROM {table}")


async def value(database: Database, sql: str, *args: Any) -> Any:
    """One value, read as the owner of the tables."""
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        return await owner.fetchval(sql, *args)
    finally:
        await owner.close()


async def refused(
    deployment: Deployment, query: str, token: str | None, /, **variables: Any
) -> tuple[str, list[str] | None]:
    """Send an operation that has to be refused; returns code and field path."""
    body = await deployment.ask(query, token, **variables)
    [error] = body["errors"]
    assert all(found is None for found in (body.get("data") or {}).values())
    return error["extensions"]["code"], error["extensions"].get("field")


async def connected(deployment: Deployment, one: Person, other: Person, other_practice: Practice) -> str:
    """Connect the practices of two owners; returns the connection's id."""
    asked = await deployment.data(REQUEST, one.token, p=str(other_practice.id), c="connect")
    id = asked["requestConnection"]["id"]
    await deployment.data(ACCEPT, other.token, i=id)
    return id


async def names(deployment: Deployment, token: str, text: str, **variables: Any) -> list[tuple[str, str | None]]:
    """Whom a search finds, with what stands under their names."""
    found = await deployment.data(SEARCH, token, t=text, **variables)
    return [(node["name"], node["label"]) for node in found["search"]["nodes"]]
