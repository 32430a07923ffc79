"""Who is signed in, signing in and signing out."""

from typing import Annotated

import strawberry

from bedside_core import auth, errors
from bedside_core.database import acting
from bedside_graphql.context import Info
from bedside_graphql.gate import public
from bedside_graphql.part import GraphQLPart
from bedside_graphql.platform.members import Member, member_type
from bedside_graphql.weight import once, weighed

SIGN_IN_WEIGHT = 500
"""What a sign-in counts as: a slow hash of the password, a tenth of a second or more of a core's time."""


@strawberry.type(description="Who is signed in.")
class Viewer:
    """The actor."""

    id: strawberry.ID = strawberry.field(description="Opaque id of the account.")
    role: auth.Role = strawberry.field(description="What the viewer is in the practice acted for.")
    member: Member | None = strawberry.field(description="The person in the practice; null for the operator.")


@strawberry.type(description="A sign-in.")
class SignedIn:
    """What `signIn` gives."""

    token: str | None = strawberry.field(
        description="Send it as `Authorization: Bearer …`; told this once. Null where a cookie was asked for."
    )
    viewer: Viewer = strawberry.field(description="Who is signed in now.")


async def _viewer(info: Info, actor: auth.Actor) -> Viewer:
    member = None
    if actor.member_id is not None:
        member = (await info.context.platform.people.members_by_id([actor.member_id])).get(actor.member_id)
    return Viewer(
        id=strawberry.ID(str(actor.account_id)), role=actor.role, member=member_type(member) if member else None
    )


@strawberry.type
class SessionQuery:
    """The query of who one is."""

    @strawberry.field(description="Who is signed in; null when nobody is.", extensions=[public])
    async def viewer(self, info: Info) -> Viewer | None:
        """Return the actor."""
        actor = info.context.actor
        return await _viewer(info, actor) if actor else None


@strawberry.type
class SessionMutation:
    """Mutations of the sign-in."""

    @strawberry.mutation(
        description="Sign in with e-mail address and password. The token counts from the next request on.",
        extensions=[public, weighed(SIGN_IN_WEIGHT), once],
    )
    async def sign_in(
        self,
        info: Info,
        email: Annotated[str, strawberry.argument(description="The user name, an e-mail address.")],
        password: Annotated[str, strawberry.argument(description="The password.")],
        cookie: Annotated[
            bool, strawberry.argument(description="Browsers of our origin: set an HttpOnly cookie instead of a token.")
        ] = False,
    ) -> SignedIn | None:
        """Open a session.

        Raises:
            errors.InvalidInput: a cookie was asked for over a socket.
        """
        platform = info.context.platform
        if cookie and not info.context.over_http:
            raise errors.InvalidInput(
                "A socket has no answer that could set a cookie.", way_on="Sign in over HTTP.", field=("cookie",)
            )
        token, actor = await platform.auth.sign_in(email, password)
        if cookie:
            info.context.set_cookies.append(auth.session_cookie(token, platform.auth.lasts))
        with acting(actor.practice_id, actor.person_id):
            return SignedIn(token=None if cookie else token, viewer=await _viewer(info, actor))

    @strawberry.mutation(
        description="End the session: HTTP at once, its sockets on every server within a second.", extensions=[public]
    )
    async def sign_out(self, info: Info) -> bool | None:
        """End the session; what the document goes on with is done as nobody."""
        await info.context.platform.auth.sign_out(info.context.signed_in())
        info.context.actor = None
        info.context.set_cookies.append(auth.session_cookie("", None))
        return True


PART = GraphQLPart(query=SessionQuery, mutation=SessionMutation)
