"""Recordings, the position of each patient's stream, and daily summaries."""

from __future__ import annotations

from bedside_core.api import definer_function, practice_table, sql_migration

ID = "vitals_2026_11_24t00_00"
VERSION = "1.38.0"
DESCRIPTION = "Recordings, the position of each patient's stream, and daily summaries."

# Every key holds the practice, so that no row points at another practice's patient or tells of its values.
TABLES = """
CREATE TABLE vitals_stream (
    practice_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    "position" bigint NOT NULL,
    PRIMARY KEY (patient_id, practice_id),
    FOREIGN KEY (practice_id, patient_id) REFERENCES patient (practice_id, id) ON DELETE CASCADE
);
CREATE TABLE vitals (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    "position" bigint NOT NULL,
    systolic integer NOT NULL,
    diastolic integer NOT NULL,
    pulse integer NOT NULL,
    note text NOT NULL,
    recorded_by uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    client_id text NOT NULL,
    UNIQUE (practice_id, patient_id, "position"),
    UNIQUE (practice_id, recorded_by, client_id),
    FOREIGN KEY (practice_id, patient_id) REFERENCES patient (practice_id, id) ON DELETE CASCADE,
    FOREIGN KEY (practice_id, recorded_by) REFERENCES member (practice_id, id)
);
CREATE INDEX vitals_by_time ON vitals (practice_id, recorded_at, id);
CREATE TABLE vitals_daily (
    practice_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    day date NOT NULL,
    recordings integer NOT NULL,
    lowest_systolic integer NOT NULL,
    highest_systolic integer NOT NULL,
    average_pulse real NOT NULL,
    PRIMARY KEY (patient_id, day, practice_id),
    FOREIGN KEY (practice_id, patient_id) REFERENCES patient (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX vitals_daily_by_day ON vitals_daily (practice_id, day);
"""

# Positions are looked up for all practices at once, past row-level security; the function tells nothing else.
POSITIONS = definer_function(
    "vitals_positions(wanted uuid[])",
    'TABLE (id uuid, "position" bigint)',
    'SELECT s.patient_id, s."position" FROM vitals_stream s WHERE s.patient_id = ANY(wanted)',
)


async def forwards():
    """Run the migration."""
    return sql_migration(
        "vitals",
        ID,
        DESCRIPTION,
        [
            TABLES,
            *POSITIONS,
            *practice_table("vitals_stream"),
            *practice_table("vitals"),
            *practice_table("vitals_daily"),
        ],
    )
