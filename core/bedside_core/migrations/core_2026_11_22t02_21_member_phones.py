"""Members are reached by the phone of their profile."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_21"
VERSION = "1.38.0"
DESCRIPTION = "Members get SMS and calls."

NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"

ADDRESSES = definer_function(
    "notify_addresses(whom text, wanted uuid[])",
    "TABLE (id uuid, email text, phone text)",
    f"""SELECT a.id, a.email, NULL FROM account a
        WHERE whom = 'account' AND a.id = ANY(wanted) AND app_practice() = {NOBODY}
    UNION ALL SELECT m.id, a.email, m.phone FROM member m JOIN account a ON a.id = m.account_id
        WHERE whom = 'member' AND m.id = ANY(wanted) AND m.practice_id = app_practice() AND m.active
    UNION ALL SELECT p.id, p.email, p.phone FROM patient p
        WHERE whom = 'patient' AND p.id = ANY(wanted) AND p.practice_id = app_practice()""",
)


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, ADDRESSES)
