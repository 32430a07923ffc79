"""The embedded engine: rooms in this process, whose packets are forwarded and never decoded.

aiortc is imported with the first call, in a thread: it takes a second and forty megabytes, which a process without
calls has no use for.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from bedside_core.api import Problem
from bedside_telehealth.media.engine import Candidate, Grant, MediaRefused, Publication, RoomStats, Seat, Tell, Way, Why
from bedside_telehealth.media.settings import MediaSettings
from bedside_telehealth.media.tasks import Tasks

if TYPE_CHECKING:
    from bedside_telehealth.media.room import Room

log = structlog.get_logger("bedside.telehealth.media")

_TICK_SECONDS = 1.0
_STOPPED_SECONDS = 2.0
"""A tick that comes later than this says that the process was stopped, not that browsers were silent."""


class Forwarder:
    """`MediaEngine` by forwarding; see there for what each method promises."""

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings
        self._rooms: dict[UUID, Room] = {}
        self._tasks = Tasks()
        self._ticker: asyncio.Task[None] | None = None
        self._closed = False

    async def join(self, room: UUID, seat: Seat, grant: Grant, tell: Tell) -> None:
        """Seat somebody."""
        module = await asyncio.to_thread(importlib.import_module, "bedside_telehealth.media.room")
        if self._closed:
            raise MediaRefused(Why.FAILED, "The media engine has ended.")
        with _contained("joining"):
            found = self._rooms.get(room)
            if found is None:
                found = self._rooms[room] = module.Room(self._settings, self._tasks)
            found.join(seat, grant, tell)
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.create_task(self._tick(), name="media tick")

    async def publish(self, room: UUID, seat: UUID, publication: Publication) -> str:
        """Take a browser's offer."""
        with _contained("publishing"):
            return await self._room(room).publish(seat, publication)

    async def answer(self, room: UUID, seat: UUID, number: int, sdp: str) -> None:
        """Take a browser's answer."""
        with _contained("answering"):
            await self._room(room).answer(seat, number, sdp)

    async def candidate(self, room: UUID, seat: UUID, way: Way, candidate: Candidate) -> None:
        """Take a browser's candidate."""
        with _contained("connecting"):
            await self._room(room).candidate(seat, way, candidate)

    def regrant(self, room: UUID, seat: UUID, grant: Grant) -> None:
        """Change what a seat may do."""
        found = self._rooms.get(room)
        if found is not None:
            found.regrant(seat, grant)

    def leave(self, room: UUID, seat: UUID) -> None:
        """End a seat."""
        found = self._rooms.get(room)
        if found is not None:
            found.leave(seat)
            if found.empty:
                del self._rooms[room]

    def stats(self, room: UUID) -> RoomStats:
        """Return a room's figures."""
        found = self._rooms.get(room)
        return found.stats() if found is not None else RoomStats({})

    async def close(self) -> None:
        """End every room, and wait until their connections are closed."""
        self._closed = True
        if self._ticker is not None:
            self._ticker.cancel()
        for room in self._rooms.values():
            room.close()
        self._rooms.clear()
        await self._tasks.close()

    def _room(self, room: UUID) -> Room:
        found = self._rooms.get(room)
        if found is None:
            raise MediaRefused(Why.NO_SEAT, "This seat is not in the call.")
        return found

    async def _tick(self) -> None:
        """Tick every room once a second, as long as there is one; a room that fails does not stop the others."""
        before = time.monotonic()
        while self._rooms:
            await asyncio.sleep(_TICK_SECONDS)
            now = time.monotonic()
            judging = now - before < _TICK_SECONDS + _STOPPED_SECONDS
            before = now
            for id, room in list(self._rooms.items()):
                try:
                    room.tick(now, judging)
                except Exception as exc:
                    log.warning("media room failed", room=str(id), error=repr(exc))
                if room.empty:
                    self._rooms.pop(id, None)


@contextmanager
def _contained(doing: str) -> Generator[None]:
    """Turn whatever the libraries raise over a stranger's signal into a refusal; the room goes on."""
    try:
        yield
    except Problem:
        raise
    except OSError as exc:
        log.warning("media has no port", doing=doing, error=repr(exc))
        raise MediaRefused(Why.FULL, "No port is free for another connection.") from exc
    except Exception as exc:
        log.warning("media failed", doing=doing, error=repr(exc))
        raise MediaRefused(Why.FAILED, "The media engine could not do that; the call goes on.") from exc
