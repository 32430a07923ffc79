"""What an operation may cost: its fields by weight, each multiplied by the page sizes of the lists around it (G4).

The cost is worked out from the document once, as a sum in which only page sizes given by variables are left open, and
evaluated with the variables of each request before anything is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,  # pyright: ignore[reportUnknownVariableType]
    is_list_type,  # pyright: ignore[reportUnknownVariableType]
)

from bedside_core.paging import LARGEST_PAGE, USUAL_PAGE
from bedside_graphql.measure import INTROSPECTION
from bedside_graphql.weight import weight_of

MUTATION = 10
"""What a mutation's root field costs, in fields."""

INTROSPECTION_SHARE = 20
"""How many fields count as one where an operation is introspection alone: it runs apart, once, and is remembered."""

PAGE_ARGUMENTS = ("first", "last")


@dataclass(frozen=True, slots=True)
class PageSize:
    """The size of a page: known, or a variable's value.

    Args:
        usual: the size where no variable tells it.
        variable: the variable that does.
        beside: the size by another argument of the same field; the larger counts.
    """

    usual: int
    variable: str | None = None
    beside: PageSize | None = None

    def of(self, variables: Mapping[str, Any]) -> int:
        """Return the size with these variables, clamped as the lists themselves clamp it (G2).

        JSON knows no integers: 100.0 and 1e2 are an Int too (GraphQL, 3.5.1). What is none counts as the largest page.
        """
        size = self.usual
        if self.variable is not None and self.variable in variables:
            value: object = variables[self.variable]
            if value is None:  # null stands for itself, not for the variable's default
                size = USUAL_PAGE
            elif isinstance(value, int) and not isinstance(value, bool):
                size = value
            elif isinstance(value, float) and value.is_integer():
                size = int(value)
            else:
                size = LARGEST_PAGE
        size = max(1, min(size, LARGEST_PAGE))
        return size if self.beside is None else max(size, self.beside.of(variables))


@dataclass(frozen=True, slots=True)
class Cost:
    """A sum: a number, and for each list whose page size is a variable that size times a further cost."""

    fixed: int = 0
    pages: tuple[tuple[PageSize, Cost], ...] = ()

    def plus(self, other: Cost) -> Cost:
        """Return the sum of both."""
        return Cost(self.fixed + other.fixed, self.pages + other.pages)

    def times(self, size: PageSize) -> Cost:
        """Return this cost once for each item of a page."""
        if size.variable is not None or size.beside is not None:
            return Cost(0, ((size, self),)) if self.fixed or self.pages else self
        number = size.of({})
        return Cost(self.fixed * number, tuple((page, each.times(size)) for page, each in self.pages))

    def of(self, variables: Mapping[str, Any]) -> int:
        """Return the number with these variables."""
        return self.fixed + sum(size.of(variables) * each.of(variables) for size, each in self.pages)


_ONE = Cost(1)


def cost_of(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    list_size: int,
) -> Cost:
    """Return the cost of an operation of a valid document.

    Args:
        schema: the document's schema.
        operation: the operation.
        fragments: the document's fragments by name.
        list_size: what a list without `first` counts as.
    """
    root = schema.get_root_type(operation.operation)
    if root is None:
        return Cost()
    defaults: dict[str, int] = {
        variable.variable.name.value: int(variable.default_value.value)
        for variable in operation.variable_definitions or ()
        if isinstance(variable.default_value, IntValueNode)
    }
    cost = _Counter(schema, fragments, defaults, list_size).selections(operation.selection_set, root, paged=False)
    if introspection_only(operation, fragments):
        return Cost(-(-cost.fixed // INTROSPECTION_SHARE))
    if operation.operation is OperationType.MUTATION:
        cost = cost.plus(Cost((MUTATION - 1) * len(operation.selection_set.selections)))
    return cost


def introspection_only(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> bool:
    """Tell whether an operation asks for nothing but the schema, so that its answer is always the same."""
    names = {field.name.value for field in root_fields(operation, fragments)}
    return bool(names & INTROSPECTION) and names <= INTROSPECTION | {"__typename"}


def root_fields(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> list[FieldNode]:
    """Return an operation's root fields as they are selected, each fragment looked into once."""
    fields: list[FieldNode] = []
    spread: set[str] = set()
    waiting = [operation.selection_set]
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FieldNode):
                fields.append(selection)
            elif isinstance(selection, InlineFragmentNode):
                waiting.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in spread:
                spread.add(selection.name.value)
                waiting.append(fragments[selection.name.value].selection_set)
    return fields


def _introspected(schema: GraphQLSchema) -> dict[str, int]:
    """Return how long introspection's lists are in this schema: known, or on average over its types."""
    kinds = [kind for kind in schema.type_map.values() if isinstance(kind, GraphQLObjectType)]
    fields = sum(len(kind.fields) for kind in kinds)
    arguments = sum(len(field.args) for kind in kinds for field in kind.fields.values())
    return {
        "types": len(schema.type_map),
        "directives": len(schema.directives),
        "fields": -(-fields // len(kinds)),
        "args": -(-arguments // fields),
        "interfaces": 1,
        "possibleTypes": 2,
        "enumValues": 4,
        "inputFields": 4,
    }


class _Counter:
    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        defaults: Mapping[str, int],
        list_size: int,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._defaults = defaults
        self._list_size = list_size
        self._known: dict[tuple[str, bool], Cost] = {}
        self._introspected: dict[str, int] = {}

    def selections(self, selections: SelectionSetNode, parent: GraphQLNamedType, *, paged: bool) -> Cost:
        """Return the cost of a selection; `paged` where the page around it has been counted already."""
        total = Cost()
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                total = total.plus(self._field(selection, parent, paged=paged))
            elif isinstance(selection, FragmentSpreadNode):
                total = total.plus(self._spread(selection.name.value, paged=paged))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = self._schema.get_type(condition.name.value) if condition else parent
                total = total.plus(self.selections(selection.selection_set, inner or parent, paged=paged))
        return total

    def _spread(self, name: str, *, paged: bool) -> Cost:
        if (name, paged) not in self._known:
            fragment = self._fragments[name]
            on = self._schema.get_type(fragment.type_condition.name.value)
            assert on is not None
            self._known[name, paged] = self.selections(fragment.selection_set, on, paged=paged)
        return self._known[name, paged]

    def _field(self, node: FieldNode, parent: GraphQLNamedType, *, paged: bool) -> Cost:
        field = self._schema.get_field(cast(GraphQLCompositeType, parent), node.name.value)
        if field is None:
            return _ONE
        itself = Cost(weight_of(field))
        if node.selection_set is None:
            return itself
        size = self._page(node, field)
        kind = cast(Any, field).type
        named = cast(GraphQLNamedType, get_named_type(kind))
        below = self.selections(node.selection_set, named, paged=size is not None)
        if size is not None:
            return below.times(size).plus(itself)
        if is_list_type(get_nullable_type(kind)) and not paged:
            return below.plus(itself).times(PageSize(self._length(parent, node.name.value)))
        return below.plus(itself)

    def _length(self, parent: GraphQLNamedType, field: str) -> int:
        if parent.name.startswith("__"):
            self._introspected = self._introspected or _introspected(self._schema)
            return self._introspected.get(field, self._list_size)
        return self._list_size

    def _page(self, node: FieldNode, field: GraphQLField) -> PageSize | None:
        """Return the size of the page that a field gives, None if it takes none; of both arguments the larger."""
        offered = [field.args[name] for name in PAGE_ARGUMENTS if name in field.args]
        if not offered:
            return None
        sizes: list[PageSize] = []
        for argument in node.arguments or ():
            if argument.name.value not in PAGE_ARGUMENTS:
                continue
            if isinstance(argument.value, VariableNode):
                name = argument.value.name.value
                sizes.append(PageSize(self._defaults.get(name, USUAL_PAGE), name))
            elif isinstance(argument.value, IntValueNode):
                sizes.append(PageSize(int(argument.value.value)))
        if sizes:
            return reduce(lambda one, other: replace(one, beside=other), sizes)
        defaults: list[object] = [argument.default_value for argument in offered]
        return PageSize(max((value for value in defaults if isinstance(value, int)), default=USUAL_PAGE))
