"""A key ends with its maker, and is closed while its maker would be let in no further themselves."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_10"
VERSION = "1.38.0"
DESCRIPTION = "A key ends with its maker, and is closed while its maker would be let in no further themselves."

# The maker's practice demands a second factor and the maker has none: a sign-in of theirs would wait for one, too (A9).
_MAKER_PENDS = """(
    coalesce((SELECT (p.stored->>'second_factor_required')::boolean FROM setting p
        WHERE p.practice_id = m.practice_id AND p.plugin = 'accounts' AND p.member_id IS NULL), false)
    AND NOT EXISTS (SELECT FROM totp t WHERE t.account_id = m.account_id AND t.confirmed_at IS NOT NULL)
    AND NOT EXISTS (SELECT FROM passkey c WHERE c.account_id = m.account_id))"""

_KEY_OPEN = f"(k.revoked_at IS NULL AND k.expires_at > at AND m.active AND NOT {_MAKER_PENDS})"

# As in core_2026_11_22t01_01: when a session is open.
_SESSION = """session s JOIN account a ON a.id = s.account_id
    LEFT JOIN member m ON m.id = s.member_id AND m.active
    LEFT JOIN patient r ON r.id = s.patient_id
    LEFT JOIN setting p ON p.practice_id = coalesce(m.practice_id, r.practice_id)
        AND p.plugin = 'accounts' AND p.member_id IS NULL"""
_OPEN = """(s.ended_at IS NULL AND s.expires_at > at AND (a.operator OR m.id IS NOT NULL OR r.id IS NOT NULL)
    AND (coalesce((p.stored->>'idle_minutes')::int, 0) = 0
        OR s.last_seen_at + make_interval(mins => (p.stored->>'idle_minutes')::int, secs => 10) > at))"""

KEYS = [
    *definer_function(
        "auth_key(token bytea, at timestamptz)",
        "TABLE (key_id uuid, account_id uuid, role text, practice_id uuid, member_id uuid, scopes text[])",
        f"""WITH found AS (
            SELECT k.id, m.account_id, m.role, k.practice_id, k.member_id, k.scopes, k.last_used_at
            FROM api_key k JOIN member m ON m.id = k.member_id WHERE k.token_hash = token AND {_KEY_OPEN}
        ), touched AS (
            UPDATE api_key SET last_used_at = at FROM found
            WHERE api_key.id = found.id AND coalesce(found.last_used_at < at - interval '1 minute', true)
        )
        SELECT id, account_id, role, practice_id, member_id, scopes FROM found""",
        volatility="VOLATILE",
    ),
    # Revoked for good, so that they stay so when the member is active again.
    *definer_function(
        "api_keys_end(member uuid, at timestamptz)",
        "SETOF uuid",
        """UPDATE api_key k SET revoked_at = at
        WHERE k.member_id = member AND k.practice_id = app_practice() AND k.revoked_at IS NULL RETURNING k.id""",
        volatility="VOLATILE",
    ),
    # Of members that were deactivated before this was so.
    """UPDATE api_key k SET revoked_at = statement_timestamp() FROM member m
    WHERE m.id = k.member_id AND NOT m.active AND k.revoked_at IS NULL""",
]

SESSIONS = [
    *definer_function(
        "session_positions(wanted uuid[], at timestamptz)",
        'TABLE (id uuid, "position" bigint)',
        f"""SELECT s.id, CASE WHEN s.ended_at IS NOT NULL OR {_OPEN} THEN s."position" ELSE s."position" + 1 END
        FROM {_SESSION} WHERE s.id = ANY(wanted)
        UNION ALL
        SELECT k.id, CASE WHEN {_KEY_OPEN} THEN 0 ELSE 1 END::bigint
        FROM api_key k JOIN member m ON m.id = k.member_id WHERE k.id = ANY(wanted)""",
    ),
    "DROP FUNCTION member_end_sessions(uuid, timestamptz)",
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [*KEYS, *SESSIONS])
