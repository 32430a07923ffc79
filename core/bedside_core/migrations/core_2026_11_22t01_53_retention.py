"""Retention: when a patient's record was last changed, whose time is over, and erasing what is declared."""

from __future__ import annotations

from bedside_core.database import definer_function, practice_table, sql_migration
from bedside_core.database.kinds import APPLICATION

ID = "core_2026_11_22t01_53"
VERSION = "1.38.0"
DESCRIPTION = "Retention: when a patient's record was last changed, whose time is over, and erasing what is declared."

TABLES = """
ALTER TABLE patient ADD COLUMN changed_at timestamptz;
UPDATE patient SET changed_at = created_at;
ALTER TABLE patient ALTER COLUMN changed_at SET NOT NULL, ALTER COLUMN changed_at SET DEFAULT now();
CREATE FUNCTION patient_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    NEW.changed_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER patient_changed BEFORE UPDATE ON patient FOR EACH ROW EXECUTE FUNCTION patient_changed();
CREATE INDEX patient_by_change ON patient (practice_id, changed_at);
CREATE TABLE retention_due (
    practice_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    told_at timestamptz NOT NULL,
    erases boolean NOT NULL,
    PRIMARY KEY (practice_id, patient_id),
    FOREIGN KEY (practice_id, patient_id) REFERENCES patient (practice_id, id) ON DELETE CASCADE
);
"""

# These run as who calls them, beneath row-level security. Tables and conditions are those that code declares.
FUNCTIONS = """
CREATE FUNCTION record_idle(kept text, active text, candidates uuid[], since timestamptz)
RETURNS SETOF uuid LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT c.id FROM unnest($1) AS c (id) WHERE NOT EXISTS (
            SELECT FROM %I t WHERE t.practice_id = app_practice() AND (%s))',
        kept, replace(active, '$1', 'c.id')) USING candidates, since;
END $$;
CREATE FUNCTION record_erase(kept text, about text, patient uuid)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    many bigint;
BEGIN
    EXECUTE format('DELETE FROM %I t WHERE t.practice_id = app_practice() AND (%s)', kept, about) USING patient;
    GET DIAGNOSTICS many = ROW_COUNT;
    RETURN many;
END $$;
"""

GRANTS = [
    sql
    for function in ("record_idle(text, text, uuid[], timestamptz)", "record_erase(text, text, uuid)")
    for sql in (
        f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {function} TO {APPLICATION}",
    )
]

SESSIONS = definer_function(
    "patient_erase_sessions(wanted uuid)",
    "void",
    """DELETE FROM session s USING patient p
    WHERE s.patient_id = wanted AND p.id = wanted AND p.practice_id = app_practice()""",
    volatility="VOLATILE",
)


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [TABLES, *practice_table("retention_due"), FUNCTIONS, *GRANTS, *SESSIONS],
    )
