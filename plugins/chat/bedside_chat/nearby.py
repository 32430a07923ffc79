"""Who is typing, and who is there: shown to those who take part, stored nowhere, gone by itself (C14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.api import CONVERSATION_STREAM, Participant
from bedside_chat.receipts import sees_members
from bedside_chat.service import ChatService
from bedside_chat.standing import parted
from bedside_core.api import PRACTICE_STREAM, Actor, Topic

if TYPE_CHECKING:
    from collections.abc import Generator

    from bedside_core.api import Platform

TYPING, STOPPED = "chat_typing", "chat_typing_stopped"
TYPING_SECONDS = 6.0
"""How long somebody counts as typing who does not say so again."""
AGAIN_SECONDS = 2.0
"""How long saying it again tells nobody anything: clients may say it at each key."""


class Nearby:
    """Knows who is typing, and shows it and who is there.

    Args:
        platform: access, settings, live streams and presence.
        chat: who takes part.
    """

    def __init__(self, platform: Platform, chat: ChatService) -> None:
        self._platform = platform
        self._chat = chat
        self._typing: dict[UUID, dict[UUID, asyncio.TimerHandle]] = {}
        self._told: dict[tuple[UUID, UUID], float] = {}
        self._bells: dict[UUID, set[asyncio.Event]] = {}

    def listen(self) -> None:
        """Hear of those who type, on whatever process."""
        self._platform.live.on_signal(TYPING, self._began)
        self._platform.live.on_signal(STOPPED, self._stopped)

    async def set_typing(self, actor: Actor, conversation_id: UUID, *, on: bool) -> bool:
        """Say that the actor is typing, or has stopped; it lapses in `TYPING_SECONDS`.

        Returns:
            True.

        Raises:
            NotFound: none of theirs.
            Problem: they can send nothing there.
        """
        _, person_id = actor.as_person()
        await self._platform.access.require(actor, "chat.send", conversation_id)
        key, now = (conversation_id, person_id), asyncio.get_running_loop().time()
        if not on:
            self.stop(conversation_id, person_id)
        elif now - self._told.get(key, -AGAIN_SECONDS) >= AGAIN_SECONDS:
            self._told = {each: told for each, told in self._told.items() if now - told < AGAIN_SECONDS}
            self._told[key] = now
            self._platform.live.signal(Topic(TYPING, conversation_id), person_id)
        return True

    def sent(self, conversation_id: UUID, person_id: UUID) -> None:
        """Note that somebody has sent what they were typing; what they type next is told at once."""
        self._told.pop((conversation_id, person_id), None)
        self.stop(conversation_id, person_id)

    def stop(self, conversation_id: UUID, person_id: UUID) -> None:
        """Note that somebody who was typing has stopped."""
        if person_id in self._typing.get(conversation_id, {}):
            self._platform.live.signal(Topic(STOPPED, conversation_id), person_id)

    async def typing(self, actor: Actor, conversation_id: UUID) -> AsyncGenerator[list[Participant], None]:
        """Follow who is typing in a conversation besides the actor: at once, and whenever that changes.

        Patients and guests see only whom the practice lets them see.

        Raises:
            Problem: the refusal, at the start or later.
        """
        before: list[UUID] | None = None
        async for people in self._looks(actor, conversation_id, lambda people, ring: None):
            typing = self._typing.get(conversation_id, {})
            found = [each for each in people if each.person_id in typing and each.person_id != actor.person_id]
            if [each.person_id for each in found] != before:
                before = [each.person_id for each in found]
                yield found

    async def presence(self, actor: Actor, conversation_id: UUID) -> AsyncGenerator[tuple[Participant, bool], None]:
        """Follow who of a conversation is there, besides the actor: each at once, and whenever one comes or goes.

        Raises:
            Problem: the refusal, at the start or later.
        """
        presence, before = self._platform.presence, dict[UUID, bool]()

        def watch(people: Iterable[UUID], ring: Callable[[UUID], object]) -> AbstractContextManager[None]:
            return presence.watching(people, ring)

        async for people in self._looks(actor, conversation_id, watch):
            away = await parted([conversation_id])
            now = {
                each.person_id: presence.online(each.person_id) and (conversation_id, each.person_id) not in away
                for each in people
            }
            now.pop(actor.person_id, None) if actor.person_id else None
            changed = [
                (each, now[each.person_id])
                for each in people
                if each.person_id in now and before.get(each.person_id) != now[each.person_id]
            ]
            before = now
            for each in changed:
                yield each

    def showing(self, actor: Actor) -> Showing:
        """Return what tells of people whether they are there; the same for the same actor."""
        return Showing(self._platform, actor)

    async def _looks(
        self,
        actor: Actor,
        conversation_id: UUID,
        watch: Callable[[Iterable[UUID], Callable[[UUID], object]], AbstractContextManager[None] | None],
    ) -> AsyncGenerator[Sequence[Participant], None]:
        """Yield whom the actor sees of those who take part, and again each time there is reason to look."""
        bell, live = asyncio.Event(), self._platform.live
        topics = [Topic(CONVERSATION_STREAM, conversation_id)]
        if actor.practice_id is not None:
            topics.append(Topic(PRACTICE_STREAM, actor.practice_id))
        with ExitStack() as attached:
            for topic in topics:
                attached.callback(live.watch(topic, lambda position: bell.set()).close)
            attached.enter_context(self._ringing(conversation_id, bell))
            watched, people = attached.enter_context(ExitStack()), list[UUID]()
            while True:
                bell.clear()
                await self._platform.access.require(actor, "chat.follow", conversation_id)
                present = (await self._chat.participants([conversation_id])).get(conversation_id, ())
                if [each.person_id for each in present] != people:
                    people = [each.person_id for each in present]
                    watched.close()
                    if (watching := watch(people, lambda person_id: bell.set())) is not None:
                        watched.enter_context(watching)
                yield present if await sees_members(self._platform, actor) else ()
                await bell.wait()

    @contextmanager
    def _ringing(self, conversation_id: UUID, bell: asyncio.Event) -> Generator[None, None, None]:
        self._bells.setdefault(conversation_id, set()).add(bell)
        try:
            yield
        finally:
            bells = self._bells[conversation_id]
            bells.discard(bell)
            if not bells:
                del self._bells[conversation_id]

    def _began(self, topic: Topic, person_id: UUID) -> None:
        typing = self._typing.setdefault(topic.id, {})
        if handle := typing.get(person_id):
            handle.cancel()
        loop = asyncio.get_running_loop()
        typing[person_id] = loop.call_later(TYPING_SECONDS, self._stopped, topic, person_id, context=Context())
        if handle is None:
            self._ring(topic.id)

    def _stopped(self, topic: Topic, person_id: UUID) -> None:
        typing = self._typing.get(topic.id, {})
        if handle := typing.pop(person_id, None):
            handle.cancel()
            if not typing:
                del self._typing[topic.id]
            self._ring(topic.id)

    def _ring(self, conversation_id: UUID) -> None:
        for bell in self._bells.get(conversation_id, ()):
            bell.set()


@dataclass(frozen=True)
class Showing:
    """Tells of people whether they are there, as far as an actor may see it.

    Args:
        platform: presence and settings.
        actor: who would see it.
    """

    platform: Platform = field(compare=False)
    actor: Actor

    async def __call__(self, keys: Sequence[tuple[UUID, UUID]]) -> Mapping[tuple[UUID, UUID], bool]:
        """Return who is there, by conversation and person; nothing where the actor may not see it.

        Whose practice is connected to the conversation's no longer is not shown, and is shown nobody (P2).
        """
        if not await sees_members(self.platform, self.actor):
            return {}
        away = await parted([conversation_id for conversation_id, _ in keys])
        return {
            key: self.platform.presence.online(key[1])
            for key in keys
            if key not in away and (key[0], self.actor.person_id) not in away
        }
