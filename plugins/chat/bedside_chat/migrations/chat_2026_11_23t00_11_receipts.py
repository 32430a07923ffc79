"""Receipts of members are told apart from other changes, for those who are not told of them (C14)."""

from __future__ import annotations

from bedside_core.api import sql_migration

ID = "chat_2026_11_23t00_11"
VERSION = "1.38.0"
DESCRIPTION = "Where the last change of a participant or message is a member's receipt, the one before is kept."


async def forwards():
    """Run the migration."""
    return sql_migration(
        "chat",
        ID,
        DESCRIPTION,
        [
            f"ALTER TABLE {table} ADD COLUMN receipt_at bigint, ADD COLUMN told_at bigint"
            for table in ("participant", "message")
        ],
    )
