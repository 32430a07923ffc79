"""What one plugin contributes to the schema."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

InboxLoad = Callable[[Any, Mapping[UUID, str]], Awaitable[Mapping[UUID, object]]]
"""Given `info` and thing -> cursor, returns thing -> event: each thing as it is now for who asks, in a fixed number of
statements. Things that they may not see, or see no more, are left out."""


@dataclass(frozen=True, kw_only=True)
class InboxKind:
    """Things of one kind that the subscription `inbox` tells people of (C16).

    Args:
        event: Strawberry type of the event; a field `cursor: str` holds the cursor that `load` is given.
        load: loads what has changed.
    """

    event: type
    load: InboxLoad


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
        inbox: kind of thing, named `<plugin>.<kind>` as it is told by `platform.inbox.tell`, -> how it is shown. None
            contributes nothing.
    """

    query: type | None = None
    mutation: type | None = None
    subscription: type | None = None
    extend: tuple[type, ...] = ()
    types: tuple[type, ...] = ()
    inbox: Mapping[str, InboxKind] | None = None

    def contributions(self) -> list[tuple[str | None, type]]:
        """Return (target type's GraphQL name, class) of each class; None where the class names its target itself."""
        roots: list[tuple[str | None, type | None]] = [
            ("Query", self.query),
            ("Mutation", self.mutation),
            ("Subscription", self.subscription),
        ]
        return [(name, source) for name, source in roots if source is not None] + [(None, item) for item in self.extend]
