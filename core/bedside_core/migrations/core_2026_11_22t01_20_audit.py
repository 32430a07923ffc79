"""The audit trail: entries, the seals that chain them, and which entries wait for theirs (A14)."""

from __future__ import annotations

from bedside_core.database import definer_function, practice_table, sql_migration

ID = "core_2026_11_22t01_20"
VERSION = "1.38.0"
DESCRIPTION = "The audit trail."

TABLES = """
-- No key to practice: each entry would lock the one row that all of a practice's operations share.
CREATE TABLE audit_entry (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    at timestamptz NOT NULL,
    account_id uuid,
    person_id uuid,
    role text,
    key_id uuid,
    operator boolean NOT NULL,
    action text NOT NULL CHECK (action <> ''),
    kind text,
    target text,
    patients uuid[] NOT NULL,
    request_id text NOT NULL,
    via text NOT NULL,
    detail jsonb NOT NULL
);
CREATE INDEX audit_entry_by_time ON audit_entry (practice_id, at, id);
CREATE INDEX audit_entry_by_person ON audit_entry (practice_id, person_id, at, id);
CREATE INDEX audit_entry_by_patient ON audit_entry USING gin (patients);
CREATE TABLE audit_seal (
    practice_id uuid NOT NULL,
    "number" bigint NOT NULL CHECK ("number" > 0),
    entry_id uuid NOT NULL,
    previous bytea NOT NULL CHECK (octet_length(previous) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (practice_id, "number"),
    UNIQUE (practice_id, entry_id)
);
CREATE TABLE audit_unsealed (
    practice_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (practice_id, entry_id)
);
-- Rows come and go all the time.
ALTER TABLE audit_unsealed SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
"""

WAITING = [
    # What waits for its seal is noted with the entry itself: whatever the order in which transactions end, none is
    # passed over, as it would be by a sealer that remembers how far it has come.
    *definer_function(
        "audit_entry_waits()",
        "trigger",
        """BEGIN
            INSERT INTO audit_unsealed (practice_id, entry_id) VALUES (NEW.practice_id, NEW.id);
            RETURN NULL;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    "CREATE TRIGGER waits AFTER INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_entry_waits()",
    *definer_function(
        "audit_unsealed_practices()",
        "TABLE (practice_id uuid, entries bigint, since timestamptz)",
        "SELECT u.practice_id, count(*), min(u.since) FROM audit_unsealed u GROUP BY u.practice_id",
    ),
    *definer_function(
        "audit_practices()",
        "SETOF uuid",
        """SELECT practice_id FROM audit_seal UNION SELECT practice_id FROM audit_entry
        UNION SELECT practice_id FROM audit_unsealed""",
    ),
]

# Row-level security lets no index on an array be used, so who asks for one patient's entries asks here.
OF_A_PATIENT = definer_function(
    "audit_of_patient(patient uuid, person uuid, what text, since timestamptz, until timestamptz, "
    "before_at timestamptz, before_id uuid, size int)",
    "SETOF audit_entry",
    """SELECT * FROM audit_entry e WHERE e.practice_id = app_practice() AND e.patients @> ARRAY[patient]
    AND (person IS NULL OR e.person_id = person) AND (what IS NULL OR e.action = what)
    AND (since IS NULL OR e.at >= since) AND (until IS NULL OR e.at < until)
    AND (before_at IS NULL OR (e.at, e.id) < (before_at, before_id))
    ORDER BY e.at DESC, e.id DESC LIMIT size""",
)


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [
            TABLES,
            *practice_table("audit_entry", "SELECT, INSERT"),
            *practice_table("audit_seal", "SELECT, INSERT"),
            *practice_table("audit_unsealed", "SELECT, DELETE"),
            *WAITING,
            *OF_A_PATIENT,
        ],
    )
