"""Whose data is in an export, for the trail of its downloads."""

from __future__ import annotations

from bedside_core.database import sql_migration

ID = "core_2026_11_22t01_96"
VERSION = "1.38.0"
DESCRIPTION = "Exports know whose data they hold."

TABLES = "ALTER TABLE data_export ADD COLUMN patients uuid[] NOT NULL DEFAULT '{}'"


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLES])
