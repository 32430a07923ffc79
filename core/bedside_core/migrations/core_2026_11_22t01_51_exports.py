"""Exports of patients and practices, and the rows that they are made of."""

from __future__ import annotations

from bedside_core.database import definer_function, practice_table, sql_migration
from bedside_core.database.kinds import APPLICATION

ID = "core_2026_11_22t01_51"
VERSION = "1.38.0"
DESCRIPTION = "Exports of patients and practices, and the rows that they are made of."

TABLES = """
CREATE TABLE data_export (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    made_by uuid NOT NULL,
    client_id text NOT NULL,
    asked_by jsonb NOT NULL,
    patient_id uuid,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'ready', 'failed', 'expired')),
    reason text,
    file_id uuid,
    size bigint,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    expires_at timestamptz,
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, made_by, client_id),
    CHECK ((state = 'ready') <= (num_nulls(file_id, size, ended_at, expires_at) = 0)),
    CHECK ((state = 'failed') = (reason IS NOT NULL))
);
CREATE INDEX data_export_by_maker ON data_export (practice_id, made_by, created_at DESC, id DESC);
CREATE INDEX data_export_by_expiry ON data_export (practice_id, expires_at) WHERE state = 'ready';
"""

# These run as who calls them, beneath row-level security. Tables and conditions are those that code declares.
FUNCTIONS = """
CREATE FUNCTION record_rows(kept text, about text, patient uuid, hidden text[], after text, size int)
RETURNS TABLE (place text, content text) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT t.ctid::text, (to_jsonb(t) - $2)::text FROM %I t WHERE t.ctid > $3::tid
            AND t.practice_id = app_practice() AND ($1 IS NULL OR %s) ORDER BY t.ctid LIMIT $4',
        kept, coalesce(about, 'true')) USING patient, hidden, after, size;
END $$;
CREATE FUNCTION record_files(about text, patient uuid)
RETURNS TABLE (id uuid, name text, key text) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT t.id, t.name, o.key FROM file t LEFT JOIN file_object o ON o.file_id = t.id AND o.kind = ''content''
            AND o.practice_id = t.practice_id AND NOT t.lost
        WHERE t.practice_id = app_practice() AND t.state = ''attached'' AND ($1 IS NULL OR %s)
            AND t.owner_kind NOT IN (''data_export'', ''patient_import'', ''patient_import_report'') ORDER BY t.id',
        coalesce(about, 'true')) USING patient;
END $$;
"""

GRANTS = [
    sql
    for function in ("record_rows(text, text, uuid, text[], text, int)", "record_files(text, uuid)")
    for sql in (
        f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {function} TO {APPLICATION}",
    )
]

PRACTICE = definer_function(
    "record_practice()",
    "TABLE (name text, content jsonb)",
    """SELECT 'practice', to_jsonb(p) - '{position,created_by,client_id}'::text[] FROM practice p
        WHERE p.id = app_practice()
    UNION ALL SELECT 'connections', to_jsonb(c) FROM connection c WHERE app_practice() IN (c.asker, c.asked)
    UNION ALL SELECT 'addresses', jsonb_build_object('member_id', m.id, 'email', a.email)
        FROM member m JOIN account a ON a.id = m.account_id WHERE m.practice_id = app_practice()
    UNION ALL SELECT 'api_keys', to_jsonb(k) - '{token_hash}'::text[] FROM api_key k
        WHERE k.practice_id = app_practice()""",
)


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core", ID, DESCRIPTION, [TABLES, *practice_table("data_export"), FUNCTIONS, *GRANTS, *PRACTICE]
    )
