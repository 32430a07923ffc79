"""Follows live topics for many sockets: one attachment for each topic, however many sockets it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack
from contextvars import Context
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import structlog

from bedside_graphql.errors import described

log = structlog.get_logger("bedside.graphql")

RETRY_SECONDS = 1.0

Topic = tuple[str, UUID]


class Wake(Protocol):
    """What an attachment gives: a wait for the topic's next move."""

    async def wait(self) -> Any:
        """Return when the topic has moved since it was last waited for."""
        ...


Attach = Callable[[Topic], AbstractContextManager[Wake]]
"""`platform.live.attach`."""

Member = TypeVar("Member")


class Following(Generic[Member]):
    """Tells members when the topics they joined have moved.

    Args:
        attach: attaches to a topic from that moment on.
    """

    def __init__(self, attach: Attach) -> None:
        self._attach = attach
        self._topics: dict[Topic, _Followed[Member]] = {}

    def __len__(self) -> int:
        return len(self._topics)

    def join(self, topic: Topic, member: Member, moved: Callable[[frozenset[Member]], Awaitable[None]]) -> None:
        """Follow a topic for a member, from now on.

        Args:
            topic: what to follow.
            member: for whom.
            moved: called with all present members when it moves, and again a second later if it raises.
        """
        followed = self._topics.get(topic)
        if followed is None:
            followed = self._topics[topic] = _Followed(self._attach(topic), topic, moved)
        followed.members.add(member)

    def leave(self, topic: Topic, member: Member) -> None:
        """Follow it no longer for that member; unknown ones don't matter."""
        followed = self._topics.get(topic)
        if followed is not None:
            followed.members.discard(member)
            if not followed.members:
                del self._topics[topic]
                followed.stop()


class _Followed(Generic[Member]):
    def __init__(
        self,
        attachment: AbstractContextManager[Wake],
        topic: Topic,
        moved: Callable[[frozenset[Member]], Awaitable[None]],
    ) -> None:
        self.members: set[Member] = set()
        self._topic = topic
        self._moved = moved
        self._attached = ExitStack()
        wake = self._attached.enter_context(attachment)
        # A context of its own: it does not act for the member who happened to come first.
        self._task = asyncio.create_task(self._follow(wake), name=f"follow {topic[0]}", context=Context())

    def stop(self) -> None:
        self._attached.close()
        self._task.cancel()

    async def _follow(self, wake: Wake) -> None:
        while True:
            await wake.wait()
            await self._tell()

    async def _tell(self) -> None:
        while True:
            try:
                return await self._moved(frozenset(self.members))
            except Exception as error:
                log.warning("sockets could not be told", topic=self._topic[0], **described(error))
            await asyncio.sleep(RETRY_SECONDS)
