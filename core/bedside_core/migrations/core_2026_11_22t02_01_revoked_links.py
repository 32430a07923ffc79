"""What was sent before a password changed, or by somebody who may no longer send it, leads nowhere."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_01"
VERSION = "1.38.0"
DESCRIPTION = "What was sent before a password changed, or by somebody who may no longer send it, leads nowhere."

FUNCTIONS = [
    # Every link by which an account could still be got into, or away from its owner.
    *definer_function(
        "auth_void_links(of_account uuid, at timestamptz)",
        "void",
        """DELETE FROM email_change WHERE account_id = of_account;
        UPDATE link l SET voided_at = at
        WHERE l.voided_at IS NULL AND l.consumed_at IS NULL AND (
            (l.purpose IN ('core.reset', 'core.email') AND l.subject = of_account)
            OR (l.purpose = 'core.register' AND l.subject IN (
                SELECT i.id FROM invitation i JOIN member m ON m.id = i.member_id
                WHERE m.account_id = of_account AND i.anew AND i.accepted_at IS NULL)))""",
        volatility="VOLATILE",
    ),
    # Calls off what a member of the acting practice has sent and, as they are now, may not send; returns what that was.
    # Owners and managers invite, an owner alone somebody who becomes one (A1).
    *definer_function(
        "invitations_call_off(by_member uuid, at timestamptz)",
        "SETOF uuid",
        """WITH gone AS (
            UPDATE invitation i SET revoked_at = at FROM member b
            WHERE i.invited_by = by_member AND i.practice_id = app_practice() AND b.id = by_member
                AND b.practice_id = app_practice() AND i.accepted_at IS NULL AND i.revoked_at IS NULL
                AND NOT (b.active AND (
                    b.role = 'owner' OR (b.role = 'manager' AND (i.role <> 'owner' OR i.anew))))
            RETURNING i.id
        ), void AS (
            UPDATE link l SET voided_at = at FROM gone
            WHERE l.purpose = 'core.register' AND l.subject = gone.id
                AND l.voided_at IS NULL AND l.consumed_at IS NULL
        )
        SELECT gone.id FROM gone""",
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, FUNCTIONS)
