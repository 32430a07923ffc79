"""Whose an account is that acts for patients, the sandbox's or the practices': known of those from before, too (G8)."""

from __future__ import annotations

from bedside_core.api import sql_migration

ID = "portal_2026_11_22t02_41"
VERSION = "1.38.0"
DESCRIPTION = "Accounts that act for patients are the sandbox's or the practices'."

# Core knew members, and patients who were signed in, when it marked the accounts of before. Here are those who act for
# a patient and were not. As there: who is of a practice too gets their letters by mail, and is none of the sandbox's.
MARKED = """
UPDATE account a SET sandbox = known.sandbox FROM (
    SELECT ties.account_id, bool_and(p.sandbox) AS sandbox FROM (
        SELECT h.account_id, h.practice_id FROM portal_holder h
        UNION SELECT m.account_id, m.practice_id FROM member m
        UNION SELECT s.account_id, r.practice_id FROM session s JOIN patient r ON r.id = s.patient_id
    ) ties JOIN practice p ON p.id = ties.practice_id
    WHERE ties.account_id IN (SELECT h.account_id FROM portal_holder h) GROUP BY ties.account_id
) known
WHERE a.id = known.account_id AND a.sandbox <> known.sandbox
"""


async def forwards():
    """Run the migration."""
    return sql_migration("portal", ID, DESCRIPTION, [MARKED])
