"""What is followed live in a conversation (C16)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry

from bedside_chat.changes import Change
from bedside_chat.schema.types import (
    Conversation,
    ConversationId,
    Message,
    Participant,
    conversation_type,
    message_type,
    people,
    service,
)
from bedside_core.api import cursor_of
from bedside_graphql.api import After, Info, gate, uuid_of


@strawberry.type(description="A message was sent, or has changed: reactions, acknowledgements, deletion.")
class MessageChanged:
    """A message as it is now."""

    cursor: str = strawberry.field(description="Give the last one you have as `after`.")
    message: Message = strawberry.field(description="The message as it is now.")
    added: bool = strawberry.field(
        description="Whether it is new to one: neither sent before the cursor nor told of since. Its sender has then "
        "read up to it."
    )


@strawberry.type(
    description="Somebody joined, left, was removed, or has read further. Patients and guests are not told of members' "
    "reading, unless the practice lets them see it (`presenceForPatients`, C14)."
)
class ParticipantChanged:
    """A participant as they are now."""

    cursor: str = strawberry.field(description="Give the last one you have as `after`.")
    participant: Participant = strawberry.field(description="The participant as they are now.")


@strawberry.type(description="The conversation's name, description or privacy was changed.")
class ConversationChanged:
    """The conversation as it is now."""

    cursor: str = strawberry.field(description="Give the last one you have as `after`.")
    conversation: Conversation = strawberry.field(description="The conversation as it is now.")


ConversationEvent = Annotated[
    MessageChanged | ParticipantChanged | ConversationChanged,
    strawberry.union("ConversationEvent", description="One thing that has changed in a conversation, as it is now."),
]


@strawberry.type
class ConversationSubscription:
    """Subscriptions to what changes in a conversation."""

    @strawberry.subscription(
        description="Each new message of a conversation, once, in order, after a replay of what came after the cursor.",
        extensions=[gate("chat.follow")],
    )
    async def message_added(
        self, info: Info, conversation_id: ConversationId, after: After = None
    ) -> AsyncGenerator[Message, None]:
        """Follow a conversation's messages."""
        stream = service(info).added(info.context.acting(), uuid_of(conversation_id), after)
        async with aclosing(stream) as messages:
            async for message in messages:
                yield message_type(message)

    @strawberry.subscription(
        description="All that changes in a conversation, each thing in its present state, in order, after a replay of "
        "what has changed after the cursor. What has changed several times meanwhile comes once, so no cursor is too "
        "old.",
        extensions=[gate("chat.follow")],
    )
    async def conversation_events(
        self, info: Info, conversation_id: ConversationId, after: After = None
    ) -> AsyncGenerator[ConversationEvent, None]:
        """Follow a conversation."""
        stream = service(info).changes(info.context.acting(), uuid_of(conversation_id), after)
        async with aclosing(stream) as changes:
            async for change in changes:
                yield await _event(info, change)


async def _event(info: Info, change: Change) -> MessageChanged | ParticipantChanged | ConversationChanged:
    cursor = cursor_of(change.position)
    if change.message is not None:
        return MessageChanged(cursor=cursor, message=message_type(change.message), added=change.added)
    if change.participant is not None:
        [participant] = await people(info, [change.participant])
        return ParticipantChanged(cursor=cursor, participant=participant)
    if change.conversation is None:
        raise RuntimeError("a change of nothing")
    return ConversationChanged(cursor=cursor, conversation=conversation_type(change.conversation))
