"""The minute job by which people hear at once that a trial, override, add-on or limit has ended."""

from __future__ import annotations

from bedside_core.api import Job, JobRun
from bedside_plans.service import PlanService


async def tell_ended(run: JobRun) -> None:
    """Tell what has ended in a practice's plan. What it gives has been right since the instant itself."""
    await run.platform.service(PlanService).tell_ended(run.practice_id)


TELL_ENDED = Job(
    name="tell_ended",
    function=tell_ended,
    doc="Tells open clients, and plugins, that something in a practice's plan has ended.",
    schedule="* * * * *",
    public=True,
)
