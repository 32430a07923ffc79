"""People without an account are written to by e-mail where SMS are switched off and they have an address (N2)."""

from __future__ import annotations

from bedside_core.api import definer_function, sql_migration

ID = "chat_2026_11_23t00_10"
VERSION = "1.38.0"
DESCRIPTION = "Guests get no SMS where the practice or they have switched them off, and there is an e-mail address."

_MAY = """EXISTS (SELECT FROM conversation c WHERE c.id = conversation
        AND (c.practice_id = app_practice() OR chat_takes_part(c.id)))"""
_NAME = """coalesce((SELECT m.first_name || ' ' || m.last_name FROM member m WHERE m.id = s.person_id),
        (SELECT t.first_name || ' ' || t.last_name FROM patient t WHERE t.id = s.person_id),
        (SELECT t.first_name || ' ' || t.last_name FROM contact t WHERE t.id = s.person_id), s.shown_name)"""


def _off(practice: str, person: str) -> str:
    """Return the condition that a practice, or a person of it, has switched SMS off."""
    return f"""(EXISTS (SELECT FROM setting n WHERE n.practice_id = {practice} AND n.plugin = 'notifications'
            AND n.member_id IS NULL AND n.stored->>'sms' = 'false')
        OR EXISTS (SELECT FROM notification_preference n WHERE n.practice_id = {practice} AND n.person_id = {person}
            AND 'sms' = ANY(n.switched_off)))"""


FUNCTIONS = [
    # As before; a phone that is not to be used, since there is an e-mail address, is none.
    *definer_function(
        "chat_told(conversation uuid, by_person uuid, at timestamptz, fresh interval, letters text[])",
        "TABLE (person_id uuid, kind text, home_id uuid, sender text, link_id uuid, went_channel text, went_to text, "
        "email text, phone text, waiting text)",
        f"""SELECT p.person_id, p.kind, p.home_id, {_NAME}, g.id, g.channel, g.address, coalesce(t.email, k.email),
            CASE WHEN coalesce(t.email, k.email) IS NULL OR NOT {_off("g.practice_id", "g.person_id")}
                THEN coalesce(t.phone, k.phone) END,
            (SELECT n.facts ->> 'link' FROM notification n WHERE n.practice_id = g.practice_id
                AND n.recipient_key = 'address:' || g.person_id AND n.kind = ANY(letters)
                AND n.same_key = conversation::text AND n.state = 'waiting' LIMIT 1)
        FROM participant s
        JOIN participant p ON p.conversation_id = s.conversation_id AND p.person_id <> s.person_id
        LEFT JOIN guest_link g ON p.by_link AND g.conversation_id = p.conversation_id AND g.person_id = p.person_id
            AND g.revoked_at IS NULL AND g.expires_at > at
            AND NOT (g.sent_at > at - fresh AND (g.entered_at IS NULL OR g.entered_at < g.sent_at))
        LEFT JOIN patient t ON p.by_link AND p.kind = 'patient' AND t.id = p.person_id
        LEFT JOIN contact k ON p.by_link AND p.kind = 'contact' AND k.id = p.person_id
        WHERE s.conversation_id = conversation AND s.person_id = by_person AND p.left_at IS NULL
            AND (NOT p.by_link AND p.kind IN ('member', 'patient') OR g.id IS NOT NULL) AND {_MAY}""",
    ),
    *definer_function(
        "chat_sms_off(person uuid)",
        "boolean",
        f"SELECT {_off('app_practice()', 'person')}",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("chat", ID, DESCRIPTION, FUNCTIONS)
