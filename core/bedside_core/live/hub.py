"""The one place of a process where streams are published, attached to and watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

import structlog

from bedside_core.live.background import must_pass, start, stop
from bedside_core.live.bus import Hear, LiveBus
from bedside_core.live.poll import Counts, Poller
from bedside_core.live.streams import UNKNOWN, Attachment, Stream, StreamKind, Topic, Wake, Watch

log = structlog.get_logger("bedside.live")


class Live:
    """Tells readers in this process, and over the bus those of the others, that a stream has moved.

    To be used from the event loop's thread.

    Args:
        bus: carries announcements to the other processes.
        poll_seconds: how often the positions of the attached topics are looked up in the database.
        query_seconds: longest time one look at one kind may take.
    """

    def __init__(self, bus: LiveBus, *, poll_seconds: float = 1.0, query_seconds: float = 5.0) -> None:
        self.counts = Counts()
        self._bus = bus
        self._poll_seconds = poll_seconds
        self._query_seconds = query_seconds
        self._streams: dict[str, dict[UUID, Stream]] = {}
        self._pollers: dict[str, Poller] = {}
        self._loops: list[asyncio.Task[None]] | None = None
        self._hearers: dict[str, Hear] = {}

    def add_kind(self, kind: StreamKind) -> None:
        """Make a kind of stream known; a plugin does it in its `lifespan`.

        Raises:
            ValueError: there is a kind of that name already.
        """
        if kind.name in self._pollers:
            raise ValueError(f"there is a stream kind {kind.name!r} already")
        streams = self._streams[kind.name] = {}
        poller = Poller(kind, streams, self.counts, self._poll_seconds, self._query_seconds)
        self._pollers[kind.name] = poller
        if self._loops is not None:
            self._loops.append(start(poller.run(), f"live poll {kind.name}"))

    @property
    def kinds(self) -> tuple[StreamKind, ...]:
        """Every kind of stream, in the order they were added."""
        return tuple(poller.kind for poller in self._pollers.values())

    @property
    def topics(self) -> int:
        """How many topics somebody in this process is attached to."""
        return sum(map(len, self._streams.values()))

    @property
    def attached(self) -> int:
        """How many attachments there are in this process."""
        return sum(len(stream.attachments) for streams in self._streams.values() for stream in streams.values())

    def readers(self, kind: str) -> int:
        """Return how many attachments there are to streams of a kind in this process."""
        return sum(len(stream.attachments) for stream in self._streams.get(kind, {}).values())

    def attach(self, topic: tuple[str, UUID], *, after: int = UNKNOWN) -> Wake:
        """Attach a coroutine to a stream, from now on; use it as `with live.attach(topic) as wake:`.

        Attach first and read afterwards: whatever is committed after the read will wake.

        Args:
            topic: the stream.
            after: the position the reader knows already. Without it, the first poll may wake it for what it has read.

        Raises:
            LookupError: nobody has added that kind, so nobody would find what the bus loses.
        """
        stream, release = self._enter(topic)
        wake = Wake(stream, release, after)
        stream.attachments.add(wake)
        return wake

    def watch(self, topic: tuple[str, UUID], callback: Callable[[int], object], *, after: int = UNKNOWN) -> Watch:
        """Have a function called with the newest position each time the stream has moved, until `close()`.

        It is called from the event loop, in the context of the caller of `watch`; if it raises, that is logged.

        Args:
            topic: the stream.
            callback: called with the newest position, once for any number of announcements since.
            after: the position known already. Without it, the first poll may call with the position of now.

        Raises:
            LookupError: nobody has added that kind.
        """
        stream, release = self._enter(topic)
        watch = Watch(stream, release, after, callback)
        stream.attachments.add(watch)
        return watch

    def _enter(self, topic: tuple[str, UUID]) -> tuple[Stream, Callable[[Attachment], None]]:
        kind, key = topic
        streams = self._streams.get(kind)
        if streams is None:
            raise LookupError(f"there is no stream kind {kind!r}")
        stream = streams.get(key)
        if stream is None:
            stream = streams[key] = Stream()
        return stream, partial(self._leave, streams, key)

    @staticmethod
    def _leave(streams: dict[UUID, Stream], key: UUID, attachment: Attachment) -> None:
        stream = streams[key]
        stream.attachments.remove(attachment)
        if not stream.attachments:
            del streams[key]

    def publish(self, topic: tuple[str, UUID], position: int) -> None:
        """Announce a position that was committed; returns at once and never raises.

        Readers in this process are told right away, those of the others over the bus.
        """
        told = Topic(*topic)
        self.counts.published += 1
        self._deliver(told, position)
        try:
            self._bus.publish(told, position)
        except Exception:
            log.exception("the live bus did not take an announcement", kind=told.kind)

    def on_signal(self, kind: str, hear: Hear) -> None:
        """Have a function called with each signal of a kind, of this process and of the others; it must not wait.

        Raises:
            ValueError: somebody hears that kind already.
        """
        if kind in self._hearers:
            raise ValueError(f"signals of the kind {kind!r} are heard already")
        self._hearers[kind] = hear

    def signal(self, topic: tuple[str, UUID], about: UUID) -> None:
        """Tell every process something that passes, such as that somebody writes; returns at once and never raises.

        It is stored nowhere and may be lost: who hears it lets it lapse by itself.

        Args:
            topic: kind and id.
            about: a further id, such as the person's. Ids only, never content.
        """
        told = Topic(*topic)
        self._hear(told, about)
        try:
            self._bus.signal(told, about)
        except Exception:
            log.exception("the live bus did not take a signal", kind=told.kind)

    def _hear(self, topic: Topic, about: UUID) -> None:
        hear = self._hearers.get(topic.kind)
        if hear is None:
            return
        try:
            hear(topic, about)
        except BaseException as error:
            if must_pass(error):
                raise
            log.exception("a signal was not taken", kind=topic.kind)

    def _deliver(self, topic: Topic, position: int) -> None:
        stream = self._streams.get(topic.kind, {}).get(topic.id)
        if stream is not None:
            stream.move(position)

    def _receive(self, topic: Topic, position: int) -> None:
        self.counts.received += 1
        self._deliver(topic, position)

    async def poll(self) -> None:
        """Look up the positions of all attached topics once, one statement for each kind."""
        await asyncio.gather(*(poller.poll() for poller in self._pollers.values()))

    def catch_up(self) -> None:
        """Have the pollers look now: announcements may have been lost."""
        for poller in self._pollers.values():
            poller.hurry()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Serve the bus and the polls for the time of the block."""
        self._bus.hear(self._hear)
        async with self._bus.running(self._receive, self.catch_up):
            self._loops = [start(poller.run(), f"live poll {name}") for name, poller in self._pollers.items()]
            try:
                yield
            finally:
                loops, self._loops = self._loops, None
                await stop(*loops)
