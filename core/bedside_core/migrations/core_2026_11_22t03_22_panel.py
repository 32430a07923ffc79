"""A patient's Files, out of what core and plugins declare to be among them (P8)."""

from __future__ import annotations

from bedside_core.database import sql_migration
from bedside_core.database.kinds import APPLICATION

ID = "core_2026_11_22t03_22"
VERSION = "1.38.0"
DESCRIPTION = "A patient's Files are listed over all kinds of what files are attached to."

# The conditions are those of manifests. It runs as who calls it, so row-level security holds.
FUNCTION = """
CREATE FUNCTION file_panel(kinds text[], conditions text[], patient uuid, person uuid, before timestamptz,
    before_id uuid, most int)
RETURNS TABLE (id uuid) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE (
        SELECT 'SELECT found.id FROM (' || string_agg(format(
            '(SELECT f.id, f.attached_at FROM file f WHERE f.practice_id = app_practice() AND f.owner_kind = %L
                AND f.state = ''attached'' AND ($3 IS NULL OR (f.attached_at, f.id) < ($3, $4)) AND (%s)
            ORDER BY f.attached_at DESC, f.id DESC LIMIT $5)', n.kind, n.condition), ' UNION ALL ')
            || ') AS found ORDER BY found.attached_at DESC, found.id DESC LIMIT $5'
        FROM unnest(kinds, conditions) AS n(kind, condition)
    ) USING patient, person, before, before_id, most;
END $$;
"""
SIGNATURE = "file_panel(text[], text[], uuid, uuid, timestamptz, uuid, int)"


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [
            FUNCTION,
            f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC",
            f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {APPLICATION}",
        ],
    )
