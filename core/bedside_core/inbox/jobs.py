"""Takes out of inboxes what has not changed for a month."""

from __future__ import annotations

from datetime import timedelta

from bedside_core.database import DB
from bedside_core.jobs.declared import Job, JobRun

KEPT = timedelta(days=30)
"""How long an inbox knows of a change; who was away for longer is told to reload."""

# The inbox first, as those who tell it do: so neither waits for the other in a circle.
_PRUNE = """
WITH due AS (
    SELECT i.person_id FROM inbox i
    WHERE EXISTS (SELECT FROM inbox_item t WHERE t.person_id = i.person_id AND t.at < $1)
    ORDER BY i.person_id FOR NO KEY UPDATE
), gone AS (
    DELETE FROM inbox_item t USING due WHERE t.person_id = due.person_id AND t.at < $1
    RETURNING t.person_id, t."position"
)
UPDATE inbox i SET floor = greatest(i.floor, g.last)
FROM (SELECT person_id, max("position") AS last FROM gone GROUP BY person_id) g WHERE i.person_id = g.person_id
"""


async def prune(run: JobRun) -> None:
    """Forget the acting practice's old changes; who has not been told of them is told to reload."""
    await DB.execute(_PRUNE, run.platform.clock.now() - KEPT)


JOBS = (
    Job(
        name="inbox_prune",
        function=prune,
        doc="Takes out of inboxes what has not changed for 30 days.",
        schedule="41 3 * * *",
        public=True,
    ),
)
