"""Patients are reminded of messages as they have set it, and only so."""

from __future__ import annotations

from bedside_core.api import definer_function, sql_migration

ID = "chat_2026_11_23t00_20"
VERSION = "1.38.0"
DESCRIPTION = "Patients set of what they are reminded (N6)."

_NAME = """coalesce((SELECT m.first_name || ' ' || m.last_name FROM member m WHERE m.id = s.person_id),
        (SELECT t.first_name || ' ' || t.last_name FROM patient t WHERE t.id = s.person_id),
        (SELECT t.first_name || ' ' || t.last_name FROM contact t WHERE t.id = s.person_id), s.shown_name)"""

_REMINDED = "CASE channel WHEN 'email' THEN p.email_reminded ELSE p.sms_reminded END"
_MINUTES = "(o.stored->>('unread_' || channel || '_minutes'))::integer"

FUNCTIONS = [
    # Takes up the reminders that are due for people of the practice acted for, and sets the next of each: reminded once
    # for each that is taken up. Who has switched them off, or takes part no more, is never asked about again.
    *definer_function(
        "chat_urgent_due(at timestamptz, pause interval, most integer, size integer)",
        "TABLE (conversation_id uuid, message_id uuid, person_id uuid, kind text, wanted boolean, sender text)",
        f"""
        WITH due AS (
            SELECT u.message_id, u.person_id, p.kind, p.left_at IS NULL AND NOT p.by_link
                AND coalesce((SELECT (o.stored->>'urgent_reminders')::boolean FROM setting o
                    WHERE o.practice_id = u.home_id AND o.plugin = 'chat' AND o.member_id = u.person_id), true)
                AND coalesce((SELECT (o.stored->>'urgent_reminders')::boolean FROM patient_setting o
                    WHERE o.practice_id = u.home_id AND o.plugin = 'chat' AND o.patient_id = u.person_id), true)
                AS wanted
            FROM urgent_recipient u
            JOIN participant p ON p.conversation_id = u.conversation_id AND p.person_id = u.person_id
            WHERE u.home_id = app_practice() AND u.acknowledged_at IS NULL AND u.remind_at <= at
            ORDER BY u.message_id, u.person_id LIMIT size FOR UPDATE OF u SKIP LOCKED
        ), taken AS (
            UPDATE urgent_recipient u SET reminded = u.reminded + d.wanted::integer,
                remind_at = CASE WHEN NOT d.wanted OR u.reminded + 1 >= most THEN NULL
                    WHEN u.remind_at + pause > at THEN u.remind_at + pause ELSE at + pause END
            FROM due d WHERE u.message_id = d.message_id AND u.person_id = d.person_id
            RETURNING u.conversation_id, u.message_id, u.person_id, d.kind, d.wanted
        )
        SELECT t.conversation_id, t.message_id, t.person_id, t.kind, t.wanted, (SELECT {_NAME} FROM participant s
            WHERE s.conversation_id = t.conversation_id AND s.person_id = m.sender_id)
        FROM taken t JOIN message m ON m.id = t.message_id ORDER BY t.message_id, t.person_id""",
        volatility="VOLATILE",
    ),
    # Takes up the reminders of unread messages that members and patients of the practice acted for have set and that
    # are due: what is unread and was not reminded of by that channel has waited for so long. `channel` is `email` or
    # `sms`. Who is in by a link is reminded of nothing, though they had an account when they chose.
    *definer_function(
        "chat_unread_due(at timestamptz, channel text, size integer)",
        "TABLE (conversation_id uuid, message_id uuid, person_id uuid, kind text, sender text)",
        f"""
        WITH due AS (
            SELECT p.conversation_id, p.person_id FROM (
                SELECT s.member_id AS person_id, s.stored FROM setting s
                WHERE s.practice_id = app_practice() AND s.plugin = 'chat' AND s.member_id IS NOT NULL
                UNION ALL SELECT t.patient_id, t.stored FROM patient_setting t
                WHERE t.practice_id = app_practice() AND t.plugin = 'chat'
            ) o
            JOIN participant p ON p.person_id = o.person_id AND p.home_id = app_practice() AND p.left_at IS NULL
                AND NOT p.by_link
            WHERE {_MINUTES} > 0
                AND EXISTS (SELECT FROM message m WHERE m.conversation_id = p.conversation_id
                    AND m."position" > greatest(p.read_position, {_REMINDED})
                    AND m.sent_at <= at - make_interval(mins => {_MINUTES})
                    AND m.sender_id <> p.person_id AND m.deleted_at IS NULL AND NOT m.automatic)
            ORDER BY p.conversation_id, p.person_id LIMIT size FOR NO KEY UPDATE OF p SKIP LOCKED
        ), taken AS (
            UPDATE participant p SET
                email_reminded = CASE WHEN channel = 'email' THEN c.last_position ELSE p.email_reminded END,
                sms_reminded = CASE WHEN channel = 'sms' THEN c.last_position ELSE p.sms_reminded END
            FROM due d JOIN conversation c ON c.id = d.conversation_id
            WHERE p.conversation_id = d.conversation_id AND p.person_id = d.person_id
            RETURNING p.conversation_id, p.person_id, p.kind, p.read_position
        )
        SELECT t.conversation_id, m.id, t.person_id, t.kind, (SELECT {_NAME} FROM participant s
            WHERE s.conversation_id = t.conversation_id AND s.person_id = m.sender_id)
        FROM taken t CROSS JOIN LATERAL (
            SELECT m.id, m.sender_id FROM message m WHERE m.conversation_id = t.conversation_id
                AND m."position" > t.read_position AND m.sender_id <> t.person_id AND m.deleted_at IS NULL
                AND NOT m.automatic
            ORDER BY m."position" DESC LIMIT 1) m
        ORDER BY t.conversation_id, t.person_id""",
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration(
        "chat", ID, DESCRIPTION, ["DROP FUNCTION chat_unread_due(timestamptz, text, integer)", *FUNCTIONS]
    )
