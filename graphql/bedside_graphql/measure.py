"""Measures a document before it is validated, in time linear in its tokens, and refuses what is out of bounds.

Fragments are measured once each and counted wherever they are spread, so that one that doubles at each of thirty
steps is refused by arithmetic instead of being expanded.
"""

from __future__ import annotations

from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from bedside_core.errors import Problem
from bedside_graphql import problems
from bedside_graphql.config import GraphQLConfig

INTROSPECTION = frozenset({"__schema", "__type"})
"""Root fields that tell the schema."""

INTROSPECTION_DEPTH = 20
"""Most fields within fields below these; the usual query of development tools needs 14."""


class Extent(NamedTuple):
    """How far a selection reaches, fragments expanded.

    Args:
        depth: fields within fields.
        introspection: the same below `__schema` and `__type`.
        fields: how many fields are selected.
        aliases: how many of them are renamed.
    """

    depth: int
    introspection: int
    fields: int
    aliases: int


_NOTHING = Extent(0, 0, 0, 0)


def measure(document: DocumentNode, config: GraphQLConfig) -> None:
    """Refuse a document that is out of bounds.

    Args:
        document: as parsed, perhaps invalid.
        config: the bounds.

    Raises:
        problems.TooManyDefinitions: too many operations and fragments, each of which costs validation a round.
        problems.TooDeep: nested too deeply, by fields or by fragments that spread each other.
        problems.TooManyAliases: too many renamed fields in an operation.
        problems.TooManyFields: too many fields in an operation.
        problems.ValidationFailed: fragments spread each other in a circle.
    """
    if len(document.definitions) > config.max_definitions:
        raise problems.TooManyDefinitions(
            "The document has too many operations and fragments.",
            way_on="Send those that are needed.",
            detail={"limit": config.max_definitions},
        )
    ruler = _Ruler(document, 4 * (config.max_depth + INTROSPECTION_DEPTH))
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            extent = ruler.extent(definition.selection_set)
            _refuse(problems.TooDeep, "is nested too deeply", extent.depth, config.max_depth)
            _refuse(problems.TooDeep, "is nested too deeply", extent.introspection, INTROSPECTION_DEPTH)
            _refuse(problems.TooManyAliases, "has too many aliases", extent.aliases, config.max_aliases)
            _refuse(problems.TooManyFields, "selects too many fields", extent.fields, config.max_fields)
    for name in ruler.fragments:
        ruler.fragment(name)


def _refuse(kind: type[Problem], words: str, found: int, limit: int) -> None:
    if found > limit:
        raise kind(f"The operation {words}.", way_on="Split it into several.", detail={"limit": limit})


class _Ruler:
    """Measures selections; `steps` bounds how many fields and spreads may lie within one another."""

    def __init__(self, document: DocumentNode, steps: int) -> None:
        self.fragments = {
            definition.name.value: definition.selection_set
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measured: dict[str, Extent | None] = {}
        self._steps = steps

    def extent(self, selections: SelectionSetNode, steps: int = 0) -> Extent:
        if steps > self._steps:
            raise problems.TooDeep("The operation is nested too deeply.", detail={"limit": self._steps})
        depth = introspection = fields = aliases = 0
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                below = self.extent(selection.selection_set, steps + 1) if selection.selection_set else _NOTHING
                fields += 1 + below.fields
                aliases += (selection.alias is not None) + below.aliases
                if selection.name.value in INTROSPECTION:
                    depth = max(depth, 1)
                    introspection = max(introspection, below.depth)
                else:
                    depth = max(depth, 1 + below.depth)
                    introspection = max(introspection, below.introspection)
            else:
                below = self._inner(selection, steps + 1)
                fields += below.fields
                aliases += below.aliases
                depth = max(depth, below.depth)
                introspection = max(introspection, below.introspection)
        return Extent(depth, introspection, fields, aliases)

    def _inner(self, selection: object, steps: int) -> Extent:
        if isinstance(selection, InlineFragmentNode):
            return self.extent(selection.selection_set, steps)
        assert isinstance(selection, FragmentSpreadNode)
        return self.fragment(selection.name.value, steps)

    def fragment(self, name: str, steps: int = 0) -> Extent:
        if name not in self.fragments:
            return _NOTHING  # validation refuses it, with the place
        if name not in self._measured:
            self._measured[name] = None
            self._measured[name] = self.extent(self.fragments[name], steps)
        extent = self._measured[name]
        if extent is None:  # it is being measured: it lies within itself
            raise problems.ValidationFailed(f"Fragment '{name[:100]}' spreads itself, perhaps through others.")
        return extent
