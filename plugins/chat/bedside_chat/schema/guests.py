"""Links by which people without an account reach a conversation: how they stand, sent and called off (C6)."""

from typing import Annotated

import strawberry

from bedside_chat.guests import Guests
from bedside_chat.schema.guest_types import ByChannel, channel_of
from bedside_chat.schema.types import Conversation, ConversationId, conversation_type
from bedside_graphql.api import Info, gate, uuid_of

PersonId = Annotated[strawberry.ID, strawberry.argument(description="The patient or contact, a participant.")]


@strawberry.type
class GuestMutation:
    """Mutations of links."""

    @strawberry.mutation(
        description="Send a participant without an account the link to the conversation, for the first time or again. "
        "An older one is void from then on, and whoever came by it is put out. Who left comes back by it. A contact "
        "who is a member by now gets `CONFLICT`, whose `memberId` is whom to write to (C6).",
        extensions=[gate("chat.send_link")],
    )
    async def send_guest_link(
        self,
        info: Info,
        conversation_id: ConversationId,
        person_id: PersonId,
        channel: ByChannel = None,
    ) -> Conversation | None:
        """Send a link."""
        sent = await info.context.platform.service(Guests).send_link(
            info.context.signed_in(), uuid_of(conversation_id), uuid_of(person_id), channel_of(channel)
        )
        return conversation_type(sent)

    @strawberry.mutation(
        description="Call a link off. Whoever came by it is refused at once, and their sockets are closed within a "
        "second on every server.",
        extensions=[gate("chat.revoke_link")],
    )
    async def revoke_guest_link(
        self, info: Info, conversation_id: ConversationId, person_id: PersonId
    ) -> Conversation | None:
        """Call a link off."""
        now = await info.context.platform.service(Guests).revoke_link(
            info.context.signed_in(), uuid_of(conversation_id), uuid_of(person_id)
        )
        return conversation_type(now)
