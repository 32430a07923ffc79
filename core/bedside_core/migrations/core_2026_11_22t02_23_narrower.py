"""A refresh that is refused for its form spends nothing, and an access token may be confined to fewer scopes."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_23"
VERSION = "1.38.0"
DESCRIPTION = "Refused refreshes spend nothing; access tokens of fewer scopes."

CHANGES = [
    "ALTER TABLE application_token ADD COLUMN scopes text[]",
    "DROP FUNCTION application_refresh_take(bytea, uuid, timestamptz)",
    "DROP FUNCTION application_tokens_add(uuid, bytea, timestamptz, bytea, timestamptz, timestamptz)",
]

FUNCTIONS = [
    # Locked until the transaction ends, so that of two who show it at once one finds it used. `fresh` for the first who
    # has used it; an old one shown again means that it was stolen (RFC 9700, 4.14.2).
    *definer_function(
        "application_refresh_shown(shown bytea, application uuid, at timestamptz)",
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
            RETURN QUERY SELECT of_session.id, of_session.scopes, of_session.expires_at, present.used_at IS NULL,
                EXISTS (SELECT FROM auth_session(of_session.token_hash, at, false) still WHERE still.pending IS NULL);
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    *definer_function(
        "application_refresh_use(shown bytea, at timestamptz)",
        "void",
        "UPDATE application_token SET used_at = at WHERE hash = shown AND kind = 'refresh' AND used_at IS NULL",
        volatility="VOLATILE",
    ),
    # `fewer` confines the access token alone; null is all that was consented to.
    *definer_function(
        "application_tokens_add(of_session uuid, access bytea, access_until timestamptz, refresh bytea, "
        "refresh_until timestamptz, fewer text[], at timestamptz)",
        "void",
        """DELETE FROM application_token
        WHERE session_id = of_session AND kind = 'access' AND expires_at < at;
        INSERT INTO application_token (hash, session_id, kind, expires_at, scopes)
        VALUES (access, of_session, 'access', access_until, fewer),
            (refresh, of_session, 'refresh', refresh_until, NULL)""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_application(token bytea, at timestamptz, touch boolean)",
        "TABLE (session_id uuid, account_id uuid, role text, practice_id uuid, member_id uuid, patient_id uuid, "
        "pending text, application_id uuid, scopes text[])",
        """SELECT found.*, s.application_id, coalesce(t.scopes, s.scopes)
        FROM application_token t JOIN session s ON s.id = t.session_id
        JOIN application a ON a.id = s.application_id AND a.removed_at IS NULL,
            LATERAL auth_session(s.token_hash, at, touch) found
        WHERE t.hash = token AND t.kind = 'access' AND t.expires_at > at""",
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [*CHANGES, *FUNCTIONS])
