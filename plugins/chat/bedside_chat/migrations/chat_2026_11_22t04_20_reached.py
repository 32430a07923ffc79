"""Where people without an account are told of further messages, and by which link."""

from __future__ import annotations

from bedside_core.api import definer_function, sql_migration

ID = "chat_2026_11_22t04_20"
VERSION = "1.38.0"
DESCRIPTION = "Guests are told by the other channel where one is gone, and by the link of a letter that waits."

_MAY = """EXISTS (SELECT FROM conversation c WHERE c.id = conversation
        AND (c.practice_id = app_practice() OR chat_takes_part(c.id)))"""
_NAME = """coalesce((SELECT m.first_name || ' ' || m.last_name FROM member m WHERE m.id = s.person_id),
        (SELECT t.first_name || ' ' || t.last_name FROM patient t WHERE t.id = s.person_id),
        (SELECT t.first_name || ' ' || t.last_name FROM contact t WHERE t.id = s.person_id), s.shown_name)"""

FUNCTIONS = [
    # As before; of who is reached by a link also where the newest letter went, by which channel they are reached today,
    # and the link in a letter of these kinds that waits still, which tells of this message, too.
    *definer_function(
        "chat_told(conversation uuid, by_person uuid, at timestamptz, fresh interval, letters text[])",
        "TABLE (person_id uuid, kind text, home_id uuid, sender text, link_id uuid, went_channel text, went_to text, "
        "email text, phone text, waiting text)",
        f"""SELECT p.person_id, p.kind, p.home_id, {_NAME}, g.id, g.channel, g.address, coalesce(t.email, k.email),
            coalesce(t.phone, k.phone),
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
    # Who writes may be of another practice, whose the row is not.
    *definer_function(
        "guest_link_moved(conversation uuid, person uuid, to_channel text, to_address text)",
        "void",
        f"""UPDATE guest_link g SET channel = to_channel, address = to_address
        WHERE g.conversation_id = conversation AND g.person_id = person AND {_MAY}""",
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration(
        "chat", ID, DESCRIPTION, ["DROP FUNCTION chat_told(uuid, uuid, timestamptz, interval)", *FUNCTIONS]
    )
