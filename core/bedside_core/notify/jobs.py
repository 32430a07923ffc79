"""Notifications' background work: planning what is due, and a job for each channel, so that none holds up another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps

from bedside_core.jobs.declared import Job, JobRun
from bedside_core.notify.delivering import deliver
from bedside_core.notify.kinds import Channel
from bedside_core.notify.planning import plan

WAKES: Sequence[str] = ("notify_wake",)
"""The function that enqueues these jobs when the outbox has something due, by the product's clock."""


def _on(channel: Channel) -> Job:
    @wraps(deliver)
    async def run(job: JobRun) -> None:
        await deliver(job, channel)

    return Job(name=f"notify_{channel}", function=run, doc=f"Sends notifications by {channel}.", public=True)


JOBS: Sequence[Job] = (
    Job(name="notify_plan", function=plan, doc="Decides how due notifications reach their recipients.", public=True),
    *(_on(channel) for channel in Channel if channel is not Channel.IN_APP),
)
