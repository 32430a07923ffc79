"""Work of the engine that nobody waits for: kept, bounded in time, and its failures logged instead of lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger("bedside.telehealth.media")

LONGEST_SECONDS = 10.0


class Tasks:
    """The running ones."""

    def __init__(self) -> None:
        self._running = set[asyncio.Task[None]]()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Begin some work, which is stopped after ten seconds.

        Args:
            work: what to do.
            name: of the work, for the log.
        """
        task = asyncio.create_task(self._contained(work, name), name=f"media {name}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Wait for all of it."""
        while self._running:
            await asyncio.wait(self._running, timeout=LONGEST_SECONDS)

    @staticmethod
    async def _contained(work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await work
        except Exception as exc:
            log.warning("media work failed", work=name, error=repr(exc))
