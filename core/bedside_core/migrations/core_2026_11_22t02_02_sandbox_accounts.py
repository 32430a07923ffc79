"""The sandbox's accounts are its own: none of them is of a practice, and no practice's is of the sandbox."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_02"
VERSION = "1.38.0"
DESCRIPTION = "The sandbox's accounts are its own."

# Its owner reads every letter to its people, links and all. Whoever is of a practice too, or was seen as a patient of
# one, is no account of the sandbox's, and gets their letters by mail.
TABLES = """
ALTER TABLE account ADD COLUMN sandbox boolean NOT NULL DEFAULT false;
UPDATE account a SET sandbox = true
WHERE EXISTS (
    SELECT FROM member m JOIN practice p ON p.id = m.practice_id WHERE m.account_id = a.id AND p.sandbox
) AND NOT EXISTS (
    SELECT FROM member m JOIN practice p ON p.id = m.practice_id WHERE m.account_id = a.id AND NOT p.sandbox
) AND NOT EXISTS (
    SELECT FROM session s JOIN patient r ON r.id = s.patient_id JOIN practice p ON p.id = r.practice_id
    WHERE s.account_id = a.id AND NOT p.sandbox
);
"""

FUNCTIONS = [
    # What is made for the sandbox is of the sandbox from its beginning, for good.
    *definer_function(
        "account_create(new_id uuid, new_email text, new_hash text, is_operator boolean, at timestamptz)",
        "void",
        """INSERT INTO account (id, email, operator, created_at, sandbox)
        VALUES (new_id, new_email, is_operator, at, practice_sandbox(app_practice()));
        INSERT INTO credential (account_id, password_hash) VALUES (new_id, new_hash)""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "account_fits(wanted uuid)",
        "boolean",
        "SELECT EXISTS (SELECT FROM account a WHERE a.id = wanted AND a.sandbox = practice_sandbox(app_practice()))",
    ),
    *definer_function(
        "sandbox_make(wanted uuid)",
        "boolean",
        """UPDATE practice SET sandbox = true WHERE id = wanted
            AND NOT EXISTS (SELECT FROM patient r WHERE r.practice_id = wanted)
            AND NOT EXISTS (SELECT FROM member m WHERE m.practice_id = wanted) RETURNING true""",
        volatility="VOLATILE",
    ),
    # Whether a notification is the sandbox's: of its people, or of one of its accounts.
    *definer_function(
        "notification_in_sandbox(wanted uuid)",
        "boolean",
        """SELECT EXISTS (
            SELECT FROM notification n JOIN practice p ON p.id = n.practice_id WHERE n.id = wanted AND p.sandbox
        ) OR EXISTS (
            SELECT FROM notification n JOIN account a ON a.id = n.recipient_id
            WHERE n.id = wanted AND n.recipient = 'account' AND a.sandbox
        )""",
    ),
]

# Whatever makes a member: an account of the other kind is refused by the database.
TRIGGER = [
    """CREATE FUNCTION member_of_sandbox() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$BEGIN
        IF NOT EXISTS (
            SELECT FROM account a JOIN practice p ON p.id = NEW.practice_id
            WHERE a.id = NEW.account_id AND a.sandbox = p.sandbox
        ) THEN
            RAISE EXCEPTION 'the sandbox and the practices have no accounts in common'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'member_sandbox';
        END IF;
        RETURN NEW;
    END$$""",
    "REVOKE ALL ON FUNCTION member_of_sandbox() FROM PUBLIC",
    """CREATE TRIGGER member_sandbox BEFORE INSERT OR UPDATE OF account_id ON member FOR EACH ROW
    EXECUTE FUNCTION member_of_sandbox()""",
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLES, *FUNCTIONS, *TRIGGER])
