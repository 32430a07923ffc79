"""Who is signed in, as whom, signing in with everything it takes, and signing out."""

from typing import Annotated

import strawberry

from bedside_core import auth, errors
from bedside_core.database import acting
from bedside_graphql.context import Info
from bedside_graphql.gate import gate, public
from bedside_graphql.part import GraphQLPart
from bedside_graphql.platform.members import Member, member_type
from bedside_graphql.platform.terms import Terms, terms_type
from bedside_graphql.types import uuid_of
from bedside_graphql.weight import once, weighed

SIGN_IN_WEIGHT = 500
"""What a sign-in counts as: a slow hash of the password, a tenth of a second or more of a core's time."""

Cookie = Annotated[
    bool, strawberry.argument(description="Browsers of our origin: set an HttpOnly cookie instead of a token.")
]
DeviceToken = Annotated[
    str | None,
    strawberry.argument(description="The `deviceToken` of an earlier sign-in on this device; browsers send a cookie."),
]
ChallengeId = Annotated[strawberry.ID, strawberry.argument(description="The challenge's id.")]
Credential = Annotated[
    str, strawberry.argument(description="What the authenticator answered: `credential.toJSON()` as JSON text.")
]


@strawberry.type(description="Somebody whom the account can act as: a member of a practice, or a patient.")
class Persona:
    """One of the account's personas."""

    id: strawberry.ID = strawberry.field(description="Opaque id, of the member or the patient.")
    role: auth.Role = strawberry.field(description="What they are in the practice.")
    practice: str = strawberry.field(description="The practice's name.")
    name: str = strawberry.field(description="The person's name.")
    current: bool = strawberry.field(description="Whether the session acts as them.")


@strawberry.type(description="Who is signed in.")
class Viewer:
    """The actor."""

    id: strawberry.ID = strawberry.field(description="Opaque id of the account.")
    role: auth.Role = strawberry.field(description="What the viewer is in the practice acted for.")
    member: Member | None = strawberry.field(
        description="The person in the practice; null for the operator and for patients."
    )
    pending: auth.Pending | None = strawberry.field(
        description="What the sign-in lacks; until then nothing else can be done. Null where it is complete."
    )
    actor: strawberry.Private[auth.Actor]

    @strawberry.field(description="Everybody the account can act as; `switchTo` chooses.")
    async def personas(self, info: Info) -> list[Persona]:
        """Return the personas; none while the sign-in is not complete."""
        if self.actor.pending is not None:
            return []
        return [
            Persona(
                id=strawberry.ID(str(persona.id)),
                role=persona.role,
                practice=persona.practice,
                name=persona.name,
                current=persona.id == self.actor.person_id,
            )
            for persona in await info.context.platform.auth.personas(self.actor)
        ]

    @strawberry.field(
        description="Whether the viewer has looked their settings over: where not, show them at the sign-in and then "
        "`markSettingsReviewed`."
    )
    async def settings_reviewed(self, info: Info) -> bool:
        """Tell whether there is nothing to look over any more; so it is while the sign-in is not complete."""
        with acting(self.actor.practice_id, self.actor.person_id):
            return await info.context.platform.accounts.review.is_done(self.actor)

    @strawberry.field(
        description="The newest Terms of Use, where the viewer has not accepted them: show them, then `acceptTerms`."
    )
    async def terms_to_accept(self, info: Info) -> Terms | None:
        """Return what is to be accepted; nothing while the sign-in is not complete."""
        if self.actor.pending is not None:
            return None
        owed = await info.context.platform.accounts.terms.owed(self.actor.account_id)
        return terms_type(owed) if owed else None


@strawberry.type(description="A sign-in.")
class SignedIn:
    """What signing in, and showing a second factor, gives."""

    token: str | None = strawberry.field(
        description="Send it as `Authorization: Bearer …`; told this once. Null where a cookie was asked for, and "
        "where the token stays the one you have."
    )
    device_token: str | None = strawberry.field(
        description="Keep it on this device and give it at the next sign-in, so that others' failures don't lock this "
        "device. Null where a cookie holds it, and until the second factor was shown."
    )
    viewer: Viewer = strawberry.field(description="Who is signed in now; `pending` tells what is lacking.")


@strawberry.type(description="What an authenticator is asked to sign, once and within five minutes.")
class PasskeyChallenge:
    """A challenge."""

    id: strawberry.ID = strawberry.field(description="Give it back with the answer.")
    options: str = strawberry.field(
        description="JSON for `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`."
    )


def challenge_type(challenge: auth.Challenge) -> PasskeyChallenge:
    """Return a challenge as GraphQL shows it."""
    return PasskeyChallenge(id=strawberry.ID(str(challenge.id)), options=challenge.options)


async def viewer_of(info: Info, actor: auth.Actor) -> Viewer:
    """Return an actor as GraphQL shows who is signed in."""
    member = None
    if actor.member_id is not None:
        with acting(actor.practice_id, actor.person_id):
            found = await info.context.platform.people.members_by_id([actor.member_id])
        member = found.get(actor.member_id)
    return Viewer(
        id=strawberry.ID(str(actor.account_id)),
        role=actor.role,
        member=member_type(member) if member else None,
        pending=actor.pending,
        actor=actor,
    )


def cookie_possible(info: Info, cookie: bool) -> None:
    """Refuse a cookie where there is no answer that could set it.

    Raises:
        errors.InvalidInput: it was asked for over a socket.
    """
    if cookie and not info.context.over_http:
        raise errors.InvalidInput(
            "A socket has no answer that could set a cookie.", way_on="Sign in over HTTP.", field=("cookie",)
        )


def _client(info: Info, device: str | None) -> auth.Client:
    given = info.context.client
    return auth.Client(device, given.label) if device is not None else given


def known_client(info: Info, device: str | None) -> tuple[auth.Client, bool]:
    """Return what asks, and whether it is a browser whose cookie holds its device's token, and is to hold the next.

    A socket's answer sets no cookie, so the device that its cookie names keeps its token.
    """
    given = info.context.client
    if device is None and given.device is not None:
        return (given, True) if info.context.over_http else (auth.Client(None, given.label), False)
    return auth.Client(device, given.label), False


async def _opened(info: Info, token: str, actor: auth.Actor, client: auth.Client, *, cookie: bool) -> SignedIn:
    known = actor.pending is not auth.Pending.FACTOR  # else the device is, once the factor was shown
    if cookie:
        info.context.set_cookies.append(auth.session_cookie(token, info.context.platform.auth.lasts))
        if known:
            info.context.set_cookies.append(auth.device_cookie(client.fresh))
    return SignedIn(
        token=None if cookie else token,
        device_token=client.fresh if known and not cookie else None,
        viewer=await viewer_of(info, actor),
    )


async def completed(info: Info, client: auth.Client, *, cookie: bool) -> SignedIn:
    """Return a sign-in whose second factor was shown; what the document goes on with is done as nobody yet."""
    before = info.context.signing_in()
    if cookie:
        info.context.set_cookies.append(auth.device_cookie(client.fresh))
    actor = await info.context.platform.auth.completed(before)
    info.context.actor = None
    return SignedIn(token=None, device_token=None if cookie else client.fresh, viewer=await viewer_of(info, actor))


@strawberry.type
class SessionQuery:
    """The query of who one is."""

    @strawberry.field(description="Who is signed in; null when nobody is, and for guests.", extensions=[public])
    async def viewer(self, info: Info) -> Viewer | None:
        """Return the actor."""
        actor = info.context.actor
        return await viewer_of(info, actor) if actor and actor.guest is None else None


@strawberry.type
class SessionMutation:
    """Mutations of the sign-in."""

    @strawberry.mutation(
        description="Sign in with e-mail address and password. The token counts from the next request on. Where "
        "`viewer.pending` is not null the second factor comes next.",
        extensions=[public, weighed(SIGN_IN_WEIGHT), once],
    )
    async def sign_in(
        self,
        info: Info,
        email: Annotated[str, strawberry.argument(description="The user name, an e-mail address.")],
        password: Annotated[str, strawberry.argument(description="The password.")],
        cookie: Cookie = False,
        device: DeviceToken = None,
    ) -> SignedIn | None:
        """Open a session.

        Raises:
            errors.InvalidInput: a cookie was asked for over a socket.
        """
        cookie_possible(info, cookie)
        client = _client(info, device)
        await info.context.count_sign_in(email, client)
        token, actor = await info.context.platform.auth.sign_in(email, password, client)
        return await _opened(info, token, actor, client, cookie=cookie)

    @strawberry.mutation(
        description="Ask for a passkey to sign in with, whoever's it is.", extensions=[public, weighed(10)]
    )
    async def begin_passkey_sign_in(self, info: Info) -> PasskeyChallenge | None:
        """Return a challenge that any account's passkey may sign."""
        await info.context.count_sign_in()
        return challenge_type(await info.context.platform.auth.passkeys.ask())

    @strawberry.mutation(
        description="Sign in with a passkey, which is both factors in one.",
        extensions=[public, weighed(SIGN_IN_WEIGHT), once],
    )
    async def sign_in_with_passkey(
        self,
        info: Info,
        challenge_id: ChallengeId,
        credential: Credential,
        cookie: Cookie = False,
        device: DeviceToken = None,
    ) -> SignedIn | None:
        """Open a session for whom the passkey is.

        Raises:
            errors.Unauthenticated: it is nobody's.
        """
        cookie_possible(info, cookie)
        await info.context.count_sign_in()
        accounts, client = info.context.platform.auth, _client(info, device)
        proven = await accounts.passkeys.prove(uuid_of(challenge_id), credential)
        token, actor = await accounts.sign_in_with_passkey(proven, client)
        return await _opened(info, token, actor, client, cookie=cookie)

    @strawberry.mutation(
        description="Complete the sign-in with a code of the authenticator application or a recovery code. Sockets of "
        "the session are closed; open them again.",
        extensions=[public, weighed(SIGN_IN_WEIGHT), once],
    )
    async def verify_code(
        self,
        info: Info,
        code: Annotated[str, strawberry.argument(description="Six digits, or a recovery code.")],
        cookie: Annotated[bool, strawberry.argument(description="Keep the device's token in a cookie.")] = False,
        device: DeviceToken = None,
    ) -> SignedIn | None:
        """Show the second factor."""
        cookie_possible(info, cookie)
        actor, client = info.context.signing_in(), _client(info, device)
        await info.context.count_sign_in(actor.account_id, client)
        await info.context.platform.auth.factors.verify(actor, code, client)
        return await completed(info, client, cookie=cookie)

    @strawberry.mutation(
        description="Ask for one of the account's passkeys to complete the sign-in with.",
        extensions=[public, weighed(10)],
    )
    async def begin_passkey_factor(self, info: Info) -> PasskeyChallenge | None:
        """Return a challenge for the account's passkeys."""
        return challenge_type(await info.context.platform.auth.passkeys.ask(info.context.signing_in()))

    @strawberry.mutation(
        description="Complete the sign-in with one of the account's passkeys. Sockets of the session are closed; open "
        "them again.",
        extensions=[public, weighed(SIGN_IN_WEIGHT), once],
    )
    async def verify_passkey(
        self,
        info: Info,
        challenge_id: ChallengeId,
        credential: Credential,
        cookie: Annotated[bool, strawberry.argument(description="Keep the device's token in a cookie.")] = False,
        device: DeviceToken = None,
    ) -> SignedIn | None:
        """Show a passkey as the second factor."""
        cookie_possible(info, cookie)
        actor, client = info.context.signing_in(), _client(info, device)
        await info.context.count_sign_in(actor.account_id, client)
        await info.context.platform.auth.passkeys.verify(actor, uuid_of(challenge_id), credential, client)
        return await completed(info, client, cookie=cookie)

    @strawberry.mutation(
        description="Act as another of the account's personas from the next request on. The session's sockets are "
        "closed; open them again. What the document goes on with is refused.",
        extensions=[gate("account.own"), once],
    )
    async def switch_to(
        self, info: Info, persona: Annotated[strawberry.ID, strawberry.argument(description="The persona's id.")]
    ) -> Viewer | None:
        """Change the session's persona.

        Raises:
            errors.NotFound: the account can't act as them.
        """
        now = await info.context.platform.auth.switch_to(info.context.signed_in(), uuid_of(persona))
        info.context.actor = None
        return await viewer_of(info, now)

    @strawberry.mutation(
        description="End the session: HTTP at once, its sockets on every server within a second.", extensions=[public]
    )
    async def sign_out(self, info: Info) -> bool | None:
        """End the session; what the document goes on with is done as nobody."""
        await info.context.platform.auth.sign_out(info.context.signing_in())
        info.context.actor = None
        info.context.set_cookies.append(auth.session_cookie("", None))
        return True


PART = GraphQLPart(query=SessionQuery, mutation=SessionMutation)
