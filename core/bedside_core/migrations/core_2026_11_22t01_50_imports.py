"""Imports of patients, and the rows they refused."""

from __future__ import annotations

from bedside_core.database import definer_function, practice_table, sql_migration

ID = "core_2026_11_22t01_50"
VERSION = "1.38.0"
DESCRIPTION = "Imports of patients, and the rows they refused."

TABLES = """
CREATE TABLE patient_import (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    made_by uuid NOT NULL,
    client_id text NOT NULL,
    asked_by jsonb NOT NULL,
    upload_id uuid NOT NULL,
    options jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'checking', 'importing', 'done', 'refused')),
    "position" bigint NOT NULL DEFAULT 1,
    rows integer,
    checked integer NOT NULL DEFAULT 0,
    refused integer NOT NULL DEFAULT 0,
    imported integer NOT NULL DEFAULT 0,
    encoding text,
    delimiter text,
    ignored jsonb NOT NULL DEFAULT '[]',
    problem jsonb,
    report_id uuid,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, made_by, client_id),
    CHECK ((state IN ('done', 'refused')) = (ended_at IS NOT NULL)),
    CHECK ((state = 'refused') = (problem IS NOT NULL))
);
CREATE INDEX patient_import_by_time ON patient_import (practice_id, created_at DESC, id DESC);
CREATE TABLE patient_import_refusal (
    practice_id uuid NOT NULL,
    import_id uuid NOT NULL,
    line integer NOT NULL,
    faults jsonb NOT NULL,
    PRIMARY KEY (practice_id, import_id, line),
    FOREIGN KEY (practice_id, import_id) REFERENCES patient_import (practice_id, id) ON DELETE CASCADE
);
"""


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [
            TABLES,
            *practice_table("patient_import"),
            *practice_table("patient_import_refusal"),
            *definer_function(
                "patient_import_positions(wanted uuid[])",
                'TABLE (id uuid, "position" bigint)',
                'SELECT i.id, i."position" FROM patient_import i WHERE i.id = ANY(wanted)',
            ),
        ],
    )
