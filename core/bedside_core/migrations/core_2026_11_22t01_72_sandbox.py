"""The sandbox: one practice of a deployment whose letters stay in the house, and that can be emptied."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t01_72"
VERSION = "1.38.0"
DESCRIPTION = "The sandbox practice."

TABLES = """
ALTER TABLE practice ADD COLUMN sandbox boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX practice_one_sandbox ON practice (sandbox) WHERE sandbox;
"""

FUNCTIONS = [
    *definer_function(
        "practice_sandbox(wanted uuid)",
        "boolean",
        "SELECT EXISTS (SELECT FROM practice p WHERE p.id = wanted AND p.sandbox)",
    ),
    *definer_function("sandbox_id()", "uuid", "SELECT p.id FROM practice p WHERE p.sandbox"),
    # Of a practice that nobody but its founder has seen: what was sent for it before would have left the house.
    *definer_function(
        "sandbox_make(wanted uuid)",
        "boolean",
        """UPDATE practice SET sandbox = true WHERE id = wanted
            AND NOT EXISTS (SELECT FROM patient r WHERE r.practice_id = wanted) RETURNING true""",
        volatility="VOLATILE",
    ),
    # Whether a notification is the sandbox's: of its people, or of an account that is of the sandbox alone.
    *definer_function(
        "notification_in_sandbox(wanted uuid)",
        "boolean",
        """SELECT EXISTS (
            SELECT FROM notification n JOIN practice p ON p.id = n.practice_id WHERE n.id = wanted AND p.sandbox
        ) OR EXISTS (
            SELECT FROM notification n JOIN account a ON a.id = n.recipient_id AND NOT a.operator
            JOIN member m ON m.account_id = a.id
            WHERE n.id = wanted AND n.recipient = 'account'
            GROUP BY a.id
            HAVING bool_and((SELECT p.sandbox FROM practice p WHERE p.id = m.practice_id))
        )""",
    ),
    *definer_function(
        "sandbox_outbox(of_practice uuid, size integer, before timestamptz, before_id uuid)",
        "TABLE (id uuid, practice text, channel text, address text, subject text, body text, sent_at timestamptz)",
        """SELECT o.delivery_id, o.practice, o.channel, o.address, o.subject, o.body, o.sent_at
        FROM outbox_letter o JOIN notification_delivery d ON d.id = o.delivery_id
        WHERE practice_sandbox(of_practice) AND notification_in_sandbox(d.notification_id)
            AND (before IS NULL OR (o.sent_at, o.delivery_id) < (before, before_id))
        ORDER BY o.sent_at DESC, o.delivery_id DESC LIMIT size""",
    ),
    # What the sandbox's people have made, table by table in the order given; the audit trail is never touched.
    *definer_function(
        "sandbox_empty(of_practice uuid, tables text[])",
        "void",
        """DECLARE
            name text;
        BEGIN
            IF NOT practice_sandbox(of_practice) THEN
                RAISE EXCEPTION 'practice % is no sandbox', of_practice;
            END IF;
            DELETE FROM outbox_letter o USING notification_delivery d
            WHERE d.id = o.delivery_id AND notification_in_sandbox(d.notification_id);
            FOREACH name IN ARRAY tables LOOP
                IF name LIKE 'audit%' OR NOT EXISTS (
                    SELECT FROM pg_policies p WHERE p.schemaname = 'public' AND p.tablename = name
                        AND p.policyname = 'practice'
                ) THEN
                    RAISE EXCEPTION 'table % is not emptied', name;
                END IF;
                EXECUTE format('DELETE FROM %I WHERE practice_id = $1', name) USING of_practice;
            END LOOP;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLES, *FUNCTIONS])
