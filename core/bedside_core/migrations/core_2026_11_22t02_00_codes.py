"""Codes of a second factor are compared first and used up afterwards, and only those of one that counts."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_00"
VERSION = "1.38.0"
DESCRIPTION = "Codes of a second factor are compared first and used up afterwards, and only those of one that counts."

FUNCTIONS = [
    "DROP FUNCTION totp_use(uuid, bigint, timestamptz)",
    # True for the first who shows the code of a step: a code that was seen is worth nothing (RFC 6238, 5.2).
    *definer_function(
        "totp_use(account uuid, step bigint)",
        "boolean",
        """UPDATE totp SET last_step = step
        WHERE account_id = account AND last_step < step AND confirmed_at IS NOT NULL RETURNING true""",
        volatility="VOLATILE",
    ),
    # True where the secret is still the one whose code was shown, and counts from now on.
    *definer_function(
        "totp_confirm(account uuid, sealed bytea, step bigint, at timestamptz)",
        "boolean",
        """UPDATE totp SET last_step = step, confirmed_at = at
        WHERE account_id = account AND secret = sealed AND confirmed_at IS NULL RETURNING true""",
        volatility="VOLATILE",
    ),
    # Of another factor that counts now, a secret that nobody has shown a code of does not come to count later.
    *definer_function(
        "totp_forget_unconfirmed(account uuid)",
        "void",
        "DELETE FROM totp WHERE account_id = account AND confirmed_at IS NULL",
        volatility="VOLATILE",
    ),
    *definer_function(
        "recovery_code_good(account uuid, hash bytea)",
        "boolean",
        """SELECT EXISTS (SELECT FROM recovery_code r
        WHERE r.account_id = account AND r.code_hash = hash AND r.used_at IS NULL)""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, FUNCTIONS)
