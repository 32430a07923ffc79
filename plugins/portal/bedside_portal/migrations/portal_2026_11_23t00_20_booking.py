"""Which patients book by themselves, whatever the practice's setting says, and until when a guardian acts."""

from __future__ import annotations

from bedside_core.api import definer_function, practice_table, sql_migration

ID = "portal_2026_11_23t00_20"
VERSION = "1.38.0"
DESCRIPTION = "Which patients book by themselves, and until when a guardian acts."

TABLES = """
CREATE TABLE portal_booking (
    patient_id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    allowed boolean NOT NULL,
    decided_at timestamptz NOT NULL,
    decided_by uuid NOT NULL,
    FOREIGN KEY (practice_id, patient_id) REFERENCES patient (practice_id, id) ON DELETE CASCADE
);
ALTER TABLE portal_holder ADD COLUMN ends_on date CHECK (ends_on IS NULL OR relationship IS NOT NULL);
CREATE INDEX portal_holder_ends ON portal_holder (practice_id, ends_on)
    WHERE ends_on IS NOT NULL AND removed_at IS NULL;
"""

# Where letters to a patient go besides the record's own addresses: to who acts for them, or to one account of them. The
# patient's own user name counts where the record has no address; of a guardian also the number that the invitation went
# to, for its link was followed. What is the record's own, too, is none of theirs.
ADDRESSES = definer_function(
    "portal_addresses(patients uuid[], account uuid, suspended_too boolean)",
    "TABLE (patient_id uuid, email text, phone text)",
    """SELECT f.patient_id, f.email, f.phone FROM (
        SELECT h.patient_id, h.id, h.relationship,
            CASE WHEN h.relationship IS NOT NULL AND lower(a.email) IS DISTINCT FROM lower(p.email) OR p.email IS NULL
                THEN a.email END AS email,
            CASE WHEN h.relationship IS NOT NULL AND h.channel = 'sms' AND h.address IS DISTINCT FROM p.phone
                THEN h.address END AS phone
        FROM portal_holder h JOIN account a ON a.id = h.account_id JOIN patient p ON p.id = h.patient_id
        WHERE h.patient_id = ANY(patients) AND h.practice_id = app_practice() AND h.removed_at IS NULL
            AND (account IS NULL OR h.account_id = account)
            AND (suspended_too OR NOT EXISTS (
                SELECT FROM portal_suspension s WHERE s.patient_id = h.patient_id))
    ) f WHERE f.email IS NOT NULL OR f.phone IS NOT NULL ORDER BY f.relationship IS NOT NULL, f.id""",
)


async def forwards():
    """Run the migration."""
    return sql_migration("portal", ID, DESCRIPTION, [TABLES, *practice_table("portal_booking"), *ADDRESSES])
