"""How the deployment's plugins fare, and what the viewer may do."""

from typing import Annotated
from uuid import UUID

import strawberry

from bedside_core import access, errors
from bedside_core import plugins as core_plugins
from bedside_graphql.context import Info
from bedside_graphql.gate import public
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import uuid_of

NOTHING = UUID(int=0)
"""The id of nothing (RFC 9562, 5.9)."""


@strawberry.type(description="How a plugin fares.")
class Plugin:
    """One plugin's report."""

    name: str = strawberry.field(description="The plugin's name.")
    title: str = strawberry.field(description="What people read.")
    version: str = strawberry.field(description="Version of its distribution.")
    status: core_plugins.Status = strawberry.field(description="Whether it works.")
    reason: str | None = strawberry.field(
        description="Why it does not, if so; always null for those who are not signed in."
    )


@strawberry.type(description="Whether something may be done, and if not, why and what then.")
class Permit:
    """The answer of `can`, and of fields that tell the same of one action."""

    allowed: bool = strawberry.field(description="Whether it may be done.")
    rule: access.Rule | None = strawberry.field(description="The kind of rule that stands in the way.")
    code: str | None = strawberry.field(description="The error code that doing it would give.")
    message: str | None = strawberry.field(description="Why not, for a person.")
    way_on: str | None = strawberry.field(description="What can be done about it.")
    feature: str | None = strawberry.field(description="The missing feature, where the plan is in the way.")
    tier: access.Tier | None = strawberry.field(description="The lowest tier with that feature.")


def permit_of(refusal: access.Refusal | None) -> Permit:
    """Return a refusal, or that there is none, as GraphQL shows it; for plugins whose fields tell what may be done."""
    return Permit(
        allowed=refusal is None,
        rule=refusal.rule if refusal else None,
        code=refusal.code if refusal else None,
        message=refusal.message if refusal else None,
        way_on=refusal.way_on if refusal else None,
        feature=refusal.feature if refusal else None,
        tier=access.Tier(refusal.tier) if refusal and refusal.tier else None,
    )


def _key_of(id: strawberry.ID) -> UUID:
    """Return the key in a target's id; what is none of ours is asked about like an id that is nobody's (promise A1)."""
    try:
        return uuid_of(id)
    except errors.NotFound:
        return NOTHING


@strawberry.type
class DeploymentQuery:
    """Queries of what is there and what is allowed."""

    @strawberry.field(description="The plugins of this deployment and how they fare.", extensions=[public])
    async def plugins(self, info: Info) -> list[Plugin]:
        """Return the plugins' reports; reasons are for those who are signed in."""
        actor = info.context.actor
        told = actor is not None and actor.pending is None and actor.guest is None
        return [
            Plugin(
                name=report.name,
                title=report.title,
                version=report.version,
                status=report.status,
                reason=report.reason if told else None,
            )
            for report in info.context.platform.plugins.report()
        ]

    @strawberry.field(description="Whether the viewer may do something, and if not, why.", extensions=[public])
    async def can(
        self,
        info: Info,
        action: Annotated[str, strawberry.argument(description="A permission as in `@gated`, e.g. `chat.send`.")],
        target: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Id of what it would be done to, if anything."),
        ] = None,
    ) -> Permit | None:
        """Return the answer of `access`.

        Raises:
            errors.InvalidInput: there is no such action, or it has no target.
        """
        core = info.context.platform.access
        declared = core.permissions.get(action)
        if target is not None and declared is not None and declared.check is None:
            raise errors.InvalidInput("This action is not about a target.", way_on="Ask without it.", field=("target",))
        refusal = await core.why_not(info.context.actor, action, _key_of(target) if target is not None else None)
        return permit_of(refusal)


PART = GraphQLPart(query=DeploymentQuery)
