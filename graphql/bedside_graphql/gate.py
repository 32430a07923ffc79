"""The gate on a field: the caller needs the permission, and the caller's practice the feature (L3).

Every root field and every field added to another plugin's type carries a `gate` or says `public`; the schema shows
which (`@gated`, `@public`). A refused field is null with a coded error, and the rest of the query is answered, so
gated fields are nullable.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.extensions.field_extension import AsyncExtensionResolver
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from bedside_graphql.context import Context, Info


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION], name="gated", description="What a caller needs to use this field."
)
class Gated:
    """Shows a gate in the schema."""

    permission: str = strawberry.directive_field(name="permission", default=strawberry.UNSET)
    feature: str | None = strawberry.directive_field(name="feature", default=strawberry.UNSET)


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION], name="public", description="Anybody may use this field, signed in or not."
)
class PublicField:
    """Shows in the schema that a field has no gate on purpose."""


class gate(FieldExtension):
    """Let a field be used only by actors who have the permission, in practices that have the feature.

    Args:
        permission: the action's key.
        feature: the feature the field belongs to; named here too, so that the schema shows it.
    """

    def __init__(self, permission: str, feature: str | None = None) -> None:
        self.permission = permission
        self.feature = feature

    def apply(self, field: StrawberryField) -> None:
        """Show the gate in the schema; once, though the field may stand in several schemas."""
        if not any(isinstance(directive, Gated) for directive in field.directives):
            feature = strawberry.UNSET if self.feature is None else self.feature
            field.directives = [*field.directives, Gated(permission=self.permission, feature=feature)]

    async def check(self, context: Context) -> None:
        """Raise the refusal, if there is one.

        Raises:
            bedside_core.errors.Problem: coded by the blocking rule.
        """
        await context.platform.access.require(context.actor, self.permission, feature=self.feature, about_target=False)

    async def resolve_async(self, next_: AsyncExtensionResolver, source: Any, info: Info, **kwargs: Any) -> Any:
        """Check, then resolve."""
        await self.check(info.context)
        result = next_(source, info, **kwargs)
        return await result if inspect.isawaitable(result) else result


class _Public(FieldExtension):
    def apply(self, field: StrawberryField) -> None:
        if not any(isinstance(directive, PublicField) for directive in field.directives):
            field.directives = [*field.directives, PublicField()]


public = _Public()
"""Says that a field is for everybody, on purpose. It costs nothing when the field is resolved."""


def gates_of(field: StrawberryField) -> Sequence[gate]:
    """Return the gates on a field."""
    return [extension for extension in field.extensions if isinstance(extension, gate)]


def is_guarded(field: StrawberryField) -> bool:
    """Tell whether a field has a gate or is public on purpose."""
    return any(isinstance(extension, gate | _Public) for extension in field.extensions)
