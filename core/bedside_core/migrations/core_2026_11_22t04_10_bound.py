"""Uploads of guests are of the one thing that their link leads to."""

from __future__ import annotations

from bedside_core.database import sql_migration

ID = "core_2026_11_22t04_10"
VERSION = "1.38.0"
DESCRIPTION = "Uploads of guests are bound to what their link leads to."


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, ["ALTER TABLE file ADD COLUMN bound_to uuid"])
