"""Which files are in an export, which goes with the first of them that is deleted for good."""

from __future__ import annotations

from bedside_core.database import sql_migration

ID = "core_2026_11_22t01_92"
VERSION = "1.38.0"
DESCRIPTION = "Exports know which files they contain."

TABLES = """
ALTER TABLE data_export ADD COLUMN contained uuid[] NOT NULL DEFAULT '{}';
"""


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLES])
