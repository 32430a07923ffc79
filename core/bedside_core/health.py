"""Answers of /health/live and /health/ready, for orchestrators and people."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

from litestar import Request, Response, get

from bedside_core import errors
from bedside_core.database import DB
from bedside_core.jobs import WorkerState
from bedside_core.platform import Platform
from bedside_core.plugins import Status
from bedside_core.routes import Route, public_route

PROBE_SECONDS = 3.0
"""Longest time the database may take to answer the readiness probe."""
FRESH_SECONDS = 5.0
"""How long what was found out about queue and store is told again: anybody may ask."""
LATE_SECONDS = 120.0
"""How long a job that may run has waited when the queue stands still."""
PROBED_KEY = "files/health"
"""A key under which nothing is kept; to hear so is an answer."""


class Surroundings:
    """What a server can do without for a while: it is told, and does not make it unready.

    Were it to, one full queue or one absent store would take every server out of service at once.

    Args:
        platform: whose.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._turn = asyncio.Lock()
        self._told: dict[str, bool] = {}
        self._at = -FRESH_SECONDS

    async def told(self) -> dict[str, bool]:
        """Return whether jobs are taken up, and whether the files' store answers."""
        async with self._turn:
            if time.monotonic() - self._at > FRESH_SECONDS:
                queue, storage = await asyncio.gather(_within(self._moves()), _within(self._answers()))
                self._told = {"queue": queue, "storage": storage}
                self._at = time.monotonic()
            return self._told

    async def _moves(self) -> bool:
        rows = await DB.fetch("SELECT oldest_seconds FROM figures_of_jobs() WHERE state = 'queued'")
        return all(row["oldest_seconds"] < LATE_SECONDS for row in rows)

    async def _answers(self) -> bool:
        return not await self._platform.files.store.has(PROBED_KEY)


@get("/health/live", guards=[public_route])
async def live(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Tell whether the process works: no after its event loop was blocked again and again; restart it then."""
    platform: Platform = request.app.state.platform
    healthy = platform.watchdog is None or platform.watchdog.alive
    return Response({"alive": healthy}, status_code=200 if healthy else 503)


@get("/health/ready", guards=[public_route])
async def ready(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Tell whether the process can serve, with the plugins that failed. A failed plugin does not make it unready.

    Anybody may ask. Reasons are told without what foreign code said: a driver's error may name host and statement.

    Pending migrations need no look: a server does not start with any.
    """
    platform: Platform = request.app.state.platform
    surroundings: Surroundings = request.app.state.surroundings
    database = await _within(_database())
    plugins = [report for report in platform.plugins.report() if report.status is not Status.DISABLED]
    works = platform.jobs.state in {WorkerState.OFF, WorkerState.RUNNING}
    body: dict[str, Any] = {
        "ready": database and works and not platform.closing,
        "database": database,
        **(await surroundings.told()),
        "plugins": {report.name: report.status for report in plugins},
        "failed": {report.name: report.outline for report in plugins if report.status is Status.FAILED},
        "faults": platform.faults(),
        "worker": platform.jobs.state,
    }
    return Response(body, status_code=200 if body["ready"] else 503)


async def _database() -> bool:
    return await DB.fetchval("SELECT true")


async def _within(probe: Awaitable[bool]) -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            with DB.outside():
                return await probe
    except (errors.Problem, TimeoutError, OSError):
        return False


def health_routes() -> list[Route]:
    """Return the routes."""
    return [live, ready]
