"""Chat's part of the schema: conversations, who takes part, messages, guests' links, quick texts, what is live."""

import strawberry

from bedside_chat.schema.appointments import ChatOfAppointment
from bedside_chat.schema.conversations import ConversationMutation, ConversationQuery, PortalConversations
from bedside_chat.schema.exports import ExportMutation, ExportQuery
from bedside_chat.schema.finding import FindingQuery
from bedside_chat.schema.guests import GuestMutation
from bedside_chat.schema.inbox import INBOX, InboxQuery, RemovedBadges
from bedside_chat.schema.live import ConversationSubscription
from bedside_chat.schema.messages import MessageMutation, MessageQuery
from bedside_chat.schema.nearby import NearbyMutation, NearbySubscription
from bedside_chat.schema.patients import ChatOfPatient, MessageOfEntry
from bedside_chat.schema.people import PeopleMutation, PeopleQuery
from bedside_chat.schema.quick_texts import QuickTextMutation, QuickTextQuery
from bedside_graphql.api import GraphQLPart


@strawberry.type
class ChatQuery(ConversationQuery, PeopleQuery, MessageQuery, QuickTextQuery, InboxQuery, FindingQuery, ExportQuery):
    """Chat's queries."""


@strawberry.type
class ChatMutation(
    ConversationMutation,
    PeopleMutation,
    MessageMutation,
    GuestMutation,
    QuickTextMutation,
    NearbyMutation,
    ExportMutation,
):
    """Chat's mutations."""


@strawberry.type
class ChatSubscription(ConversationSubscription, NearbySubscription):
    """Chat's subscriptions."""


PART = GraphQLPart(
    query=ChatQuery,
    mutation=ChatMutation,
    subscription=ChatSubscription,
    extend=(RemovedBadges, ChatOfPatient, ChatOfAppointment, MessageOfEntry, PortalConversations),
    inbox=INBOX,
)
