"""Notifications' background work: planning what is due, and a job for each channel, so that none holds up another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import wraps
from typing import Any

from bedside_core.jobs.declared import Job, JobRun, Wake
from bedside_core.notify.delivering import deliver
from bedside_core.notify.kinds import Channel
from bedside_core.notify.planning import plan


async def wake(pool: Any, now: datetime) -> None:
    """Enqueue the jobs for what is due in the outbox by the product's clock, over a connection as the queue's role."""
    await pool.execute("SELECT notify_wake($1)", now)


WAKES: Sequence[Wake] = (wake,)
"""Called every second by each worker."""


def _on(channel: Channel) -> Job:
    @wraps(deliver)
    async def run(job: JobRun) -> None:
        await deliver(job, channel)

    return Job(name=f"notify_{channel}", function=run, doc=f"Sends notifications by {channel}.", public=True)


JOBS: Sequence[Job] = (
    Job(name="notify_plan", function=plan, doc="Decides how due notifications reach their recipients.", public=True),
    *(_on(channel) for channel in Channel if channel is not Channel.IN_APP),
)
