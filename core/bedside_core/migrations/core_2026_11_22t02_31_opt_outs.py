"""Numbers that take no SMS since somebody has written STOP from them."""

from __future__ import annotations

from bedside_core.database import practice_table, sql_migration

ID = "core_2026_11_22t02_31"
VERSION = "1.38.0"
DESCRIPTION = "Numbers that have written STOP."

TABLE = """
CREATE TABLE notification_opt_out (
    practice_id uuid NOT NULL,
    address text NOT NULL,
    person_id uuid,
    since timestamptz NOT NULL,
    PRIMARY KEY (practice_id, address)
);
"""


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLE, *practice_table("notification_opt_out")])
