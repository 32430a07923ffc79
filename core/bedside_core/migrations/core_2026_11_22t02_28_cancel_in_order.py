"""Who takes notifications out takes rows in one order, so that two at once never wait in a circle."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_28"
VERSION = "1.38.0"
DESCRIPTION = "Notifications are taken out in one order."

_REST = "array_remove(n.items, item)"
_LEFT = "array_remove(s.items, item)"

FUNCTIONS = [
    # What was read, deleted or called off. An item taken out leaves the rest, which tells of the last one that remains;
    # with the last one the notification goes. So it is with what is shown of it in the application.
    *definer_function(
        "notify_cancel(wanted_kind text, same text, whom_key text, item text, at timestamptz)",
        "integer",
        f"""
        DECLARE gone uuid[]; rest uuid[]; seen record; moved bigint;
        BEGIN
            PERFORM FROM notification n WHERE n.same_key = same AND n.kind = wanted_kind AND n.state <> 'cancelled'
                AND (whom_key IS NULL OR n.recipient_key = whom_key) AND (item IS NULL OR item = ANY(n.items))
            ORDER BY n.id FOR UPDATE;
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
                WHERE s.notification_id = ANY(rest) AND item = ANY(s.items)
                ORDER BY s.person_id, s.notification_id FOR UPDATE
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
    return sql_migration("core", ID, DESCRIPTION, FUNCTIONS)
