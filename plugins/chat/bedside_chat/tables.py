"""Chat's tables as Piccolo knows them; the migrations make them."""

from __future__ import annotations

from piccolo.columns import UUID, BigInt, Text, Timestamptz
from piccolo.table import Table

from bedside_core.api import DB, Kind


class Conversation(Table, tablename="conversation", db=DB):
    """A conversation; its position counts its messages and is what live subscribers resume from."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID(help_text="The owning practice.")
    kind = Text(help_text="`direct`.")
    direct_key = Text(help_text="The two persons' ids in order, so that a pair has one direct conversation.")
    position = BigInt()
    created_by = UUID()
    created_at = Timestamptz()
    active_at = Timestamptz(help_text="When the last message was sent; orders the list.")


class Participant(Table, tablename="participant", db=DB):
    """A person who takes part in a conversation."""

    practice_id = UUID(help_text="The owning practice.")
    conversation_id = UUID(primary_key=True, default=None)
    person_id = UUID()
    joined_at = Timestamptz()


class Message(Table, tablename="message", db=DB):
    """A message, at its position in the conversation."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID(help_text="The owning practice.")
    conversation_id = UUID()
    position = BigInt()
    sender_id = UUID()
    body = Text()
    client_id = Text(help_text="The sender's own id of it: a retry with it returns the first message (C13).")
    sent_at = Timestamptz()


class ConversationStart(Table, tablename="conversation_start", db=DB):
    """What a client id started, so that a retry returns it (G9)."""

    practice_id = UUID()
    person_id = UUID(primary_key=True, default=None)
    client_id = Text()
    conversation_id = UUID()


TABLE_KINDS = {
    "conversation": Kind.SHARED,
    "participant": Kind.SHARED,
    "message": Kind.SHARED,
    "conversation_start": Kind.SHARED,
}
