"""A sign-in opens a session only while what was shown for it still counts."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_50"
VERSION = "1.38.0"
DESCRIPTION = "A sign-in opens a session only while what was shown for it still counts."

FUNCTIONS = [
    # Holds the account, and tells how far its sign-in is: `shown` by a passkey, `needed` where a second factor is to be
    # shown yet, `none` where there is none. Null where the password is another by now, or the passkey gone.
    *definer_function(
        "auth_hold_shown(account uuid, shown_hash text, shown_passkey uuid)",
        "text",
        """
        DECLARE present record;
        BEGIN
            PERFORM account_hold(account);
            SELECT password_hash, has_factor INTO present FROM auth_account_of(account);
            IF NOT FOUND THEN
                RETURN NULL;
            ELSIF shown_passkey IS NOT NULL THEN
                RETURN (SELECT 'shown' FROM passkey p WHERE p.id = shown_passkey AND p.account_id = account);
            ELSIF present.password_hash IS DISTINCT FROM shown_hash THEN
                RETURN NULL;
            END IF;
            RETURN CASE WHEN present.has_factor THEN 'needed' ELSE 'none' END;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, FUNCTIONS)
