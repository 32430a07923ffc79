"""Connected practices as GraphQL shows them (P2)."""

from datetime import datetime
from typing import Annotated

import strawberry

from bedside_core import people
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import After, ClientId, Connection, First, client_id_of, connection, uuid_of

ConnectionId = Annotated[strawberry.ID, strawberry.argument(description="The connection, out of `connections`.")]


@strawberry.type(description="A connection of one's practice with another: members of both find each other.")
class PracticeLink:
    """A connection as the viewer's practice sees it."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    practice_id: strawberry.ID | None = strawberry.field(
        description="The other practice; null for who asked, until it was accepted."
    )
    practice_name: str = strawberry.field(
        description="What the other practice is called; for who asked, until it was accepted, how they named it."
    )
    state: people.ConnectionState = strawberry.field(description="How far it is.")
    incoming: bool = strawberry.field(description="Whether the other practice asked.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    changed_at: datetime = strawberry.field(description="When it was last answered or ended.")


def _connection(link: people.Link) -> PracticeLink:
    return PracticeLink(
        id=strawberry.ID(str(link.id)),
        practice_id=strawberry.ID(str(link.practice_id)) if link.practice_id else None,
        practice_name=link.practice_name,
        state=link.state,
        incoming=link.incoming,
        created_at=link.created_at,
        changed_at=link.changed_at,
    )


@strawberry.type
class ConnectionQuery:
    """Queries of connections."""

    @strawberry.field(
        description="The practice's connections that are asked for or accepted, by the other practice's name.",
        extensions=[gate("connections.read")],
    )
    async def connections(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[PracticeLink] | None:
        """Return a page of connections."""
        page = await info.context.platform.people.connections(info.context.signed_in(), first=first, after=after)
        return connection(page, _connection)


@strawberry.type
class ConnectionMutation:
    """Mutations of connections. Each counts for both practices within a second."""

    @strawberry.mutation(
        description="Ask another practice to be connected; the one there is comes back where it was asked before.",
        extensions=[gate("connections.change")],
    )
    async def request_connection(
        self,
        info: Info,
        practice: Annotated[str, strawberry.argument(description="The other practice's handle or id, exactly.")],
        client_id: ClientId,
    ) -> PracticeLink | None:
        """Ask for a connection."""
        actor = info.context.signed_in()
        core = info.context.platform.people
        return _connection(await core.request_connection(actor, practice, client_id_of(client_id)))

    @strawberry.mutation(
        description="Accept a connection that another practice has asked for.", extensions=[gate("connections.change")]
    )
    async def accept_connection(self, info: Info, id: ConnectionId) -> PracticeLink | None:
        """Accept a connection."""
        actor = info.context.signed_in()
        return _connection(await info.context.platform.people.accept_connection(actor, uuid_of(id)))

    @strawberry.mutation(
        description="Decline a connection that another practice has asked for.",
        extensions=[gate("connections.change")],
    )
    async def decline_connection(self, info: Info, id: ConnectionId) -> PracticeLink | None:
        """Decline a connection."""
        actor = info.context.signed_in()
        return _connection(await info.context.platform.people.decline_connection(actor, uuid_of(id)))

    @strawberry.mutation(
        description="End a connection, or take back what one has asked.", extensions=[gate("connections.change")]
    )
    async def end_connection(self, info: Info, id: ConnectionId) -> PracticeLink | None:
        """End a connection."""
        actor = info.context.signed_in()
        return _connection(await info.context.platform.people.end_connection(actor, uuid_of(id)))


PART = GraphQLPart(query=ConnectionQuery, mutation=ConnectionMutation)
