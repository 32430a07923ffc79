"""The jobs of holds: those whose time is over lapse, and those that have lapsed go after a day."""

from __future__ import annotations

from datetime import timedelta

from bedside_core.api import DB, Job, JobRun, unit
from bedside_scheduling.keeping import lapsed

BATCH = 200
KEPT = timedelta(days=1)
"""How long a hold that was not booked is known."""

# What is being confirmed or let go this moment is left to whoever does so.
_LAPSE = """WITH due AS (
    SELECT id FROM appointment WHERE state = 'held' AND held_until <= $1
    ORDER BY id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE appointment a SET state = 'lapsed', version = version + 1 FROM due WHERE a.id = due.id
RETURNING a.id, a.practice_id, a.starts_at, a.ends_at,
    ARRAY(SELECT m.member_id FROM appointment_member m WHERE m.appointment_id = a.id) AS member_ids"""
_FORGET = """DELETE FROM appointment WHERE id IN (
    SELECT id FROM appointment WHERE state = 'lapsed' AND held_until <= $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING id"""


async def end_holds(run: JobRun) -> None:
    """Have the practice's holds lapse whose time is over."""
    more = True
    while more:
        async with unit() as work:
            rows = await DB.fetch(_LAPSE, run.platform.clock.now(), BATCH)
            for row in rows:
                lapsed(run.platform, work, row)
        more = len(rows) == BATCH


async def forget_holds(run: JobRun) -> None:
    """Delete the practice's holds that have lapsed more than a day ago."""
    more = True
    while more:
        async with unit():
            rows = await DB.fetch(_FORGET, run.platform.clock.now() - KEPT, BATCH)
        more = len(rows) == BATCH


# Public: what was held before a plan lost scheduling ends all the same (L5).
JOBS = (
    Job(
        name="holds",
        function=end_holds,
        doc="Frees times that were held and not booked.",
        schedule="* * * * *",
        public=True,
    ),
    Job(
        name="forget_holds",
        function=forget_holds,
        doc="Deletes times that were held and not booked, a day later.",
        schedule="17 * * * *",
        public=True,
    ),
)
"""Contributed by the plugin."""
