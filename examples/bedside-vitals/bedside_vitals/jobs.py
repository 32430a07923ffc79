"""The nightly job of vitals."""

from __future__ import annotations

from bedside_core.api import Job, JobRun
from bedside_vitals.service import VitalsService


async def _summarise_days(run: JobRun) -> None:
    await run.platform.service(VitalsService).summarise(run.practice_id)


SUMMARISE_DAYS = Job(
    name="summarise_days",
    function=_summarise_days,
    doc="Sums up each patient's vitals of the days that are over.",
    schedule="0 3 * * *",
    feature="vitals",
)
