"""Everything of the GraphQL plugin that other plugins may import; its surface has a snapshot and grows by addition."""

from bedside_graphql.context import Context, Info
from bedside_graphql.gate import gate, public
from bedside_graphql.hookspecs import GraphQLHooks
from bedside_graphql.part import GraphQLPart, InboxKind, InboxLoad
from bedside_graphql.platform import File, Member, Patient, Practice, file_type, member_of, patient_type
from bedside_graphql.platform.deployment import Permit, permit_of
from bedside_graphql.platform.registration import SecurityAnswerInput
from bedside_graphql.ratelimit import PerMinute
from bedside_graphql.types import (
    SCALARS,
    After,
    ClientId,
    Connection,
    Edge,
    First,
    PageInfo,
    Phone,
    Zone,
    client_id_of,
    connection,
    uuid_of,
)
from bedside_graphql.weight import once, weighed

__all__ = [
    "SCALARS",
    "After",
    "ClientId",
    "Connection",
    "Context",
    "Edge",
    "File",
    "First",
    "GraphQLHooks",
    "GraphQLPart",
    "InboxKind",
    "InboxLoad",
    "Info",
    "Member",
    "PageInfo",
    "Patient",
    "PerMinute",
    "Permit",
    "Phone",
    "Practice",
    "SecurityAnswerInput",
    "Zone",
    "client_id_of",
    "connection",
    "file_type",
    "gate",
    "member_of",
    "once",
    "patient_type",
    "permit_of",
    "public",
    "uuid_of",
    "weighed",
]
