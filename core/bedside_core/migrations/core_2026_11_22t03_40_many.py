"""Notifications to many at once, and taken out of several kinds at once: one statement each, however many there are."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t03_40"
VERSION = "1.38.0"
DESCRIPTION = "Many are notified, and notifications taken out, in one statement."

MOST = 50
"""Of so many items, the newest, a notification knows what each one tells, as `notify_put` has it."""


FUNCTIONS = [
    # The same thing for many people, of any practices: who is nobody of theirs is left out. Rows are taken in the order
    # of people, so that two at once never wait in a circle. Answers how many are told.
    *definer_function(
        "notify_put_all(new_ids uuid[], practices uuid[], new_kind text, whoms text[], whom_ids uuid[], "
        "new_facts jsonb, same text, item text, at timestamptz, wait interval, usual_seconds integer)",
        "integer",
        f"""
        DECLARE made integer; due_now uuid[];
        BEGIN
            WITH wanted AS (
                SELECT DISTINCT ON (w.whom_id) w.id, w.practice, w.whom, w.whom_id,
                    at + coalesce(wait, make_interval(secs => coalesce(
                        (SELECT (s.stored->>'delay_seconds')::integer FROM setting s
                        WHERE s.practice_id = w.practice AND s.plugin = 'notifications' AND s.member_id IS NULL),
                        usual_seconds))) AS due
                FROM unnest(new_ids, practices, whoms, whom_ids) AS w(id, practice, whom, whom_id)
                WHERE CASE w.whom
                    WHEN 'member' THEN EXISTS (SELECT FROM member m
                        WHERE m.id = w.whom_id AND m.practice_id = w.practice)
                    WHEN 'patient' THEN EXISTS (SELECT FROM patient p
                        WHERE p.id = w.whom_id AND p.practice_id = w.practice)
                    ELSE false END
                ORDER BY w.whom_id
            ), put AS (
                INSERT INTO notification AS n (id, practice_id, kind, recipient, recipient_id, recipient_key, facts,
                    same_key, items, item_facts, created_at, due_at)
                SELECT w.id, w.practice, new_kind, w.whom, w.whom_id, w.whom || ':' || w.whom_id, new_facts, same,
                    ARRAY[coalesce(item, w.id::text)], jsonb_build_object(coalesce(item, w.id::text), new_facts),
                    at, w.due
                FROM wanted w ORDER BY w.whom_id
                ON CONFLICT (practice_id, recipient_key, kind, same_key)
                    WHERE state = 'waiting' AND same_key IS NOT NULL
                DO UPDATE SET facts = excluded.facts,
                    items = array_remove(n.items, excluded.items[1]) || excluded.items[1],
                    item_facts = (n.item_facts - coalesce(n.items[cardinality(n.items) - {MOST - 1}], ''))
                        || excluded.item_facts
                RETURNING n.practice_id, n.due_at
            )
            SELECT count(*), array_agg(DISTINCT p.practice_id) FILTER (WHERE p.due_at <= at) INTO made, due_now
            FROM put p;
            PERFORM job_enqueue('core.notify_plan', '{{}}'::bytea, p.id, 'core.notify_plan:' || p.id)
            FROM unnest(due_now) AS p(id);
            RETURN made;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    # Of several kinds at once: the items in `gone`, or where that is null all but those in `kept`. What remains of a
    # notification tells of its last item; with the last one it goes, and is shown in the application no more.
    *definer_function(
        "notify_cancel_all(wanted_kinds text[], same text, whom_key text, gone text[], kept text[], at timestamptz)",
        "integer",
        """
        DECLARE ended uuid[]; seen record; moved bigint; rest record; left_items text[];
        BEGIN
            PERFORM FROM notification n WHERE n.same_key = same AND n.kind = ANY(wanted_kinds)
                AND n.state <> 'cancelled' AND (whom_key IS NULL OR n.recipient_key = whom_key)
            ORDER BY n.id FOR UPDATE;
            ended := '{}';
            FOR rest IN
                SELECT n.id, n.items AS before, n.facts, n.item_facts, ARRAY(
                    SELECT i FROM unnest(n.items) WITH ORDINALITY AS u(i, o)
                    WHERE CASE WHEN gone IS NULL THEN i = ANY(kept) ELSE i <> ALL(gone) END ORDER BY o) AS items
                FROM notification n WHERE n.same_key = same AND n.kind = ANY(wanted_kinds)
                    AND n.state <> 'cancelled' AND (whom_key IS NULL OR n.recipient_key = whom_key)
                ORDER BY n.id
            LOOP
                CONTINUE WHEN rest.items = rest.before;
                IF rest.items = '{}' THEN
                    UPDATE notification n SET items = '{}', item_facts = '{}', facts = '{}', state = 'cancelled'
                    WHERE n.id = rest.id;
                    ended := ended || rest.id;
                    CONTINUE;
                END IF;
                UPDATE notification n SET items = rest.items,
                    facts = coalesce(n.item_facts -> rest.items[cardinality(rest.items)], n.facts),
                    item_facts = (SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}')
                        FROM jsonb_each(n.item_facts) e WHERE e.key = ANY(rest.items))
                WHERE n.id = rest.id;
                FOR seen IN
                    SELECT s.practice_id, s.person_id, s.items FROM notification_shown s
                    WHERE s.notification_id = rest.id FOR UPDATE
                LOOP
                    left_items := ARRAY(SELECT i FROM unnest(seen.items) WITH ORDINALITY AS u(i, o)
                        WHERE i = ANY(rest.items) ORDER BY o);
                    CONTINUE WHEN left_items = seen.items;
                    IF left_items = '{}' THEN
                        DELETE FROM notification_shown s WHERE s.notification_id = rest.id;
                        CONTINUE;
                    END IF;
                    UPDATE notification_box b SET "position" = b."position" + 1
                    WHERE b.practice_id = seen.practice_id AND b.person_id = seen.person_id
                    RETURNING b."position" INTO moved;
                    UPDATE notification_shown s SET "position" = moved, items = left_items,
                        facts = coalesce(n.item_facts -> left_items[cardinality(left_items)], n.facts)
                    FROM notification n WHERE n.id = rest.id AND s.notification_id = n.id;
                END LOOP;
            END LOOP;
            UPDATE notification_delivery d SET state = 'cancelled', ended_at = at
            WHERE d.notification_id = ANY(ended) AND d.state = 'waiting';
            DELETE FROM notification_shown s WHERE s.notification_id = ANY(ended);
            RETURN cardinality(ended);
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, FUNCTIONS)
