"""What other plugins may know of chat: its events, its values, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from bedside_chat.kinds import ConversationKind
from bedside_core.api import Actor, Event, PersonKind, fact

CONVERSATION_STREAM = "conversation"
"""Kind of live stream of a conversation; its position grows with all that changes in it."""


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
class MessageDeleted(Event):
    """A message was deleted for good (C11)."""

    conversation_id: UUID = fact("Where it stood.")
    message_id: UUID = fact("The message, of which a tombstone remains.")
    deleted_by: UUID = fact("Who deleted it.")


@dataclass(frozen=True, kw_only=True)
class ParticipantsChanged(Event):
    """People joined a conversation, left it or were removed."""

    conversation_id: UUID = fact("The conversation.")
    person_ids: tuple[UUID, ...] = fact("Who.")
    joined: bool = fact("Whether they take part now.")


@dataclass(frozen=True, kw_only=True)
class ConversationRead(Event):
    """Somebody has read a conversation further."""

    conversation_id: UUID = fact("The conversation.")
    person_id: UUID = fact("Who.")
    position: int = fact("Up to which message.")


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """An emoji that people have put to a message.

    Args:
        emoji: the emoji.
        person_ids: who, the first first.
    """

    emoji: str
    person_ids: tuple[UUID, ...]


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """Whether a recipient of an urgent message has acknowledged it (C10).

    Args:
        person_id: the recipient.
        kind: what they are to the practice.
        acknowledged_at: when; None is not yet.
    """

    person_id: UUID
    kind: PersonKind
    acknowledged_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message, or its tombstone.

    Args:
        id: the message.
        conversation_id: where it stands.
        practice_id: the practice that owns the conversation.
        position: its place in the conversation; it grows, with gaps.
        number: the how-manieth message of the conversation it is, from 1, without gaps.
        changed: position of its last change.
        sender_id: who sent it; the owning practice's id where it is automatic.
        body: the text as it was written; empty in a tombstone, or where there are attachments alone.
        urgent: whether each recipient is to acknowledge it (C10).
        automatic: whether it is an auto-reply (C17).
        attached: how many files are attached.
        reply_to: the message that it answers.
        sent_at: when it was accepted.
        deleted_at: when it was deleted (C11).
        deleted_by: who deleted it.
    """

    id: UUID
    conversation_id: UUID
    practice_id: UUID
    position: int
    number: int
    changed: int
    sender_id: UUID
    body: str
    urgent: bool
    automatic: bool
    attached: int
    reply_to: UUID | None
    sent_at: datetime
    deleted_at: datetime | None
    deleted_by: UUID | None


@dataclass(frozen=True, kw_only=True)
class Participant:
    """Somebody who takes part in a conversation, or did.

    Args:
        conversation_id: the conversation.
        person_id: the member, patient or contact.
        kind: what they are to the practice.
        home_id: their practice.
        shown_name: their name when they joined; for those who may not look it up.
        shown_practice: their practice's name when they joined.
        by_link: whether they are reached through a link and no account (C6).
        joined_at: since when.
        left_at: since when no longer.
        removed: whether somebody else removed them: no new message brings it back to them.
        read_position: position of the last message they have read; who sends has read up to there.
        changed: position of the last change of any of this.
    """

    conversation_id: UUID
    person_id: UUID
    kind: PersonKind
    home_id: UUID
    shown_name: str
    shown_practice: str
    by_link: bool
    joined_at: datetime
    left_at: datetime | None
    removed: bool
    read_position: int
    changed: int


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A conversation as one who takes part sees it.

    Args:
        id: the conversation.
        practice_id: the practice that owns it.
        kind: what kind it is.
        name: of a group.
        description: of a group.
        private: whether a group is joined by invitation only (C8).
        subject_id: the patient or contact it is with.
        position: position of the last change in it.
        changed: position of the last change of its name, description or privacy.
        created_by: who started it.
        created_at: when it was started.
        active_at: when its last message was sent, or it was started.
        unread: messages that the reader has not read (C10).
        urgent: urgent messages that the reader has not acknowledged (C10).
        last_message: its last message.
    """

    id: UUID
    practice_id: UUID
    kind: ConversationKind
    name: str | None
    description: str | None
    private: bool
    subject_id: UUID | None
    position: int
    changed: int
    created_by: UUID
    created_at: datetime
    active_at: datetime
    unread: int
    urgent: int
    last_message: Message | None


class Chats(Protocol):
    """What chat answers to other plugins."""

    async def start_direct(self, actor: Actor, member_id: UUID, client_id: str) -> Conversation:
        """Start the direct conversation of the actor and another member, or return it if there is one."""
        ...

    async def start_with_patient(self, actor: Actor, patient_id: UUID, client_id: str) -> Conversation:
        """Start the conversation of the actor and a patient of the practice, or return it if there is one."""
        ...

    async def participants(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Participant]]:
        """Return who takes part in each conversation, in the order in which they joined."""
        ...
