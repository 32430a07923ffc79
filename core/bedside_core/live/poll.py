"""Finds by looking what the bus has lost: the positions of one kind of stream, in one statement."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

import structlog

from bedside_core.live.background import must_pass
from bedside_core.live.streams import UNKNOWN, Stream, StreamKind

log = structlog.get_logger("bedside.live")


@dataclass
class Counts:
    """What a process has told, heard and found since its start."""

    published: int = 0
    """Announcements of this process."""
    received: int = 0
    """Announcements of other processes, over the bus."""
    polls: int = 0
    """Statements that looked up positions."""
    found_by_poll: int = 0
    """Moves that a poll saw before they were announced: now and then it is just quicker; many mean a deaf bus."""
    poll_failures: int = 0
    """Polls that failed or took too long."""


class Poller:
    """Looks up the attached topics of one kind.

    Args:
        kind: how to look.
        streams: the attached topics of the kind by id, kept up to date by the owner.
        counts: where to count.
        seconds: pause between two looks.
        longest: longest time one look may take, in seconds.
    """

    def __init__(
        self, kind: StreamKind, streams: dict[UUID, Stream], counts: Counts, seconds: float, longest: float
    ) -> None:
        self.kind = kind
        self._streams = streams
        self._counts = counts
        self._seconds = seconds
        self._longest = longest
        self._now = asyncio.Event()
        self._failing = False

    def hurry(self) -> None:
        """Look now, whatever the time; if a look is under way, again after it."""
        self._now.set()

    async def run(self) -> None:
        """Look for ever. Each kind has a loop of its own, so that one that hangs holds up no other."""
        while True:
            try:
                async with asyncio.timeout(self._seconds):
                    await self._now.wait()
            except TimeoutError:
                pass
            self._now.clear()
            await self.poll()

    async def poll(self) -> None:
        """Look once and wake whoever is behind. A failure is counted and logged, not raised."""
        if not self._streams:
            return
        self._counts.polls += 1
        try:
            async with asyncio.timeout(self._longest):
                found = await self.kind.positions(list(self._streams))
            for key, position in found.items():
                self._found(key, position)
        except BaseException as error:
            if must_pass(error):
                raise
            self._counts.poll_failures += 1
            if not self._failing:  # once, not every second of an outage
                log.warning(
                    "can't look up live positions", kind=self.kind.name, failure=type(error).__name__, exc_info=True
                )
            self._failing = True
        else:
            if self._failing:
                log.info("live positions are looked up again", kind=self.kind.name)
            self._failing = False

    def _found(self, key: UUID, position: int) -> None:
        stream = self._streams.get(key)
        if stream is None:  # detached meanwhile
            return
        first_look = stream.newest == UNKNOWN
        if stream.move(position) and not first_look:
            self._counts.found_by_poll += 1
