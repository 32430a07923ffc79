"""Who has lost every second factor of an account gets them taken away by somebody who may."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_40"
VERSION = "1.38.0"
DESCRIPTION = "Lost second factors are taken away by the operator, or by an owner."

FUNCTIONS = [
    # All by which a second factor could be shown, or one be added that was begun before.
    *definer_function(
        "factors_take_away(of_account uuid)",
        "void",
        """DELETE FROM totp WHERE account_id = of_account;
        DELETE FROM passkey WHERE account_id = of_account;
        DELETE FROM recovery_code WHERE account_id = of_account;
        DELETE FROM passkey_challenge WHERE account_id = of_account""",
        volatility="VOLATILE",
    ),
    # Of whom somebody with this account is or was a member, or was signed in as a patient.
    *definer_function(
        "account_practices(wanted uuid)",
        "SETOF uuid",
        """SELECT m.practice_id FROM member m WHERE m.account_id = wanted
        UNION SELECT p.practice_id FROM session s JOIN patient p ON p.id = s.patient_id
        WHERE s.account_id = wanted ORDER BY 1""",
    ),
    *definer_function(
        "account_operator(wanted uuid)", "boolean", "SELECT a.operator FROM account a WHERE a.id = wanted"
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, FUNCTIONS)
