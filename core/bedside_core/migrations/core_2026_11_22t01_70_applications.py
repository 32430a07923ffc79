"""Applications of other origins and devices: who is registered, codes, tokens, and sessions confined to scopes."""

from __future__ import annotations

from bedside_core.database import definer_function, deployment_table, sql_migration

ID = "core_2026_11_22t01_70"
VERSION = "1.38.0"
DESCRIPTION = "Applications, their codes and tokens, and sessions confined to scopes."

TABLES = """
CREATE TABLE application (
    id uuid PRIMARY KEY,
    practice_id uuid REFERENCES practice ON DELETE CASCADE,
    account_id uuid REFERENCES account ON DELETE SET NULL,
    client_id text NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    redirect_uris text[] NOT NULL CHECK (cardinality(redirect_uris) > 0),
    origins text[] NOT NULL,
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    created_at timestamptz NOT NULL,
    removed_at timestamptz,
    UNIQUE (account_id, client_id)
);
CREATE INDEX application_by_practice ON application (practice_id, id);
CREATE INDEX application_by_origin ON application USING gin (origins) WHERE removed_at IS NULL;
ALTER TABLE session
    ADD COLUMN application_id uuid REFERENCES application ON DELETE CASCADE,
    ADD COLUMN scopes text[],
    ADD CHECK ((application_id IS NULL) = (scopes IS NULL));
CREATE INDEX session_by_application ON session (application_id) WHERE ended_at IS NULL;
CREATE TABLE application_code (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    application_id uuid NOT NULL REFERENCES application ON DELETE CASCADE,
    session_id uuid NOT NULL REFERENCES session ON DELETE CASCADE,
    redirect_uri text NOT NULL,
    scopes text[] NOT NULL,
    challenge text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    opened_id uuid REFERENCES session ON DELETE CASCADE
);
CREATE INDEX application_code_by_age ON application_code (expires_at);
CREATE INDEX application_code_by_session ON application_code (session_id);
CREATE TABLE application_token (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    session_id uuid NOT NULL REFERENCES session ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('access', 'refresh')),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX application_token_by_session ON application_token (session_id, kind);
"""

_COLUMNS = "id, practice_id, name, redirect_uris, origins, scopes, created_at, removed_at"
_ROW = (
    "TABLE (id uuid, practice_id uuid, name text, redirect_uris text[], origins text[], scopes text[], "
    "created_at timestamptz, removed_at timestamptz)"
)
_OF = ", ".join(f"a.{column}" for column in _COLUMNS.split(", "))

APPLICATIONS = [
    *definer_function(
        "application_make(new_id uuid, practice uuid, account uuid, client text, called text, uris text[], "
        "pages text[], wanted text[], at timestamptz)",
        "boolean",
        """INSERT INTO application (id, practice_id, account_id, client_id, name, redirect_uris, origins, scopes,
            created_at)
        VALUES (new_id, practice, account, client, called, uris, pages, wanted, at)
        ON CONFLICT (account_id, client_id) DO NOTHING RETURNING true""",
        volatility="VOLATILE",
    ),
    *definer_function("application_by_id(wanted uuid)", _ROW, f"SELECT {_OF} FROM application a WHERE a.id = wanted"),
    *definer_function(
        "application_by_client(account uuid, client text)",
        _ROW,
        f"SELECT {_OF} FROM application a WHERE a.account_id = account AND a.client_id = client",
    ),
    # Those of a practice, or the deployment's own where `practice` is null.
    *definer_function(
        "application_page(practice uuid, size integer, after_id uuid)",
        _ROW,
        f"""SELECT {_OF} FROM application a
        WHERE a.practice_id IS NOT DISTINCT FROM practice AND (after_id IS NULL OR a.id < after_id)
        ORDER BY a.id DESC LIMIT size""",
    ),
    *definer_function(
        "application_remove(wanted uuid, at timestamptz)",
        "void",
        "UPDATE application SET removed_at = coalesce(removed_at, at) WHERE id = wanted",
        volatility="VOLATILE",
    ),
    *definer_function(
        "application_origin(wanted text)",
        "boolean",
        "SELECT EXISTS (SELECT FROM application WHERE removed_at IS NULL AND origins @> ARRAY[wanted])",
    ),
]

CODES = [
    *definer_function(
        "application_code_make(new_hash bytea, application uuid, of_session uuid, uri text, wanted text[], "
        "proof text, at timestamptz, until timestamptz)",
        "void",
        """DELETE FROM application_code WHERE expires_at < at - interval '1 day';
        INSERT INTO application_code (hash, application_id, session_id, redirect_uri, scopes, challenge, expires_at)
        VALUES (new_hash, application, of_session, uri, wanted, proof, until)""",
        volatility="VOLATILE",
    ),
    # Used from now on, whatever comes of it. `fresh` for the first who shows it; `opened_id` is what it was good for.
    *definer_function(
        "application_code_take(shown bytea, application uuid, at timestamptz)",
        "TABLE (session_id uuid, redirect_uri text, scopes text[], challenge text, fresh boolean, opened_id uuid)",
        """DECLARE
            present application_code;
        BEGIN
            SELECT * INTO present FROM application_code c WHERE c.hash = shown AND c.application_id = application
            FOR UPDATE;
            IF NOT FOUND THEN
                RETURN;
            END IF;
            UPDATE application_code c SET used_at = coalesce(c.used_at, at) WHERE c.hash = shown;
            RETURN QUERY SELECT present.session_id, present.redirect_uri, present.scopes, present.challenge,
                present.used_at IS NULL AND present.expires_at > at, present.opened_id;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    # A session like the one that consented, which must be open still; nobody knows the token behind its own hash.
    *definer_function(
        "application_open_session(new_id uuid, code bytea, token bytea, at timestamptz, until timestamptz)",
        "uuid",
        """WITH opened AS (
            INSERT INTO session (id, account_id, member_id, patient_id, token_hash, created_at, last_seen_at,
                expires_at, device, factor, application_id, scopes)
            SELECT new_id, s.account_id, s.member_id, s.patient_id, token, at, at, until, a.name, s.factor, a.id,
                c.scopes
            FROM application_code c JOIN application a ON a.id = c.application_id AND a.removed_at IS NULL
            JOIN session s ON s.id = c.session_id, LATERAL auth_session(s.token_hash, at, false) still
            WHERE c.hash = code AND still.pending IS NULL
            RETURNING id
        )
        UPDATE application_code SET opened_id = opened.id FROM opened WHERE hash = code RETURNING opened_id""",
        volatility="VOLATILE",
    ),
]

TOKENS = [
    *definer_function(
        "application_tokens_add(of_session uuid, access bytea, access_until timestamptz, refresh bytea, "
        "refresh_until timestamptz, at timestamptz)",
        "void",
        """DELETE FROM application_token
        WHERE session_id = of_session AND kind = 'access' AND expires_at < at;
        INSERT INTO application_token (hash, session_id, kind, expires_at)
        VALUES (access, of_session, 'access', access_until), (refresh, of_session, 'refresh', refresh_until)""",
        volatility="VOLATILE",
    ),
    # `fresh` for the first who shows it; an old one shown again means that it was stolen (RFC 9700, 4.14.2).
    *definer_function(
        "application_refresh_take(shown bytea, application uuid, at timestamptz)",
        "TABLE (session_id uuid, scopes text[], expires_at timestamptz, fresh boolean, open boolean)",
        """DECLARE
            present application_token;
            of_session session;
        BEGIN
            SELECT t.* INTO present FROM application_token t JOIN session s ON s.id = t.session_id
            WHERE t.hash = shown AND t.kind = 'refresh' AND s.application_id = application FOR UPDATE OF t;
            IF NOT FOUND THEN
                RETURN;
            END IF;
            SELECT * INTO of_session FROM session s WHERE s.id = present.session_id;
            UPDATE application_token t SET used_at = coalesce(t.used_at, at) WHERE t.hash = shown;
            RETURN QUERY SELECT of_session.id, of_session.scopes, of_session.expires_at, present.used_at IS NULL,
                EXISTS (SELECT FROM auth_session(of_session.token_hash, at, false) still WHERE still.pending IS NULL);
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    *definer_function(
        "application_token_session(shown bytea, application uuid)",
        "uuid",
        """SELECT t.session_id FROM application_token t JOIN session s ON s.id = t.session_id
        WHERE t.hash = shown AND s.application_id = application""",
    ),
    *definer_function(
        "application_end_sessions(application uuid, single uuid, at timestamptz)",
        'TABLE (id uuid, "position" bigint)',
        """UPDATE session SET ended_at = at, "position" = session."position" + 1
        WHERE application_id = application AND (single IS NULL OR session.id = single) AND ended_at IS NULL
        RETURNING session.id, session."position\"""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "application_of_session(wanted uuid)",
        "text",
        "SELECT a.name FROM session s JOIN application a ON a.id = s.application_id WHERE s.id = wanted",
    ),
    *definer_function(
        "auth_application(token bytea, at timestamptz, touch boolean)",
        "TABLE (session_id uuid, account_id uuid, role text, practice_id uuid, member_id uuid, patient_id uuid, "
        "pending text, application_id uuid, scopes text[])",
        """SELECT found.*, s.application_id, s.scopes
        FROM application_token t JOIN session s ON s.id = t.session_id
        JOIN application a ON a.id = s.application_id AND a.removed_at IS NULL,
            LATERAL auth_session(s.token_hash, at, touch) found
        WHERE t.hash = token AND t.kind = 'access' AND t.expires_at > at""",
        volatility="VOLATILE",
    ),
]

CLOSED = ("application", "application_code", "application_token")


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [
            TABLES,
            *(sql for table in CLOSED for sql in deployment_table(table)),
            *APPLICATIONS,
            *CODES,
            *TOKENS,
        ],
    )
