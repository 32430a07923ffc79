"""What other plugins may know of chat: its events, its ids, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from bedside_core.api import Actor, Event, fact

CONVERSATION_STREAM = "conversation"
"""Kind of live stream of a conversation; its position is that of the last message."""


@dataclass(frozen=True, kw_only=True)
class ConversationStarted(Event):
    """A conversation was started."""

    conversation_id: UUID = fact("The new conversation.")
    started_by: UUID = fact("Who started it.")


@dataclass(frozen=True, kw_only=True)
class MessageSent(Event):
    """A message was sent."""

    conversation_id: UUID = fact("Where it was sent.")
    message_id: UUID = fact("The message.")
    sender_id: UUID = fact("Who sent it.")
    position: int = fact("Its position in the conversation.")


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message.

    Args:
        id: the message.
        conversation_id: where it stands.
        position: its place in the conversation, from 1, without gaps.
        sender_id: who sent it.
        body: the text.
        sent_at: when it was accepted.
    """

    id: UUID
    conversation_id: UUID
    position: int
    sender_id: UUID
    body: str
    sent_at: datetime


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A conversation as its participants see it.

    Args:
        id: the conversation.
        kind: `direct`.
        position: position of its last message; 0 where there is none.
        created_at: when it was started.
        active_at: when its last message was sent, or it was started.
        last_message: its last message.
    """

    id: UUID
    kind: str
    position: int
    created_at: datetime
    active_at: datetime
    last_message: Message | None


class Chats(Protocol):
    """What chat answers to other plugins."""

    async def start_direct(self, actor: Actor, member_id: UUID, client_id: str) -> Conversation:
        """Start the direct conversation of the actor and a member of the practice, or return it if there is one."""
        ...

    async def participants(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[UUID]]:
        """Return the persons of each conversation, in the order in which they joined."""
        ...
