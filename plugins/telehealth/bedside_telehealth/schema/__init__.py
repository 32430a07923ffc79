"""Telehealth's part of the schema: sessions, who is in them, who waits, and what changes live."""

import strawberry

from bedside_graphql.api import GraphQLPart
from bedside_telehealth.schema.admission import AdmissionMutation, PlaceQuery
from bedside_telehealth.schema.live import INBOX, SessionSubscription
from bedside_telehealth.schema.sessions import SessionMutation, SessionQuery


@strawberry.type
class TelehealthQuery(SessionQuery, PlaceQuery):
    """Telehealth's queries."""


@strawberry.type
class TelehealthMutation(SessionMutation, AdmissionMutation):
    """Telehealth's mutations."""


PART = GraphQLPart(query=TelehealthQuery, mutation=TelehealthMutation, subscription=SessionSubscription, inbox=INBOX)
