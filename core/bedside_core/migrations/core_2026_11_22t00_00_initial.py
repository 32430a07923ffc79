"""Practices, accounts, sessions, members, patients, settings and the movable clock."""

from __future__ import annotations

from bedside_core.database import definer_function, deployment_table, practice_table, sql_migration

ID = "core_2026_11_22t00_00"
VERSION = "1.38.0"
DESCRIPTION = "Practices, accounts, sessions, members, patients, settings and the movable clock."

TABLES = """
CREATE TABLE practice (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    zone text NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL
);
CREATE TABLE account (
    id uuid PRIMARY KEY,
    email text NOT NULL CHECK (email LIKE '%_@_%'),
    operator boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX account_email ON account (lower(email));
CREATE TABLE credential (
    account_id uuid PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    password_hash text NOT NULL
);
CREATE TABLE member (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    account_id uuid NOT NULL REFERENCES account,
    first_name text NOT NULL CHECK (first_name <> ''),
    last_name text NOT NULL CHECK (last_name <> ''),
    role text NOT NULL CHECK (role IN ('owner', 'manager', 'practitioner', 'staff')),
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, account_id)
);
CREATE INDEX member_by_name ON member (practice_id, last_name, first_name, id) WHERE active;
CREATE INDEX member_by_account ON member (account_id);
CREATE TABLE session (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    member_id uuid REFERENCES member,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX session_by_account ON session (account_id);
CREATE TABLE patient (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    first_name text NOT NULL CHECK (first_name <> ''),
    last_name text NOT NULL CHECK (last_name <> ''),
    date_of_birth date NOT NULL,
    mrn text NOT NULL CHECK (mrn <> ''),
    gender text NOT NULL CHECK (gender <> ''),
    phone text,
    email text,
    created_at timestamptz NOT NULL,
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, mrn),
    CHECK (phone IS NOT NULL OR email IS NOT NULL)
);
CREATE INDEX patient_by_name ON patient (practice_id, last_name, first_name, id);
CREATE TABLE setting (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    plugin text NOT NULL,
    member_id uuid,
    stored jsonb NOT NULL,
    FOREIGN KEY (practice_id, member_id) REFERENCES member (practice_id, id),
    UNIQUE NULLS NOT DISTINCT (practice_id, plugin, member_id)
);
CREATE TABLE clock (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    offset_seconds double precision NOT NULL DEFAULT 0,
    position bigint NOT NULL DEFAULT 0
);
INSERT INTO clock DEFAULT VALUES;
"""

ACCOUNTS = [
    *definer_function(
        "account_create(new_id uuid, new_email text, new_hash text, is_operator boolean, at timestamptz)",
        "void",
        """INSERT INTO account (id, email, operator, created_at) VALUES (new_id, new_email, is_operator, at);
        INSERT INTO credential (account_id, password_hash) VALUES (new_id, new_hash)""",
        volatility="VOLATILE",
    ),
    # An account of several practices signs in for the one it joined first; A15 lets it switch.
    *definer_function(
        "auth_account(wanted text)",
        "TABLE (account_id uuid, password_hash text, role text, practice_id uuid, member_id uuid)",
        """SELECT a.id, c.password_hash, CASE WHEN a.operator THEN 'operator' ELSE m.role END, m.practice_id, m.id
        FROM account a JOIN credential c ON c.account_id = a.id
        LEFT JOIN LATERAL (
            SELECT * FROM member WHERE member.account_id = a.id AND member.active AND NOT a.operator
            ORDER BY member.created_at, member.id LIMIT 1
        ) m ON true
        WHERE lower(a.email) = lower(wanted) AND (a.operator OR m.id IS NOT NULL)""",
    ),
    *definer_function(
        "auth_open_session(new_id uuid, account uuid, member uuid, token bytea, at timestamptz, until timestamptz)",
        "void",
        """INSERT INTO session (id, account_id, member_id, token_hash, created_at, expires_at)
        VALUES (new_id, account, member, token, at, until)""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_session(token bytea, at timestamptz)",
        "TABLE (session_id uuid, account_id uuid, role text, practice_id uuid, member_id uuid)",
        """SELECT s.id, s.account_id, CASE WHEN a.operator THEN 'operator' ELSE m.role END, m.practice_id, m.id
        FROM session s JOIN account a ON a.id = s.account_id LEFT JOIN member m ON m.id = s.member_id AND m.active
        WHERE s.token_hash = token AND s.ended_at IS NULL AND s.expires_at > at AND (a.operator OR m.id IS NOT NULL)""",
    ),
    *definer_function(
        "auth_end_session(wanted uuid, at timestamptz)",
        "void",
        "UPDATE session SET ended_at = at WHERE id = wanted AND ended_at IS NULL",
        volatility="VOLATILE",
    ),
    # Of the sessions whose sockets a process holds: 1 where the session is over, whatever ended it.
    *definer_function(
        "session_positions(wanted uuid[], at timestamptz)",
        'TABLE (id uuid, "position" bigint)',
        """SELECT s.id,
            CASE WHEN s.ended_at IS NULL AND s.expires_at > at AND (a.operator OR m.active) THEN 0 ELSE 1 END
        FROM session s JOIN account a ON a.id = s.account_id LEFT JOIN member m ON m.id = s.member_id
        WHERE s.id = ANY(wanted)""",
    ),
]

PRACTICES = [
    *definer_function(
        "practice_create(new_id uuid, new_name text, new_zone text, at timestamptz)",
        "void",
        "INSERT INTO practice (id, name, zone, created_at) VALUES (new_id, new_name, new_zone, at)",
        volatility="VOLATILE",
    ),
    *definer_function(
        "practice_by_id(wanted uuid)",
        "TABLE (id uuid, name text, zone text)",
        "SELECT p.id, p.name, p.zone FROM practice p WHERE p.id = wanted",
    ),
    *definer_function(
        "practice_page(size int, after_name text, after_id uuid)",
        "TABLE (id uuid, name text, zone text)",
        """SELECT p.id, p.name, p.zone FROM practice p
        WHERE after_name IS NULL OR (p.name, p.id) > (after_name, after_id) ORDER BY p.name, p.id LIMIT size""",
    ),
    *definer_function("practice_ids()", "SETOF uuid", "SELECT id FROM practice ORDER BY id"),
    # Every change of a practice's plan or of its people's rights raises the position, in the change's transaction.
    *definer_function(
        "practice_changed(wanted uuid)",
        "bigint",
        'UPDATE practice SET "position" = "position" + 1 WHERE id = wanted RETURNING "position"',
        volatility="VOLATILE",
    ),
    *definer_function(
        "practice_positions(wanted uuid[])",
        'TABLE (id uuid, "position" bigint)',
        'SELECT p.id, p."position" FROM practice p WHERE p.id = ANY(wanted)',
    ),
]

CLOCK = [
    *definer_function("clock_offset_seconds()", "double precision", "SELECT offset_seconds FROM clock"),
    *definer_function("clock_position()", "bigint", 'SELECT "position" FROM clock'),
    *definer_function(
        "clock_move(by double precision)",
        "bigint",
        'UPDATE clock SET offset_seconds = offset_seconds + by, "position" = "position" + 1 RETURNING "position"',
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [
            TABLES,
            *(
                sql
                for name in ("practice", "account", "credential", "session", "clock")
                for sql in deployment_table(name)
            ),
            *(sql for name in ("member", "patient", "setting") for sql in practice_table(name)),
            *ACCOUNTS,
            *PRACTICES,
            *CLOCK,
        ],
    )
