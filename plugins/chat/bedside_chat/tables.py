"""Chat's tables as Piccolo knows them; the migrations make them."""

from __future__ import annotations

from piccolo.columns import JSONB, UUID, BigInt, Boolean, Integer, Text, Timestamptz
from piccolo.table import Table

from bedside_core.api import DB, Kind


class Conversation(Table, tablename="conversation", db=DB):
    """A conversation; its position counts all that changes in it and is what live subscribers resume from."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID(help_text="The owning practice.")
    kind = Text(help_text="`direct`, `external`, `patient`, `group` or `team`.")
    only_key = Text(help_text="Whose only such conversation it is: two ids in order, or a practice's.", null=True)
    name = Text(help_text="Of a group.", null=True)
    description = Text(help_text="Of a group.", null=True)
    private = Boolean(help_text="Whether a group is joined by invitation only (C8).")
    subject_id = UUID(help_text="The patient or contact it is with.", null=True)
    position = BigInt()
    changed = BigInt(help_text="Position of the last change of its name, description or privacy.")
    last_position = BigInt(help_text="Position of its last message.")
    lost_at = BigInt(help_text="Position of the last deletion for good in it: of a message, or of a file of one.")
    messages = BigInt(help_text="Number of its last message.")
    created_by = UUID()
    created_at = Timestamptz()
    active_at = Timestamptz(help_text="When the last message was sent; orders the list.")


class Participant(Table, tablename="participant", db=DB):
    """A person who takes part in a conversation, or did."""

    practice_id = UUID(help_text="The owning practice.")
    conversation_id = UUID(primary_key=True, default=None)
    person_id = UUID()
    kind = Text(help_text="`member`, `patient` or `contact`.")
    home_id = UUID(help_text="The person's practice.")
    shown_name = Text(help_text="Their name when they joined, for those who may not look it up.")
    shown_practice = Text(help_text="Their practice's name when they joined.")
    by_link = Boolean(help_text="Whether they are reached through a link (C6).")
    added_by = UUID(null=True)
    joined_at = Timestamptz()
    left_at = Timestamptz(null=True)
    removed = Boolean(help_text="Whether somebody else took them out: no message brings it back to them.")
    read_position = BigInt(help_text="Position of the last message they have read.")
    read_number = BigInt(help_text="Number of the last message they have read.")
    changed = BigInt(help_text="Position of the last change of this row.")
    receipt_at = BigInt(null=True, help_text="Position of the last change that was a member's reading alone.")
    told_at = BigInt(null=True, help_text="Position of the last change before that which was another.")
    email_reminded = BigInt(help_text="Up to which message they were reminded by e-mail to read (N6).")
    sms_reminded = BigInt(help_text="Up to which message they were reminded by SMS to read.")


class Message(Table, tablename="message", db=DB):
    """A message at its position in the conversation, or its tombstone."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID(help_text="The owning practice.")
    conversation_id = UUID()
    position = BigInt()
    number = BigInt(help_text="The how-manieth of the conversation it is.")
    changed = BigInt(help_text="Position of the last change of it, or at it.")
    receipt_at = BigInt(null=True, help_text="Position of the last change that was a member's acknowledging alone.")
    told_at = BigInt(null=True, help_text="Position of the last change before that which was another.")
    sender_id = UUID(help_text="The owning practice where it is automatic.")
    body = Text(help_text="As it was written; empty in a tombstone, or where there are files alone.")
    client_id = Text(help_text="The sender's own id of it: a retry with it returns the first message (C13).")
    urgent = Boolean()
    automatic = Boolean(help_text="Whether it is an auto-reply (C17).")
    attached = Integer(help_text="How many files are attached.")
    reply_to = UUID(null=True)
    sent_at = Timestamptz()
    deleted_at = Timestamptz(null=True)
    deleted_by = UUID(null=True)
    words = Text(help_text="The full-text index of the body.", null=True)


class MessageReaction(Table, tablename="message_reaction", db=DB):
    """An emoji that a person has put to a message."""

    practice_id = UUID()
    conversation_id = UUID()
    message_id = UUID(primary_key=True, default=None)
    person_id = UUID()
    emoji = Text()
    made_at = Timestamptz()


class MessageAttachment(Table, tablename="message_attachment", db=DB):
    """A file at a message."""

    practice_id = UUID()
    conversation_id = UUID()
    message_id = UUID(primary_key=True, default=None)
    file_id = UUID()
    place = Integer(help_text="Where it stands among the message's files, from 1.")


class UrgentRecipient(Table, tablename="urgent_recipient", db=DB):
    """Somebody who is to acknowledge an urgent message (C10)."""

    practice_id = UUID()
    conversation_id = UUID()
    message_id = UUID(primary_key=True, default=None)
    person_id = UUID()
    acknowledged_at = Timestamptz(null=True)
    home_id = UUID(help_text="The person's practice, which reminds them.")
    reminded = Integer(help_text="How often they were reminded (N6).")
    remind_at = Timestamptz(help_text="When they are to be reminded next.", null=True)


class ConversationStart(Table, tablename="conversation_start", db=DB):
    """What a client id started, so that a retry returns it (G9)."""

    practice_id = UUID(help_text="The practice that owns the conversation.")
    person_id = UUID(primary_key=True, default=None)
    client_id = Text()
    conversation_id = UUID()


class GuestLink(Table, tablename="guest_link", db=DB):
    """A link by which somebody without an account reaches a conversation (C6); its secret is in the letter alone."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    conversation_id = UUID()
    person_id = UUID()
    person_kind = Text(help_text="`patient` or `contact`.")
    channel = Text(help_text="How it was sent: `email` or `sms`.")
    address = Text(help_text="Where it went, masked.")
    sent_by = UUID(help_text="The member who sent it last.")
    sent_at = Timestamptz()
    expires_at = Timestamptz()
    revoked_at = Timestamptz(null=True, help_text="When it was called off, or its person left or was removed.")
    failures = Integer(help_text="How often the date of birth was wrong since it was sent, or was right last.")
    entered_at = Timestamptz(null=True, help_text="When its person last came by it.")


class QuickText(Table, tablename="quick_text", db=DB):
    """A text that members put into messages, with placeholders (C18)."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    member_id = UUID(help_text="Whose own it is; null for the practice's.", null=True)
    title = Text()
    body = Text(help_text="With placeholders such as {{patient.firstName}}.")
    made_at = Timestamptz()


class ConversationExport(Table, tablename="conversation_export", db=DB):
    """An export of a conversation, also after its file is gone."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID(help_text="That of who asked for it, which need not own the conversation.")
    conversation_id = UUID()
    made_by = UUID(help_text="The person who asked for it, and alone may download it.")
    client_id = Text(help_text="That person's own id of it (G9).")
    asked_by = JSONB(help_text="The actor who asked for it, for the audit trail.")
    form = Text(help_text="`pdf` or `json`.")
    purpose = Text(null=True, help_text="Why an owner who is not in the conversation exports it.")
    state = Text(help_text="A value of `ExportState`.")
    reason = Text(null=True, help_text="Why it failed.")
    position = BigInt(null=True, help_text="Position of the conversation that it was made at.")
    file_id = UUID(null=True)
    size = BigInt(null=True, help_text="Bytes.")
    created_at = Timestamptz()
    ended_at = Timestamptz(null=True)
    expires_at = Timestamptz(null=True, help_text="When its file goes.")


TABLE_KINDS = {
    "conversation": Kind.SHARED,
    "participant": Kind.SHARED,
    "message": Kind.SHARED,
    "message_reaction": Kind.SHARED,
    "message_attachment": Kind.SHARED,
    "urgent_recipient": Kind.SHARED,
    "conversation_start": Kind.SHARED,
    "guest_link": Kind.PRACTICE,
    "quick_text": Kind.PRACTICE,
    "conversation_export": Kind.PRACTICE,
}
