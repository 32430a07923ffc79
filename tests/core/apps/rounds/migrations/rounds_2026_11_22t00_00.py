"""Rounds, each about a note."""

from __future__ import annotations

from bedside_core.database import practice_table, sql_migration

ID = "rounds_2026_11_22t00_00"
VERSION = "1.38.0"
DESCRIPTION = __doc__

TABLE = """
CREATE TABLE round (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    note_id uuid NOT NULL,
    FOREIGN KEY (practice_id, note_id) REFERENCES note (practice_id, id)
)"""


async def forwards():
    return sql_migration("rounds", ID, DESCRIPTION, [TABLE, *practice_table("round")])
