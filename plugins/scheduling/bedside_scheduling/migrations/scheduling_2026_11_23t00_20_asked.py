"""What was asked for under a client id, so that a retry is told from something else (G9)."""

from __future__ import annotations

from bedside_core.api import sql_migration

ID = "scheduling_2026_11_23t00_20"
VERSION = "1.38.0"
DESCRIPTION = "Appointments note what was asked for under their client id."


async def forwards():
    """Run the migration."""
    return sql_migration("scheduling", ID, DESCRIPTION, ["ALTER TABLE appointment ADD COLUMN asked bytea"])
