"""Who is typing and who is there, live (C14)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry

from bedside_chat.nearby import Nearby
from bedside_chat.schema.types import ConversationId, Participant, Presence, people
from bedside_graphql.api import Info, gate, uuid_of


@strawberry.type(description="Who is typing in a conversation now, besides oneself.")
class TypingChanged:
    """Who is typing."""

    participants: list[Participant] = strawberry.field(description="Everybody who is; empty where nobody is.")


@strawberry.type(description="Somebody of a conversation has come or gone, or is told of for the first time.")
class PresenceChanged:
    """Whether somebody is there."""

    participant: Participant = strawberry.field(description="Who.")
    presence: Presence = strawberry.field(description="Whether they are there.")


def _nearby(info: Info) -> Nearby:
    return info.context.platform.service(Nearby)


@strawberry.type
class NearbyMutation:
    """The mutation that says that one is typing."""

    @strawberry.mutation(
        description="Say that one is typing, as often as one likes, or has stopped. It lapses after six seconds, is "
        "stored nowhere, and is no reading (N3).",
        extensions=[gate("chat.send")],
    )
    async def set_typing(
        self,
        info: Info,
        conversation_id: ConversationId,
        on: Annotated[bool, strawberry.argument(description="Whether one is typing.")] = True,
    ) -> bool | None:
        """Say it."""
        return await _nearby(info).set_typing(info.context.acting(), uuid_of(conversation_id), on=on)


@strawberry.type
class NearbySubscription:
    """Subscriptions to what passes."""

    @strawberry.subscription(
        description="Who is typing in a conversation: at once, and whenever that changes. Patients see nobody, unless "
        "the practice lets them (`presenceForPatients`).",
        extensions=[gate("chat.follow")],
    )
    async def typing(self, info: Info, conversation_id: ConversationId) -> AsyncGenerator[TypingChanged, None]:
        """Follow who is typing."""
        stream = _nearby(info).typing(info.context.acting(), uuid_of(conversation_id))
        async with aclosing(stream) as found:
            async for typing in found:
                yield TypingChanged(participants=await people(info, typing))

    @strawberry.subscription(
        description="Who of a conversation is there, besides oneself: each at once, and whenever one comes or goes. "
        "Patients see nobody, unless the practice lets them (`presenceForPatients`).",
        extensions=[gate("chat.follow")],
    )
    async def presence(self, info: Info, conversation_id: ConversationId) -> AsyncGenerator[PresenceChanged, None]:
        """Follow who is there."""
        stream = _nearby(info).presence(info.context.acting(), uuid_of(conversation_id))
        async with aclosing(stream) as found:
            async for participant, online in found:
                [shown] = await people(info, [participant])
                yield PresenceChanged(participant=shown, presence=Presence.ONLINE if online else Presence.AWAY)
