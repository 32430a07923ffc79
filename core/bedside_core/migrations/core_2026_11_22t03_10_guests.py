"""Guests' sessions: what a link's secret is exchanged for (C6)."""

from __future__ import annotations

from bedside_core.database import definer_function, deployment_table, sql_migration

ID = "core_2026_11_22t03_10"
VERSION = "1.38.0"
DESCRIPTION = "Guests' sessions, each bound to one thing."

TABLE = """
CREATE TABLE guest_session (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice ON DELETE CASCADE,
    person_id uuid NOT NULL,
    bound_to uuid NOT NULL,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    link_ends_at timestamptz NOT NULL,
    CHECK (expires_at <= link_ends_at)
);
CREATE INDEX guest_session_by_thing ON guest_session (bound_to, person_id);
CREATE INDEX guest_session_by_person ON guest_session (person_id);
CREATE INDEX guest_session_by_practice ON guest_session (practice_id);
CREATE INDEX guest_session_by_age ON guest_session (expires_at);
"""

_OPEN = "expires_at > at"

FUNCTIONS = [
    # What has ended is gone. Tells which older ones of the same person it ended: ten stay.
    *definer_function(
        "guest_open(new_id uuid, practice uuid, person uuid, thing uuid, hash bytea, at timestamptz, "
        "until timestamptz, link_until timestamptz)",
        "TABLE (id uuid)",
        """DELETE FROM guest_session g WHERE g.expires_at <= at;
        INSERT INTO guest_session (id, practice_id, person_id, bound_to, token_hash, created_at, expires_at,
            link_ends_at)
        VALUES (new_id, practice, person, thing, hash, at, until, link_until);
        DELETE FROM guest_session g WHERE g.id IN (SELECT o.id FROM guest_session o
            WHERE o.bound_to = thing AND o.person_id = person ORDER BY o.id DESC OFFSET 10)
        RETURNING g.id""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_guest(token bytea, at timestamptz)",
        "TABLE (session_id uuid, practice_id uuid, person_id uuid, bound_to uuid)",
        f"""SELECT g.id, g.practice_id, g.person_id, g.bound_to FROM guest_session g
        WHERE g.token_hash = token AND {_OPEN}""",
    ),
    # As long as LASTS of auth/guests.py.
    *definer_function(
        "guest_seen(wanted uuid[], at timestamptz)",
        "void",
        f"""UPDATE guest_session SET expires_at = least(link_ends_at, at + interval '1 hour')
        WHERE id = ANY(wanted) AND {_OPEN}""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "guest_end(thing uuid, person uuid)",
        "TABLE (id uuid)",
        """DELETE FROM guest_session g
        WHERE (thing IS NULL OR g.bound_to = thing) AND (person IS NULL OR g.person_id = person)
            AND (thing IS NOT NULL OR person IS NOT NULL)
        RETURNING g.id""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "guest_positions(wanted uuid[], at timestamptz)",
        'TABLE (id uuid, "position" bigint)',
        f"""SELECT g.id, CASE WHEN {_OPEN} THEN 0 ELSE 1 END::bigint FROM guest_session g
        WHERE g.id = ANY(wanted)""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLE, *deployment_table("guest_session"), *FUNCTIONS])
