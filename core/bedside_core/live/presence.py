"""Who is there: whose sockets are open, on whatever process. Nothing of it is stored.

Each process tells the others who comes and goes, and every few seconds who is still there; whom nobody has told of for
a while is away, as when a process has died. A process that starts asks the others.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from bedside_core.live.background import start, stop
from bedside_core.live.streams import Topic

if TYPE_CHECKING:
    from collections.abc import Generator

    from bedside_core.live.hub import Live

HERE, GONE, ASKED = "presence_here", "presence_gone", "presence_asked"
BEAT_SECONDS = 10.0
"""How often a process tells who is there."""
LOST_SECONDS = 25.0
"""How long somebody counts as there of whom their process tells no more."""
LINGER_SECONDS = 2.0
"""How long somebody without a socket is still there: a page that is loaded again, a network that changes."""

Moved = Callable[[UUID], object]
"""Called with a person who has come or gone."""


class Presence:
    """Knows who is there.

    Args:
        live: carries signals between the processes.
        linger_seconds: how long somebody without a socket is still there.
    """

    def __init__(self, live: Live, *, linger_seconds: float = LINGER_SECONDS) -> None:
        self.process = uuid4()
        self._live = live
        self._linger = linger_seconds
        self._sockets: Counter[UUID] = Counter()
        self._lingering: dict[UUID, asyncio.TimerHandle] = {}
        self._over = False
        self._elsewhere: dict[UUID, dict[UUID, float]] = {}
        self._watchers: dict[UUID, set[Moved]] = {}
        live.on_signal(HERE, self._here)
        live.on_signal(GONE, self._gone)
        live.on_signal(ASKED, self._asked)

    def online(self, person_id: UUID) -> bool:
        """Tell whether somebody is there."""
        return person_id in self._sockets or person_id in self._lingering or person_id in self._elsewhere

    def came(self, person_id: UUID) -> None:
        """Note that a socket of a person is open in this process."""
        self._sockets[person_id] += 1
        if handle := self._lingering.pop(person_id, None):
            handle.cancel()
        elif self._sockets[person_id] == 1:
            self._live.signal(Topic(HERE, person_id), self.process)
            if person_id not in self._elsewhere:
                self._tell(person_id)

    def went(self, person_id: UUID) -> None:
        """Note that a socket of a person, which had come, is closed."""
        self._sockets[person_id] -= 1
        if not self._sockets[person_id]:
            del self._sockets[person_id]
            if self._over:
                return
            # In a context of its own: it does not act for whoever has gone.
            loop = asyncio.get_running_loop()
            self._lingering[person_id] = loop.call_later(self._linger, self._left, person_id, context=Context())

    @contextmanager
    def watching(self, person_ids: Iterable[UUID], moved: Moved) -> Generator[None, None, None]:
        """Have a function called each time one of these people comes or goes, for the time of the block."""
        watched = list(person_ids)
        for person_id in watched:
            self._watchers.setdefault(person_id, set()).add(moved)
        try:
            yield
        finally:
            for person_id in watched:
                watchers = self._watchers[person_id]
                watchers.discard(moved)
                if not watchers:
                    del self._watchers[person_id]

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Tell the other processes who is here, and forget whom they tell of no more, for the time of the block."""
        loop = start(self._beat(), "presence")
        try:
            yield
        finally:
            self._over = True
            await stop(loop)
            for handle in self._lingering.values():
                handle.cancel()
            for person_id in [*self._sockets, *self._lingering]:
                self._live.signal(Topic(GONE, person_id), self.process)
            self._lingering.clear()

    async def _beat(self) -> None:
        self._live.signal(Topic(ASKED, self.process), self.process)
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self._tell_all()
            self.forget(asyncio.get_running_loop().time() - LOST_SECONDS)

    def forget(self, before: float) -> None:
        """Forget whom no other process has told of since an instant of the loop's clock."""
        for person_id, processes in list(self._elsewhere.items()):
            for process in [key for key, heard in processes.items() if heard < before]:
                self._forget(person_id, process)

    def _tell_all(self) -> None:
        for person_id in [*self._sockets, *self._lingering]:
            self._live.signal(Topic(HERE, person_id), self.process)

    def _left(self, person_id: UUID) -> None:
        del self._lingering[person_id]
        self._live.signal(Topic(GONE, person_id), self.process)
        if person_id not in self._elsewhere:
            self._tell(person_id)

    def _here(self, topic: Topic, process: UUID) -> None:
        if process == self.process:
            return
        came = not self.online(topic.id)
        self._elsewhere.setdefault(topic.id, {})[process] = asyncio.get_running_loop().time()
        if came:
            self._tell(topic.id)

    def _gone(self, topic: Topic, process: UUID) -> None:
        if process != self.process:
            self._forget(topic.id, process)

    def _forget(self, person_id: UUID, process: UUID) -> None:
        processes = self._elsewhere.get(person_id)
        if processes is None or processes.pop(process, None) is None or processes:
            return
        del self._elsewhere[person_id]
        if not self.online(person_id):
            self._tell(person_id)

    def _asked(self, topic: Topic, process: UUID) -> None:
        if process != self.process:
            self._tell_all()

    def _tell(self, person_id: UUID) -> None:
        for moved in list(self._watchers.get(person_id, ())):
            moved(person_id)
