"""With the last second factor of an account its sessions have shown none any more."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_03"
VERSION = "1.38.0"
DESCRIPTION = "With the last second factor of an account its sessions have shown none any more."

FUNCTIONS = [
    # Who changes the password or the factors of an account goes one after the other. Whatever only refers to the
    # account, as a session or a member, waits for nobody.
    *definer_function(
        "account_hold(wanted uuid)",
        "void",
        "SELECT FROM account WHERE id = wanted FOR NO KEY UPDATE",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_factors_gone(account uuid)",
        'TABLE (id uuid, "position" bigint)',
        """UPDATE session SET factor = 'none', "position" = "position" + 2
        WHERE account_id = account AND factor = 'shown' AND ended_at IS NULL
        RETURNING session.id, session."position\"""",
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, FUNCTIONS)
