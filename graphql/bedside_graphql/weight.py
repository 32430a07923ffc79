"""What a field costs where it is more than one, and whether it may be repeated: shown in the schema, kept by us (G4).

The directive `@cost` is that of the GraphQL Cost Directives Specification (IBM, draft), `@cost(weight: "500")`.
"""

from collections.abc import Sequence

import strawberry
from graphql import GraphQLField
from strawberry.extensions import FieldExtension
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION], name="cost", description="What this field counts as, in plain fields."
)
class CostWeight:
    """Shows a weight in the schema."""

    weight: str = strawberry.directive_field(name="weight")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="once",
    description="An operation has at most one field marked so, and that under one name.",
)
class Once:
    """Shows in the schema that a root field can't be repeated in an operation."""


class weighed(FieldExtension):
    """Have a field count as more than one, since its work does.

    Args:
        weight: as how many plain fields it counts, wherever and however often it is selected.
    """

    def __init__(self, weight: int) -> None:
        self.weight = weight

    def apply(self, field: StrawberryField) -> None:
        """Show the weight in the schema; once, though the field may stand in several schemas."""
        if not any(isinstance(directive, CostWeight) for directive in field.directives):
            field.directives = [*field.directives, CostWeight(weight=str(self.weight))]


class _Once(FieldExtension):
    def apply(self, field: StrawberryField) -> None:
        if not any(isinstance(directive, Once) for directive in field.directives):
            field.directives = [*field.directives, Once()]


once = _Once()
"""Has a root field refused beside itself, and beside any other marked so: one request is one try of a password (A5)."""


def weight_of(field: GraphQLField) -> int:
    """Return as how many plain fields a field of a built schema counts: 1 unless it is `weighed`."""
    return max((item.weight for item in _extensions(field) if isinstance(item, weighed)), default=1)


def is_once(field: GraphQLField) -> bool:
    """Tell whether a field of a built schema can't be repeated in an operation."""
    return any(item is once for item in _extensions(field))


def _extensions(field: GraphQLField) -> Sequence[FieldExtension]:
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return definition.extensions if isinstance(definition, StrawberryField) else ()
