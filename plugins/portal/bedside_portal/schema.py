"""The portal's part of the schema: what staff does, what whoever is invited does, and what patients see."""

from datetime import date
from typing import Annotated
from uuid import UUID

import strawberry

from bedside_core.api import USUAL_PAGE, Role
from bedside_graphql.api import (
    After,
    ClientId,
    Connection,
    File,
    First,
    GraphQLPart,
    Info,
    Patient,
    SecurityAnswerInput,
    client_id_of,
    connection,
    file_type,
    gate,
    once,
    patient_type,
    public,
    uuid_of,
    weighed,
)
from bedside_portal import api
from bedside_portal.booking import PortalBooking
from bedside_portal.endings import set_until
from bedside_portal.registration import Invited, Registering, Registration
from bedside_portal.service import Guardian, PortalService
from bedside_portal.types import (
    OwnAccess,
    PortalAccount,
    PortalChannel,
    PortalHolder,
    PortalInvited,
    account_type,
    holder_type,
)
from bedside_portal.view import PortalViewQuery, access_type, own

REGISTRATION_WEIGHT = 500
"""What a registration counts as: a slow hash of a password, as signing in."""


def _portal(info: Info) -> PortalService:
    return info.context.platform.service(PortalService)


def _registration(info: Info) -> Registration:
    return info.context.platform.service(Registration)


PatientId = Annotated[strawberry.ID, strawberry.argument(description="A patient of the practice.")]
HolderId = Annotated[strawberry.ID, strawberry.argument(description="Who, out of `portalAccount.holders`.")]
Secret = Annotated[str, strawberry.argument(description="What stands behind `#` in the link.")]
DateOfBirth = Annotated[date, strawberry.argument(description="The patient's date of birth.")]


@strawberry.input(description="Whom to invite to act for a patient, by e-mail or by text message.")
class GuardianInput:
    """A guardian."""

    first_name: str = strawberry.field(description="First name.")
    last_name: str = strawberry.field(description="Last name.")
    relationship: str = strawberry.field(description="What they are to the patient, for example mother.")
    email: str | None = strawberry.field(description="E-mail address; this or a number.", default=None)
    phone: str | None = strawberry.field(description="Number of a mobile phone.", default=None)
    until: date | None = strawberry.field(
        description="The last day on which they act, where the practice is, such as that before the patient is of age.",
        default=None,
    )


@strawberry.type
class PortalQuery(PortalViewQuery):
    """The portal's queries."""

    @strawberry.field(
        description="What an invitation says to whom it was sent; looking changes nothing (A7).",
        extensions=[public, weighed(10)],
    )
    async def portal_invitation(self, info: Info, secret: Secret) -> PortalInvited | None:
        """Return an invitation."""
        await info.context.count_sign_in()
        return _invited(await _registration(info).look(secret))

    @strawberry.field(
        description="The record of the patient whom the session acts as.", extensions=[gate("portal.own")]
    )
    async def own_record(self, info: Info) -> Patient | None:
        """Return the viewer's record."""
        return patient_type(await own(info).record(info.context.signed_in()))

    @strawberry.field(
        description="The files of the patient whom the session acts as, the latest first.",
        extensions=[gate("portal.own")],
    )
    async def own_files(self, info: Info, first: First = USUAL_PAGE, after: After = None) -> Connection[File] | None:
        """Return a page of the viewer's files."""
        return connection(await own(info).files(info.context.signed_in(), first=first, after=after), file_type)

    @strawberry.field(
        description="Who saw or changed the data of the patient whom the session acts as, the newest first (A14). "
        "Reading it is entered too.",
        extensions=[gate("portal.own")],
    )
    async def own_accesses(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[OwnAccess] | None:
        """Return a page of accesses."""
        return connection(await own(info).accesses(info.context.signed_in(), first=first, after=after), access_type)


@strawberry.type
class PortalMutation:
    """The portal's mutations."""

    @strawberry.mutation(
        description="Invite a patient to a portal account, at the address in their record. A retry with the same "
        "clientId returns the first invitation.",
        extensions=[gate("portal.invite", "portal")],
    )
    async def invite_patient(
        self,
        info: Info,
        patient_id: PatientId,
        channel: Annotated[PortalChannel, strawberry.argument(description="By which of the addresses.")],
        client_id: ClientId,
    ) -> PortalHolder | None:
        """Invite a patient."""
        made = await _portal(info).invite_patient(
            info.context.signed_in(),
            uuid_of(patient_id),
            api.InvitationChannel(channel.value),
            client_id_of(client_id),
        )
        return holder_type(made)

    @strawberry.mutation(
        description="Invite somebody to act for a patient in the portal. A retry with the same clientId returns the "
        "first invitation.",
        extensions=[gate("portal.invite", "portal")],
    )
    async def invite_guardian(
        self,
        info: Info,
        patient_id: PatientId,
        input: Annotated[GuardianInput, strawberry.argument(description="The guardian.")],
        client_id: ClientId,
    ) -> PortalHolder | None:
        """Invite a guardian."""
        made = await _portal(info).invite_guardian(
            info.context.signed_in(), uuid_of(patient_id), Guardian(**vars(input)), client_id_of(client_id)
        )
        return holder_type(made)

    @strawberry.mutation(
        description="Send an invitation again; the older link is void, and the date of birth may be wrong five times "
        "anew.",
        extensions=[gate("portal.invite", "portal")],
    )
    async def resend_portal_invitation(self, info: Info, holder_id: HolderId) -> PortalHolder | None:
        """Send an invitation again."""
        return holder_type(await _portal(info).resend(info.context.signed_in(), uuid_of(holder_id)))

    @strawberry.mutation(
        description="Take an invitation back; its link is void.", extensions=[gate("portal.invite", "portal")]
    )
    async def revoke_portal_invitation(self, info: Info, holder_id: HolderId) -> PortalHolder | None:
        """Take an invitation back."""
        return holder_type(await _portal(info).revoke(info.context.signed_in(), uuid_of(holder_id)))

    @strawberry.mutation(
        description="Have a guardian, or the patient's own account, act for the patient no more. Their sessions that "
        "do end at once, everywhere.",
        extensions=[gate("portal.manage")],
    )
    async def remove_portal_holder(self, info: Info, holder_id: HolderId) -> PortalHolder | None:
        """Remove a guardian."""
        return holder_type(await _portal(info).remove(info.context.signed_in(), uuid_of(holder_id)))

    @strawberry.mutation(
        description="Say until when a guardian acts for the patient, or that it is without end. They act until "
        "the end of that day where the practice is; what is still open then is closed within five minutes.",
        extensions=[gate("portal.manage")],
    )
    async def set_guardian_until(
        self,
        info: Info,
        holder_id: HolderId,
        until: Annotated[date | None, strawberry.argument(description="The last day; null is without end.")] = None,
    ) -> PortalHolder | None:
        """Say until when a guardian acts."""
        context = info.context
        held = await set_until(context.platform, _portal(info), context.signed_in(), uuid_of(holder_id), until)
        return holder_type(held)

    @strawberry.mutation(
        description="Have a patient book by themselves, or not, whatever the practice's setting `selfBooking` says.",
        extensions=[gate("portal.manage")],
    )
    async def set_patient_booking(
        self,
        info: Info,
        patient_id: PatientId,
        allowed: Annotated[bool | None, strawberry.argument(description="Null is as the setting says.")] = None,
    ) -> PortalAccount | None:
        """Decide about a patient's booking."""
        booking = info.context.platform.service(PortalBooking)
        return account_type(await booking.decide(info.context.signed_in(), uuid_of(patient_id), allowed))

    @strawberry.mutation(
        description="Let nobody in who acts for a patient. Their sessions that do end at once, everywhere.",
        extensions=[gate("portal.manage")],
    )
    async def suspend_portal_account(self, info: Info, patient_id: PatientId) -> PortalAccount | None:
        """Suspend a portal account."""
        return account_type(await _portal(info).suspend(info.context.signed_in(), uuid_of(patient_id)))

    @strawberry.mutation(
        description="Let in again who acts for a patient; they sign in anew.", extensions=[gate("portal.manage")]
    )
    async def reinstate_portal_account(self, info: Info, patient_id: PatientId) -> PortalAccount | None:
        """Reinstate a portal account."""
        return account_type(await _portal(info).reinstate(info.context.signed_in(), uuid_of(patient_id)))

    @strawberry.mutation(
        description="Say the patient's date of birth to an invitation. Wrong five times, and it is void (S9).",
        extensions=[public, weighed(10), once],
    )
    async def confirm_portal_invitation(
        self, info: Info, secret: Secret, date_of_birth: DateOfBirth
    ) -> PortalInvited | None:
        """Confirm who one is."""
        await info.context.count_sign_in()
        return _invited(await _registration(info).confirm(secret, date_of_birth))

    @strawberry.mutation(
        description="Choose the address of one's account, where the invitation came by text message. Whatever there is "
        "with that address, the answer is true and a link is sent there, which leads on as an invitation by e-mail "
        "does (A6). Another address can be chosen until one has registered.",
        extensions=[public, weighed(10), once],
    )
    async def choose_portal_address(
        self,
        info: Info,
        secret: Secret,
        date_of_birth: DateOfBirth,
        email: Annotated[str, strawberry.argument(description="The address, which becomes the user name.")],
    ) -> bool | None:
        """Choose an address."""
        await info.context.count_sign_in(email)
        await _registration(info).choose(secret, date_of_birth, email)
        return True

    @strawberry.mutation(
        description="Follow an invitation: an account of one's own, or one that is there, acts for the patient from "
        "then on. Returns the user name to sign in with.",
        extensions=[public, weighed(REGISTRATION_WEIGHT), once],
    )
    async def register_for_portal(
        self,
        info: Info,
        secret: Secret,
        date_of_birth: DateOfBirth,
        password: Annotated[
            str, strawberry.argument(description="A new password; of an account that is there, the one it has.")
        ],
        client_id: ClientId,
        email: Annotated[
            str | None, strawberry.argument(description="The user name; it is the address that the link was sent to.")
        ] = None,
        answers: Annotated[
            list[SecurityAnswerInput] | None,
            strawberry.argument(description="For a new account: to three different questions of `securityQuestions`."),
        ] = None,
        terms_version: Annotated[
            int | None, strawberry.argument(description="For a new account: the version of `terms` that is accepted.")
        ] = None,
    ) -> str | None:
        """Register."""
        await info.context.count_sign_in(email or "")
        given = Registering(
            password=password,
            email=email,
            answers=[(each.question, each.answer) for each in answers or ()],
            terms=terms_version,
        )
        return await _registration(info).register(secret, date_of_birth, given, client_id_of(client_id))


@strawberry.type(name="Patient")
class PatientPortal:
    """What the portal adds to a patient."""

    id: strawberry.Private[strawberry.ID]

    @strawberry.field(
        description="The patient's portal account, and who acts for them.", extensions=[gate("portal.read")]
    )
    async def portal_account(self, info: Info) -> PortalAccount | None:
        """Return the account, through the operation's DataLoader."""
        found = await info.context.loader(_portal(info).accounts).load(uuid_of(self.id))
        return account_type(found) if found else None


@strawberry.type(name="AuditEntry")
class AuditEntryPortal:
    """What the portal adds to an entry of the audit trail."""

    role: strawberry.Private[Role | None]
    account_id: strawberry.Private[UUID | None]
    person_id: strawberry.Private[UUID | None]

    @strawberry.field(
        description="Who did it in the portal: the patient, or the guardian who acted for them.",
        extensions=[gate("portal.read")],
    )
    async def portal_holder(self, info: Info) -> PortalHolder | None:
        """Return who acted, through the operation's DataLoader."""
        if self.role is not Role.PATIENT or self.account_id is None or self.person_id is None:
            return None
        found = await info.context.loader(_portal(info).who_acted).load((self.account_id, self.person_id))
        return holder_type(found) if found else None


def _invited(invited: Invited) -> PortalInvited:
    return PortalInvited(**vars(invited))


PART = GraphQLPart(query=PortalQuery, mutation=PortalMutation, extend=(PatientPortal, AuditEntryPortal))
