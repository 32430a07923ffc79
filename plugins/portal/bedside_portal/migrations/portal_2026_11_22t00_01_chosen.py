"""The address that somebody invited by SMS has chosen, which a link proves to be theirs."""

from __future__ import annotations

from bedside_core.api import sql_migration

ID = "portal_2026_11_22t00_01"
VERSION = "1.38.0"
DESCRIPTION = "The address that somebody invited by SMS has chosen."

TABLES = """
ALTER TABLE portal_holder
    ADD COLUMN chosen text CHECK (chosen <> ''),
    ADD COLUMN letters integer NOT NULL DEFAULT 0;
"""


async def forwards():
    """Run the migration."""
    return sql_migration("portal", ID, DESCRIPTION, [TABLES])
