"""A session that goes from one practice to another, entered in the trails of both."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t01_95"
VERSION = "1.38.0"
DESCRIPTION = "What concerns two practices is entered in both trails."

_COLUMNS = (
    "id, practice_id, at, account_id, person_id, role, key_id, operator, action, kind, target, patients, request_id, "
    "via, detail"
)

# Into the trail of another practice than the acting one's, in the same transaction. It adds; nothing is seen by it.
FUNCTIONS = definer_function(
    "audit_enter(entries jsonb)",
    "void",
    f"""INSERT INTO audit_entry ({_COLUMNS}) SELECT {_COLUMNS}
    FROM jsonb_populate_recordset(NULL::audit_entry, entries)""",
    volatility="VOLATILE",
)


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, FUNCTIONS)
