"""Members as GraphQL shows them, staff administration, and one's own profile."""

from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET

from bedside_core import auth, errors, people
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import After, Connection, First, Phone, connection, uuid_of

MemberId = Annotated[strawberry.ID, strawberry.argument(description="The member, out of `members`.")]


async def _reached(info: Info, member_id: UUID) -> people.Listed | None:
    """Return a member with address and number; not to patients: who says "my practice" means its members (A8)."""
    actor = info.context.actor
    return None if actor is not None and (actor.patient_id or actor.guest) else await _listed(info, member_id)


async def _listed(info: Info, member_id: UUID) -> people.Listed | None:
    return await info.context.loader(info.context.platform.people.directory).load(member_id)


@strawberry.type(description="A person who signs in for a practice: one's own, or one connected to it.")
class Member:
    """A member of a practice."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    first_name: str = strawberry.field(description="First name.")
    last_name: str = strawberry.field(description="Last name.")
    name: str = strawberry.field(description="The name as it is shown.")
    role: auth.Role = strawberry.field(description="What the person is in the practice.")
    active: bool = strawberry.field(description="Whether the person may sign in for the practice.")
    video_host: bool = strawberry.field(description="Whether the person may host video (Video Chat User, T1).")
    member_id: strawberry.Private[UUID]

    @strawberry.field(description="The name of the person's practice; null where the viewer does not see it any more.")
    async def practice_name(self, info: Info) -> str | None:
        """Return the practice's name."""
        found = await _listed(info, self.member_id)
        return found.practice_name if found else None

    @strawberry.field(description="E-mail address, where the person lets the viewer see it (A8).")
    async def email(self, info: Info) -> str | None:
        """Return the address."""
        found = await _reached(info, self.member_id)
        return found.email if found else None

    @strawberry.field(description="Telephone number, where the person lets the viewer see it (A8).")
    async def phone(self, info: Info) -> Phone | None:
        """Return the number."""
        found = await _reached(info, self.member_id)
        return Phone(found.phone) if found and found.phone else None


@strawberry.type(description="What the viewer says of themselves, and who may see it (A8).")
class Profile:
    """One's own profile."""

    first_name: str = strawberry.field(description="First name.")
    last_name: str = strawberry.field(description="Last name.")
    phone: Phone | None = strawberry.field(description="Telephone number.")
    email_for: people.Visibility = strawberry.field(description="Who may see the e-mail address.")
    phone_for: people.Visibility = strawberry.field(description="Who may see the telephone number.")
    title: str | None = strawberry.field(description="What stands with the name, such as MD.")


@strawberry.input(description="What to change of one's profile; what is not given stays.")
class ProfilePatch:
    """A patch of a profile."""

    first_name: str | None = strawberry.field(description="First name.", default=UNSET)
    last_name: str | None = strawberry.field(description="Last name.", default=UNSET)
    phone: str | None = strawberry.field(
        description="Telephone number of one of the practice's regions; null takes it away.", default=UNSET
    )
    email_for: people.Visibility | None = strawberry.field(description="Who may see the e-mail address.", default=UNSET)
    phone_for: people.Visibility | None = strawberry.field(
        description="Who may see the telephone number.", default=UNSET
    )
    title: str | None = strawberry.field(
        description="What stands with the name, such as MD, 50 characters at most; null takes it away.", default=UNSET
    )


def member_type(member: people.Member) -> Member:
    """Return a member as GraphQL shows one; for plugins whose fields lead to members."""
    return Member(
        id=strawberry.ID(str(member.id)),
        first_name=member.first_name,
        last_name=member.last_name,
        name=member.name,
        role=member.role,
        active=member.active,
        video_host=member.video_host,
        member_id=member.id,
    )


async def member_of(info: Info, member_id: object) -> Member | None:
    """Return a member of the practice by id, through the operation's DataLoader; for plugins. Guests see none."""
    if info.context.actor is not None and info.context.actor.guest is not None:
        return None
    found = await info.context.loader(info.context.platform.people.members_by_id).load(member_id)  # pyright: ignore[reportArgumentType]
    return member_type(found) if found else None


def _profile(profile: people.Profile) -> Profile:
    return Profile(
        first_name=profile.first_name,
        last_name=profile.last_name,
        phone=Phone(profile.phone) if profile.phone else None,
        email_for=profile.email_for,
        phone_for=profile.phone_for,
        title=profile.title,
    )


@strawberry.type
class MemberQuery:
    """Queries of members."""

    @strawberry.field(description="The members of the practice, by name.", extensions=[gate("practice.read")])
    async def members(self, info: Info, first: First = USUAL_PAGE, after: After = None) -> Connection[Member] | None:
        """Return a page of members."""
        page = await info.context.platform.people.members(info.context.signed_in(), first=first, after=after)
        return connection(page, member_type)

    @strawberry.field(
        description="The deactivated members of the practice, by name.", extensions=[gate("members.read")]
    )
    async def inactive_members(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[Member] | None:
        """Return a page of deactivated members."""
        actor = info.context.signed_in()
        page = await info.context.platform.people.members(actor, first=first, after=after, inactive=True)
        return connection(page, member_type)

    @strawberry.field(
        description="A member of one's own or of a connected practice.", extensions=[gate("practice.read")]
    )
    async def member(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The member's id.")]
    ) -> Member | None:
        """Return one member.

        Raises:
            errors.NotFound: there is none that the actor may see.
        """
        info.context.signed_in().in_practice()
        found = await _listed(info, uuid_of(id))
        if found is None:
            raise errors.NotFound("There is no member with this id that you may see.")
        return member_type(found.member)

    @strawberry.field(description="One's own profile, and who may see it.", extensions=[gate("profile.own")])
    async def profile(self, info: Info) -> Profile | None:
        """Return the actor's profile."""
        return _profile(await info.context.platform.people.profile(info.context.signed_in()))


@strawberry.type
class MemberMutation:
    """Mutations of members."""

    @strawberry.mutation(
        description="Give a member another role. Only owners make owners, and the last one stays.",
        extensions=[gate("members.grant")],
    )
    async def change_member_role(
        self,
        info: Info,
        member_id: MemberId,
        role: Annotated[auth.Role, strawberry.argument(description="The role.")],
    ) -> Member | None:
        """Change a role."""
        actor = info.context.signed_in()
        return member_type(await info.context.platform.people.change_role(actor, uuid_of(member_id), role))

    @strawberry.mutation(
        description="Let a member host video, or not (Video Chat User, T1).", extensions=[gate("members.grant")]
    )
    async def set_video_host(
        self,
        info: Info,
        member_id: MemberId,
        enabled: Annotated[bool, strawberry.argument(description="Whether the member may host.")],
    ) -> Member | None:
        """Set the attribute."""
        actor = info.context.signed_in()
        return member_type(await info.context.platform.people.set_video_host(actor, uuid_of(member_id), enabled))

    @strawberry.mutation(
        description="Deactivate a member: all their sessions end, on every server within a second.",
        extensions=[gate("members.deactivate")],
    )
    async def deactivate_member(self, info: Info, member_id: MemberId) -> Member | None:
        """Deactivate a member."""
        actor = info.context.signed_in()
        return member_type(await info.context.platform.people.set_active(actor, uuid_of(member_id), False))

    @strawberry.mutation(description="Let a deactivated member sign in again.", extensions=[gate("members.deactivate")])
    async def reactivate_member(self, info: Info, member_id: MemberId) -> Member | None:
        """Reactivate a member."""
        actor = info.context.signed_in()
        return member_type(await info.context.platform.people.set_active(actor, uuid_of(member_id), True))

    @strawberry.mutation(description="Change one's own profile, and who may see it.", extensions=[gate("profile.own")])
    async def update_profile(
        self, info: Info, patch: Annotated[ProfilePatch, strawberry.argument(description="What to change.")]
    ) -> Profile | None:
        """Change the actor's profile."""
        given = {name: value for name, value in vars(patch).items() if value is not UNSET}
        return _profile(await info.context.platform.people.update_profile(info.context.signed_in(), given))


PART = GraphQLPart(query=MemberQuery, mutation=MemberMutation)
