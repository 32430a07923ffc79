"""Who takes part in conversations: groups found, joined and changed, people added, left and removed (C7-C9)."""

from typing import Annotated

import strawberry

from bedside_chat.schema.guest_types import ByChannel, channel_of
from bedside_chat.schema.types import Conversation, ConversationId, Group, conversation_type, service
from bedside_chat.taking_part import Group as FoundGroup
from bedside_core.api import USUAL_PAGE
from bedside_graphql.api import After, Connection, First, Info, connection, gate, uuid_of


def _group(group: FoundGroup) -> Group:
    return Group(
        id=strawberry.ID(str(group.id)),
        name=group.name,
        description=group.description,
        members=group.members,
        joined=group.joined,
    )


@strawberry.type
class PeopleQuery:
    """Queries that find groups."""

    @strawberry.field(
        description="The practice's groups whose name holds the text, by name; private ones are not found (C8).",
        extensions=[gate("chat.find_groups", "team_chat")],
    )
    async def groups(
        self,
        info: Info,
        text: Annotated[str, strawberry.argument(description="Part of a name, in any case; empty is all.")] = "",
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[Group] | None:
        """Return a page of groups."""
        page = await service(info).groups(info.context.signed_in(), text, first=first, after=after)
        return connection(page, _group)


@strawberry.type
class PeopleMutation:
    """Mutations of who takes part."""

    @strawberry.mutation(
        description="Join a group that search finds.", extensions=[gate("chat.join_group", "team_chat")]
    )
    async def join_conversation(self, info: Info, conversation_id: ConversationId) -> Conversation | None:
        """Join a group."""
        return conversation_type(await service(info).join(info.context.signed_in(), uuid_of(conversation_id)))

    @strawberry.mutation(
        description="Add people: to a group anybody whom the practice allows, to a conversation with a patient or "
        "contact members of the practice. Whoever is in it may. A contact who is a member by now takes part as that "
        "member (C6).",
        extensions=[gate("chat.add_people")],
    )
    async def add_participants(
        self,
        info: Info,
        conversation_id: ConversationId,
        person_ids: Annotated[list[strawberry.ID], strawberry.argument(description="Who, at most 100.")],
        channel: ByChannel = None,
    ) -> Conversation | None:
        """Add people."""
        ids = [uuid_of(each) for each in person_ids]
        actor = info.context.signed_in()
        return conversation_type(
            await service(info).add(actor, uuid_of(conversation_id), ids, channel=channel_of(channel))
        )

    @strawberry.mutation(
        description="Remove somebody: from a group who made it or moderates, outsiders anybody of the practice in it. "
        "They hear and read nothing from then on. Oneself is not removed, but leaves (`leaveConversation`).",
        extensions=[gate("chat.remove_people")],
    )
    async def remove_participant(
        self,
        info: Info,
        conversation_id: ConversationId,
        person_id: Annotated[strawberry.ID, strawberry.argument(description="Who.")],
    ) -> Conversation | None:
        """Remove somebody."""
        actor = info.context.signed_in()
        return conversation_type(await service(info).remove(actor, uuid_of(conversation_id), uuid_of(person_id)))

    @strawberry.mutation(
        description="Leave a conversation (Leave Chat). A direct, external or patient one comes back with the next "
        "message. The last member in one with a patient or contact gets `LAST_MEMBER` until they confirm (C9).",
        extensions=[gate("chat.leave")],
    )
    async def leave_conversation(
        self,
        info: Info,
        conversation_id: ConversationId,
        last_member_confirmed: Annotated[
            bool, strawberry.argument(description="Leave also as the last of the practice.")
        ] = False,
    ) -> bool | None:
        """Leave a conversation."""
        return await service(info).leave(
            info.context.acting(), uuid_of(conversation_id), last_member_confirmed=last_member_confirmed
        )

    @strawberry.mutation(
        description="Change a group, as who made it or moderates; what is not given stays.",
        extensions=[gate("chat.add_people")],
    )
    async def change_group(
        self,
        info: Info,
        conversation_id: ConversationId,
        name: Annotated[str | None, strawberry.argument(description="What it is called from now on.")] = None,
        description: Annotated[
            str | None, strawberry.argument(description="What it is for; an empty text takes it away.")
        ] = None,
        private: Annotated[
            bool | None, strawberry.argument(description="Whether it is joined by invitation only.")
        ] = None,
    ) -> Conversation | None:
        """Change a group."""
        changed = await service(info).change_group(
            info.context.signed_in(), uuid_of(conversation_id), name=name, description=description, private=private
        )
        return conversation_type(changed)
