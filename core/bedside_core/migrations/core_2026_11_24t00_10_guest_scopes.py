"""What a guest reaches by a link is confined to the permissions that were named when they came in (A6)."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_24t00_10"
VERSION = "1.38.0"
DESCRIPTION = "Guests' sessions name the permissions that they are confined to."

CHANGES = """
ALTER TABLE guest_session ADD COLUMN scopes text[];
DROP FUNCTION guest_open(uuid, uuid, uuid, uuid, bytea, timestamptz, timestamptz, timestamptz);
DROP FUNCTION auth_guest(bytea, timestamptz);
"""

FUNCTIONS = [
    *definer_function(
        "guest_open(new_id uuid, practice uuid, person uuid, thing uuid, hash bytea, at timestamptz, "
        "until timestamptz, link_until timestamptz, confined text[])",
        "TABLE (id uuid)",
        """DELETE FROM guest_session g WHERE g.expires_at <= at;
        INSERT INTO guest_session (id, practice_id, person_id, bound_to, token_hash, created_at, expires_at,
            link_ends_at, scopes)
        VALUES (new_id, practice, person, thing, hash, at, until, link_until, confined);
        DELETE FROM guest_session g WHERE g.id IN (SELECT o.id FROM guest_session o
            WHERE o.bound_to = thing AND o.person_id = person ORDER BY o.id DESC OFFSET 10)
        RETURNING g.id""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_guest(token bytea, at timestamptz)",
        "TABLE (session_id uuid, practice_id uuid, person_id uuid, bound_to uuid, scopes text[])",
        """SELECT g.id, g.practice_id, g.person_id, g.bound_to, g.scopes FROM guest_session g
        WHERE g.token_hash = token AND g.expires_at > at""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [CHANGES, *FUNCTIONS])
