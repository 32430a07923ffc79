"""What a field costs where it is more than one: declared on the field, shown in the schema, counted by `cost` (G4).

The directive is that of the GraphQL Cost Directives Specification (IBM, draft), `@cost(weight: "500")`.
"""

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


def weight_of(field: GraphQLField) -> int:
    """Return as how many plain fields a field of a built schema counts: 1 unless it is `weighed`."""
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryField):
        return 1
    return max((item.weight for item in definition.extensions if isinstance(item, weighed)), default=1)
