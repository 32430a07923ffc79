"""Invitations as those who invite see them, and the operator's of first owners."""

from datetime import datetime
from typing import Annotated

import strawberry

from bedside_core import auth
from bedside_core.accounts import model
from bedside_core.notify.kinds import Language
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.platform.members import Member, member_of
from bedside_graphql.types import After, ClientId, Connection, First, client_id_of, connection, uuid_of

InvitationId = Annotated[strawberry.ID, strawberry.argument(description="The invitation's id.")]


@strawberry.type(description="An invitation to be a member of the practice, or of a member to register anew.")
class Invitation:
    """An invitation."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    email: str | None = strawberry.field(
        description="Where it was sent; null where it went to a member, whose address is their own to show."
    )
    first_name: str = strawberry.field(description="First name of whom is invited.")
    last_name: str = strawberry.field(description="Last name.")
    role: auth.Role = strawberry.field(description="What they are to be in the practice.")
    state: model.InvitationState = strawberry.field(description="How far it has come.")
    anew: bool = strawberry.field(description="Whether it is for a member who can't get in any more.")
    sent_at: datetime = strawberry.field(description="When its newest mail was sent.")
    expires_at: datetime = strawberry.field(description="Until when the link in that mail works.")
    invited: strawberry.Private[model.Invitation]

    @strawberry.field(description="Who invites; null where the operator does.")
    async def invited_by(self, info: Info) -> Member | None:
        """Return the member who invites."""
        return await member_of(info, self.invited.invited_by) if self.invited.invited_by else None

    @strawberry.field(description="Whom it made a member, or who is invited anew.")
    async def member(self, info: Info) -> Member | None:
        """Return the member, once there is one."""
        return await member_of(info, self.invited.member_id) if self.invited.member_id else None


@strawberry.input(description="Whom to invite.")
class InvitationInput:
    """A new invitation."""

    email: str = strawberry.field(description="Where the mail goes to; the user name of a new account.")
    first_name: str = strawberry.field(description="First name; the person may write it otherwise.")
    last_name: str = strawberry.field(description="Last name.")
    role: auth.Role = strawberry.field(description="What they are to be. Only owners invite owners.")
    language: Language = strawberry.field(description="Of the mail.", default=Language.ENGLISH)


@strawberry.input(description="Whom to invite as a practice's first owner.")
class FirstOwnerInput:
    """A practice's first owner."""

    email: str = strawberry.field(description="Where the mail goes to; the user name of a new account.")
    first_name: str = strawberry.field(description="First name; the person may write it otherwise.")
    last_name: str = strawberry.field(description="Last name.")
    language: Language = strawberry.field(description="Of the mail.", default=Language.ENGLISH)

    def invitation(self) -> model.NewInvitation:
        """Return it as core takes it."""
        return model.NewInvitation(
            email=self.email,
            first_name=self.first_name,
            last_name=self.last_name,
            role=auth.Role.OWNER,
            language=self.language,
        )


def _invitation(made: model.Invitation) -> Invitation:
    return Invitation(
        id=strawberry.ID(str(made.id)),
        email=made.email,
        first_name=made.first_name,
        last_name=made.last_name,
        role=made.role,
        state=made.state,
        anew=made.anew,
        sent_at=made.sent_at,
        expires_at=made.expires_at,
        invited=made,
    )


@strawberry.type
class InvitationQuery:
    """The query of invitations."""

    @strawberry.field(
        description="The practice's invitations, the newest first, with how far each has come.",
        extensions=[gate("members.invite")],
    )
    async def invitations(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[Invitation] | None:
        """Return a page of invitations."""
        invitations = info.context.platform.accounts.invitations
        page = await invitations.page(info.context.signed_in(), first=first, after=after)
        return connection(page, _invitation)


@strawberry.type
class InvitationMutation:
    """Mutations of invitations."""

    @strawberry.mutation(
        description="Invite somebody by e-mail to be a member; the link in the mail works once, for 21 days.",
        extensions=[gate("members.invite")],
    )
    async def invite_member(
        self,
        info: Info,
        input: Annotated[InvitationInput, strawberry.argument(description="Whom.")],
        client_id: ClientId,
    ) -> Invitation | None:
        """Invite somebody."""
        new = model.NewInvitation(
            email=input.email,
            first_name=input.first_name,
            last_name=input.last_name,
            role=input.role,
            language=input.language,
        )
        actor, invitations = info.context.signed_in(), info.context.platform.accounts.invitations
        return _invitation(await invitations.invite(actor, new, client_id_of(client_id)))

    @strawberry.mutation(
        description="Invite a member who can't get in any more to choose a new password and new security questions.",
        extensions=[gate("members.invite")],
    )
    async def invite_anew(
        self,
        info: Info,
        member_id: Annotated[strawberry.ID, strawberry.argument(description="The member's id.")],
        client_id: ClientId,
    ) -> Invitation | None:
        """Invite a member anew."""
        actor, invitations = info.context.signed_in(), info.context.platform.accounts.invitations
        return _invitation(await invitations.invite_anew(actor, uuid_of(member_id), client_id_of(client_id)))

    @strawberry.mutation(
        description="Send an invitation again, for another 21 days; the link sent before is void.",
        extensions=[gate("members.invite")],
    )
    async def resend_invitation(self, info: Info, id: InvitationId) -> Invitation | None:
        """Send it again."""
        actor, invitations = info.context.signed_in(), info.context.platform.accounts.invitations
        return _invitation(await invitations.resend(actor, uuid_of(id)))

    @strawberry.mutation(
        description="Call an invitation off; its link leads nowhere any more.", extensions=[gate("members.invite")]
    )
    async def revoke_invitation(self, info: Info, id: InvitationId) -> Invitation | None:
        """Call it off."""
        actor, invitations = info.context.signed_in(), info.context.platform.accounts.invitations
        return _invitation(await invitations.revoke(actor, uuid_of(id)))

    @strawberry.mutation(
        description="Invite a practice's first owner, or another in their place while nobody has registered; for the "
        "operator.",
        extensions=[gate("practices.invite")],
    )
    async def invite_first_owner(
        self,
        info: Info,
        practice_id: Annotated[strawberry.ID, strawberry.argument(description="The practice's id.")],
        owner: Annotated[FirstOwnerInput, strawberry.argument(description="Whom.")],
        client_id: ClientId,
    ) -> Invitation | None:
        """Invite a first owner."""
        actor, invitations = info.context.signed_in(), info.context.platform.accounts.invitations
        made, _ = await invitations.invite_first_owner(
            actor, uuid_of(practice_id), owner.invitation(), client_id_of(client_id)
        )
        return _invitation(made)


PART = GraphQLPart(query=InvitationQuery, mutation=InvitationMutation)
