"""Second factors, passkeys and API keys."""

from __future__ import annotations

from bedside_core.database import definer_function, deployment_table, sql_migration

ID = "core_2026_11_22t01_00"
VERSION = "1.38.0"
DESCRIPTION = "Second factors, passkeys and API keys."

TABLES = """
CREATE TABLE totp (
    account_id uuid PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    secret bytea NOT NULL,
    confirmed_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0
);
CREATE TABLE recovery_code (
    account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    used_at timestamptz,
    PRIMARY KEY (account_id, code_hash)
);
CREATE TABLE passkey (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    credential_id bytea NOT NULL UNIQUE,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX passkey_by_account ON passkey (account_id);
CREATE TABLE passkey_challenge (
    id uuid PRIMARY KEY,
    account_id uuid REFERENCES account ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('add', 'sign_in', 'factor')),
    challenge bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX passkey_challenge_by_age ON passkey_challenge (expires_at);
CREATE TABLE api_key (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    member_id uuid NOT NULL,
    client_id text NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    scopes text[] NOT NULL,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz,
    FOREIGN KEY (practice_id, member_id) REFERENCES member (practice_id, id),
    UNIQUE (member_id, client_id)
);
CREATE INDEX api_key_by_practice ON api_key (practice_id, id);
"""

_KEY_OPEN = "(k.revoked_at IS NULL AND k.expires_at > at AND m.active)"

FACTORS = [
    *definer_function(
        "totp_begin(account uuid, sealed bytea)",
        "boolean",
        """INSERT INTO totp (account_id, secret) VALUES (account, sealed)
        ON CONFLICT (account_id) DO UPDATE SET secret = sealed, last_step = 0 WHERE totp.confirmed_at IS NULL
        RETURNING true""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "totp_of(account uuid)",
        "TABLE (secret bytea, confirmed_at timestamptz, last_step bigint)",
        "SELECT t.secret, t.confirmed_at, t.last_step FROM totp t WHERE t.account_id = account",
    ),
    # True for the first who shows the code of a step: a code that was seen is worth nothing (RFC 6238, 5.2).
    *definer_function(
        "totp_use(account uuid, step bigint, at timestamptz)",
        "boolean",
        """UPDATE totp SET last_step = step, confirmed_at = coalesce(confirmed_at, at)
        WHERE account_id = account AND last_step < step RETURNING true""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "totp_remove(account uuid)", "boolean", "DELETE FROM totp WHERE account_id = account RETURNING true",
        volatility="VOLATILE",
    ),
    *definer_function(
        "recovery_codes_replace(account uuid, hashes bytea[])",
        "void",
        """DELETE FROM recovery_code WHERE account_id = account;
        INSERT INTO recovery_code (account_id, code_hash) SELECT account, unnest(hashes)""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "recovery_code_use(account uuid, hash bytea, at timestamptz)",
        "boolean",
        """UPDATE recovery_code SET used_at = at WHERE account_id = account AND code_hash = hash AND used_at IS NULL
        RETURNING true""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "factors_of(account uuid)",
        "TABLE (totp boolean, codes bigint, passkeys bigint)",
        """SELECT EXISTS (SELECT FROM totp t WHERE t.account_id = account AND t.confirmed_at IS NOT NULL),
            (SELECT count(*) FROM recovery_code r WHERE r.account_id = account AND r.used_at IS NULL),
            (SELECT count(*) FROM passkey k WHERE k.account_id = account)""",
    ),
]  # fmt: skip

PASSKEYS = [
    *definer_function(
        "passkey_challenge_make(new_id uuid, account uuid, what text, random bytea, at timestamptz, until timestamptz)",
        "void",
        """DELETE FROM passkey_challenge WHERE expires_at < at;
        INSERT INTO passkey_challenge (id, account_id, purpose, challenge, expires_at)
        VALUES (new_id, account, what, random, until)""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "passkey_challenge_take(wanted uuid, account uuid, what text, at timestamptz)",
        "bytea",
        """DELETE FROM passkey_challenge WHERE id = wanted AND account_id IS NOT DISTINCT FROM account
            AND purpose = what AND expires_at > at
        RETURNING challenge""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "passkey_add(new_id uuid, account uuid, credential bytea, key bytea, counter bigint, called text, "
        "at timestamptz)",
        "boolean",
        """INSERT INTO passkey (id, account_id, credential_id, public_key, sign_count, name, created_at)
        VALUES (new_id, account, credential, key, counter, called, at) ON CONFLICT (credential_id) DO NOTHING
        RETURNING true""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "passkeys_of(account uuid)",
        "TABLE (id uuid, credential_id bytea, name text, created_at timestamptz, last_used_at timestamptz)",
        """SELECT k.id, k.credential_id, k.name, k.created_at, k.last_used_at FROM passkey k
        WHERE k.account_id = account ORDER BY k.created_at, k.id""",
    ),
    *definer_function(
        "passkey_by_credential(credential bytea)",
        "TABLE (id uuid, account_id uuid, public_key bytea, sign_count bigint, email text)",
        """SELECT k.id, k.account_id, k.public_key, k.sign_count, a.email
        FROM passkey k JOIN account a ON a.id = k.account_id WHERE k.credential_id = credential""",
    ),
    # True unless another use has counted further meanwhile: a copy of the authenticator (WebAuthn 2, 6.1.1).
    *definer_function(
        "passkey_use(wanted uuid, counter bigint, at timestamptz)",
        "boolean",
        """UPDATE passkey SET sign_count = counter, last_used_at = at
        WHERE id = wanted AND (sign_count < counter OR (sign_count = 0 AND counter = 0)) RETURNING true""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "passkey_remove(wanted uuid, account uuid)",
        "boolean",
        "DELETE FROM passkey WHERE id = wanted AND account_id = account RETURNING true",
        volatility="VOLATILE",
    ),
]

KEYS = [
    *definer_function(
        "api_key_make(new_id uuid, practice uuid, member uuid, client text, called text, wanted text[], token bytea, "
        "at timestamptz, until timestamptz)",
        "boolean",
        """INSERT INTO api_key (id, practice_id, member_id, client_id, name, scopes, token_hash, created_at, expires_at)
        VALUES (new_id, practice, member, client, called, wanted, token, at, until)
        ON CONFLICT (member_id, client_id) DO NOTHING RETURNING true""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "api_keys(practice uuid, client text, member uuid, size integer, after_id uuid)",
        "TABLE (id uuid, member_id uuid, name text, scopes text[], created_at timestamptz, expires_at timestamptz, "
        "last_used_at timestamptz, revoked_at timestamptz, client_id text)",
        """SELECT k.id, k.member_id, k.name, k.scopes, k.created_at, k.expires_at, k.last_used_at, k.revoked_at,
            k.client_id
        FROM api_key k
        WHERE k.practice_id = practice AND (client IS NULL OR (k.client_id = client AND k.member_id = member))
            AND (after_id IS NULL OR k.id < after_id)
        ORDER BY k.id DESC LIMIT size""",
    ),
    *definer_function(
        "api_key_revoke(wanted uuid, practice uuid, at timestamptz)",
        "boolean",
        """UPDATE api_key SET revoked_at = coalesce(revoked_at, at) WHERE id = wanted AND practice_id = practice
        RETURNING true""",
        volatility="VOLATILE",
    ),
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
]

CLOSED = ("totp", "recovery_code", "passkey", "passkey_challenge", "api_key")


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [
            TABLES,
            *(sql for table in CLOSED for sql in deployment_table(table)),
            *FACTORS,
            *PASSKEYS,
            *KEYS,
        ],
    )
