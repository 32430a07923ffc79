"""The sandbox is connected to no practice: whatever it says would be told to real people, by mail."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t02_42"
VERSION = "1.38.0"
DESCRIPTION = "The sandbox is connected to no practice."

ENDED = """
UPDATE connection c SET state = 'ended', changed_at = now()
WHERE c.state IN ('asked', 'accepted') AND EXISTS (
    SELECT FROM practice p WHERE p.id IN (c.asker, c.asked) AND p.sandbox)
"""

# As it was, but that for the sandbox there is no other practice, and for the others there is no sandbox.
REQUEST = definer_function(
    "connection_request(new_id uuid, wanted text, at timestamptz)",
    "TABLE (id uuid, asker uuid, asked uuid, state text, fresh boolean)",
    """WITH other AS (
        SELECT p.id FROM practice p WHERE (p.handle = wanted OR p.id::text = wanted) AND p.id <> app_practice()
        AND NOT p.sandbox AND NOT practice_sandbox(app_practice())
    ), made AS (
        INSERT INTO connection AS c (id, asker, asked, named, state, created_at, changed_at)
        SELECT new_id, app_practice(), o.id, wanted, 'asked', at, at FROM other o WHERE app_practice() IS NOT NULL
        ON CONFLICT (least(asker, asked), greatest(asker, asked)) WHERE state IN ('asked', 'accepted') DO NOTHING
        RETURNING c.id, c.asker, c.asked, c.state
    )
    SELECT m.id, m.asker, m.asked, m.state, true FROM made m UNION ALL
    SELECT c.id, c.asker, c.asked, c.state, false FROM connection c JOIN other o
    ON (c.asker, c.asked) IN ((app_practice(), o.id), (o.id, app_practice()))
    WHERE c.state IN ('asked', 'accepted')""",
    volatility="VOLATILE",
)


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [ENDED, *REQUEST])
