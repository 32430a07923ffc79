"""How news gets from one process to the others: the Protocol, and the bus of a process that is alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol
from uuid import UUID

from bedside_core.live.streams import Topic

Receive = Callable[[Topic, int], None]
"""Takes one announcement of another process: the topic and its position."""

Hear = Callable[[Topic, UUID], None]
"""Takes one signal of another process: the topic, and what it is about."""


class LiveBus(Protocol):
    """Carries announcements to the other processes. It may lose or repeat some: the poll finds what it lost.

    Announcements are topic and position only, never content. Within the process `Live` delivers by itself. Signals are
    topic and one further id; nothing finds one that is lost, and none is kept for whoever comes later.
    """

    def publish(self, topic: Topic, position: int) -> None:
        """Take an announcement for the others and return at once."""
        ...

    def signal(self, topic: Topic, about: UUID) -> None:
        """Take a signal for the others and return at once."""
        ...

    def hear(self, hear: Hear) -> None:
        """Have a function called with each signal of another process, from now on."""
        ...

    def running(self, receive: Receive, catch_up: Callable[[], None]) -> AbstractAsyncContextManager[None]:
        """Serve for the time of the block, and send what is left at its end.

        Args:
            receive: called with each announcement of another process.
            catch_up: called each time hearing begins or begins anew; what was announced before was not heard.
        """
        ...


class LocalBus:
    """The bus of a process that has no others."""

    def publish(self, topic: Topic, position: int) -> None:
        """Do nothing: there is nobody else to tell."""

    def signal(self, topic: Topic, about: UUID) -> None:
        """Do nothing: there is nobody else to tell."""

    def hear(self, hear: Hear) -> None:
        """Do nothing: there is nobody else to hear."""

    @asynccontextmanager
    async def running(self, receive: Receive, catch_up: Callable[[], None]) -> AsyncGenerator[None, None]:
        """Do nothing for the time of the block."""
        yield
