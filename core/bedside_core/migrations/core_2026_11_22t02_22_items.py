"""Each item of a gathered notification keeps what it tells, so that one taken out is told of no more (N3)."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_22"
VERSION = "1.38.0"
DESCRIPTION = "What is taken out of a notification is told of no more."

NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"
MOST = 50
"""Of so many items, the newest, a notification knows what each one tells. Of earlier ones the newest's is told."""

COLUMN = "ALTER TABLE notification ADD COLUMN item_facts jsonb NOT NULL DEFAULT '{}'"

_REST = "array_remove(n.items, item)"
_LEFT = "array_remove(s.items, item)"

FUNCTIONS = [
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
                    facts, same_key, items, item_facts, created_at, due_at)
                VALUES (new_id, practice, new_kind, whom, whom_id, where_to, whom_key, new_facts, same,
                    ARRAY[coalesce(item, new_id::text)],
                    jsonb_build_object(coalesce(item, new_id::text), new_facts), at, due)
                ON CONFLICT (practice_id, recipient_key, kind, same_key)
                    WHERE state = 'waiting' AND same_key IS NOT NULL
                DO UPDATE SET facts = excluded.facts,
                    items = array_remove(n.items, excluded.items[1]) || excluded.items[1],
                    item_facts = (n.item_facts - coalesce(n.items[cardinality(n.items) - {MOST - 1}], ''))
                        || excluded.item_facts
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
    # What was read, deleted or called off. An item taken out leaves the rest, which tells of the last one that remains;
    # with the last one the notification goes. So it is with what is shown of it in the application.
    *definer_function(
        "notify_cancel(wanted_kind text, same text, whom_key text, item text, at timestamptz)",
        "integer",
        f"""
        DECLARE gone uuid[]; rest uuid[]; seen record; moved bigint;
        BEGIN
            WITH hit AS (
                UPDATE notification n SET
                    items = CASE WHEN item IS NULL THEN '{{}}' ELSE {_REST} END,
                    item_facts = CASE WHEN item IS NULL THEN '{{}}' ELSE n.item_facts - item END,
                    facts = CASE WHEN item IS NULL OR {_REST} = '{{}}' THEN '{{}}'
                        ELSE coalesce(n.item_facts -> ({_REST})[cardinality({_REST})], n.facts) END,
                    state = CASE WHEN item IS NULL OR {_REST} = '{{}}' THEN 'cancelled' ELSE n.state END
                WHERE n.same_key = same AND n.kind = wanted_kind AND n.state <> 'cancelled'
                    AND (whom_key IS NULL OR n.recipient_key = whom_key)
                    AND (item IS NULL OR item = ANY(n.items))
                RETURNING n.id, n.state
            )
            SELECT coalesce(array_agg(id) FILTER (WHERE state = 'cancelled'), '{{}}'),
                coalesce(array_agg(id) FILTER (WHERE state <> 'cancelled'), '{{}}') INTO gone, rest FROM hit;
            UPDATE notification_delivery d SET state = 'cancelled', ended_at = at
            WHERE d.notification_id = ANY(gone) AND d.state = 'waiting';
            DELETE FROM notification_shown s WHERE s.notification_id = ANY(gone)
                OR (s.notification_id = ANY(rest) AND {_LEFT} = '{{}}');
            FOR seen IN
                SELECT s.practice_id, s.person_id, s.notification_id FROM notification_shown s
                WHERE s.notification_id = ANY(rest) AND item = ANY(s.items) ORDER BY s.notification_id FOR UPDATE
            LOOP
                UPDATE notification_box b SET "position" = b."position" + 1
                WHERE b.practice_id = seen.practice_id AND b.person_id = seen.person_id
                RETURNING b."position" INTO moved;
                UPDATE notification_shown s SET "position" = moved, items = {_LEFT},
                    facts = coalesce(n.item_facts -> ({_LEFT})[cardinality({_LEFT})], n.facts)
                FROM notification n WHERE n.id = seen.notification_id AND s.notification_id = n.id;
            END LOOP;
            RETURN cardinality(gone);
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [COLUMN, *FUNCTIONS])
