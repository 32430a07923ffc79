"""Background work: declared by plugins, enqueued in the transaction that causes it, run at least once by any worker.

A job acts for one practice. It is kept in PostgreSQL until it has ended well; one that fails is tried again, later each
time, and held for the operator when its retries are spent. pgqueuer is behind it and shows nowhere in the surface.
"""

from __future__ import annotations

from bedside_core.jobs.declared import Job, JobFunction, JobRun
from bedside_core.jobs.queue import Held, Jobs, Pace, WorkerState

__all__ = ["Held", "Job", "JobFunction", "JobRun", "Jobs", "Pace", "WorkerState"]
