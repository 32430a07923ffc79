"""The waiting list is followed live (C16)."""

from __future__ import annotations

from bedside_core.api import sql_migration

ID = "scheduling_2026_11_23t00_30"
VERSION = "1.38.0"
DESCRIPTION = "Entries of the waiting list have the position of their last change in the practice's schedule."

LIVE = """
ALTER TABLE waiting_entry ADD COLUMN changed bigint NOT NULL DEFAULT 0;
CREATE INDEX waiting_entry_by_change ON waiting_entry (practice_id, changed);
"""


async def forwards():
    """Run the migration."""
    return sql_migration("scheduling", ID, DESCRIPTION, [LIVE])
