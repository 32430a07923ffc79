"""Chat's events of the inbox, and badges (C10, C16)."""

from collections.abc import Mapping
from uuid import UUID

import strawberry

from bedside_chat.inbox import CONVERSATION_KIND, ChatInbox
from bedside_chat.schema.types import Conversation, ConversationKind, conversation_type
from bedside_graphql.api import InboxKind, Info, gate


@strawberry.type(description="What stands at one kind of conversation (C10).")
class ChatBadge:
    """A badge."""

    kind: ConversationKind = strawberry.field(description="The kind of conversation.")
    unread: int = strawberry.field(description="Messages that one has not read; shown in orange.")
    urgent: int = strawberry.field(description="Urgent messages that one has not acknowledged; shown in red.")


async def _badges(info: Info) -> list[ChatBadge]:
    inbox = info.context.platform.service(ChatInbox)
    return [
        ChatBadge(kind=ConversationKind(badge.kind.value), unread=badge.unread, urgent=badge.urgent)
        for badge in await inbox.badges(info.context.signed_in())
    ]


class Page:
    """What the events that are told together share: the badges, counted once, when the first of them is told.

    What changes after that is told by events of its own, so that the last event always has the badges that are true.
    """

    def __init__(self) -> None:
        self._badges: list[ChatBadge] | None = None

    async def badges(self, info: Info) -> list[ChatBadge]:
        """Return the badges."""
        if self._badges is None:
            self._badges = await _badges(info)
        return self._badges


@strawberry.type
class InboxQuery:
    """The query of badges."""

    @strawberry.field(
        description="Unread and urgent messages for each kind of conversation. They change with the events of `inbox`, "
        "which hold them too.",
        extensions=[gate("inbox.follow")],
    )
    async def chat_badges(self, info: Info) -> list[ChatBadge] | None:
        """Return the badges."""
        return await _badges(info)


@strawberry.type(
    description="A conversation was started with one, got a message, was read by oneself on any device, or something "
    "else of it has changed that the list of conversations or the badges show."
)
class ConversationInboxChanged:
    """A conversation as it is now."""

    cursor: str = strawberry.field(description="Give the last one you have to `inbox` as `after`.")
    conversation: Conversation = strawberry.field(
        description="The conversation as it is now. Where the plan has no conversations of its kind, what is said in "
        "it is not told live (L4): `lastMessage` is null and `messages` refused, and queries have both."
    )
    page: strawberry.Private[Page]

    @strawberry.field(description="The badges as they are now.")
    async def chat_badges(self, info: Info) -> list[ChatBadge] | None:
        """Return the badges."""
        return await self.page.badges(info)


@strawberry.type(name="InboxItemRemoved")
class RemovedBadges:
    """What chat adds to the event of a thing that is gone."""

    @strawberry.field(description="Chat's badges as they are now.", extensions=[gate("inbox.follow")])
    async def chat_badges(self, info: Info) -> list[ChatBadge] | None:
        """Return the badges."""
        return await _badges(info)


async def _load(info: Info, cursors: Mapping[UUID, str]) -> Mapping[UUID, ConversationInboxChanged]:
    found = await info.context.platform.service(ChatInbox).present(info.context.signed_in(), list(cursors))
    page = Page()
    return {
        key: ConversationInboxChanged(
            cursor=cursors[key], conversation=conversation_type(each.conversation, each.closed), page=page
        )
        for key, each in found.items()
    }


INBOX = {CONVERSATION_KIND: InboxKind(event=ConversationInboxChanged, load=_load)}
"""Contributed to the subscription `inbox`."""
