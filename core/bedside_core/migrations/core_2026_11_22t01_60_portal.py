"""Ending the sessions by which one account acts for one patient."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t01_60"
VERSION = "1.38.0"
DESCRIPTION = "Ending the sessions by which one account acts for one patient."

# Whatever is given has to hold: account and patient together mean the account's sessions that act for this patient.
SESSIONS = [
    *definer_function(
        "auth_end_sessions(account uuid, member uuid, patient uuid, single uuid[], spared uuid, at timestamptz)",
        'TABLE (id uuid, "position" bigint)',
        """UPDATE session SET ended_at = at, "position" = "position" + 1
        WHERE num_nonnulls(account, member, patient, single) > 0
            AND (account IS NULL OR account_id = account)
            AND (member IS NULL OR member_id = member)
            AND (patient IS NULL OR patient_id = patient)
            AND (single IS NULL OR session.id = ANY(single))
            AND ended_at IS NULL AND session.id IS DISTINCT FROM spared
        RETURNING session.id, session."position" """,
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, SESSIONS)
