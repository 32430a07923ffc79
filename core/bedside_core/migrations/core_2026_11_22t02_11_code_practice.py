"""In whose audit trail the exchange of an application's code stands."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_11"
VERSION = "1.38.0"
DESCRIPTION = "In whose audit trail the exchange of an application's code stands."

CODES = [
    # The practice that the session which consented acts for; null for the operator, no row for an unknown code.
    *definer_function(
        "application_code_practice(shown bytea, application uuid)",
        "TABLE (practice_id uuid)",
        """SELECT coalesce(m.practice_id, r.practice_id)
        FROM application_code c JOIN session s ON s.id = c.session_id
        LEFT JOIN member m ON m.id = s.member_id LEFT JOIN patient r ON r.id = s.patient_id
        WHERE c.hash = shown AND c.application_id = application""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, CODES)
