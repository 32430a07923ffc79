"""An export that is being made knows that something it may contain was deleted for good meanwhile (F2)."""

from __future__ import annotations

from bedside_core.database import sql_migration

ID = "core_2026_11_22t03_21"
VERSION = "1.38.0"
DESCRIPTION = "Exports under way are made anew where a part of what they contain was deleted."

TABLES = """
ALTER TABLE data_export ADD COLUMN stale boolean NOT NULL DEFAULT false;
"""


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLES])
