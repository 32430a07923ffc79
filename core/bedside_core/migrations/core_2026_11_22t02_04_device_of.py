"""Whether a device is known to the account of an address, asked before anything is counted."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_04"
VERSION = "1.38.0"
DESCRIPTION = "Whether a device is known to the account of an address, asked before anything is counted."

FUNCTIONS = definer_function(
    "auth_device_of(wanted text, token bytea)",
    "uuid",
    """SELECT d.id FROM device d JOIN account a ON a.id = d.account_id
    WHERE d.token_hash = token AND lower(a.email) = lower(wanted)""",
)


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, FUNCTIONS)
