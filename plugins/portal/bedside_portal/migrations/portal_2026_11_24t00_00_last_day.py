"""Who acts for a patient is told by the day that it is in the practice, not by whether a job has run since (S11)."""

from __future__ import annotations

from bedside_core.api import definer_function, sql_migration

ID = "portal_2026_11_24t00_00"
VERSION = "1.38.0"
DESCRIPTION = "Guardians act until the end of their last day, where the practice is."

# The product's time is given, for the database has none of its own that tests and the demo could move.
_ACTS = """h.removed_at IS NULL AND (h.ends_on IS NULL OR h.ends_on >= (moment AT TIME ZONE c.zone)::date)
    AND NOT EXISTS (SELECT FROM portal_suspension s WHERE s.patient_id = h.patient_id)"""

FUNCTIONS = [
    "DROP FUNCTION portal_personas(uuid)",
    "DROP FUNCTION portal_acts(uuid, uuid)",
    "DROP FUNCTION portal_addresses(uuid[], uuid, boolean)",
    *definer_function(
        "portal_personas(account uuid, moment timestamptz)",
        "TABLE (patient_id uuid, practice_id uuid, practice text, first_name text, last_name text)",
        f"""SELECT p.id, p.practice_id, c.name, p.first_name, p.last_name
        FROM portal_holder h JOIN patient p ON p.id = h.patient_id JOIN practice c ON c.id = p.practice_id
        WHERE h.account_id = account AND {_ACTS} ORDER BY c.name, p.last_name, p.first_name, p.id""",
    ),
    *definer_function(
        "portal_acts(account uuid, patient uuid, moment timestamptz)",
        "boolean",
        f"""SELECT EXISTS (SELECT FROM portal_holder h JOIN practice c ON c.id = h.practice_id
        WHERE h.account_id = account AND h.patient_id = patient AND {_ACTS})""",
    ),
    # As before, but of those who act at a moment; without one, of whoever is not written down as removed.
    *definer_function(
        "portal_addresses(patients uuid[], account uuid, moment timestamptz)",
        "TABLE (patient_id uuid, email text, phone text)",
        f"""SELECT f.patient_id, f.email, f.phone FROM (
            SELECT h.patient_id, h.id, h.relationship,
                CASE WHEN h.relationship IS NOT NULL AND lower(a.email) IS DISTINCT FROM lower(p.email)
                    OR p.email IS NULL THEN a.email END AS email,
                CASE WHEN h.relationship IS NOT NULL AND h.channel = 'sms' AND h.address IS DISTINCT FROM p.phone
                    THEN h.address END AS phone
            FROM portal_holder h JOIN account a ON a.id = h.account_id JOIN patient p ON p.id = h.patient_id
            JOIN practice c ON c.id = h.practice_id
            WHERE h.patient_id = ANY(patients) AND h.practice_id = app_practice() AND h.removed_at IS NULL
                AND (account IS NULL OR h.account_id = account) AND (moment IS NULL OR {_ACTS})
        ) f WHERE f.email IS NOT NULL OR f.phone IS NOT NULL ORDER BY f.relationship IS NOT NULL, f.id""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("portal", ID, DESCRIPTION, FUNCTIONS)
