"""Adding a contact finds members by the addresses and numbers that they show to who asks (A8), and by no others."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t01_97"
VERSION = "1.38.0"
DESCRIPTION = "Members are found by what they show of themselves."


def _shown(rule: str) -> str:
    """Return the condition by which `directory()` shows what a member lets be seen by `rule`."""
    return f"(m.id = app_person() OR {rule} = 'connected' OR ({rule} = 'practice' AND m.practice_id = app_practice()))"


REACHED = definer_function(
    "directory_reached(address text, number text)",
    "SETOF uuid",
    f"""SELECT m.id FROM member m JOIN account a ON a.id = m.account_id
    WHERE m.active AND m.practice_id IN (SELECT directory_practices())
    AND ((lower(a.email) = lower(address) AND {_shown("m.email_for")})
        OR (m.phone = number AND {_shown("m.phone_for")}))
    ORDER BY m.practice_id = app_practice() DESC, m.id LIMIT 1""",
)


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, REACHED)
