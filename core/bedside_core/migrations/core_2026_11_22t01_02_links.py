"""One-time links."""

from __future__ import annotations

from bedside_core.database import definer_function, deployment_table, sql_migration

ID = "core_2026_11_22t01_02"
VERSION = "1.38.0"
DESCRIPTION = "One-time links."

TABLES = """
CREATE TABLE link (
    id uuid PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose <> ''),
    subject uuid NOT NULL,
    secret_hash bytea NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    voided_at timestamptz,
    consumed_at timestamptz,
    CHECK (voided_at IS NULL OR consumed_at IS NULL)
);
CREATE INDEX link_by_subject ON link (purpose, subject, created_at DESC, id DESC);
CREATE UNIQUE INDEX link_open ON link (purpose, subject) WHERE voided_at IS NULL AND consumed_at IS NULL;
"""

_ROW = (
    "TABLE (id uuid, purpose text, subject uuid, created_at timestamptz, expires_at timestamptz, "
    "voided_at timestamptz, consumed_at timestamptz)"
)
_COLUMNS = "l.id, l.purpose, l.subject, l.created_at, l.expires_at, l.voided_at, l.consumed_at"

FUNCTIONS = [
    # Of two that issue at once for one subject, the second waits at the lock and then voids what the first has issued.
    *definer_function(
        "link_issue(new_id uuid, for_purpose text, about uuid, secret bytea, at timestamptz, until timestamptz)",
        "void",
        """BEGIN
            PERFORM pg_advisory_xact_lock(hashtextextended(for_purpose || ' ' || about::text, 0));
            UPDATE link SET voided_at = at
            WHERE purpose = for_purpose AND subject = about AND voided_at IS NULL AND consumed_at IS NULL;
            INSERT INTO link (id, purpose, subject, secret_hash, created_at, expires_at)
            VALUES (new_id, for_purpose, about, secret, at, until);
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    *definer_function(
        "link_look(for_purpose text, secret bytea)",
        _ROW,
        f"SELECT {_COLUMNS} FROM link l WHERE l.secret_hash = secret AND l.purpose = for_purpose",
    ),
    # Whoever comes second waits for the row and then finds it consumed.
    *definer_function(
        "link_consume(for_purpose text, secret bytea, at timestamptz)",
        _ROW,
        f"""UPDATE link l SET consumed_at = at WHERE l.secret_hash = secret AND l.purpose = for_purpose
        AND l.voided_at IS NULL AND l.consumed_at IS NULL AND l.expires_at > at RETURNING {_COLUMNS}""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "link_void(for_purpose text, about uuid, at timestamptz)",
        "boolean",
        """WITH gone AS (
            UPDATE link SET voided_at = at
            WHERE purpose = for_purpose AND subject = about AND voided_at IS NULL AND consumed_at IS NULL
            RETURNING expires_at
        )
        SELECT EXISTS (SELECT FROM gone WHERE expires_at > at)""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "link_newest(for_purpose text, about uuid[])",
        _ROW,
        f"""SELECT DISTINCT ON (l.subject) {_COLUMNS} FROM link l
        WHERE l.purpose = for_purpose AND l.subject = ANY(about) ORDER BY l.subject, l.created_at DESC, l.id DESC""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLES, *deployment_table("link"), *FUNCTIONS])
