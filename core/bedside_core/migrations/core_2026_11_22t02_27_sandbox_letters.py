"""Letters to an address about an account of the sandbox stay in the house, as those to the account do."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_27"
VERSION = "1.38.0"
DESCRIPTION = "Letters about the sandbox's accounts stay in the house."

# Of the sandbox's people, to one of its accounts, or to an address but about one, such as a new user name.
IN_SANDBOX = definer_function(
    "notification_in_sandbox(wanted uuid)",
    "boolean",
    """SELECT EXISTS (
        SELECT FROM notification n JOIN practice p ON p.id = n.practice_id WHERE n.id = wanted AND p.sandbox
    ) OR EXISTS (
        SELECT FROM notification n JOIN account a ON a.id = n.recipient_id
        WHERE n.id = wanted AND n.recipient = 'account' AND a.sandbox
    ) OR EXISTS (
        SELECT FROM notification n JOIN account a ON a.id = (n.address->>'account')::uuid
        WHERE n.id = wanted AND n.recipient = 'address' AND a.sandbox
    )""",
)


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, IN_SANDBOX)
