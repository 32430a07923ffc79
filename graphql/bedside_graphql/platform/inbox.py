"""Core's part of the inbox: it is there whatever plugins contribute to it, for changes of plan and rights."""

from __future__ import annotations

from bedside_graphql.part import GraphQLPart

PART = GraphQLPart(inbox={})
