"""Chat: table of contents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from bedside_chat import schema
from bedside_chat.api import CONVERSATION_STREAM, Chats, ConversationStarted, MessageSent
from bedside_chat.records import RECORDS
from bedside_chat.rules import may_start_with, may_take_part
from bedside_chat.service import ChatService
from bedside_chat.settings import ChatSettings
from bedside_core.api import Feature, Manifest, Permission, Platform, PublicEvent, StreamKind, Tier, hookimpl
from bedside_graphql.api import GraphQLPart


@hookimpl
def manifest() -> Manifest:
    """Say who chat is."""
    return Manifest(
        name="chat",
        title="Chat",
        api=">=1.0,<2",
        requires=("graphql",),
        features=(
            Feature(key="file_share", title="File share", doc="Share files with patients.", tier=Tier.STARTER),
            Feature(
                key="patient_messages", title="Messages with patients", doc="Write with patients.", tier=Tier.ENHANCED
            ),
            Feature(key="team_chat", title="Team chat", doc="Write with one's team.", tier=Tier.PREMIUM),
        ),
        permissions=(
            Permission(key="chat.read", doc="Read one's conversations.", feature="team_chat", check=may_take_part),
            Permission(key="chat.history", doc="Read what one's conversations were, whatever the plan."),
            Permission(key="chat.start", doc="Start a conversation.", feature="team_chat", check=may_start_with),
            Permission(
                key="chat.send", doc="Send messages in one's conversations.", feature="team_chat", check=may_take_part
            ),
        ),
        public_events=(
            PublicEvent(
                key="conversation.started",
                event=ConversationStarted,
                doc="A conversation was started.",
                ids=("conversation_id", "started_by"),
            ),
            PublicEvent(
                key="message.sent",
                event=MessageSent,
                doc="A message was sent.",
                ids=("conversation_id", "message_id", "sender_id"),
            ),
        ),
        settings=ChatSettings,
        piccolo_app="bedside_chat.piccolo_app",
        data=RECORDS,
    )


@hookimpl
def services(platform: Platform) -> Mapping[type[Any], object]:
    """Provide what chat answers."""
    service = ChatService(platform)
    return {ChatService: service, Chats: service}


@hookimpl
def lifespan(platform: Platform) -> AbstractAsyncContextManager[None]:
    """Make the stream of a conversation known."""

    @asynccontextmanager
    async def run() -> AsyncGenerator[None, None]:
        positions = platform.service(ChatService).positions
        platform.live.add_kind(StreamKind(CONVERSATION_STREAM, positions, "A conversation's last message."))
        yield

    return run()


@hookimpl
def graphql(platform: Platform) -> GraphQLPart:
    """Contribute chat's part of the schema."""
    return schema.PART
