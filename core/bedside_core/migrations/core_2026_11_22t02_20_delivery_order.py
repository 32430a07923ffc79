"""Deliveries are found in the order in which they are tried: what was tried least comes first."""

from __future__ import annotations

from bedside_core.database import sql_migration

ID = "core_2026_11_22t02_20"
VERSION = "1.38.0"
DESCRIPTION = "Deliveries that were tried least go first."


async def forwards():
    """Run the migration."""
    index = """CREATE INDEX notification_delivery_next
        ON notification_delivery (practice_id, channel, attempts, due_at, id) WHERE state = 'waiting'"""
    return sql_migration("core", ID, DESCRIPTION, [index])
