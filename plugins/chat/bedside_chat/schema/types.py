"""Chat's types of the schema, and how they are made of what the service returns."""

import asyncio
import enum
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from bedside_chat import api
from bedside_chat.attendance import ParticipantPages, attendance
from bedside_chat.markdown import html_of
from bedside_chat.nearby import Nearby
from bedside_chat.schema.guest_types import GuestLink, link_type
from bedside_chat.service import ChatService
from bedside_core.api import USUAL_PAGE, PersonKind, Refusal, cursor_of, label_of
from bedside_graphql.api import After, Connection, File, First, Info, connection, file_type, uuid_of


def service(info: Info) -> ChatService:
    """Return chat's service."""
    return info.context.platform.service(ChatService)


@strawberry.enum(description="The kinds of conversations (C1).")
class ConversationKind(enum.Enum):
    """Kinds of conversations."""

    DIRECT = strawberry.enum_value("direct", description="Two members, of one practice or of connected ones.")
    EXTERNAL = strawberry.enum_value("external", description="A member and a contact.")
    PATIENT = strawberry.enum_value("patient", description="Members and a patient.")
    GROUP = strawberry.enum_value("group", description="Named; members, and outsiders where the practice allows it.")
    TEAM = strawberry.enum_value("team", description="All members of the practice.")


@strawberry.enum(description="Whether somebody is there (C14).")
class Presence(enum.Enum):
    """Presence."""

    ONLINE = strawberry.enum_value("online", description="They have a connection open.")
    AWAY = strawberry.enum_value("away", description="They have none.")


@strawberry.type(description="Somebody who takes part in a conversation, or did.")
class Participant:
    """A participant."""

    id: strawberry.ID = strawberry.field(description="The id of the member, patient or contact.")
    kind: PersonKind = strawberry.field(description="What the person is to the practice.")
    name: str = strawberry.field(description="The name as it is shown.")
    label: str | None = strawberry.field(
        description="What stands under the name: null for one's own practice, the practice's name for a member of a "
        'connected one, "Patient", "(External)" (P7).'
    )
    by_link: bool = strawberry.field(description="Whether they are reached through a link and no account (C6).")
    joined_at: datetime = strawberry.field(description="Since when they take part.")
    left_at: datetime | None = strawberry.field(description="Since when no longer.")
    conversation_id: strawberry.Private[UUID]
    read_position: strawberry.Private[int]

    @strawberry.field(
        description="Cursor of the last message they have read. Who sends has read up to their own message. Of members "
        "it is null for patients and guests, unless the practice lets them see it (`presenceForPatients`, C14)."
    )
    async def read_up_to(self, info: Info) -> str | None:
        """Return the receipt."""
        if not self.read_position or (
            self.kind is PersonKind.MEMBER and not await _sees_members(info, self.conversation_id)
        ):
            return None
        return cursor_of(self.read_position)

    @strawberry.field(
        description="The link that they were sent last, where they are reached by one; for members of the practice "
        "that owns the conversation."
    )
    async def guest_link(self, info: Info) -> GuestLink | None:
        """Return the link, through the operation's DataLoader."""
        if not self.by_link or info.context.acting().member_id is None:
            return None
        key = (self.conversation_id, uuid_of(self.id))
        found = await info.context.loader(service(info).guest_links).load(key)
        return link_type(found) if found else None

    @strawberry.field(
        description="Whether they are there now; null where they take part no longer, where practices are connected no "
        "longer (P2), and for patients and guests, unless the practice lets them see it (`presenceForPatients`)."
    )
    async def presence(self, info: Info) -> Presence | None:
        """Return whether they are there."""
        if self.left_at is not None:
            return None
        nearby = info.context.platform.service(Nearby)
        key = (self.conversation_id, uuid_of(self.id))
        online = await info.context.loader(nearby.showing(info.context.acting())).load(key)
        return None if online is None else Presence.ONLINE if online else Presence.AWAY


@strawberry.type(description="An emoji that people have put to a message.")
class Reaction:
    """A reaction."""

    emoji: str = strawberry.field(description="The emoji.")
    person_ids: list[strawberry.ID] = strawberry.field(description="Who has put it, the first first.")


@strawberry.type(description="Whether a recipient of an urgent message has acknowledged it (C10).")
class Acknowledgement:
    """An acknowledgement."""

    person_id: strawberry.ID = strawberry.field(description="The recipient.")
    acknowledged_at: datetime | None = strawberry.field(
        description="When; null is not yet. Of members it is null for patients and guests, unless the practice lets "
        "them see it (`presenceForPatients`, C14)."
    )


@strawberry.type(description="A message of a conversation, or the tombstone of one that was deleted.")
class Message:
    """A message."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    conversation_id: strawberry.ID = strawberry.field(description="Where it stands.")
    body: str = strawberry.field(
        description="The text as it was written, in Markdown; empty in a tombstone, or where there are files alone."
    )
    sent_at: datetime = strawberry.field(description="When it was accepted.")
    cursor: str = strawberry.field(description="Where it stands; give the last one to `messageAdded` as `after`.")
    urgent: bool = strawberry.field(description="Whether each recipient is to acknowledge it (C10).")
    automatic: bool = strawberry.field(description="Whether it is an auto-reply (C17).")
    deleted_at: datetime | None = strawberry.field(description="When it was deleted for good (C11).")
    reply_to_id: strawberry.ID | None = strawberry.field(description="The message that it answers.")
    sender_id: strawberry.Private[UUID]
    attached: strawberry.Private[int]

    @strawberry.field(
        description="The text as HTML that is safe to show: a subset of Markdown without images and HTML of its own; "
        "links lead to http, https, mailto and tel alone, and tell nothing of where they were."
    )
    def html(self) -> str:
        """Return the text as HTML."""
        return html_of(self.body)

    @strawberry.field(
        description="Who sent it; null where it is automatic, they are nobody any more, or one takes no part (A12)."
    )
    async def sender(self, info: Info) -> Participant | None:
        """Return the sender."""
        return await person(info, uuid_of(self.conversation_id), self.sender_id)

    @strawberry.field(description="The message that it answers, or its tombstone.")
    async def reply_to(self, info: Info) -> "Message | None":
        """Return the message that is answered."""
        if self.reply_to_id is None:
            return None
        found = await info.context.loader(service(info).messages_by_id).load(uuid_of(self.reply_to_id))
        return message_type(found) if found else None

    @strawberry.field(description="Its files, in order (C12).")
    async def attachments(self, info: Info) -> list[File]:
        """Return the files."""
        if not self.attached:
            return []
        files = await info.context.loader(service(info).attached).load(uuid_of(self.id))
        return [file_type(file) for file in files or ()]

    @strawberry.field(description="Emojis that people have put to it.")
    async def reactions(self, info: Info) -> list[Reaction]:
        """Return the reactions."""
        found = await info.context.loader(service(info).reactions).load(uuid_of(self.id))
        return [
            Reaction(emoji=each.emoji, person_ids=[strawberry.ID(str(person_id)) for person_id in each.person_ids])
            for each in found or ()
        ]

    @strawberry.field(description="Who is to acknowledge it, where it is urgent, and who has.")
    async def acknowledgements(self, info: Info) -> list[Acknowledgement]:
        """Return the acknowledgements."""
        if not self.urgent:
            return []
        found = await info.context.loader(service(info).acknowledgements).load(uuid_of(self.id)) or ()
        if not await _sees_members(info, uuid_of(self.conversation_id)):
            hidden = [replace(each, acknowledged_at=None) if each.kind is PersonKind.MEMBER else each for each in found]
            found = sorted(hidden, key=lambda each: each.person_id)  # nor does the order tell who was first
        return [
            Acknowledgement(person_id=strawberry.ID(str(each.person_id)), acknowledged_at=each.acknowledged_at)
            for each in found
        ]


@strawberry.type(description="Whether something is open to one, or why not and what would open it.")
class ComposerState:
    """Whether something is open."""

    open: bool = strawberry.field(description="Whether it is.")
    code: str | None = strawberry.field(description="The error's code that doing it would get.")
    message: str | None = strawberry.field(description="Why not, for people.")
    way_on: str | None = strawberry.field(description="What would open it.")
    feature: str | None = strawberry.field(description="The feature that the plan lacks.")


@strawberry.type(description="What can be sent in a conversation now.")
class Composer:
    """What can be sent."""

    text: ComposerState = strawberry.field(description="Messages with text.")
    files: ComposerState = strawberry.field(description="Files.")


@strawberry.type(description="A conversation.")
class Conversation:
    """A conversation."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    kind: ConversationKind = strawberry.field(description="What kind it is.")
    name: str | None = strawberry.field(description="What a group is called.")
    description: str | None = strawberry.field(description="What a group is for.")
    private: bool = strawberry.field(description="Whether a group is joined by invitation only (C8).")
    created_at: datetime = strawberry.field(description="When it was started.")
    active_at: datetime = strawberry.field(description="When its last message was sent, or it was started.")
    unread: int = strawberry.field(description="Messages that one has not read (C10).")
    urgent: int = strawberry.field(description="Urgent messages that one has not acknowledged (C10).")
    cursor: str = strawberry.field(description="Position of the last change in it, for `conversationEvents`.")
    last_message: Message | None = strawberry.field(
        description="Its last message; not told by `inbox` where the plan has no conversations of this kind (L4)."
    )
    closed: strawberry.Private[Refusal | None] = None

    @strawberry.field(
        description="Who takes part: patients and contacts first, then members, each in the order in which they "
        "joined, so that whom a direct, external or patient conversation is with stands on its first page."
    )
    async def participants(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[Participant] | None:
        """Return a page of participants, through the operation's DataLoader."""
        pages = ParticipantPages.of(first=first, after=after)
        page = await info.context.loader(pages).load(uuid_of(self.id))
        if page is None:
            return None
        named = dict(zip(page.items, await people(info, page.items), strict=True))
        return connection(page, named.__getitem__)

    @strawberry.field(description="How many take part.")
    async def participant_count(self, info: Info) -> int:
        """Return how many they are, through the operation's DataLoader."""
        return await info.context.loader(attendance).load(uuid_of(self.id)) or 0

    @strawberry.field(description="What can be sent in it now, or why not and what would open it.")
    async def composer(self, info: Info) -> Composer | None:
        """Return what is open."""
        chat, actor = service(info), info.context.acting()
        found = await info.context.loader(chat.composing(actor)).load(uuid_of(self.id))
        return Composer(text=state_type(found.text), files=state_type(found.files)) if found else None

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
        if self.closed is not None:
            raise self.closed.problem()
        page = await service(info).messages(uuid_of(self.id), first=first, after=after, last=last, before=before)
        return connection(page, message_type)


@strawberry.type(description="A group of the practice, as those find it who could join it (C8).")
class Group:
    """A group that was found."""

    id: strawberry.ID = strawberry.field(description="The conversation's id.")
    name: str = strawberry.field(description="What it is called.")
    description: str | None = strawberry.field(description="What it is for.")
    members: int = strawberry.field(description="How many take part.")
    joined: bool = strawberry.field(description="Whether one takes part oneself.")


ConversationId = Annotated[strawberry.ID, strawberry.argument(description="The conversation's id.")]
MessageId = Annotated[strawberry.ID, strawberry.argument(description="The message's id.")]


async def _sees_members(info: Info, conversation_id: UUID) -> bool:
    """Tell whether the viewer sees what members have read, through the operation's DataLoader."""
    actor = info.context.acting()
    if actor.member_id is not None:
        return True
    return bool(await info.context.loader(service(info).receipts(actor)).load(conversation_id))


async def person(info: Info, conversation_id: UUID, person_id: UUID) -> Participant | None:
    """Return how somebody is shown who takes part in a conversation of the viewer's, or did."""
    found = await info.context.loader(service(info).people).load((conversation_id, person_id))
    return participant_type(info, found, found) if found else None


async def people(info: Info, participants: Sequence[api.Participant]) -> list[Participant]:
    """Return participants with the names of today."""
    loader = info.context.loader(service(info).people)
    named = await asyncio.gather(*(loader.load((each.conversation_id, each.person_id)) for each in participants))
    return [participant_type(info, each, name or each) for each, name in zip(participants, named, strict=True)]


def participant_type(info: Info, participant: api.Participant, named: api.Participant) -> Participant:
    """Return a participant as GraphQL shows one.

    Args:
        info: for whom; members of other practices are shown with their practice's name.
        participant: who takes part.
        named: the same person with the name of today.
    """
    own = info.context.acting().practice_id == participant.home_id
    return Participant(
        id=strawberry.ID(str(participant.person_id)),
        kind=participant.kind,
        name=named.shown_name,
        label=label_of(participant.kind, None if own else named.shown_practice),
        by_link=participant.by_link,
        joined_at=participant.joined_at,
        left_at=participant.left_at,
        conversation_id=participant.conversation_id,
        read_position=participant.read_position,
    )


def message_type(message: api.Message) -> Message:
    """Return a message as GraphQL shows one."""
    return Message(
        id=strawberry.ID(str(message.id)),
        conversation_id=strawberry.ID(str(message.conversation_id)),
        body=message.body,
        sent_at=message.sent_at,
        cursor=cursor_of(message.position),
        urgent=message.urgent,
        automatic=message.automatic,
        deleted_at=message.deleted_at,
        reply_to_id=strawberry.ID(str(message.reply_to)) if message.reply_to else None,
        sender_id=message.sender_id,
        attached=message.attached,
    )


def conversation_type(conversation: api.Conversation, closed: Refusal | None = None) -> Conversation:
    """Return a conversation as GraphQL shows one.

    Args:
        conversation: as its reader sees it.
        closed: why what is said in it is not told here.
    """
    return Conversation(
        id=strawberry.ID(str(conversation.id)),
        kind=ConversationKind(conversation.kind.value),
        name=conversation.name,
        description=conversation.description,
        private=conversation.private,
        created_at=conversation.created_at,
        active_at=conversation.active_at,
        unread=conversation.unread,
        urgent=conversation.urgent,
        cursor=cursor_of(conversation.position),
        last_message=message_type(conversation.last_message) if conversation.last_message else None,
        closed=closed,
    )


def state_type(refusal: Refusal | None) -> ComposerState:
    """Return whether something is open, as GraphQL shows it."""
    return ComposerState(
        open=refusal is None,
        code=refusal.code if refusal else None,
        message=refusal.message if refusal else None,
        way_on=refusal.way_on if refusal else None,
        feature=refusal.feature if refusal else None,
    )
