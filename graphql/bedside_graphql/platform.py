"""Core's own part of the schema: who one is, signing in and out, the practice, its people, the plugins, and why not."""

from datetime import date
from typing import Annotated
from uuid import UUID

import strawberry

from bedside_core import access, auth, errors, people
from bedside_core import plugins as core_plugins
from bedside_core.database import acting
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.enums import show_enums
from bedside_graphql.gate import gate, public
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import After, Connection, First, Phone, Zone, connection, uuid_of
from bedside_graphql.weight import once, weighed

SIGN_IN_WEIGHT = 500
"""What a sign-in counts as: a slow hash of the password, a tenth of a second or more of a core's time."""

NOTHING = UUID(int=0)
"""The id of nothing (RFC 9562, 5.9)."""

show_enums()


@strawberry.type(description="A person who signs in for a practice.")
class Member:
    """A member of a practice."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    first_name: str = strawberry.field(description="First name.")
    last_name: str = strawberry.field(description="Last name.")
    name: str = strawberry.field(description="The name as it is shown.")
    role: auth.Role = strawberry.field(description="What the person is in the practice.")


@strawberry.type(description="A person in the practice's care, with or without a portal account.")
class Patient:
    """A patient."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    first_name: str = strawberry.field(description="First name.")
    last_name: str = strawberry.field(description="Last name.")
    date_of_birth: date = strawberry.field(description="Date of birth.")
    mrn: str = strawberry.field(description="Medical record number, unique within the practice.")
    gender: str = strawberry.field(description="Gender.")
    phone: Phone | None = strawberry.field(description="Telephone number; e-mail may stand in for it.")
    email: str | None = strawberry.field(description="E-mail address.")


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


@strawberry.type(description="Who is signed in.")
class Viewer:
    """The actor."""

    id: strawberry.ID = strawberry.field(description="Opaque id of the account.")
    role: auth.Role = strawberry.field(description="What the viewer is in the practice acted for.")
    member: Member | None = strawberry.field(description="The person in the practice; null for the operator.")


@strawberry.type(description="How a plugin fares.")
class Plugin:
    """One plugin's report."""

    name: str = strawberry.field(description="The plugin's name.")
    title: str = strawberry.field(description="What people read.")
    version: str = strawberry.field(description="Version of its distribution.")
    status: core_plugins.Status = strawberry.field(description="Whether it works.")
    reason: str | None = strawberry.field(description="Why it does not, if so.")


@strawberry.type(description="Whether something may be done, and if not, why and what then.")
class Permit:
    """The answer of `can`."""

    allowed: bool = strawberry.field(description="Whether it may be done.")
    rule: access.Rule | None = strawberry.field(description="The kind of rule that stands in the way.")
    code: str | None = strawberry.field(description="The error code that doing it would give.")
    message: str | None = strawberry.field(description="Why not, for a person.")
    way_on: str | None = strawberry.field(description="What can be done about it.")
    feature: str | None = strawberry.field(description="The missing feature, where the plan is in the way.")
    tier: access.Tier | None = strawberry.field(description="The lowest tier with that feature.")


@strawberry.type(description="A sign-in.")
class SignedIn:
    """What `signIn` gives."""

    token: str | None = strawberry.field(
        description="Send it as `Authorization: Bearer …`; told this once. Null where a cookie was asked for."
    )
    viewer: Viewer = strawberry.field(description="Who is signed in now.")


def _member(member: people.Member) -> Member:
    return Member(
        id=strawberry.ID(str(member.id)),
        first_name=member.first_name,
        last_name=member.last_name,
        name=member.name,
        role=member.role,
    )


def _practice(practice: people.Practice) -> Practice:
    return Practice(id=strawberry.ID(str(practice.id)), name=practice.name, zone=Zone(practice.zone))


def patient_type(patient: people.Patient) -> Patient:
    """Return a patient as GraphQL shows one; for plugins whose fields lead to patients."""
    return Patient(
        id=strawberry.ID(str(patient.id)),
        first_name=patient.first_name,
        last_name=patient.last_name,
        date_of_birth=patient.date_of_birth,
        mrn=patient.mrn,
        gender=patient.gender,
        phone=Phone(patient.phone) if patient.phone else None,
        email=patient.email,
    )


async def member_of(info: Info, member_id: object) -> Member | None:
    """Return a member of the practice by id, through the operation's DataLoader; for plugins."""
    found = await info.context.loader(info.context.platform.people.members_by_id).load(member_id)  # pyright: ignore[reportArgumentType]
    return _member(found) if found else None


def _target(id: strawberry.ID) -> UUID:
    """Return the key in a target's id; what is none of ours is asked about like an id that is nobody's (promise A1)."""
    try:
        return uuid_of(id)
    except errors.NotFound:
        return NOTHING


async def _viewer(info: Info, actor: auth.Actor) -> Viewer:
    member = None
    if actor.member_id is not None:
        member = (await info.context.platform.people.members_by_id([actor.member_id])).get(actor.member_id)
    return Viewer(id=strawberry.ID(str(actor.account_id)), role=actor.role, member=_member(member) if member else None)


@strawberry.type
class PlatformQuery:
    """Core's queries."""

    @strawberry.field(description="Who is signed in; null when nobody is.", extensions=[public])
    async def viewer(self, info: Info) -> Viewer | None:
        """Return the actor."""
        actor = info.context.actor
        return await _viewer(info, actor) if actor else None

    @strawberry.field(
        description="The practice that the viewer acts for; null for the operator.", extensions=[gate("practice.read")]
    )
    async def practice(self, info: Info) -> Practice | None:
        """Return the actor's practice."""
        practice_id, _ = info.context.signed_in().in_practice()
        found = await info.context.platform.people.practice(practice_id)
        return _practice(found) if found else None

    @strawberry.field(
        description="The practices of the deployment, by name; for the operator.", extensions=[gate("practices.list")]
    )
    async def practices(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[Practice] | None:
        """Return a page of practices."""
        return connection(await info.context.platform.people.practices(first=first, after=after), _practice)

    @strawberry.field(description="The members of the practice, by name.", extensions=[gate("practice.read")])
    async def members(self, info: Info, first: First = USUAL_PAGE, after: After = None) -> Connection[Member] | None:
        """Return a page of members."""
        page = await info.context.platform.people.members(info.context.signed_in(), first=first, after=after)
        return connection(page, _member)

    @strawberry.field(description="The patients of the practice, by name.", extensions=[gate("patients.read")])
    async def patients(self, info: Info, first: First = USUAL_PAGE, after: After = None) -> Connection[Patient] | None:
        """Return a page of patients."""
        page = await info.context.platform.people.patients(info.context.signed_in(), first=first, after=after)
        return connection(page, patient_type)

    @strawberry.field(description="A patient of the practice.", extensions=[gate("patients.read")])
    async def patient(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The patient's id.")]
    ) -> Patient | None:
        """Return one patient.

        Raises:
            errors.NotFound: there is none that the actor may see.
        """
        info.context.signed_in().in_practice()
        found = await info.context.loader(info.context.platform.people.patients_by_id).load(uuid_of(id))
        if found is None:
            raise errors.NotFound("There is no patient with this id that you may see.")
        return patient_type(found)

    @strawberry.field(description="The plugins of this deployment and how they fare.", extensions=[public])
    async def plugins(self, info: Info) -> list[Plugin]:
        """Return the plugins' reports; reasons are for those who are signed in."""
        told = info.context.actor is not None
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
        refusal = await core.why_not(info.context.actor, action, _target(target) if target is not None else None)
        return Permit(
            allowed=refusal is None,
            rule=refusal.rule if refusal else None,
            code=refusal.code if refusal else None,
            message=refusal.message if refusal else None,
            way_on=refusal.way_on if refusal else None,
            feature=refusal.feature if refusal else None,
            tier=access.Tier(refusal.tier) if refusal and refusal.tier else None,
        )


@strawberry.type
class PlatformMutation:
    """Core's mutations."""

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


PART = GraphQLPart(query=PlatformQuery, mutation=PlatformMutation)
