"""Practices, notes, labels, rooms and their guests."""

from __future__ import annotations

from bedside_core.database import definer_function, deployment_table, practice_table, shared_table, sql_migration

ID = "ward_2026_11_22t00_00"
VERSION = "1.38.0"
DESCRIPTION = __doc__

TABLES = """
CREATE TABLE practice (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE note (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    body text NOT NULL,
    data jsonb NOT NULL DEFAULT '{}',
    rank integer NOT NULL DEFAULT 0,
    UNIQUE (practice_id, id)
);
CREATE TABLE label (
    practice_id uuid NOT NULL,
    note_id uuid NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (note_id, name),
    FOREIGN KEY (practice_id, note_id) REFERENCES note (practice_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE room (id uuid PRIMARY KEY, practice_id uuid NOT NULL, name text NOT NULL, UNIQUE (practice_id, id));
CREATE TABLE guest (
    practice_id uuid NOT NULL,
    room_id uuid NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (room_id, person_id),
    FOREIGN KEY (practice_id, room_id) REFERENCES room (practice_id, id)
);
"""


async def forwards():
    invited = "SELECT EXISTS (SELECT FROM guest WHERE guest.room_id = invited.room_id AND person_id = app_person())"
    return sql_migration(
        "ward",
        ID,
        DESCRIPTION,
        [
            TABLES,
            *deployment_table("practice"),
            *definer_function("practice_name(practice_id uuid)", "text", "SELECT name FROM practice WHERE id = $1"),
            *practice_table("note"),
            *practice_table("label"),
            *definer_function("invited(room_id uuid)", "boolean", invited),
            *shared_table("room", reads="invited(id)"),
            *shared_table("guest", reads="person_id = (SELECT app_person())"),
        ],
    )
