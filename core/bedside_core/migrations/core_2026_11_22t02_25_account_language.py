"""Letters about an account are in the language that its owner has chosen as a patient, or else their practice's."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_25"
VERSION = "1.38.0"
DESCRIPTION = "The language of letters about an account."

# Patients are known by the sign-ins as them: whose portal account it is stands in a plugin's table.
LANGUAGE = definer_function(
    "notify_account_language(account uuid)",
    "text",
    """SELECT coalesce(
        (SELECT f.language FROM member m JOIN notification_preference f
            ON f.practice_id = m.practice_id AND f.person_id = m.id
        WHERE m.account_id = account AND f.language IS NOT NULL ORDER BY m.created_at, m.id LIMIT 1),
        (SELECT f.language FROM session s JOIN notification_preference f ON f.person_id = s.patient_id
        WHERE s.account_id = account AND f.language IS NOT NULL ORDER BY s.created_at DESC, s.id DESC LIMIT 1),
        (SELECT CASE WHEN (t.stored->>'spanish')::boolean THEN 'es' END FROM (
            SELECT coalesce(
                (SELECT m.practice_id FROM member m WHERE m.account_id = account AND m.active
                ORDER BY m.created_at, m.id LIMIT 1),
                (SELECT p.practice_id FROM session s JOIN patient p ON p.id = s.patient_id
                WHERE s.account_id = account ORDER BY s.created_at DESC, s.id DESC LIMIT 1)) AS practice_id
        ) home JOIN setting t ON t.practice_id = home.practice_id AND t.plugin = 'notifications'
            AND t.member_id IS NULL))""",
)


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, LANGUAGE)
