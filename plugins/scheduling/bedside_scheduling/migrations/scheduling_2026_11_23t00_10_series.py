"""Where a series has each of its appointments begin now, so that what was moved by itself is known from the rest."""

from __future__ import annotations

from bedside_core.api import sql_migration

ID = "scheduling_2026_11_23t00_10_series"
VERSION = "1.38.0"
DESCRIPTION = "Appointments note where a series that was moved has them begin."


async def forwards():
    """Run the migration."""
    return sql_migration("scheduling", ID, DESCRIPTION, ["ALTER TABLE appointment ADD COLUMN series_start timestamptz"])
