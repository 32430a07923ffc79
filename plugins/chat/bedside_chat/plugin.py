"""Chat: table of contents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from bedside_chat import schema
from bedside_chat.api import CONVERSATION_STREAM, Chats, ConversationStarted, MessageDeleted, MessageSent
from bedside_chat.exporting import JOBS as EXPORTS
from bedside_chat.exports import EXPORT_FILES, Exports
from bedside_chat.files import MESSAGE_FILES
from bedside_chat.finding import Finding
from bedside_chat.guests import Guests
from bedside_chat.inbox import ChatInbox
from bedside_chat.listeners import member_joined, message_sent, portal_account_changed
from bedside_chat.nearby import Nearby
from bedside_chat.notices import NOTIFICATIONS
from bedside_chat.permissions import PERMISSIONS
from bedside_chat.quick_texts import QuickTexts
from bedside_chat.records import RECORDS
from bedside_chat.reminders import JOBS as REMINDERS
from bedside_chat.routes import chat_routes
from bedside_chat.service import ChatService
from bedside_chat.settings import ChatSettings
from bedside_chat.texts import LETTERS
from bedside_chat.ways_in import TIMELINE
from bedside_core.api import (
    Feature,
    Job,
    Listener,
    Manifest,
    MemberJoined,
    Platform,
    PublicEvent,
    Route,
    StreamKind,
    Tier,
    hookimpl,
    on,
)
from bedside_graphql.api import GraphQLPart
from bedside_portal.api import PortalAccountChanged


@hookimpl
def manifest() -> Manifest:
    """Say who chat is."""
    return Manifest(
        name="chat",
        title="Chat",
        api=">=1.0,<2",
        requires=("graphql",),
        after=("portal",),
        features=(
            Feature(key="file_share", title="File share", doc="Share files with patients.", tier=Tier.STARTER),
            Feature(
                key="patient_messages", title="Messages with patients", doc="Write with patients.", tier=Tier.ENHANCED
            ),
            Feature(key="team_chat", title="Team chat", doc="Write with one's team.", tier=Tier.PREMIUM),
        ),
        permissions=PERMISSIONS,
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
            PublicEvent(
                key="message.deleted",
                event=MessageDeleted,
                doc="A message was deleted for good.",
                ids=("conversation_id", "message_id", "deleted_by"),
            ),
        ),
        settings=ChatSettings,
        piccolo_app="bedside_chat.piccolo_app",
        data=RECORDS,
        timeline=(TIMELINE,),
        file_owners=(MESSAGE_FILES, EXPORT_FILES),
        notifications=(*NOTIFICATIONS, *LETTERS),
    )


@hookimpl
def services(platform: Platform) -> Mapping[type[Any], object]:
    """Provide what chat answers."""
    service = ChatService(platform)
    return {
        ChatService: service,
        Chats: service,
        ChatInbox: ChatInbox(platform),
        Guests: Guests(platform, service),
        Nearby: Nearby(platform, service),
        QuickTexts: QuickTexts(platform),
        Finding: Finding(platform, service),
        Exports: Exports(platform),
    }


@hookimpl
def listeners(platform: Platform) -> Iterable[Listener]:
    """Have new members join the team conversation, links of patients in the portal be over, and typing end."""
    return [
        on(MemberJoined, member_joined(platform), durable=True),
        on(PortalAccountChanged, portal_account_changed(platform), durable=True),
        on(MessageSent, message_sent(platform)),
    ]


@hookimpl
def routes() -> list[Route]:
    """Serve the page to which links lead, and exchange their secrets."""
    return chat_routes()


@hookimpl
def jobs() -> Iterable[Job]:
    """Remind people of urgent and unread messages; make exports, and take them away."""
    return (*REMINDERS, *EXPORTS)


@hookimpl
def lifespan(platform: Platform) -> AbstractAsyncContextManager[None]:
    """Make the stream of a conversation known."""

    @asynccontextmanager
    async def run() -> AsyncGenerator[None, None]:
        platform.service(Nearby).listen()
        positions = platform.service(ChatService).positions
        platform.live.add_kind(StreamKind(CONVERSATION_STREAM, positions, "What has changed in a conversation last."))
        yield

    return run()


@hookimpl
def graphql(platform: Platform) -> GraphQLPart:
    """Contribute chat's part of the schema."""
    return schema.PART
