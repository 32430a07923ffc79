"""Chat's part of the schema: types, reading and starting, who takes part, messages, and what is followed live."""

import strawberry

from bedside_chat.schema.conversations import ConversationMutation, ConversationQuery
from bedside_chat.schema.exports import ExportMutation, ExportQuery
from bedside_chat.schema.finding import FindingQuery
from bedside_chat.schema.live import ChatSubscription
from bedside_chat.schema.messages import MessageMutation, MessageQuery
from bedside_chat.schema.patients import ChatOfPatient, MessageOfEntry
from bedside_chat.schema.people import PeopleMutation, PeopleQuery
from bedside_graphql.api import GraphQLPart


@strawberry.type
class ChatQuery(ConversationQuery, PeopleQuery, MessageQuery, FindingQuery, ExportQuery):
    """Chat's queries."""


@strawberry.type
class ChatMutation(ConversationMutation, PeopleMutation, MessageMutation, ExportMutation):
    """Chat's mutations."""


PART = GraphQLPart(
    query=ChatQuery, mutation=ChatMutation, subscription=ChatSubscription, extend=(ChatOfPatient, MessageOfEntry)
)
