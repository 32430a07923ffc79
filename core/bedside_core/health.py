"""Answers of /health/live and /health/ready, for orchestrators and people."""

from __future__ import annotations

import asyncio
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
    database = await _database_answers()
    plugins = [report for report in platform.plugins.report() if report.status is not Status.DISABLED]
    works = platform.jobs.state in {WorkerState.OFF, WorkerState.RUNNING}
    body: dict[str, Any] = {
        "ready": database and works and not platform.closing,
        "database": database,
        "plugins": {report.name: report.status for report in plugins},
        "failed": {report.name: report.outline for report in plugins if report.status is Status.FAILED},
        "faults": platform.faults(),
        "worker": platform.jobs.state,
    }
    return Response(body, status_code=200 if body["ready"] else 503)


async def _database_answers() -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await DB.fetchval("SELECT true")
    except (errors.Problem, TimeoutError, OSError):
        return False


def health_routes() -> list[Route]:
    """Return the routes."""
    return [live, ready]
