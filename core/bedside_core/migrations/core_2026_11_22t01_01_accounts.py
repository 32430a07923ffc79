"""What sessions are told apart by, known devices, and the count of failed attempts."""

from __future__ import annotations

from bedside_core.database import definer_function, deployment_table, sql_migration

ID = "core_2026_11_22t01_01"
VERSION = "1.38.0"
DESCRIPTION = "What sessions are told apart by, known devices, and the count of failed attempts."

TABLES = """
CREATE TABLE device (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL
);
CREATE INDEX device_by_account ON device (account_id, last_used_at);
ALTER TABLE session
    ADD COLUMN patient_id uuid REFERENCES patient ON DELETE CASCADE,
    ADD COLUMN device_id uuid REFERENCES device ON DELETE SET NULL,
    ADD COLUMN device text NOT NULL DEFAULT '',
    ADD COLUMN last_seen_at timestamptz,
    ADD COLUMN factor text NOT NULL DEFAULT 'none' CHECK (factor IN ('none', 'needed', 'shown')),
    ADD COLUMN "position" bigint NOT NULL DEFAULT 0,
    ADD CHECK (member_id IS NULL OR patient_id IS NULL);
UPDATE session SET last_seen_at = created_at;
ALTER TABLE session ALTER COLUMN last_seen_at SET NOT NULL;
CREATE INDEX session_by_member ON session (member_id) WHERE ended_at IS NULL;
CREATE INDEX session_by_patient ON session (patient_id) WHERE ended_at IS NULL;
CREATE TABLE attempt (
    key bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    failures integer NOT NULL DEFAULT 0,
    locked_until timestamptz,
    lock_id uuid,
    told boolean NOT NULL DEFAULT false,
    last_at timestamptz NOT NULL
);
CREATE INDEX attempt_by_age ON attempt (last_at);
"""

# A session with the person it acts as. `p` is what their practice has set of the settings `accounts`
# (bedside_core.auth.preferences).
_SESSION = """session s JOIN account a ON a.id = s.account_id
    LEFT JOIN member m ON m.id = s.member_id AND m.active
    LEFT JOIN patient r ON r.id = s.patient_id
    LEFT JOIN setting p ON p.practice_id = coalesce(m.practice_id, r.practice_id)
        AND p.plugin = 'accounts' AND p.member_id IS NULL"""

# Whether it is open. A session is noted as seen once in ten seconds, so that much is given to the idle.
_OPEN = """(s.ended_at IS NULL AND s.expires_at > at AND (a.operator OR m.id IS NOT NULL OR r.id IS NOT NULL)
    AND (coalesce((p.stored->>'idle_minutes')::int, 0) = 0
        OR s.last_seen_at + make_interval(mins => (p.stored->>'idle_minutes')::int, secs => 10) > at))"""

_HAS_FACTOR = """(EXISTS (SELECT FROM totp t WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL)
    OR EXISTS (SELECT FROM passkey k WHERE k.account_id = a.id))"""

_DEMANDED = "coalesce((p.stored->>'second_factor_required')::boolean, false)"

_KEY_OPEN = "(k.revoked_at IS NULL AND k.expires_at > at AND m.active)"

SESSIONS = [
    "DROP FUNCTION auth_account(text)",
    "DROP FUNCTION auth_open_session(uuid, uuid, uuid, bytea, timestamptz, timestamptz)",
    "DROP FUNCTION auth_session(bytea, timestamptz)",
    "DROP FUNCTION auth_end_session(uuid, timestamptz)",
    # An account of several practices signs in for the one it joined first; A15 lets it switch.
    *definer_function(
        "auth_account(wanted text, device_token bytea)",
        "TABLE (account_id uuid, password_hash text, role text, practice_id uuid, member_id uuid, device_id uuid, "
        "has_factor boolean)",
        f"""SELECT a.id, c.password_hash, CASE WHEN a.operator THEN 'operator' ELSE m.role END, m.practice_id, m.id,
            d.id, {_HAS_FACTOR}
        FROM account a JOIN credential c ON c.account_id = a.id
        LEFT JOIN LATERAL (
            SELECT * FROM member WHERE member.account_id = a.id AND member.active AND NOT a.operator
            ORDER BY member.created_at, member.id LIMIT 1
        ) m ON true
        LEFT JOIN device d ON d.token_hash = device_token AND d.account_id = a.id
        WHERE lower(a.email) = lower(wanted)""",
    ),
    *definer_function(
        "auth_account_of(wanted uuid)",
        "TABLE (email text, password_hash text, has_factor boolean, words text[])",
        f"""SELECT a.email, c.password_hash, {_HAS_FACTOR},
            (SELECT array_agg(x.word) FROM (
                SELECT unnest(ARRAY[m.first_name, m.last_name, p.name]) AS word
                FROM member m JOIN practice p ON p.id = m.practice_id WHERE m.account_id = a.id
            ) x)
        FROM account a JOIN credential c ON c.account_id = a.id WHERE a.id = wanted""",
    ),
    *definer_function(
        "auth_set_password(account uuid, new_hash text)",
        "void",
        "UPDATE credential SET password_hash = new_hash WHERE account_id = account",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_open_session(new_id uuid, account uuid, member uuid, patient uuid, token bytea, at timestamptz, "
        "until timestamptz, known_device uuid, device_label text, factor_state text)",
        "void",
        """INSERT INTO session (id, account_id, member_id, patient_id, token_hash, created_at, last_seen_at, expires_at,
            device_id, device, factor)
        VALUES (new_id, account, member, patient, token, at, at, until, known_device, device_label, factor_state)""",
        volatility="VOLATILE",
    ),
    # Who a token stands for; `touch` notes that the person is there, every ten seconds at most.
    *definer_function(
        "auth_session(token bytea, at timestamptz, touch boolean)",
        "TABLE (session_id uuid, account_id uuid, role text, practice_id uuid, member_id uuid, patient_id uuid, "
        "pending text)",
        f"""WITH found AS (
            SELECT s.id, s.account_id, s.last_seen_at, m.practice_id AS member_practice, m.id AS member_id, r.id AS
                patient_id, r.practice_id AS patient_practice,
                CASE WHEN a.operator THEN 'operator' WHEN r.id IS NOT NULL THEN 'patient' ELSE m.role END AS role,
                CASE WHEN s.factor = 'shown' OR (s.factor = 'none' AND NOT {_DEMANDED}) THEN NULL
                    WHEN {_HAS_FACTOR} THEN 'factor' ELSE 'set_up' END AS pending
            FROM {_SESSION} WHERE s.token_hash = token AND {_OPEN}
        ), touched AS (
            UPDATE session SET last_seen_at = at FROM found
            WHERE session.id = found.id AND touch AND found.last_seen_at < at - interval '10 seconds'
        )
        SELECT id, account_id, role, coalesce(member_practice, patient_practice), member_id, patient_id, pending
        FROM found""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_session_by_id(wanted uuid, at timestamptz)",
        "TABLE (session_id uuid, account_id uuid, role text, practice_id uuid, member_id uuid, patient_id uuid, "
        "pending text)",
        """SELECT found.* FROM session s, LATERAL auth_session(s.token_hash, at, false) found WHERE s.id = wanted""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_seen(wanted uuid[], at timestamptz)",
        "void",
        f"""UPDATE session SET last_seen_at = at WHERE last_seen_at < at - interval '10 seconds'
        AND id IN (SELECT s.id FROM {_SESSION} WHERE s.id = ANY(wanted) AND {_OPEN})""",
        volatility="VOLATILE",
    ),
    # Ends those of an account, of a member or of a patient, or single ones; tells the positions their streams reach.
    *definer_function(
        "auth_end_sessions(account uuid, member uuid, patient uuid, single uuid[], spared uuid, at timestamptz)",
        'TABLE (id uuid, "position" bigint)',
        """UPDATE session SET ended_at = at, "position" = "position" + 1
        WHERE (account_id = account OR member_id = member OR patient_id = patient OR session.id = ANY(single))
            AND (account IS NULL OR account_id = account)
            AND (single IS NULL OR session.id = ANY(single))
            AND ended_at IS NULL AND session.id IS DISTINCT FROM spared
        RETURNING session.id, session."position\"""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_sessions(account uuid, at timestamptz)",
        "TABLE (id uuid, created_at timestamptz, last_seen_at timestamptz, device text)",
        f"""SELECT s.id, s.created_at, s.last_seen_at, s.device FROM {_SESSION}
        WHERE s.account_id = account AND {_OPEN} ORDER BY s.last_seen_at DESC, s.id DESC LIMIT 100""",
    ),
    # Even positions are open ones: a session that becomes another actor's goes on by two, its end by one.
    *definer_function(
        "auth_change_session(wanted uuid, member uuid, patient uuid)",
        "bigint",
        """UPDATE session SET member_id = member, patient_id = patient, "position" = "position" + 2
        WHERE id = wanted AND ended_at IS NULL RETURNING "position\"""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_session_factor(wanted uuid, factor_state text)",
        "bigint",
        """UPDATE session SET factor = factor_state, "position" = "position" + 2
        WHERE id = wanted AND ended_at IS NULL RETURNING "position\"""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_personas(account uuid)",
        "TABLE (member_id uuid, practice_id uuid, practice text, first_name text, last_name text, role text)",
        """SELECT m.id, p.id, p.name, m.first_name, m.last_name, m.role
        FROM member m JOIN practice p ON p.id = m.practice_id JOIN account a ON a.id = m.account_id
        WHERE m.account_id = account AND m.active AND NOT a.operator ORDER BY p.name, m.id""",
    ),
    # Of the sign-ins and keys whose sockets a process holds: one further where it is over, whatever ended it.
    *definer_function(
        "session_positions(wanted uuid[], at timestamptz)",
        'TABLE (id uuid, "position" bigint)',
        f"""SELECT s.id, CASE WHEN s.ended_at IS NOT NULL OR {_OPEN} THEN s."position" ELSE s."position" + 1 END
        FROM {_SESSION} WHERE s.id = ANY(wanted)
        UNION ALL
        SELECT k.id, k."position" + CASE WHEN {_KEY_OPEN} THEN 0 ELSE 1 END
        FROM (SELECT *, 0::bigint AS "position" FROM api_key) k JOIN member m ON m.id = k.member_id
        WHERE k.id = ANY(wanted)""",
    ),
]

# A change of what a member is, or of whether the practice demands a second factor, makes sessions another actor's:
# their sockets are told, whoever made the change.
TRIGGERS = [
    """CREATE FUNCTION session_of_member_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$BEGIN
        UPDATE session SET "position" = "position" + 2 WHERE member_id = NEW.id AND ended_at IS NULL;
        RETURN NULL;
    END$$""",
    "REVOKE ALL ON FUNCTION session_of_member_changed() FROM PUBLIC",
    """CREATE TRIGGER session_of_member AFTER UPDATE OF role ON member FOR EACH ROW
    WHEN (OLD.role <> NEW.role) EXECUTE FUNCTION session_of_member_changed()""",
    """CREATE FUNCTION session_of_practice_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$BEGIN
        UPDATE session SET "position" = "position" + 2 WHERE factor = 'none' AND ended_at IS NULL
        AND (member_id IN (SELECT id FROM member WHERE practice_id = NEW.practice_id)
            OR patient_id IN (SELECT id FROM patient WHERE practice_id = NEW.practice_id));
        RETURN NULL;
    END$$""",
    "REVOKE ALL ON FUNCTION session_of_practice_changed() FROM PUBLIC",
    """CREATE TRIGGER session_of_practice AFTER INSERT OR UPDATE ON setting FOR EACH ROW
    WHEN (NEW.plugin = 'accounts' AND NEW.member_id IS NULL AND NEW.stored ? 'second_factor_required')
    EXECUTE FUNCTION session_of_practice_changed()""",
]

DEVICES = [
    # A device gets a new token at each sign-in. An account knows fifty; the one used least recently makes room.
    *definer_function(
        "auth_know_device(known uuid, new_id uuid, account uuid, token bytea, at timestamptz)",
        "uuid",
        """WITH used AS (
            UPDATE device SET last_used_at = at, token_hash = token WHERE id = known RETURNING id
        ), made AS (
            INSERT INTO device (id, account_id, token_hash, created_at, last_used_at)
            SELECT new_id, account, token, at, at WHERE known IS NULL RETURNING id
        ), forgotten AS (
            DELETE FROM device WHERE id IN (
                SELECT id FROM device WHERE account_id = account AND known IS NULL
                ORDER BY last_used_at DESC, id DESC OFFSET 49
            )
        )
        SELECT id FROM used UNION ALL SELECT id FROM made""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_device(account uuid, token bytea)",
        "uuid",
        "SELECT id FROM device WHERE token_hash = token AND account_id = account",
    ),
    *definer_function(
        "auth_session_device(wanted uuid, known uuid)",
        "void",
        "UPDATE session SET device_id = known WHERE id = wanted",
        volatility="VOLATILE",
    ),
    *definer_function(
        "auth_forget_devices(account uuid, of_session uuid)",
        "void",
        """DELETE FROM device WHERE account_id = account
        AND id IS DISTINCT FROM (SELECT device_id FROM session WHERE session.id = of_session)""",
        volatility="VOLATILE",
    ),
]

# The one place that counts. Whoever asks holds the row until the commit, so attempts that come at once are settled one
# after the other: no more of them are heard than if they had come one by one.
ATTEMPTS = [
    *definer_function(
        "attempt_settle(named text, right_one boolean, at timestamptz, seconds integer, most integer, new_lock uuid, "
        "also text)",
        "TABLE (heard boolean, until timestamptz, locked_now boolean)",
        """DECLARE
            wanted bytea := sha256(convert_to(lower(named), 'UTF8'));
            present attempt;
        BEGIN
            DELETE FROM attempt WHERE attempt.key IN (
                SELECT old.key FROM attempt old WHERE old.last_at < at - interval '30 days'
                    AND (old.locked_until IS NULL OR old.locked_until < at)
                ORDER BY old.last_at LIMIT 10 FOR UPDATE SKIP LOCKED
            ) AND attempt.key <> wanted;
            INSERT INTO attempt (key, last_at) VALUES (wanted, at) ON CONFLICT DO NOTHING;
            SELECT * INTO present FROM attempt WHERE attempt.key = wanted FOR UPDATE;
            IF present.locked_until > at THEN
                RETURN QUERY SELECT false, present.locked_until, false;
                RETURN;
            END IF;
            IF right_one THEN
                UPDATE attempt SET failures = 0, locked_until = NULL, last_at = at WHERE attempt.key = wanted;
                UPDATE attempt SET failures = 0, last_at = at
                WHERE attempt.key = sha256(convert_to(lower(also), 'UTF8')) AND attempt.key <> wanted
                    AND (attempt.locked_until IS NULL OR attempt.locked_until <= at);
                RETURN QUERY SELECT true, NULL::timestamptz, false;
                RETURN;
            END IF;
            -- A lock that is over was the end of a row.
            present.failures := 1 + CASE WHEN present.locked_until IS NULL THEN present.failures ELSE 0 END;
            IF present.failures < most THEN
                UPDATE attempt SET failures = present.failures, locked_until = NULL, last_at = at
                WHERE attempt.key = wanted;
                RETURN QUERY SELECT true, NULL::timestamptz, false;
                RETURN;
            END IF;
            UPDATE attempt SET failures = present.failures, locked_until = at + make_interval(secs => seconds),
                lock_id = new_lock, told = false, last_at = at
            WHERE attempt.key = wanted;
            RETURN QUERY SELECT true, at + make_interval(secs => seconds), true;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    # Whose lock it is, once: null where the owner was told, or where the address is nobody's.
    *definer_function(
        "attempt_tell(wanted uuid, account uuid)",
        "TABLE (account_id uuid, practice_id uuid)",
        """WITH told AS (UPDATE attempt SET told = true WHERE lock_id = wanted AND NOT told RETURNING key)
        SELECT a.id, (SELECT m.practice_id FROM member m WHERE m.account_id = a.id AND m.active
            ORDER BY m.created_at, m.id LIMIT 1)
        FROM account a WHERE a.id = account
            AND (EXISTS (SELECT FROM told) OR NOT EXISTS (SELECT FROM attempt WHERE lock_id = wanted))""",
        volatility="VOLATILE",
    ),
]

CLOSED = ("device", "attempt")


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [
            TABLES,
            *(sql for table in CLOSED for sql in deployment_table(table)),
            *SESSIONS,
            *TRIGGERS,
            *DEVICES,
            *ATTEMPTS,
        ],
    )
