"""Chat's part of the schema: reading and starting, who takes part, messages, guests' links, what is followed live."""

import strawberry

from bedside_chat.schema.conversations import ConversationMutation, ConversationQuery
from bedside_chat.schema.guests import GuestMutation
from bedside_chat.schema.live import ChatSubscription
from bedside_chat.schema.messages import MessageMutation, MessageQuery
from bedside_chat.schema.people import PeopleMutation, PeopleQuery
from bedside_graphql.api import GraphQLPart


@strawberry.type
class ChatQuery(ConversationQuery, PeopleQuery, MessageQuery):
    """Chat's queries."""


@strawberry.type
class ChatMutation(ConversationMutation, PeopleMutation, MessageMutation, GuestMutation):
    """Chat's mutations."""


PART = GraphQLPart(query=ChatQuery, mutation=ChatMutation, subscription=ChatSubscription)
