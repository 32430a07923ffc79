"""Practices as GraphQL shows them: one's own, and for the operator all."""

from typing import Annotated

import strawberry

from bedside_core import access, people
from bedside_core.founding import found_practice
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.platform.invitations import FirstOwnerInput
from bedside_graphql.types import After, ClientId, Connection, First, Zone, client_id_of, connection, uuid_of


@strawberry.type(description="A feature, and whether the practice has it.")
class Feature:
    """A feature's state."""

    key: str = strawberry.field(description="Stable name.")
    title: str = strawberry.field(description="What people read.")
    description: str = strawberry.field(description="What one has with it.")
    enabled: bool = strawberry.field(description="Whether the practice has it now.")
    reason: access.Reason = strawberry.field(description="Why it has it or not.")
    tier: access.Tier | None = strawberry.field(description="The lowest tier that includes it; null is every tier.")


@strawberry.type(description="A practice: the tenant that everything belongs to.")
class Practice:
    """The practice acted for."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    name: str = strawberry.field(description="The practice's name.")
    zone: Zone = strawberry.field(description="The practice's time zone.")

    @strawberry.field(
        description="What the practice tells another one that is to ask for a connection; for its own people.",
        extensions=[gate("practice.read")],
    )
    async def handle(self, info: Info) -> str | None:
        """Return the handle."""
        wanted = uuid_of(self.id)
        if wanted != info.context.signed_in().practice_id:
            return None
        found = await info.context.loader(info.context.platform.people.practices_by_id).load(wanted)
        return found.handle if found else None

    @strawberry.field(description="Every feature, with whether the practice has it and why.")
    async def features(self, info: Info) -> list[Feature]:
        """Return the features' states, by key."""
        core = info.context.platform.access
        states = await core.states(uuid_of(self.id))
        return [
            Feature(
                key=key,
                title=core.features[key].title,
                description=core.features[key].doc,
                enabled=state.enabled,
                reason=state.reason,
                tier=access.Tier(state.tier) if state.tier else None,
            )
            for key, state in sorted(states.items())
            if key in core.features
        ]


def _practice(practice: people.Practice) -> Practice:
    return Practice(id=strawberry.ID(str(practice.id)), name=practice.name, zone=Zone(practice.zone))


async def own_practice(info: Info) -> Practice | None:
    """Return the practice that a member acts for."""
    practice_id, _ = info.context.signed_in().in_practice()
    found = await info.context.platform.people.practice(practice_id)
    return _practice(found) if found else None


@strawberry.type
class PracticeQuery:
    """Queries of practices."""

    @strawberry.field(
        description="The practice that the viewer acts for; null for the operator.", extensions=[gate("practice.read")]
    )
    async def practice(self, info: Info) -> Practice | None:
        """Return the actor's practice."""
        return await own_practice(info)

    @strawberry.field(
        description="The practices of the deployment, by name; for the operator.", extensions=[gate("practices.list")]
    )
    async def practices(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[Practice] | None:
        """Return a page of practices."""
        return connection(await info.context.platform.people.practices(first=first, after=after), _practice)


@strawberry.type
class PracticeMutation:
    """The operator's mutation."""

    @strawberry.mutation(
        description="Create a practice; for the operator, who sees no patient's data of it.",
        extensions=[gate("practices.create")],
    )
    async def create_practice(
        self,
        info: Info,
        name: Annotated[str, strawberry.argument(description="What it is called, 1 to 100 characters.")],
        zone: Annotated[Zone, strawberry.argument(description="Its time zone.")],
        client_id: ClientId,
        owner: Annotated[
            FirstOwnerInput | None,
            strawberry.argument(description="Whom to invite as its first owner; else `inviteFirstOwner` does later."),
        ] = None,
    ) -> Practice | None:
        """Make a practice."""
        actor = info.context.signed_in()
        made, _ = await found_practice(
            info.context.platform,
            actor,
            name,
            zone=zone,
            owner=owner.invitation() if owner is not None else None,
            client_id=client_id_of(client_id),
        )
        return _practice(made)


PART = GraphQLPart(query=PracticeQuery, mutation=PracticeMutation)
