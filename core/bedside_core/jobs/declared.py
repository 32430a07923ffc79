"""What a plugin says of a job, and what the job is told when it runs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from croniter import croniter  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    from bedside_core.platform import Platform

_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")


@dataclass(frozen=True, kw_only=True)
class JobRun:
    """One run of a job.

    Args:
        platform: for the services it needs.
        practice_id: the practice it acts for; row-level security is set to it.
        payload: what was enqueued; of a scheduled job `{"due_at": "<ISO 8601>"}`.
        attempt: 1 for the first run, and one more for each that failed or whose worker ended.
    """

    platform: Platform
    practice_id: UUID
    payload: Mapping[str, Any]
    attempt: int


JobFunction = Callable[[JobRun], Awaitable[None]]

Wake = Callable[[Any, datetime], Awaitable[None]]
"""Enqueues what has become due: called every second with the worker's pool and the present instant."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Background work of a plugin, run at least once for each time it is enqueued: it must bear being run again.

    Args:
        name: short name; its full name is `<plugin>.<name>`.
        function: `async def(run: JobRun) -> None`. What it raises makes it run again later.
        doc: what it does, for the operator.
        retries: how often it is run again after a failure, before it is held.
        schedule: when it runs by itself, once for each practice: a cron expression of five fields, in UTC.
        feature: the feature it belongs to. Asked for when the job runs; where a practice's plan lacks it, the job ends
            quietly.
        public: it belongs to no feature, and runs for every practice. Exactly one of the two is said.

    Raises:
        ValueError: one of them can't be right, in words for the plugin's author.
    """

    name: str
    function: JobFunction
    doc: str
    retries: int = 5
    schedule: str | None = None
    feature: str | None = None
    public: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"job {self.name!r}: the name is not lower case letters, digits and underscores")
        if not inspect.iscoroutinefunction(self.function):
            raise ValueError(f"job {self.name}: its function is not an `async def`")
        if not self.doc.strip():
            raise ValueError(f"job {self.name}: says nothing in `doc`")
        if self.retries < 0:
            raise ValueError(f"job {self.name}: can't have {self.retries} retries")
        if (self.feature is None) != self.public:
            raise ValueError(f"job {self.name}: needs either a feature or public=True, for plans to decide on it")
        if self.schedule is not None and not is_cron(self.schedule):
            raise ValueError(f"job {self.name}: schedule {self.schedule!r} is not a cron expression of five fields")


def is_cron(expression: str) -> bool:
    """Tell whether this is a cron expression of five fields."""
    return len(expression.split()) == 5 and bool(croniter.is_valid(expression))


def next_due(expression: str, after: datetime) -> datetime:
    """Return the first instant later than `after` that a cron expression names, in UTC."""
    due: datetime = croniter(expression, after.astimezone(UTC)).get_next(datetime)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return due
