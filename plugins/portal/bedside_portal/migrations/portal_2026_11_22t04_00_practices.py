"""The practices that an account is known to as a patient's."""

from __future__ import annotations

from bedside_core.api import definer_function, sql_migration

ID = "portal_2026_11_22t04_00"
VERSION = "1.38.0"
DESCRIPTION = "The practices that an account is known to as a patient's."

# Suspended ones among them: what an account has to show counts for them again tomorrow.
PRACTICES = definer_function(
    "portal_practices(account uuid)",
    "SETOF uuid",
    "SELECT DISTINCT h.practice_id FROM portal_holder h WHERE h.account_id = account AND h.removed_at IS NULL",
)


async def forwards():
    """Run the migration."""
    return sql_migration("portal", ID, DESCRIPTION, PRACTICES)
