"""Whether a key or an application is still given what a job does that was begun with it (A13)."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t01_98"
VERSION = "1.38.0"
DESCRIPTION = "Jobs end with the key or the application that began them."

# When a key is open stands in one place, where the keys whose sockets a process holds are looked at: 0 is open.
GIVEN = definer_function(
    "auth_still_given(wanted uuid, at timestamptz)",
    "boolean",
    """SELECT EXISTS (SELECT FROM api_key k, LATERAL session_positions(ARRAY[k.id], at) AS key
        WHERE k.id = wanted AND key."position" = 0)
    OR EXISTS (SELECT FROM session s JOIN application a ON a.id = s.application_id
        WHERE s.id = wanted AND s.ended_at IS NULL AND a.removed_at IS NULL)""",
)


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, GIVEN)
