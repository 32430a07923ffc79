"""What one plugin contributes to the schema."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class GraphQLPart:
    """A plugin's part of the schema, out of Strawberry types.

    Args:
        query: type whose fields become fields of `Query`.
        mutation: type whose fields become fields of `Mutation`; flat, since namespaced ones lose serial execution.
        subscription: type whose fields become fields of `Subscription`.
        extend: like SDL's `extend type X`: types named X whose fields are added to another plugin's X. Fields that the
            class only reads from the extended object are `strawberry.Private`. Added fields are nullable and gated.
        types: types that no field reaches, for example implementations of an interface.
    """

    query: type | None = None
    mutation: type | None = None
    subscription: type | None = None
    extend: tuple[type, ...] = ()
    types: tuple[type, ...] = ()

    def contributions(self) -> list[tuple[str | None, type]]:
        """Return (target type's GraphQL name, class) of each class; None where the class names its target itself."""
        roots: list[tuple[str | None, type | None]] = [
            ("Query", self.query),
            ("Mutation", self.mutation),
            ("Subscription", self.subscription),
        ]
        return [(name, source) for name, source in roots if source is not None] + [(None, item) for item in self.extend]
