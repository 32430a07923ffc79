"""Sees which tables of a database change, row by row, and whoever changes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from bedside_core.testing import Database

BESIDE = frozenset(
    {
        "pgqueuer",
        "pgqueuer_log",
        "pgqueuer_schedules",
        "pgqueuer_statistics",
        "job_schedule",
        "job_attempt",
        "audit_seal",
        "audit_unsealed",
    }
)
"""Tables that change by themselves."""
SEEN = {"session": "last_seen_at", "guest_session": "expires_at"}
"""What does not count of a table: who asks is seen, whatever is answered."""

_NOTES = """
CREATE SCHEMA watching;
CREATE TABLE watching.changed (name text);
CREATE FUNCTION watching.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO watching.changed VALUES (TG_TABLE_NAME);
    RETURN NULL;
END $$;
GRANT USAGE ON SCHEMA watching TO PUBLIC;
"""
_TABLES = """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname"""
_WATCH = """
CREATE TRIGGER watching_rows AFTER INSERT OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION watching.note();
CREATE TRIGGER watching_values AFTER UPDATE ON {table} FOR EACH ROW
    WHEN ((to_jsonb(OLD) - '{seen}') IS DISTINCT FROM (to_jsonb(NEW) - '{seen}')) EXECUTE FUNCTION watching.note();
"""


class Watch:
    """What has changed since it was asked last.

    Args:
        owner: a connection of the owner's.
    """

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    async def changed(self) -> set[str]:
        """Return the tables in which a row was inserted, deleted or became another since the last call."""
        return {row["name"] for row in await self._owner.fetch("DELETE FROM watching.changed RETURNING name")}

    async def forget_attempts(self) -> None:
        """Have nobody be locked out."""
        await self._owner.execute("DELETE FROM attempt")


@asynccontextmanager
async def watched(database: Database) -> AsyncGenerator[Watch]:
    """Watch every table of a database that does not change by itself."""
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        await owner.execute(_NOTES)
        for row in await owner.fetch(_TABLES):
            if (table := row["relname"]) not in BESIDE:
                await owner.execute(_WATCH.format(table=table, seen=SEEN.get(table, "")))
        yield Watch(owner)
    finally:
        await owner.close()
