"""Sessions that end with a merge or with their practice are one position further, so that looking finds their end."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t01_90"
VERSION = "1.38.0"
DESCRIPTION = "Sessions that end with a merge or with their practice are found by looking."

FUNCTIONS = [
    *definer_function(
        "patient_end_sessions(wanted uuid, at timestamptz)",
        'TABLE (id uuid, "position" bigint)',
        """UPDATE session s SET ended_at = at, "position" = s."position" + 1 FROM patient p
        WHERE s.patient_id = wanted AND p.id = wanted AND p.practice_id = app_practice() AND s.ended_at IS NULL
        RETURNING s.id, s."position" """,
        volatility="VOLATILE",
    ),
    *definer_function(
        "practice_end_sessions(at timestamptz)",
        'TABLE (id uuid, "position" bigint)',
        """UPDATE session s SET ended_at = at, "position" = s."position" + 1 WHERE s.ended_at IS NULL AND (
            s.member_id IN (SELECT m.id FROM member m WHERE m.practice_id = app_practice())
            OR s.patient_id IN (SELECT p.id FROM patient p WHERE p.practice_id = app_practice()))
        RETURNING s.id, s."position" """,
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, FUNCTIONS)
