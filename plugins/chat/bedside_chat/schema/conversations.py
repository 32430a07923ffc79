"""Reading and starting conversations (C1-C7)."""

from typing import Annotated

import strawberry

from bedside_chat.schema.guest_types import ByChannel, channel_of
from bedside_chat.schema.types import Conversation, ConversationId, conversation_type, service
from bedside_core.api import USUAL_PAGE
from bedside_graphql.api import After, ClientId, Connection, First, Info, client_id_of, connection, gate, uuid_of


@strawberry.type
class ConversationQuery:
    """Queries of conversations."""

    @strawberry.field(
        description="One's conversations, the most recently active first. Those that the plan no longer covers stay "
        "readable (L5); `composer` tells what is closed.",
        extensions=[gate("chat.read")],
    )
    async def conversations(
        self,
        info: Info,
        first: First = USUAL_PAGE,
        after: After = None,
        text: Annotated[
            str,
            strawberry.argument(
                description="Those alone that are called so, or have somebody in them who is: beginnings of words."
            ),
        ] = "",
    ) -> Connection[Conversation] | None:
        """Return a page of conversations."""
        page = await service(info).conversations(info.context.acting(), first=first, after=after, text=text)
        return connection(page, conversation_type)

    @strawberry.field(description="One of one's conversations.", extensions=[gate("chat.read")])
    async def conversation(self, info: Info, id: ConversationId) -> Conversation | None:
        """Return one conversation."""
        return conversation_type(await service(info).conversation(info.context.acting(), uuid_of(id)))


@strawberry.type(name="Portal")
class PortalConversations:
    """What chat adds to what a patient has in the portal (S10)."""

    @strawberry.field(
        description="The patient's conversations, the most recently active first; those that the plan no longer covers "
        "stay readable (L5).",
        extensions=[gate("chat.read")],
    )
    async def conversations(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[Conversation] | None:
        """Return a page of conversations."""
        page = await service(info).conversations(info.context.acting(), first=first, after=after, text="")
        return connection(page, conversation_type)


@strawberry.type
class ConversationMutation:
    """Mutations that start conversations."""

    @strawberry.mutation(
        description="Start the direct conversation with a member of one's own or a connected practice, or return it "
        "if there is one.",
        extensions=[gate("chat.start", "team_chat")],
    )
    async def start_conversation(
        self,
        info: Info,
        member_id: Annotated[strawberry.ID, strawberry.argument(description="The other person, out of `search`.")],
        client_id: ClientId,
    ) -> Conversation | None:
        """Start a direct conversation."""
        actor = info.context.signed_in()
        made = await service(info).start_direct(actor, uuid_of(member_id), client_id_of(client_id))
        return conversation_type(made)

    @strawberry.mutation(
        description="Start one's conversation with a patient, or return it if there is one. A patient without an "
        "active portal account is refused with `PORTAL_ACCOUNT_NEEDED`, unless they are to be reached by a link (C2).",
        extensions=[gate("chat.start_with_patient")],
    )
    async def start_patient_conversation(
        self,
        info: Info,
        patient_id: Annotated[strawberry.ID, strawberry.argument(description="The patient.")],
        client_id: ClientId,
        by_link: Annotated[
            bool, strawberry.argument(description="Reach them by a link where they have no active portal account.")
        ] = False,
        channel: ByChannel = None,
    ) -> Conversation | None:
        """Start a conversation with a patient."""
        made = await service(info).start_with_patient(
            info.context.signed_in(),
            uuid_of(patient_id),
            client_id_of(client_id),
            by_link=by_link,
            channel=channel_of(channel),
        )
        return conversation_type(made)

    @strawberry.mutation(
        description="Start one's conversation with an external contact, or return it. They are sent a link, unless one "
        "that was sent before is open still. A contact who is a member of one's own or a connected practice by now "
        "gets no link: it is the direct conversation with that member (C6).",
        extensions=[gate("chat.start_with_contact")],
    )
    async def start_external_conversation(
        self,
        info: Info,
        contact_id: Annotated[strawberry.ID, strawberry.argument(description="The contact.")],
        client_id: ClientId,
        channel: ByChannel = None,
    ) -> Conversation | None:
        """Start a conversation with a contact."""
        actor = info.context.signed_in()
        made = await service(info).start_with_contact(
            actor, uuid_of(contact_id), client_id_of(client_id), channel=channel_of(channel)
        )
        return conversation_type(made)

    @strawberry.mutation(
        description="As a patient: start one's conversation with a practitioner, or return it. A practitioner who is "
        "not available for it is refused with `NOT_AVAILABLE`; a conversation that there is goes on (C4).",
        extensions=[gate("chat.start_with_practitioner")],
    )
    async def start_practitioner_conversation(
        self,
        info: Info,
        member_id: Annotated[strawberry.ID, strawberry.argument(description="The practitioner.")],
        client_id: ClientId,
    ) -> Conversation | None:
        """Start a conversation with a practitioner."""
        actor = info.context.signed_in()
        made = await service(info).start_with_practitioner(actor, uuid_of(member_id), client_id_of(client_id))
        return conversation_type(made)

    @strawberry.mutation(
        description="Open the conversation of all members of the practice.",
        extensions=[gate("chat.open_team", "team_chat")],
    )
    async def open_team_conversation(self, info: Info, client_id: ClientId) -> Conversation | None:
        """Open the team's conversation."""
        return conversation_type(await service(info).open_team(info.context.signed_in(), client_id_of(client_id)))

    @strawberry.mutation(
        description="Create a group. Contacts and members of connected practices only where the practice allows them "
        "(C7).",
        extensions=[gate("chat.create_group", "team_chat")],
    )
    async def create_group(
        self,
        info: Info,
        name: Annotated[str, strawberry.argument(description="What it is called, 1 to 100 characters.")],
        client_id: ClientId,
        description: Annotated[
            str | None, strawberry.argument(description="What it is for, at most 1,000 characters.")
        ] = None,
        person_ids: Annotated[
            list[strawberry.ID] | None, strawberry.argument(description="Who is in it besides oneself, at most 100.")
        ] = None,
        private: Annotated[
            bool, strawberry.argument(description="Whether search does not find it, and it is joined by invitation.")
        ] = False,
        channel: ByChannel = None,
    ) -> Conversation | None:
        """Create a group."""
        made = await service(info).create_group(
            info.context.signed_in(),
            name,
            description,
            [uuid_of(each) for each in person_ids or ()],
            client_id_of(client_id),
            private=private,
            channel=channel_of(channel),
        )
        return conversation_type(made)
