"""Inboxes: what concerns a person, each thing with the position of its last change."""

from __future__ import annotations

from bedside_core.database import definer_function, practice_table, sql_migration

ID = "core_2026_11_22t03_30"
VERSION = "1.38.0"
DESCRIPTION = "Inboxes."

TABLES = """
CREATE TABLE inbox (
    practice_id uuid NOT NULL,
    person_id uuid NOT NULL,
    "position" bigint NOT NULL DEFAULT 0,
    floor bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (person_id),
    UNIQUE (practice_id, person_id)
);
CREATE TABLE inbox_item (
    practice_id uuid NOT NULL,
    person_id uuid NOT NULL,
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    "position" bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (person_id, kind, subject_id),
    FOREIGN KEY (practice_id, person_id) REFERENCES inbox (practice_id, person_id) ON DELETE CASCADE
);
CREATE INDEX inbox_item_order ON inbox_item (person_id, "position");
CREATE INDEX inbox_item_old ON inbox_item (practice_id, at);
"""

FUNCTIONS = [
    # Whoever acts may be of another practice than those whom it concerns. The inboxes are locked in the order of ids,
    # each is moved on by the number of its things, and each thing takes one of these positions. Contacts have no inbox.
    *definer_function(
        "inbox_tell(persons uuid[], kinds text[], subjects uuid[], at timestamptz)",
        'TABLE (id uuid, "position" bigint)',
        """
        WITH told AS (
            SELECT DISTINCT person, kind, subject FROM unnest(persons, kinds, subjects) AS t (person, kind, subject)
        ), people AS (
            SELECT m.id, m.practice_id FROM member m WHERE m.id = ANY(persons)
            UNION ALL SELECT p.id, p.practice_id FROM patient p WHERE p.id = ANY(persons)
        ), moved AS (
            INSERT INTO inbox AS i (practice_id, person_id, "position")
            SELECT w.practice_id, w.id, (SELECT count(*) FROM told WHERE told.person = w.id)
            FROM people w ORDER BY w.id
            ON CONFLICT (person_id) DO UPDATE SET "position" = i."position" + excluded."position"
            RETURNING i.practice_id, i.person_id, i."position"
        ), written AS (
            INSERT INTO inbox_item AS x (practice_id, person_id, kind, subject_id, "position", at)
            SELECT v.practice_id, v.person_id, t.kind, t.subject,
                v."position" + 1 - row_number() OVER (PARTITION BY v.person_id ORDER BY t.kind DESC, t.subject DESC), at
            FROM moved v JOIN told t ON t.person = v.person_id
            ON CONFLICT (person_id, kind, subject_id) DO UPDATE SET "position" = excluded."position", at = excluded.at
        )
        SELECT v.person_id, v."position" FROM moved v""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "inbox_positions(wanted uuid[])",
        'TABLE (id uuid, "position" bigint)',
        'SELECT i.person_id, i."position" FROM inbox i WHERE i.person_id = ANY(wanted)',
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core", ID, DESCRIPTION, [TABLES, *practice_table("inbox"), *practice_table("inbox_item"), *FUNCTIONS]
    )
