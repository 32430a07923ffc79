"""What the tests of the audit trail share: reading it as it is stored, and laying hands on it as the tables' owner."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from bedside_core.audit.entries import COLUMNS, Entry, entry_of
from bedside_core.database import DB, acting
from bedside_core.testing import Database

ENTRIES = """query($first: Int, $after: String, $p: ID, $m: ID, $a: String, $since: DateTime, $until: DateTime) {
    auditEntries(first: $first, after: $after, patientId: $p, memberId: $m, action: $a, since: $since, until: $until) {
        nodes { id at action role operator memberId kind target patientIds requestId via member { name }
            details { name values } }
        pageInfo { hasNextPage endCursor } } }"""
ACCESSES = "query($p: ID!) { patientAccesses(patientId: $p) { nodes { action member { name } patientIds } } }"
PATIENTS = "query($first: Int) { patients(first: $first) { nodes { id lastName } } }"
PATIENT = "query($p: ID!) { patient(id: $p) { lastName } }"


async def trail(practice_id: UUID, *, past: int = 0) -> list[Entry]:
    """Return a practice's entries in the order in which they were made, without the first ones."""
    with acting(practice_id):
        rows = await DB.fetch(f"SELECT {', '.join(COLUMNS)} FROM audit_entry ORDER BY id OFFSET $1", past)
    return [entry_of(row) for row in rows]


async def length(practice_id: UUID) -> int:
    """How many entries a practice has."""
    return len(await trail(practice_id))


@asynccontextmanager
async def owner(database: Database) -> AsyncGenerator[Any, None]:
    """Connect as the tables' owner, whom neither rights nor row-level security bind."""
    connection = await asyncpg.connect(database.owner_dsn)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def closed_trail(database: Database) -> AsyncGenerator[None, None]:
    """Have no entry be possible during the block."""
    async with owner(database) as connection:
        await connection.execute("REVOKE INSERT ON audit_entry FROM bedside_application")
        try:
            yield
        finally:
            await connection.execute("GRANT INSERT ON audit_entry TO bedside_application")
