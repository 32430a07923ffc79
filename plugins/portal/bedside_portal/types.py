"""The portal's types of the schema, and how they are made of what the service returns."""

import enum
from datetime import date, datetime

import strawberry

from bedside_portal import api


@strawberry.enum(
    description="What a patient's portal account is: their own, and that of whoever acts for them, together."
)
class PortalState(enum.Enum):
    """States, described for clients."""

    NONE = strawberry.enum_value("none", description="Nobody was invited.")
    INVITED = strawberry.enum_value("invited", description="Somebody was invited, and nobody has registered yet.")
    ACTIVE = strawberry.enum_value("active", description="Somebody signs in: the patient, or a guardian.")
    SUSPENDED = strawberry.enum_value("suspended", description="The practice lets nobody in.")


@strawberry.enum(description="How far one person has come who is to act for a patient.")
class PortalHolderState(enum.Enum):
    """States of one holder."""

    INVITED = strawberry.enum_value("invited", description="They have not registered yet.")
    ACTIVE = strawberry.enum_value("active", description="They act for the patient.")
    REMOVED = strawberry.enum_value("removed", description="They do no more, or the invitation was taken back.")


@strawberry.enum(description="What an invitation is good for.")
class PortalInvitationState(enum.Enum):
    """States of an invitation."""

    OPEN = strawberry.enum_value("open", description="Its link can be used.")
    EXPIRED = strawberry.enum_value("expired", description="21 days have passed; it can be sent again.")
    VOID = strawberry.enum_value("void", description="The date of birth was wrong five times; it can be sent again.")


@strawberry.enum(description="How an invitation is sent.")
class PortalChannel(enum.Enum):
    """Channels of an invitation."""

    EMAIL = strawberry.enum_value("email", description="By e-mail.")
    SMS = strawberry.enum_value("sms", description="By text message.")


@strawberry.type(description="An invitation that was sent and not followed yet.")
class PortalInvitation:
    """An invitation."""

    channel: PortalChannel = strawberry.field(description="How it was sent.")
    address: str = strawberry.field(description="Where to, an e-mail address or a number.")
    sent_at: datetime = strawberry.field(description="When it was sent last.")
    expires_at: datetime = strawberry.field(description="Until when its link can be used.")
    attempts_left: int = strawberry.field(description="How often the date of birth may still be wrong.")
    state: PortalInvitationState = strawberry.field(description="What it is good for now.")


@strawberry.type(description="Somebody who acts for a patient, or is invited to: the patient, or a guardian.")
class PortalHolder:
    """A holder."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    patient_id: strawberry.ID = strawberry.field(description="For whom.")
    name: str = strawberry.field(description="The guardian's name, or the patient's.")
    relationship: str | None = strawberry.field(description="What a guardian is to the patient; null is the patient.")
    state: PortalHolderState = strawberry.field(description="How far they are.")
    invitation: PortalInvitation | None = strawberry.field(description="What was sent, while it is not followed.")
    registered_at: datetime | None = strawberry.field(description="Since when they act.")
    until: date | None = strawberry.field(
        description="The last day on which a guardian acts, where the practice is; null is without end."
    )


@strawberry.type(description="A patient's portal account.")
class PortalAccount:
    """A portal account."""

    patient_id: strawberry.ID = strawberry.field(description="Whose.")
    state: PortalState = strawberry.field(description="What it is.")
    suspended_at: datetime | None = strawberry.field(description="Since when the practice lets nobody in.")
    holders: list[PortalHolder] = strawberry.field(
        description="Who acts, or is invited to: the patient first, then guardians; a dozen at most."
    )
    booking: bool | None = strawberry.field(
        description="Whether staff has them book by themselves, or not; null is as the practice's setting says (S4)."
    )


@strawberry.type(description="What an invitation says to whom it was sent.")
class PortalInvited:
    """An invitation, seen by whom it was sent to."""

    practice: str = strawberry.field(description="The practice's name.")
    guardian: bool = strawberry.field(description="Whether it is to act for somebody else.")
    email: str | None = strawberry.field(
        description="The user name it leads to; null before the date of birth was right, and where one is to be given."
    )
    known: bool = strawberry.field(
        description="Whether that address has an account already, whose password is then asked for."
    )


@strawberry.type(description="One access to the viewer's record.")
class OwnAccess:
    """An entry of the audit trail, as the patient sees it: without others who stand in it."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    at: datetime = strawberry.field(description="When.")
    action: str = strawberry.field(description="What was done, for example `patients.read`.")
    name: str | None = strawberry.field(
        description="Who did it: somebody of the practice, the patient or a guardian. Null where it was nobody who "
        "was signed in, or is not known any more."
    )
    relationship: str | None = strawberry.field(description="What a guardian is to the patient; else null.")
    staff: bool = strawberry.field(description="Whether it was somebody of the practice.")


def holder_type(holder: api.Holder) -> PortalHolder:
    """Return a holder as GraphQL shows one."""
    invitation = holder.invitation
    return PortalHolder(
        id=strawberry.ID(str(holder.id)),
        patient_id=strawberry.ID(str(holder.patient_id)),
        name=holder.name,
        relationship=holder.relationship,
        state=PortalHolderState(holder.state.value),
        invitation=PortalInvitation(
            channel=PortalChannel(invitation.channel.value),
            address=invitation.address,
            sent_at=invitation.sent_at,
            expires_at=invitation.expires_at,
            attempts_left=invitation.attempts_left,
            state=PortalInvitationState(invitation.state.value),
        )
        if invitation
        else None,
        registered_at=holder.registered_at,
        until=holder.until,
    )


def account_type(account: api.PortalAccount) -> PortalAccount:
    """Return a portal account as GraphQL shows one."""
    return PortalAccount(
        patient_id=strawberry.ID(str(account.patient_id)),
        state=PortalState(account.state.value),
        suspended_at=account.suspended_at,
        holders=[holder_type(holder) for holder in account.holders],
        booking=account.booking,
    )
