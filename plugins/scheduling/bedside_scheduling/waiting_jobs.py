"""The job of the waiting list: it ends what is over, and offers places of groups (S7)."""

from __future__ import annotations

import time

from bedside_core.api import Job, JobRun
from bedside_scheduling.group_offers import GroupOffers
from bedside_scheduling.offers import Offers

_RUN_SECONDS = 45.0


async def look(run: JobRun) -> None:
    """End offers whose time is over, which frees it for the next, and what waited in vain; offer places of groups."""
    until = time.monotonic() + _RUN_SECONDS
    while await run.platform.service(Offers).look() and time.monotonic() < until:
        pass
    await run.platform.service(GroupOffers).offer(run.practice_id)


# Public: what was offered before a plan lost scheduling ends all the same (L5).
JOBS = (
    Job(
        name="end_offers",
        function=look,
        doc="Ends offers of the waiting list whose time is over, so that the next one gets it, and entries that waited "
        "in vain; offers places of groups that are free.",
        schedule="* * * * *",
        public=True,
    ),
)
"""Contributed by the hook."""
