"""Tells whoever verifies the trail whether something of a practice is still there that is said to be erased."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_24"
VERSION = "1.38.0"
DESCRIPTION = "An erased practice has neither people nor a trail."

REMAINS = definer_function(
    "practice_remains(wanted uuid)",
    "text",
    """SELECT CASE
        WHEN EXISTS (SELECT FROM practice p WHERE p.id = wanted) THEN 'the practice itself'
        WHEN EXISTS (SELECT FROM member m WHERE m.practice_id = wanted) THEN 'members'
        WHEN EXISTS (SELECT FROM patient p WHERE p.practice_id = wanted) THEN 'patients'
        WHEN EXISTS (SELECT FROM audit_entry e WHERE e.practice_id = wanted)
            OR EXISTS (SELECT FROM audit_seal s WHERE s.practice_id = wanted) THEN 'something of its trail' END""",
)


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, REMAINS)
