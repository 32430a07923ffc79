"""What people are told of outside the application, and what helps them write."""

from __future__ import annotations

from bedside_core.api import definer_function, practice_table, sql_migration

ID = "chat_2026_11_22t03_40"
VERSION = "1.38.0"
DESCRIPTION = "Who is told of messages and reminded of them, automatic messages, quick texts."

# Reminders are sent by the practice of who is reminded: theirs is the choice, and theirs are the settings. `home_id` is
# that practice. Who is reached by a link is not reminded by it (C6).
TABLES = """
ALTER TABLE urgent_recipient ADD COLUMN home_id uuid REFERENCES practice;
UPDATE urgent_recipient u SET home_id = p.home_id, remind_at = CASE WHEN p.by_link THEN NULL ELSE u.remind_at END
FROM participant p WHERE p.conversation_id = u.conversation_id AND p.person_id = u.person_id;
UPDATE urgent_recipient SET home_id = practice_id WHERE home_id IS NULL;
ALTER TABLE urgent_recipient ALTER COLUMN home_id SET NOT NULL;
DROP INDEX urgent_due;
CREATE INDEX urgent_due ON urgent_recipient (home_id, remind_at)
    WHERE acknowledged_at IS NULL AND remind_at IS NOT NULL;

ALTER TABLE participant
    ADD COLUMN email_reminded bigint NOT NULL DEFAULT 0,
    ADD COLUMN sms_reminded bigint NOT NULL DEFAULT 0;

DROP INDEX message_deleted;
CREATE INDEX message_uncounted ON message (conversation_id, number) WHERE deleted_at IS NOT NULL OR automatic;
CREATE INDEX message_automatic ON message (conversation_id, "position" DESC) WHERE automatic;

CREATE TABLE quick_text (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    member_id uuid,
    title text NOT NULL CHECK (title <> ''),
    body text NOT NULL CHECK (body <> ''),
    made_at timestamptz NOT NULL,
    UNIQUE (practice_id, id),
    FOREIGN KEY (practice_id, member_id) REFERENCES member (practice_id, id)
);
CREATE INDEX quick_text_listed ON quick_text (practice_id, member_id, lower(title), id);
"""

_MAY = """EXISTS (SELECT FROM conversation c WHERE c.id = conversation
        AND (c.practice_id = app_practice() OR chat_takes_part(c.id)))"""
_NAME = """coalesce((SELECT m.first_name || ' ' || m.last_name FROM member m WHERE m.id = s.person_id),
        (SELECT t.first_name || ' ' || t.last_name FROM patient t WHERE t.id = s.person_id),
        (SELECT t.first_name || ' ' || t.last_name FROM contact t WHERE t.id = s.person_id), s.shown_name)"""

_REMINDED = "CASE channel WHEN 'email' THEN p.email_reminded ELSE p.sms_reminded END"
_MINUTES = "(o.stored->>('unread_' || channel || '_minutes'))::integer"

FUNCTIONS = [
    # Who is notified of a message of somebody's, in their own practice, and what the sender is called today.
    *definer_function(
        "chat_told(conversation uuid, by_person uuid)",
        "TABLE (person_id uuid, kind text, home_id uuid, sender text)",
        f"""SELECT p.person_id, p.kind, p.home_id, {_NAME}
        FROM participant s JOIN participant p ON p.conversation_id = s.conversation_id AND p.person_id <> s.person_id
        WHERE s.conversation_id = conversation AND s.person_id = by_person AND p.left_at IS NULL AND NOT p.by_link
            AND p.kind IN ('member', 'patient') AND {_MAY}""",
    ),
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
    # Takes up the reminders of unread messages that members of the practice acted for have set and that are due: what
    # is unread and was not reminded of by that channel has waited for so long. `channel` is `email` or `sms`.
    *definer_function(
        "chat_unread_due(at timestamptz, channel text, size integer)",
        "TABLE (conversation_id uuid, message_id uuid, person_id uuid, sender text)",
        f"""
        WITH due AS (
            SELECT p.conversation_id, p.person_id FROM setting o
            JOIN participant p ON p.person_id = o.member_id AND p.home_id = o.practice_id AND p.left_at IS NULL
            WHERE o.practice_id = app_practice() AND o.plugin = 'chat'
                AND {_MINUTES} > 0
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
            RETURNING p.conversation_id, p.person_id, p.read_position
        )
        SELECT t.conversation_id, m.id, t.person_id, (SELECT {_NAME} FROM participant s
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
    return sql_migration("chat", ID, DESCRIPTION, [TABLES, *FUNCTIONS, *practice_table("quick_text")])
