"""How oneself signs in: sessions, password, second factors; and the practice's API keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import strawberry

from bedside_core import auth
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate, public
from bedside_graphql.part import GraphQLPart
from bedside_graphql.platform.members import Member, MemberId, member_of
from bedside_graphql.platform.session import (
    SIGN_IN_WEIGHT,
    ChallengeId,
    Credential,
    DeviceToken,
    PasskeyChallenge,
    challenge_type,
    known_client,
)
from bedside_graphql.types import After, ClientId, Connection, First, client_id_of, connection, uuid_of
from bedside_graphql.weight import once, weighed

Password = Annotated[str, strawberry.argument(description="The password, asked for again.")]


@strawberry.type(description="A sign-in of one's own that is open.")
class Session:
    """A session."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    created_at: datetime = strawberry.field(description="When it was opened.")
    last_seen_at: datetime = strawberry.field(description="When something was done with it last, to ten seconds.")
    device: str = strawberry.field(description="What the browser or program calls itself.")
    application: str | None = strawberry.field(
        description="The application it was opened in by OAuth; null for our own client."
    )
    current: bool = strawberry.field(description="Whether it is the one that asks.")


@strawberry.type(description="A passkey.")
class Passkey:
    """A passkey of one's own."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    name: str = strawberry.field(description="What its owner calls it.")
    created_at: datetime = strawberry.field(description="When it was added.")
    last_used_at: datetime | None = strawberry.field(description="When it was used last.")


@strawberry.type(description="One's own second factors.")
class SecondFactors:
    """Second factors."""

    totp: bool = strawberry.field(description="Whether an authenticator application is set up.")
    recovery_codes: int = strawberry.field(description="How many recovery codes are left.")
    passkeys: list[Passkey] = strawberry.field(description="The passkeys, the oldest first; twenty at most.")


@strawberry.type(description="The secret for an authenticator application; it counts once `confirmTotp` had a code.")
class TotpSecret:
    """A secret, told this once."""

    secret: str = strawberry.field(description="The secret in base 32, for typing.")
    uri: str = strawberry.field(description="The `otpauth:` address, for a QR code.")


@strawberry.type(description="A second factor was added, and a sign-in that waited for it is complete.")
class FactorAdded:
    """What adding a factor gives."""

    recovery_codes: list[str] = strawberry.field(
        description="Codes for when the factor is lost, told this once, each good once; none where some are left."
    )
    device_token: str | None = strawberry.field(
        description="As `SignedIn.deviceToken`; null where the browser's cookie holds it."
    )


@strawberry.type(description="A key for programs: its maker, confined to its scopes.")
class ApiKey:
    """A key."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    name: str = strawberry.field(description="What it is for.")
    scopes: list[str] = strawberry.field(description="The permissions it is confined to.")
    maker_id: strawberry.ID = strawberry.field(description="The member who made it, and with whom it ends.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime = strawberry.field(description="When it ends by itself.")
    last_used_at: datetime | None = strawberry.field(description="When it was used last, to a minute.")
    revoked_at: datetime | None = strawberry.field(description="When it was revoked.")


@strawberry.type(description="A key that was made.")
class NewApiKey:
    """What making a key gives."""

    key: ApiKey = strawberry.field(description="The key.")
    token: str | None = strawberry.field(
        description="Send it as `Authorization: Bearer …`; told this once. Null where the clientId was used before: "
        "revoke the key and make another if the token was lost."
    )


def _added(info: Info, codes: Sequence[str], client: auth.Client, *, cookie: bool) -> FactorAdded:
    if cookie:
        info.context.set_cookies.append(auth.device_cookie(client.fresh))
    return FactorAdded(recovery_codes=list(codes), device_token=None if cookie else client.fresh)


def _key(key: auth.ApiKey) -> ApiKey:
    return ApiKey(
        id=strawberry.ID(str(key.id)),
        name=key.name,
        scopes=list(key.scopes),
        maker_id=strawberry.ID(str(key.member_id)),
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
    )


@strawberry.type
class AccountsQuery:
    """Queries of how one signs in, and of keys."""

    @strawberry.field(
        description="One's own open sessions, those used last first; a hundred at most.",
        extensions=[gate("account.own")],
    )
    async def sessions(self, info: Info) -> list[Session] | None:
        """Return the sessions."""
        actor = info.context.signed_in()
        return [
            Session(
                id=strawberry.ID(str(session.id)),
                created_at=session.created_at,
                last_seen_at=session.last_seen_at,
                device=session.device,
                application=session.application,
                current=session.id == actor.session_id,
            )
            for session in await info.context.platform.auth.sessions(actor)
        ]

    @strawberry.field(description="One's own second factors.", extensions=[gate("account.own")])
    async def second_factors(self, info: Info) -> SecondFactors | None:
        """Return what there is."""
        account, accounts = info.context.signed_in().account_id, info.context.platform.auth
        there = await accounts.factors.of(account)
        passkeys = [
            Passkey(
                id=strawberry.ID(str(passkey.id)),
                name=passkey.name,
                created_at=passkey.created_at,
                last_used_at=passkey.last_used_at,
            )
            for passkey in await accounts.passkeys.of(account)
        ]
        return SecondFactors(totp=there.totp, recovery_codes=there.codes, passkeys=passkeys)

    @strawberry.field(
        description="The practice's API keys, the newest first, ended ones too.", extensions=[gate("keys.read")]
    )
    async def api_keys(self, info: Info, first: First = USUAL_PAGE, after: After = None) -> Connection[ApiKey] | None:
        """Return a page of keys."""
        page = await info.context.platform.auth.keys.page(info.context.signed_in(), first=first, after=after)
        return connection(page, _key)


@strawberry.type
class AccountsMutation:
    """Mutations of how one signs in, and of keys."""

    @strawberry.mutation(
        description="Change the password: 15 characters or more, 8 beside a second factor, none that are tried first. "
        "All other sessions end.",
        extensions=[gate("account.own"), weighed(SIGN_IN_WEIGHT), once],
    )
    async def change_password(
        self,
        info: Info,
        current: Annotated[str, strawberry.argument(description="The password so far.")],
        new: Annotated[str, strawberry.argument(description="The new one, up to 1024 bytes.")],
    ) -> bool | None:
        """Change the password."""
        actor = info.context.signed_in()
        await info.context.count_sign_in(actor.account_id)
        await info.context.platform.auth.change_password(actor, current, new)
        return True

    @strawberry.mutation(
        description="End one of one's own sessions: HTTP at once, its sockets on every server within a second.",
        extensions=[gate("account.own")],
    )
    async def end_session(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The session's id.")]
    ) -> bool | None:
        """End a session."""
        await info.context.platform.auth.end_session(info.context.signed_in(), uuid_of(id))
        return True

    @strawberry.mutation(
        description="End all of one's own sessions, this one too, and forget the devices they were opened on.",
        extensions=[gate("account.own")],
    )
    async def sign_out_everywhere(self, info: Info) -> bool | None:
        """End every session; what the document goes on with is done as nobody."""
        await info.context.platform.auth.sign_out_everywhere(info.context.signed_in())
        info.context.actor = None
        info.context.set_cookies.append(auth.session_cookie("", None))
        return True

    @strawberry.mutation(
        description="Set an authenticator application up; for complete sign-ins, and those pending `SET_UP`.",
        extensions=[public, weighed(SIGN_IN_WEIGHT), once],
    )
    async def begin_totp(self, info: Info, password: Password) -> TotpSecret | None:
        """Make a secret."""
        actor = info.context.signing_in()
        await info.context.count_sign_in(actor.account_id)
        secret, uri = await info.context.platform.auth.factors.begin_totp(actor, password)
        return TotpSecret(secret=secret, uri=uri)

    @strawberry.mutation(
        description="Switch the authenticator application on by its first code.",
        extensions=[public, weighed(SIGN_IN_WEIGHT), once],
    )
    async def confirm_totp(
        self,
        info: Info,
        code: Annotated[str, strawberry.argument(description="Six digits.")],
        device: DeviceToken = None,
    ) -> FactorAdded | None:
        """Switch it on."""
        actor, (client, cookie) = info.context.signing_in(), known_client(info, device)
        await info.context.count_sign_in(actor.account_id, client)
        codes = await info.context.platform.auth.factors.confirm_totp(actor, code, client)
        return _added(info, codes, client, cookie=cookie)

    @strawberry.mutation(
        description="Switch the authenticator application off.",
        extensions=[gate("account.own"), weighed(SIGN_IN_WEIGHT), once],
    )
    async def remove_totp(self, info: Info, password: Password) -> bool | None:
        """Switch it off."""
        actor = info.context.signed_in()
        await info.context.count_sign_in(actor.account_id)
        await info.context.platform.auth.factors.remove_totp(actor, password)
        return True

    @strawberry.mutation(
        description="Replace the recovery codes; the old ones count no more.",
        extensions=[gate("account.own"), weighed(SIGN_IN_WEIGHT), once],
    )
    async def renew_recovery_codes(self, info: Info, password: Password) -> list[str] | None:
        """Return new codes."""
        actor = info.context.signed_in()
        await info.context.count_sign_in(actor.account_id)
        return list(await info.context.platform.auth.factors.new_codes(actor, password))

    @strawberry.mutation(
        description="Ask for a new passkey; for complete sign-ins, and those that wait for a factor to be set up.",
        extensions=[public, weighed(SIGN_IN_WEIGHT), once],
    )
    async def begin_passkey(self, info: Info, password: Password) -> PasskeyChallenge | None:
        """Return what the authenticator is to sign."""
        actor = info.context.signing_in()
        await info.context.count_sign_in(actor.account_id)
        return challenge_type(await info.context.platform.auth.passkeys.begin(actor, password))

    @strawberry.mutation(
        description="Add the passkey that the authenticator has made.",
        extensions=[public, weighed(SIGN_IN_WEIGHT), once],
    )
    async def add_passkey(
        self,
        info: Info,
        challenge_id: ChallengeId,
        credential: Credential,
        name: Annotated[str, strawberry.argument(description="What to call it, 1 to 100 characters.")],
        device: DeviceToken = None,
    ) -> FactorAdded | None:
        """Add it."""
        client, cookie = known_client(info, device)
        codes = await info.context.platform.auth.passkeys.add(
            info.context.signing_in(), uuid_of(challenge_id), credential, name, client
        )
        return _added(info, codes, client, cookie=cookie)

    @strawberry.mutation(
        description="Take one of one's own passkeys away.",
        extensions=[gate("account.own"), weighed(SIGN_IN_WEIGHT), once],
    )
    async def remove_passkey(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The passkey's id.")],
        password: Password,
    ) -> bool | None:
        """Take it away."""
        actor = info.context.signed_in()
        await info.context.count_sign_in(actor.account_id)
        await info.context.platform.auth.passkeys.remove(actor, uuid_of(id), password)
        return True

    @strawberry.mutation(
        description="Take the second factors and recovery codes from a member who has lost them, of one's own practice "
        "and of no other. All their sign-ins end and their password counts no more: they choose a new one by "
        "`requestPasswordReset`, or are invited anew. Never for oneself; the member is told by mail.",
        extensions=[gate("account.recover"), weighed(SIGN_IN_WEIGHT), once],
    )
    async def recover_member(self, info: Info, member_id: MemberId, password: Password) -> Member | None:
        """Take them away."""
        actor, wanted = info.context.signed_in(), uuid_of(member_id)
        await info.context.count_sign_in(actor.account_id)
        await info.context.platform.accounts.recovery.by_owner(actor, wanted, password)
        return await member_of(info, wanted)

    @strawberry.mutation(
        description="Make an API key. It does what you may at the time, within its scopes, and ends with you; it never "
        "invites, grants, makes keys or changes plans.",
        extensions=[gate("keys.make")],
    )
    async def create_api_key(
        self,
        info: Info,
        name: Annotated[str, strawberry.argument(description="What it is for, 1 to 100 characters.")],
        scopes: Annotated[list[str], strawberry.argument(description="Permissions as in `@gated` that you have.")],
        expires_at: Annotated[datetime, strawberry.argument(description="When it ends, within two years.")],
        client_id: ClientId,
    ) -> NewApiKey | None:
        """Make a key."""
        platform = info.context.platform
        key, token = await platform.auth.keys.create(
            platform.access,
            info.context.signed_in(),
            name=name,
            scopes=scopes,
            expires_at=expires_at,
            client_id=client_id_of(client_id),
        )
        return NewApiKey(key=_key(key), token=token)

    @strawberry.mutation(
        description="Revoke an API key: HTTP at once, its sockets on every server within a second.",
        extensions=[gate("keys.make")],
    )
    async def revoke_api_key(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The key's id.")]
    ) -> bool | None:
        """End a key."""
        await info.context.platform.auth.keys.revoke(info.context.signed_in(), uuid_of(id))
        return True


PART = GraphQLPart(query=AccountsQuery, mutation=AccountsMutation)
