"""What people do with messages: send, read, react, acknowledge, delete (C10-C14)."""

from typing import Annotated

import strawberry

from bedside_chat.schema.types import (
    Conversation,
    ConversationId,
    Message,
    MessageId,
    conversation_type,
    message_type,
    service,
)
from bedside_core.api import InvalidInput, key_of
from bedside_graphql.api import ClientId, Info, client_id_of, gate, uuid_of


@strawberry.type
class MessageQuery:
    """Queries of messages."""

    @strawberry.field(description="A message of one's conversations.", extensions=[gate("chat.read")])
    async def message(self, info: Info, id: MessageId) -> Message | None:
        """Return one message."""
        actor = info.context.acting()
        await info.context.platform.access.require(actor, "chat.read")
        return message_type(await service(info).message(actor, uuid_of(id)))


@strawberry.type
class MessageMutation:
    """Mutations of messages."""

    @strawberry.mutation(
        description="Send a message. A retry with the same clientId returns the first one. What is open to whom, "
        "`composer` tells.",
        extensions=[gate("chat.send")],
    )
    async def send_message(
        self,
        info: Info,
        conversation_id: ConversationId,
        client_id: ClientId,
        body: Annotated[
            str,
            strawberry.argument(description="The text, up to 10,000 characters; empty for files alone."),
        ] = "",
        upload_ids: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(description="One's finished uploads, at most 10 (C12)."),
        ] = None,
        urgent: Annotated[
            bool, strawberry.argument(description="Whether each recipient is to acknowledge it (C10).")
        ] = False,
        reply_to: Annotated[
            strawberry.ID | None, strawberry.argument(description="A message of the conversation that it answers.")
        ] = None,
    ) -> Message | None:
        """Send a message."""
        sent = await service(info).send(
            info.context.acting(),
            uuid_of(conversation_id),
            body,
            client_id_of(client_id),
            uploads=[uuid_of(each) for each in upload_ids or ()],
            urgent=urgent,
            reply_to=uuid_of(reply_to) if reply_to is not None else None,
        )
        return message_type(sent)

    @strawberry.mutation(
        description="Note that one has read a conversation up to a message; it never goes back. Only this is reading: "
        "what is merely fetched, or followed, is not (N3).",
        extensions=[gate("chat.read")],
    )
    async def mark_conversation_read(
        self,
        info: Info,
        conversation_id: ConversationId,
        up_to: Annotated[str, strawberry.argument(description="Cursor of the last message that was read.")],
    ) -> Conversation | None:
        """Note what was read."""
        key = key_of(up_to, int, argument="upTo")
        if key is None:
            raise InvalidInput("This is not a cursor of a message.", field=("upTo",))
        actor = info.context.acting()
        return conversation_type(await service(info).mark_read(actor, uuid_of(conversation_id), key[0]))

    @strawberry.mutation(
        description="Put an emoji to a message, or take one's own away.", extensions=[gate("chat.send")]
    )
    async def react_to_message(
        self,
        info: Info,
        message_id: MessageId,
        emoji: Annotated[str, strawberry.argument(description="One emoji.")],
        on: Annotated[bool, strawberry.argument(description="Whether it is put or taken away.")] = True,
    ) -> Message | None:
        """React to a message."""
        return message_type(await service(info).react(info.context.acting(), uuid_of(message_id), emoji, on=on))

    @strawberry.mutation(
        description="Acknowledge an urgent message as its recipient (C10).", extensions=[gate("chat.read")]
    )
    async def acknowledge_message(self, info: Info, message_id: MessageId) -> Message | None:
        """Acknowledge a message."""
        return message_type(await service(info).acknowledge(info.context.acting(), uuid_of(message_id)))

    @strawberry.mutation(
        description="Delete a message for good, with its files: one's own, or with the permission to moderate any of "
        "the practice. A tombstone remains (C11), and is all that one sees who takes no part.",
        extensions=[gate("chat.delete")],
    )
    async def delete_message(self, info: Info, message_id: MessageId) -> Message | None:
        """Delete a message."""
        return message_type(await service(info).delete(info.context.acting(), uuid_of(message_id)))
