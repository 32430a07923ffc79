"""The eighth hook of the plugin contract, published by this plugin: what a plugin adds to the GraphQL schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedside_core.hookspecs import hookspec

if TYPE_CHECKING:
    from bedside_core.platform import Platform
    from bedside_graphql.part import GraphQLPart


class GraphQLHooks:
    """The hook that the GraphQL plugin asks of the others."""

    @hookspec
    def graphql(self, platform: Platform) -> GraphQLPart | None:
        """Return your part of the schema: root fields, types, and fields you add to other plugins' types."""
