"""Notifications: outbox, deliveries with their attempts, preferences, texts, what is shown, the demo's letters."""

from __future__ import annotations

from bedside_core.database import QUEUE, definer_function, deployment_table, practice_table, sql_migration

ID = "core_2026_11_22t01_30"
VERSION = "1.38.0"
DESCRIPTION = "Notifications."

NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"
"""Stands in `practice_id` for the deployment itself: what concerns an account belongs to no practice."""

# Leases count real time, as heartbeats do: a moved clock must not hand out what is being sent.
TABLES = """
CREATE TABLE notification (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    kind text NOT NULL,
    recipient text NOT NULL CHECK (recipient IN ('account', 'member', 'patient', 'address')),
    recipient_id uuid,
    address jsonb NOT NULL DEFAULT '{}',
    recipient_key text NOT NULL,
    facts jsonb NOT NULL,
    same_key text,
    once_key text,
    items text[] NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'planned', 'cancelled')),
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    UNIQUE (practice_id, id),
    CHECK ((recipient = 'address') = (recipient_id IS NULL))
);
CREATE UNIQUE INDEX notification_gathers ON notification (practice_id, recipient_key, kind, same_key)
    WHERE state = 'waiting' AND same_key IS NOT NULL;
CREATE UNIQUE INDEX notification_once ON notification (practice_id, recipient_key, kind, once_key)
    WHERE once_key IS NOT NULL;
CREATE INDEX notification_due ON notification (due_at) WHERE state = 'waiting';
CREATE INDEX notification_by_key ON notification (same_key, kind) WHERE state <> 'cancelled' AND same_key IS NOT NULL;
CREATE TABLE notification_delivery (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    notification_id uuid NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    language text NOT NULL,
    zone text NOT NULL,
    state text NOT NULL CHECK (state IN
        ('waiting', 'sent', 'delivered', 'failed', 'impossible', 'switched_off', 'cancelled')),
    reason text,
    attempts integer NOT NULL DEFAULT 0,
    provider_id text,
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    claimed_until timestamptz,
    ended_at timestamptz,
    UNIQUE (practice_id, id),
    FOREIGN KEY (practice_id, notification_id) REFERENCES notification (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX notification_delivery_due ON notification_delivery (due_at) WHERE state = 'waiting';
CREATE INDEX notification_delivery_log ON notification_delivery (practice_id, created_at, id);
CREATE INDEX notification_delivery_of ON notification_delivery (notification_id);
CREATE TABLE notification_attempt (
    practice_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('sent', 'temporary', 'permanent', 'interrupted')),
    reason text,
    PRIMARY KEY (delivery_id, number),
    FOREIGN KEY (practice_id, delivery_id) REFERENCES notification_delivery (practice_id, id) ON DELETE CASCADE
);
CREATE TABLE notification_preference (
    practice_id uuid NOT NULL,
    person_id uuid NOT NULL,
    language text,
    zone text,
    quiet_from time,
    quiet_until time,
    switched_off text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (practice_id, person_id),
    CHECK ((quiet_from IS NULL) = (quiet_until IS NULL))
);
CREATE TABLE notification_text (
    practice_id uuid NOT NULL,
    kind text NOT NULL,
    language text NOT NULL,
    part text NOT NULL,
    template text NOT NULL,
    PRIMARY KEY (practice_id, kind, language, part)
);
CREATE TABLE notification_box (
    practice_id uuid NOT NULL,
    person_id uuid NOT NULL,
    "position" bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (practice_id, person_id)
);
CREATE INDEX notification_box_by_person ON notification_box (person_id);
CREATE TABLE notification_shown (
    practice_id uuid NOT NULL,
    notification_id uuid NOT NULL,
    person_id uuid NOT NULL,
    "position" bigint NOT NULL,
    kind text NOT NULL,
    facts jsonb NOT NULL,
    items text[] NOT NULL,
    shown_at timestamptz NOT NULL,
    read_at timestamptz,
    PRIMARY KEY (practice_id, notification_id),
    UNIQUE (practice_id, person_id, "position"),
    FOREIGN KEY (practice_id, notification_id) REFERENCES notification (practice_id, id) ON DELETE CASCADE,
    FOREIGN KEY (practice_id, person_id) REFERENCES notification_box (practice_id, person_id) ON DELETE CASCADE
);
CREATE INDEX notification_shown_newest ON notification_shown (person_id, notification_id DESC);
CREATE TABLE push_subscription (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    person_id uuid NOT NULL,
    endpoint text NOT NULL,
    public_key text NOT NULL,
    secret text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (practice_id, person_id, endpoint)
);
CREATE TABLE outbox_letter (
    delivery_id uuid PRIMARY KEY,
    practice text NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    sent_at timestamptz NOT NULL
);
CREATE INDEX outbox_letter_newest ON outbox_letter (sent_at DESC, delivery_id DESC);
"""

PRACTICE_TABLES = (
    "notification",
    "notification_delivery",
    "notification_attempt",
    "notification_preference",
    "notification_text",
    "notification_box",
    "notification_shown",
    "push_subscription",
)

FUNCTIONS = [
    # Whoever acts may be of another practice than the recipient (an external conversation), or of none (the operator, a
    # failed sign-in): so a notification is put in by a function, which sees to it that the recipient is the practice's.
    *definer_function(
        "notify_put(new_id uuid, practice uuid, new_kind text, whom text, whom_id uuid, where_to jsonb, whom_key text, "
        "new_facts jsonb, same text, once text, item text, at timestamptz, wait interval, usual_seconds integer)",
        "uuid",
        f"""
        DECLARE made uuid; due timestamptz;
        BEGIN
            IF NOT (CASE whom
                WHEN 'member' THEN EXISTS (SELECT FROM member m WHERE m.id = whom_id AND m.practice_id = practice)
                WHEN 'patient' THEN EXISTS (SELECT FROM patient p WHERE p.id = whom_id AND p.practice_id = practice)
                WHEN 'account' THEN practice = {NOBODY} AND EXISTS (SELECT FROM account a WHERE a.id = whom_id)
                ELSE practice = {NOBODY} OR EXISTS (SELECT FROM practice p WHERE p.id = practice)
            END) THEN
                RETURN NULL;
            END IF;
            due := at + coalesce(wait, make_interval(secs => coalesce(
                (SELECT (s.stored->>'delay_seconds')::integer FROM setting s
                WHERE s.practice_id = practice AND s.plugin = 'notifications' AND s.member_id IS NULL),
                usual_seconds)));
            IF once IS NOT NULL THEN
                INSERT INTO notification (id, practice_id, kind, recipient, recipient_id, address, recipient_key, facts,
                    once_key, items, created_at, due_at)
                VALUES (new_id, practice, new_kind, whom, whom_id, where_to, whom_key, new_facts, once,
                    ARRAY[coalesce(item, new_id::text)], at, due)
                ON CONFLICT DO NOTHING;
                SELECT n.id INTO made FROM notification n WHERE n.practice_id = practice
                    AND n.recipient_key = whom_key AND n.kind = new_kind AND n.once_key = once;
            ELSE
                INSERT INTO notification AS n (id, practice_id, kind, recipient, recipient_id, address, recipient_key,
                    facts, same_key, items, created_at, due_at)
                VALUES (new_id, practice, new_kind, whom, whom_id, where_to, whom_key, new_facts, same,
                    ARRAY[coalesce(item, new_id::text)], at, due)
                ON CONFLICT (practice_id, recipient_key, kind, same_key)
                    WHERE state = 'waiting' AND same_key IS NOT NULL
                DO UPDATE SET facts = excluded.facts,
                    items = array_remove(n.items, excluded.items[1]) || excluded.items[1]
                RETURNING n.id INTO made;
            END IF;
            IF made = new_id AND due <= at THEN
                PERFORM job_enqueue('core.notify_plan', '{{}}'::bytea, practice, 'core.notify_plan:' || practice);
            END IF;
            RETURN made;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    # What was read, deleted or called off. An item taken out leaves the rest; with the last one the notification goes.
    *definer_function(
        "notify_cancel(wanted_kind text, same text, whom_key text, item text, at timestamptz)",
        "integer",
        """
        DECLARE gone uuid[];
        BEGIN
            WITH hit AS (
                UPDATE notification n SET
                    items = CASE WHEN item IS NULL THEN '{}' ELSE array_remove(n.items, item) END,
                    facts = CASE WHEN item IS NULL OR array_remove(n.items, item) = '{}' THEN '{}' ELSE n.facts END,
                    state = CASE WHEN item IS NULL OR array_remove(n.items, item) = '{}'
                        THEN 'cancelled' ELSE n.state END
                WHERE n.same_key = same AND n.kind = wanted_kind AND n.state <> 'cancelled'
                    AND (whom_key IS NULL OR n.recipient_key = whom_key)
                    AND (item IS NULL OR item = ANY(n.items))
                RETURNING n.id, n.state
            )
            SELECT coalesce(array_agg(id) FILTER (WHERE state = 'cancelled'), '{}') INTO gone FROM hit;
            UPDATE notification_delivery d SET state = 'cancelled', ended_at = at
            WHERE d.notification_id = ANY(gone) AND d.state = 'waiting';
            RETURN cardinality(gone);
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    # Asked once a second by each worker: what is due gets a job, once for each practice and kind of work.
    *definer_function(
        "notify_wake(at timestamptz)",
        "bigint",
        """SELECT count(job_enqueue(due.job, '{}'::bytea, due.practice_id, due.job || ':' || due.practice_id)) FROM (
            SELECT DISTINCT 'core.notify_plan' AS job, n.practice_id FROM notification n
            WHERE n.state = 'waiting' AND n.due_at <= at
            UNION ALL
            SELECT DISTINCT 'core.notify_' || d.channel, d.practice_id FROM notification_delivery d
            WHERE d.state = 'waiting' AND d.due_at <= at
                AND (d.claimed_until IS NULL OR d.claimed_until < clock_timestamp())
        ) due""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "notify_addresses(whom text, wanted uuid[])",
        "TABLE (id uuid, email text, phone text)",
        f"""SELECT a.id, a.email, NULL FROM account a
            WHERE whom = 'account' AND a.id = ANY(wanted) AND app_practice() = {NOBODY}
        UNION ALL SELECT m.id, a.email, NULL FROM member m JOIN account a ON a.id = m.account_id
            WHERE whom = 'member' AND m.id = ANY(wanted) AND m.practice_id = app_practice() AND m.active
        UNION ALL SELECT p.id, p.email, p.phone FROM patient p
            WHERE whom = 'patient' AND p.id = ANY(wanted) AND p.practice_id = app_practice()""",
    ),
    # An account without a preference of its own is written to in the language chosen as a member.
    *definer_function(
        "notify_account_language(account uuid)",
        "text",
        """SELECT f.language FROM member m JOIN notification_preference f
            ON f.practice_id = m.practice_id AND f.person_id = m.id
        WHERE m.account_id = account AND f.language IS NOT NULL ORDER BY m.created_at, m.id LIMIT 1""",
    ),
    *definer_function(
        "notify_positions(wanted uuid[])",
        'TABLE (id uuid, "position" bigint)',
        'SELECT b.person_id, max(b."position") FROM notification_box b WHERE b.person_id = ANY(wanted) GROUP BY 1',
    ),
    *definer_function(
        "outbox_put(delivery uuid, of_practice text, by_channel text, sent_to text, titled text, content text, "
        "at timestamptz)",
        "void",
        """INSERT INTO outbox_letter (delivery_id, practice, channel, address, subject, body, sent_at)
        VALUES (delivery, of_practice, by_channel, sent_to, titled, content, at) ON CONFLICT DO NOTHING""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "outbox_page(size integer)",
        "TABLE (id uuid, practice text, channel text, address text, subject text, body text, sent_at timestamptz)",
        """SELECT o.delivery_id, o.practice, o.channel, o.address, o.subject, o.body, o.sent_at
        FROM outbox_letter o ORDER BY o.sent_at DESC, o.delivery_id DESC LIMIT size""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [
            TABLES,
            *(sql for name in PRACTICE_TABLES for sql in practice_table(name)),
            *deployment_table("outbox_letter"),
            *FUNCTIONS,
            f"GRANT EXECUTE ON FUNCTION notify_wake(timestamptz) TO {QUEUE}",
        ],
    )
