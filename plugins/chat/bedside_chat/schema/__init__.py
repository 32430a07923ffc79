"""Chat's part of the schema: types, reading and starting, who takes part, messages, and what is followed live."""

import strawberry

from bedside_chat.schema.conversations import ConversationMutation, ConversationQuery
from bedside_chat.schema.inbox import INBOX, InboxQuery, RemovedBadges
from bedside_chat.schema.live import ConversationSubscription
from bedside_chat.schema.messages import MessageMutation, MessageQuery
from bedside_chat.schema.nearby import NearbyMutation, NearbySubscription
from bedside_chat.schema.people import PeopleMutation, PeopleQuery
from bedside_graphql.api import GraphQLPart


@strawberry.type
class ChatQuery(ConversationQuery, PeopleQuery, MessageQuery, InboxQuery):
    """Chat's queries."""


@strawberry.type
class ChatMutation(ConversationMutation, PeopleMutation, MessageMutation, NearbyMutation):
    """Chat's mutations."""


@strawberry.type
class ChatSubscription(ConversationSubscription, NearbySubscription):
    """Chat's subscriptions."""


PART = GraphQLPart(
    query=ChatQuery, mutation=ChatMutation, subscription=ChatSubscription, extend=(RemovedBadges,), inbox=INBOX
)
