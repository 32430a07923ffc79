"""Further letters with a link of their own to what a link leads to already."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t04_00"
VERSION = "1.38.0"
DESCRIPTION = "Further links beside one that is open."

# One link of a subject is its open one, as before; those beside it last as long as it does and go with it.
TABLES = """
ALTER TABLE link ADD COLUMN beside boolean NOT NULL DEFAULT false;
DROP INDEX link_open;
CREATE UNIQUE INDEX link_open ON link (purpose, subject)
    WHERE voided_at IS NULL AND consumed_at IS NULL AND NOT beside;
"""

_LOCK = "pg_advisory_xact_lock(hashtextextended(for_purpose || ' ' || about::text, 0))"

FUNCTIONS = [
    # At the lock of `link_issue`, in the order of the subjects: what is voided meanwhile gets nothing beside it.
    *definer_function(
        "link_add(new_ids uuid[], for_purpose text, abouts uuid[], secrets bytea[], at timestamptz)",
        "SETOF uuid",
        f"""
        DECLARE about uuid;
        BEGIN
            FOR about IN SELECT DISTINCT a FROM unnest(abouts) AS a ORDER BY a LOOP
                PERFORM {_LOCK};
            END LOOP;
            RETURN QUERY INSERT INTO link (id, purpose, subject, secret_hash, created_at, expires_at, beside)
                SELECT n.id, for_purpose, n.subject, n.secret, at, l.expires_at, true
                FROM unnest(new_ids, abouts, secrets) AS n(id, subject, secret)
                JOIN link l ON l.purpose = for_purpose AND l.subject = n.subject AND NOT l.beside
                    AND l.voided_at IS NULL AND l.consumed_at IS NULL AND l.expires_at > at
                RETURNING subject;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    *definer_function(
        "link_void(for_purpose text, about uuid, at timestamptz)",
        "boolean",
        f"""
        DECLARE open boolean;
        BEGIN
            PERFORM {_LOCK};
            WITH gone AS (
                UPDATE link SET voided_at = at
                WHERE purpose = for_purpose AND subject = about AND voided_at IS NULL AND consumed_at IS NULL
                RETURNING expires_at
            )
            SELECT EXISTS (SELECT FROM gone WHERE expires_at > at) INTO open;
            RETURN open;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLES, *FUNCTIONS])
