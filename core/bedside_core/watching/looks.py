"""What is looked up when Prometheus asks: queues, pool, sockets, files, and how far the audit's seal is behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bedside_core.database import DB

if TYPE_CHECKING:
    from bedside_core.platform import Platform

log = structlog.get_logger("bedside.figures")

FRESH_SECONDS = 5.0
"""How long what was looked up in the database is told again: several may ask, and often."""
FILES_SECONDS = 300.0
"""The same for the files, whose table is read whole."""
LOOK_SECONDS = 2.0
"""Longest time one look may take; what took longer is left out, and said to be."""

Family = GaugeMetricFamily
Look = Callable[["Platform"], Awaitable[list[Family]]]


class Exposition:
    """Prometheus' text of one platform.

    Args:
        platform: whose figures.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._known: dict[str, tuple[float, list[Family]]] = {}
        self._turn = asyncio.Lock()
        self._failed: set[str] = set()

    async def text(self) -> bytes:
        """Return all figures; what the database can't tell now is left out."""
        async with self._turn:
            for name, (look, seconds) in LOOKS.items():
                known = self._known.get(name)
                if known is None or time.monotonic() - known[0] > seconds:
                    await self._look(name, look)
            told = [family for _, families in self._known.values() for family in families]
            own = _Given([*_of_process(self._platform), *told, self._looked()])
            return generate_latest(self._platform.figures.registry) + generate_latest(own)  # type: ignore[arg-type]

    async def _look(self, name: str, look: Look) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                with DB.outside():
                    self._known[name] = time.monotonic(), await look(self._platform)
            self._failed.discard(name)
        except Exception as error:
            self._known.pop(name, None)
            if name not in self._failed:
                log.warning("figures can't be looked up", what=name, failure=type(error).__name__)
            self._failed.add(name)

    def _looked(self) -> Family:
        family = Family("bedside_figures_ok", "Whether figures could be looked up.", labels=["what"])
        for name in LOOKS:
            family.add_metric([name], 0.0 if name in self._failed else 1.0)
        return family


class _Given(Collector):
    """Families that are there already, in place of a registry."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Family]:
        return self._families


def _gauge(name: str, doc: str, value: float) -> Family:
    return Family(f"bedside_{name}", doc, value=value)


def _labelled(name: str, doc: str, labels: list[str], rows: Iterable[tuple[list[str], float]]) -> Family:
    family = Family(f"bedside_{name}", doc, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _of_process(platform: Platform) -> list[Family]:
    pool: Any = DB.pool
    live = platform.live
    families = [
        _gauge("pool_connections", "Open connections of the pool.", pool.get_size() if pool else 0),
        _gauge("pool_idle", "Those of them that nobody uses.", pool.get_idle_size() if pool else 0),
        _gauge("pool_limit", "Most connections of the pool.", platform.config.pool_size),
        _gauge("live_topics", "Live topics that somebody here is attached to.", live.topics),
        _gauge("live_attachments", "Attachments to live topics.", live.attached),
        _gauge("live_poll_failures", "Looks at live positions that failed since the start.", live.counts.poll_failures),
        _gauge("live_found_by_poll", "News that the bus had lost, since the start.", live.counts.found_by_poll),
        _labelled(
            "faults",
            "Failed listeners, jobs and blocking code of a plugin since the start.",
            ["plugin"],
            (([plugin], count) for plugin, count in sorted(platform.faults().items())),
        ),
        _labelled("worker", "State of this process's worker.", ["state"], [([platform.jobs.state.value], 1.0)]),
    ]
    families += [_gauge(name, doc, value()) for name, (doc, value) in platform.gauges.items()]
    return families


async def _jobs(platform: Platform) -> list[Family]:
    rows = await DB.fetch("SELECT * FROM figures_of_jobs()")
    declared = platform.jobs.entries
    keys = [([row["job"] if row["job"] in declared else "other", row["state"]], row) for row in rows]
    return [
        _labelled("jobs", "Jobs in the queue.", ["job", "state"], ((key, row["jobs"]) for key, row in keys)),
        _labelled(
            "jobs_oldest_seconds",
            "How long the oldest that may run has waited.",
            ["job", "state"],
            ((key, row["oldest_seconds"]) for key, row in keys),
        ),
    ]


async def _notifications(platform: Platform) -> list[Family]:
    rows = await DB.fetch("SELECT * FROM figures_of_notifications($1)", platform.clock.now())
    return [
        _labelled(
            "notifications_waiting",
            "Notifications still to be sent.",
            ["channel"],
            (([row["channel"]], row["waiting"]) for row in rows),
        ),
        _labelled(
            "notifications_oldest_seconds",
            "How long the oldest that is due has waited.",
            ["channel"],
            (([row["channel"]], row["oldest_seconds"]) for row in rows),
        ),
    ]


async def _audit(platform: Platform) -> list[Family]:
    row = await DB.fetchrow(
        """SELECT coalesce(sum(entries), 0)::bigint AS entries,
            coalesce(extract(epoch FROM now() - min(since)), 0)::double precision AS seconds
        FROM audit_unsealed_practices()"""
    )
    if row is None:
        return []
    return [
        _gauge("audit_unsealed", "Audit entries that wait for their seal.", row["entries"]),
        _gauge("audit_seal_lag_seconds", "How long the oldest of them has waited.", row["seconds"]),
    ]


async def _files(platform: Platform) -> list[Family]:
    rows = await DB.fetch("SELECT * FROM figures_of_files()")
    return [
        _labelled("files", "Files by state.", ["state"], (([row["state"]], row["files"]) for row in rows)),
        _labelled(
            "file_bytes", "Bytes of files by state.", ["state"], (([row["state"]], row["bytes"]) for row in rows)
        ),
    ]


LOOKS: dict[str, tuple[Look, float]] = {
    "jobs": (_jobs, FRESH_SECONDS),
    "notifications": (_notifications, FRESH_SECONDS),
    "audit": (_audit, FRESH_SECONDS),
    "files": (_files, FILES_SECONDS),
}
"""What is looked up in the database, and for how long it is fresh."""
