"""What chat adds to a patient: the way into a conversation, and what the timeline tells of messages (C5, P9)."""

import strawberry

from bedside_chat.schema.types import (
    ComposerState,
    Conversation,
    Message,
    conversation_type,
    message_type,
    service,
    state_type,
)
from bedside_chat.ways_in import MESSAGE_SENT, WaysIn
from bedside_graphql.api import Info, gate, uuid_of


@strawberry.type(description="How one comes to a conversation with a patient.")
class PatientChat:
    """A way in."""

    conversation: Conversation | None = strawberry.field(
        description="One's conversation with them, the most recently active; null where there is none."
    )
    start: ComposerState = strawberry.field(
        description="Whether one can be started with `startPatientConversation`, or why not. Where the portal account "
        "is missing, a link reaches the patient (C2)."
    )


@strawberry.type(name="Patient")
class ChatOfPatient:
    """What chat adds to a patient."""

    id: strawberry.Private[strawberry.ID]

    @strawberry.field(
        description="One's conversation with the patient, and whether one can be started (C5).",
        extensions=[gate("chat.start_with_patient")],
    )
    async def chat(self, info: Info) -> PatientChat | None:
        """Return the way in, through the operation's DataLoader."""
        ways = WaysIn(info.context.platform, info.context.signed_in())
        found = await info.context.loader(ways).load(uuid_of(self.id))
        if found is None:
            return None
        there = found.conversation
        return PatientChat(conversation=conversation_type(there) if there else None, start=state_type(found.refusal))


@strawberry.type(name="TimelineEntry")
class MessageOfEntry:
    """What chat adds to an entry of a timeline."""

    id: strawberry.Private[strawberry.ID]
    kind: strawberry.Private[str]

    @strawberry.field(
        description="The message, of `chat.message`: its text is for whom takes part in the conversation, who alone "
        "sees the entry.",
        extensions=[gate("chat.read")],
    )
    async def message(self, info: Info) -> Message | None:
        """Return the message, through the operation's DataLoader."""
        if self.kind != MESSAGE_SENT:
            return None
        found = await info.context.loader(service(info).messages_by_id).load(uuid_of(self.id))
        return message_type(found) if found else None
