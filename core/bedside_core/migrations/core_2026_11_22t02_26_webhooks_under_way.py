"""How many webhooks of a practice are under way is found at once."""

from __future__ import annotations

from bedside_core.database import sql_migration

ID = "core_2026_11_22t02_26"
VERSION = "1.38.0"
DESCRIPTION = "Webhooks under way, by practice."


async def forwards():
    """Run the migration."""
    index = """CREATE INDEX webhook_delivery_under_way ON webhook_delivery (practice_id, claimed_until)
        WHERE claimed_until IS NOT NULL"""
    return sql_migration("core", ID, DESCRIPTION, [index])
