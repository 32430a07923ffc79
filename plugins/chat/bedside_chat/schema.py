"""Chat's part of the schema."""

import asyncio
import enum
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import strawberry

from bedside_chat import api
from bedside_chat.service import ChatService
from bedside_core.api import USUAL_PAGE, cursor_of
from bedside_graphql.api import (
    After,
    ClientId,
    Connection,
    First,
    GraphQLPart,
    Info,
    Member,
    client_id_of,
    connection,
    gate,
    member_of,
    uuid_of,
)


def _service(info: Info) -> ChatService:
    return info.context.platform.service(ChatService)


@strawberry.enum(description="The kinds of conversations (C1).")
class ConversationKind(enum.Enum):
    """Kinds of conversations."""

    DIRECT = strawberry.enum_value("direct", description="Two members.")


@strawberry.type(description="A message of a conversation.")
class Message:
    """A message."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    body: str = strawberry.field(description="The text.")
    sent_at: datetime = strawberry.field(description="When it was accepted.")
    cursor: str = strawberry.field(description="Where it stands; give the last one to `messageAdded` as `after`.")
    sender_id: strawberry.Private[object]

    @strawberry.field(description="Who sent it; null where it is nobody of this practice.")
    async def sender(self, info: Info) -> Member | None:
        """Return the sender."""
        return await member_of(info, self.sender_id)


@strawberry.type(description="A conversation.")
class Conversation:
    """A conversation."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    kind: ConversationKind = strawberry.field(description="What kind it is.")
    created_at: datetime = strawberry.field(description="When it was started.")
    active_at: datetime = strawberry.field(description="When its last message was sent, or it was started.")
    last_message: Message | None = strawberry.field(description="Its last message.")

    @strawberry.field(description="Who takes part.")
    async def participants(self, info: Info) -> list[Member]:
        """Return the participants, in the order in which they joined."""
        persons = await info.context.loader(_service(info).participants).load(uuid_of(self.id))
        members = await asyncio.gather(*(member_of(info, person) for person in persons or ()))
        return [member for member in members if member is not None]

    @strawberry.field(description="Its messages, oldest first; page from the end with `last` and `before`.")
    async def messages(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Annotated[int | None, strawberry.argument(description="How many from the end, at most 100.")] = None,
        before: Annotated[str | None, strawberry.argument(description="Cursor before which the page ends.")] = None,
    ) -> Connection[Message] | None:
        """Return a page of messages."""
        page = await _service(info).messages(uuid_of(self.id), first=first, after=after, last=last, before=before)
        return connection(page, _message)


ConversationId = Annotated[strawberry.ID, strawberry.argument(description="The conversation's id.")]


def _message(message: api.Message) -> Message:
    return Message(
        id=strawberry.ID(str(message.id)),
        body=message.body,
        sent_at=message.sent_at,
        cursor=cursor_of(message.position),
        sender_id=message.sender_id,
    )


def _conversation(conversation: api.Conversation) -> Conversation:
    return Conversation(
        id=strawberry.ID(str(conversation.id)),
        kind=ConversationKind(conversation.kind),
        created_at=conversation.created_at,
        active_at=conversation.active_at,
        last_message=_message(conversation.last_message) if conversation.last_message else None,
    )


@strawberry.type
class ChatQuery:
    """Chat's queries."""

    @strawberry.field(
        description="One's conversations, the most recently active first.", extensions=[gate("chat.read", "team_chat")]
    )
    async def conversations(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[Conversation] | None:
        """Return a page of conversations."""
        page = await _service(info).conversations(info.context.signed_in(), first=first, after=after)
        return connection(page, _conversation)

    @strawberry.field(description="One of one's conversations.", extensions=[gate("chat.read", "team_chat")])
    async def conversation(self, info: Info, id: ConversationId) -> Conversation | None:
        """Return one conversation."""
        return _conversation(await _service(info).conversation(info.context.signed_in(), uuid_of(id)))

    @strawberry.field(
        description="One's conversations to read, also those that the plan no longer covers (L5).",
        extensions=[gate("chat.history")],
    )
    async def conversation_history(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[Conversation] | None:
        """Return a page of conversations."""
        page = await _service(info).history(info.context.signed_in(), first=first, after=after)
        return connection(page, _conversation)


@strawberry.type
class ChatMutation:
    """Chat's mutations."""

    @strawberry.mutation(
        description="Start the direct conversation with a member of the practice, or return it if there is one.",
        extensions=[gate("chat.start", "team_chat")],
    )
    async def start_conversation(
        self,
        info: Info,
        member_id: Annotated[strawberry.ID, strawberry.argument(description="The other person, out of `members`.")],
        client_id: ClientId,
    ) -> Conversation | None:
        """Start a conversation."""
        actor = info.context.signed_in()
        return _conversation(await _service(info).start_direct(actor, uuid_of(member_id), client_id_of(client_id)))

    @strawberry.mutation(
        description="Send a message. A retry with the same clientId returns the first one.",
        extensions=[gate("chat.send", "team_chat")],
    )
    async def send_message(
        self,
        info: Info,
        conversation_id: ConversationId,
        body: Annotated[str, strawberry.argument(description="The text, 1 to 10,000 characters.")],
        client_id: ClientId,
    ) -> Message | None:
        """Send a message."""
        actor = info.context.signed_in()
        return _message(await _service(info).send(actor, uuid_of(conversation_id), body, client_id_of(client_id)))


@strawberry.type
class ChatSubscription:
    """Chat's subscriptions."""

    @strawberry.subscription(
        description="Each new message of a conversation, once, in order, after a replay of what came after the cursor.",
        extensions=[gate("chat.read", "team_chat")],
    )
    async def message_added(
        self, info: Info, conversation_id: ConversationId, after: After = None
    ) -> AsyncGenerator[Message, None]:
        """Follow a conversation."""
        stream = _service(info).added(info.context.signed_in(), uuid_of(conversation_id), after)
        async with aclosing(stream) as messages:
            async for message in messages:
                yield _message(message)


PART = GraphQLPart(query=ChatQuery, mutation=ChatMutation, subscription=ChatSubscription)
