"""Applications that people may sign in with from other origins and devices: registered, listed, taken away (G1)."""

from datetime import datetime
from typing import Annotated

import strawberry

from bedside_core import applications
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import After, ClientId, Connection, First, client_id_of, connection, uuid_of


@strawberry.type(description="A program of another origin, or on a device, in which people may sign in by OAuth 2.0.")
class Application:
    """An application."""

    id: strawberry.ID = strawberry.field(description="OAuth's `client_id`.")
    name: str = strawberry.field(description="What people are asked about.")
    redirect_uris: list[str] = strawberry.field(description="Where codes may be sent.")
    origins: list[str] = strawberry.field(description="The browser origins it runs on, which may call the API.")
    scopes: list[str] = strawberry.field(description="The permissions it may ask for.")
    everybody: bool = strawberry.field(description="Whether people of every practice may use it.")
    created_at: datetime = strawberry.field(description="When it was registered.")
    removed_at: datetime | None = strawberry.field(description="When it was taken away.")


@strawberry.input(description="What an application is registered with.")
class ApplicationInput:
    """What an application is registered with."""

    name: str = strawberry.field(description="What people are asked about; 1 to 100 characters.")
    redirect_uris: list[str] = strawberry.field(
        description="Where codes may be sent, compared exactly: https://host/path, http://127.0.0.1/path or "
        "com.example.app:/path of a native application."
    )
    origins: list[str] = strawberry.field(
        description="The browser origins it runs on, https://host; none for native applications.", default_factory=list
    )
    scopes: list[str] = strawberry.field(description="The permissions it may ask for; `@gated` names them.")


def _application(found: applications.Application) -> Application:
    return Application(
        id=strawberry.ID(str(found.id)),
        name=found.name,
        redirect_uris=list(found.redirect_uris),
        origins=list(found.origins),
        scopes=list(found.scopes),
        everybody=found.practice_id is None,
        created_at=found.created_at,
        removed_at=found.removed_at,
    )


@strawberry.type
class ApplicationsQuery:
    """Queries of applications."""

    @strawberry.field(
        description="The practice's applications, of the operator the deployment's; the newest first, those taken away "
        "too.",
        extensions=[gate("applications.read")],
    )
    async def applications(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[Application] | None:
        """Return a page of applications."""
        registry = info.context.platform.applications.registry
        return connection(await registry.page(info.context.signed_in(), first=first, after=after), _application)


@strawberry.type
class ApplicationsMutation:
    """Mutations of applications."""

    @strawberry.mutation(
        description="Register an application: an owner's for the people of the practice, the operator's for everybody.",
        extensions=[gate("applications.change")],
    )
    async def register_application(
        self,
        info: Info,
        input: Annotated[ApplicationInput, strawberry.argument(description="What it is registered with.")],
        client_id: ClientId,
    ) -> Application | None:
        """Register an application."""
        platform = info.context.platform
        new = applications.NewApplication(
            name=input.name, redirect_uris=input.redirect_uris, origins=input.origins, scopes=input.scopes
        )
        return _application(
            await platform.applications.registry.register(
                platform.access, info.context.signed_in(), new, client_id_of(client_id)
            )
        )

    @strawberry.mutation(
        description="Take an application away: what was opened in it ends, HTTP at once, sockets within a second.",
        extensions=[gate("applications.change")],
    )
    async def remove_application(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The application's id.")]
    ) -> bool | None:
        """Take an application away."""
        await info.context.platform.applications.registry.remove(info.context.signed_in(), uuid_of(id))
        return True


PART = GraphQLPart(query=ApplicationsQuery, mutation=ApplicationsMutation)
