"""What a stream is, and the two ways of being attached to one: a coroutine's wait and a callback."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self
from uuid import UUID

import structlog

from bedside_core.live.background import must_pass

log = structlog.get_logger("bedside.live")

UNKNOWN = -1
"""The position of a stream of which nothing is known; real ones start at 0."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Topic(NamedTuple):
    """Which stream: its kind and its id, for instance ("conversation", the conversation's id)."""

    kind: str
    id: UUID


Positions = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, int]]]
"""Looks up the present position of many streams of one kind, in one statement."""


@dataclass(frozen=True)
class StreamKind:
    """A kind of stream, declared by the plugin whose table holds its positions.

    Args:
        name: lower-case word, unique in the deployment, at most 40 characters.
        positions: looks up many at once; ids without a row are left out of the answer. It runs outside any practice's
            scope, so under row-level security it needs a definer function that tells positions and nothing else.
        doc: what a position of it counts, for operators.

    Raises:
        ValueError: the name would not fit the wire.
    """

    name: str
    positions: Positions
    doc: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a stream kind's name is a lower-case word of at most 40 characters, not {self.name!r}")


class Stream:
    """What one process knows about one topic while anybody here is attached to it."""

    __slots__ = ("attachments", "newest")

    def __init__(self) -> None:
        self.newest = UNKNOWN
        self.attachments: set[Attachment] = set()

    def move(self, position: int) -> bool:
        """Note a position that was announced or found; return whether it was news."""
        if position <= self.newest:
            return False
        self.newest = position
        for attachment in self.attachments:
            attachment.moved()
        return True


class Attachment(ABC):
    """Somebody who is told when a stream moves: one integer, however much is announced.

    It lasts until `close()`, or to the end of the `with` block it is used in.
    """

    __slots__ = ("_release", "_stream", "_told", "closed")

    def __init__(self, stream: Stream, release: Callable[[Attachment], None], after: int) -> None:
        self._stream = stream
        self._release = release
        # What was announced before this moment is in the database already, where the reader looks next.
        self._told = max(after, stream.newest)
        self.closed = False

    @abstractmethod
    def moved(self) -> None:
        """Take note. Runs none of the reader's own code, so that nobody delays or fails a publisher."""

    def close(self) -> None:
        """Detach; doing it again changes nothing."""
        if not self.closed:
            self.closed = True
            self._release(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Wake(Attachment):
    """A coroutine's attachment; made by `Live.attach`."""

    __slots__ = ("_waiter",)

    def __init__(self, stream: Stream, release: Callable[[Attachment], None], after: int) -> None:
        super().__init__(stream, release, after)
        self._waiter: asyncio.Future[None] | None = None

    async def wait(self, after: int | None = None) -> int:
        """Wait until the stream is beyond what this reader knows, and return its newest position.

        Any number of announcements since the last call are one. None made since `attach` is missed.

        Args:
            after: the position the reader has got to, which may be further than it was told; it spares it a wake.

        Raises:
            RuntimeError: detached already, or while waiting; or two tasks wait on the same attachment.
        """
        if self._waiter is not None:
            raise RuntimeError("another task waits on this attachment; attach once for each")
        if after is not None:
            self._told = max(self._told, after)
        while self._stream.newest <= self._told:
            if self.closed:
                raise RuntimeError("detached: there is nothing to wait for")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._told = self._stream.newest
        return self._told

    def moved(self) -> None:
        """Resume the waiting coroutine."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def close(self) -> None:
        """Detach; whoever still waits gets a RuntimeError."""
        super().close()
        self.moved()


class Watch(Attachment):
    """A callback's attachment, for what has no loop of its own; made by `Live.watch`."""

    __slots__ = ("_callback", "_context", "_scheduled")

    def __init__(
        self, stream: Stream, release: Callable[[Attachment], None], after: int, callback: Callable[[int], object]
    ) -> None:
        super().__init__(stream, release, after)
        self._callback = callback
        self._context = copy_context()  # the watcher's: not that of whoever publishes
        self._scheduled = False

    def moved(self) -> None:
        """Have the callback called soon, once for all that is announced until then."""
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._call, context=self._context)

    def _call(self) -> None:
        self._scheduled = False
        if self.closed or self._stream.newest <= self._told:
            return
        self._told = self._stream.newest
        try:
            self._callback(self._told)
        except BaseException as error:
            if must_pass(error):
                raise
            log.exception("a live callback failed")
