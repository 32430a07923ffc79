"""What a practice may set of its GraphQL access."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.settings import setting


@dataclass(frozen=True)
class GraphQLSettings:
    """How the practice's people and keys may use GraphQL."""

    persisted_only: bool = setting(
        False,
        "Accept nothing but documents on the deployment's allow-list from the practice's people. "
        "That list has to hold one that turns this off again; while it is empty, this does not count.",
    )
