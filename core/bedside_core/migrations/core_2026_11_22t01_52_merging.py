"""Two records of one patient become one: the merged record stays as a pointer to the kept one."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration
from bedside_core.database.kinds import APPLICATION

ID = "core_2026_11_22t01_52"
VERSION = "1.38.0"
DESCRIPTION = "Two records of one patient become one."

# A merged record is out of lists and search like one in the archive, and keeps its MRN from being given to others. It
# points to a record that is not merged itself: there are no chains.
TABLES = """
ALTER TABLE patient
    ADD COLUMN merged_into uuid,
    ADD COLUMN merged_at timestamptz,
    ADD FOREIGN KEY (practice_id, merged_into) REFERENCES patient (practice_id, id),
    ADD CHECK (merged_into IS NULL OR (merged_into <> id AND archived_at IS NOT NULL)),
    ADD CHECK ((merged_into IS NULL) = (merged_at IS NULL));
CREATE INDEX patient_merged ON patient (practice_id, merged_into) WHERE merged_into IS NOT NULL;
DROP INDEX patient_archived;
CREATE INDEX patient_archived ON patient (practice_id, last_name, first_name, id)
    WHERE archived_at IS NOT NULL AND merged_into IS NULL;
"""

# Runs as who calls it, beneath row-level security. Tables, columns and conditions are those that code declares.
MOVE = """
CREATE FUNCTION record_move(kept text, moved text, about text, merged uuid, target uuid)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    many bigint;
BEGIN
    EXECUTE format('UPDATE %I t SET %I = $2 WHERE t.practice_id = app_practice() AND (%s)', kept, moved, about)
        USING merged, target;
    GET DIAGNOSTICS many = ROW_COUNT;
    RETURN many;
END $$
"""
_SIGNATURE = "record_move(text, text, text, uuid, uuid)"

FUNCTIONS = [
    MOVE,
    f"REVOKE ALL ON FUNCTION {_SIGNATURE} FROM PUBLIC",
    f"GRANT EXECUTE ON FUNCTION {_SIGNATURE} TO {APPLICATION}",
    *definer_function(
        "patient_end_sessions(wanted uuid, at timestamptz)",
        'TABLE (id uuid, "position" bigint)',
        """UPDATE session s SET ended_at = at FROM patient p
        WHERE s.patient_id = wanted AND p.id = wanted AND p.practice_id = app_practice() AND s.ended_at IS NULL
        RETURNING s.id, s."position" + 1""",
        volatility="VOLATILE",
    ),
    # Whoever saw the record that was merged has seen the patient.
    *definer_function(
        "audit_of_patient(patient uuid, person uuid, what text, since timestamptz, until timestamptz, "
        "before_at timestamptz, before_id uuid, size int)",
        "SETOF audit_entry",
        """SELECT * FROM audit_entry e WHERE e.practice_id = app_practice()
        AND e.patients && (ARRAY[audit_of_patient.patient] || ARRAY(SELECT p.id FROM patient p
            WHERE p.practice_id = app_practice() AND p.merged_into = audit_of_patient.patient))
        AND (person IS NULL OR e.person_id = person) AND (what IS NULL OR e.action = what)
        AND (since IS NULL OR e.at >= since) AND (until IS NULL OR e.at < until)
        AND (before_at IS NULL OR (e.at, e.id) < (before_at, before_id))
        ORDER BY e.at DESC, e.id DESC LIMIT size""",
        volatility="STABLE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLES, *FUNCTIONS])
