"""Portal accounts as the practice keeps them: who is invited, acts, is removed, and who is let in no more (S9, S11)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from bedside_core.api import (
    DB,
    Actor,
    Conflict,
    Fact,
    InvalidInput,
    NotFound,
    PeopleSettings,
    Recipient,
    SwitchedOff,
    Work,
    audit,
    checks,
    refuse_real_address,
    unit,
    uuid7,
)
from bedside_portal.api import (
    Holder,
    HolderState,
    InvitationChannel,
    PortalAccount,
    PortalState,
)
from bedside_portal.holders import Holders
from bedside_portal.reach import told_no_more
from bedside_portal.settings import PortalSettings
from bedside_portal.texts import GUARDIAN_INVITATION, INVITATION

if TYPE_CHECKING:
    from bedside_core.api import Platform

PURPOSE = "portal.invitation"
"""What the links are for."""
CHOSEN = "portal.address"
"""What the links are for that go to an address which somebody invited by SMS has chosen."""
LASTS = timedelta(days=21)
"""How long an invitation can be followed (A2)."""
PAGE = "/portal/register"
"""Where its link leads."""
MOST_HOLDERS = 12
"""How many act for one patient, or are invited to, at most."""

_INSERT = """INSERT INTO portal_holder (id, practice_id, patient_id, relationship, first_name, last_name, channel,
    address, invited_by, client_id, created_at, sent_at, expires_at, ends_on)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13)
ON CONFLICT (practice_id, invited_by, client_id) DO NOTHING RETURNING id"""


@dataclass(frozen=True, kw_only=True)
class Guardian:
    """Whom to invite to act for a patient.

    Args:
        first_name: the guardian's.
        last_name: the guardian's.
        relationship: what they are to the patient, in a word or two.
        email: where the invitation goes; this or a number.
        phone: of a mobile phone.
        until: the last day on which they act, in the practice's zone, such as that before the patient is of age.
    """

    first_name: str
    last_name: str
    relationship: str
    email: str | None
    phone: str | None
    until: date | None = None


class PortalService(Holders):
    """Provides `PortalAccounts`; with `registration` and `records` the only writer of the portal's tables."""

    # -- inviting --------------------------------------------------------------------------------------------------

    async def invite_patient(
        self, actor: Actor, patient_id: UUID, channel: InvitationChannel, client_id: str
    ) -> Holder:
        """Invite a patient to an account of their own, at the address in their record (S9).

        Raises:
            NotFound: the practice has no such patient.
            InvalidInput: the record has no such address.
            Conflict: the patient has an account or an invitation, or the client id has invited somebody else.
        """
        await self._platform.access.require(actor, "portal.invite", patient_id)
        patient = (await self._platform.people.patients_by_id([patient_id])).get(patient_id)
        if patient is None:  # merged meanwhile
            raise NotFound("There is no patient with this id that you may see.")
        address = patient.email if channel is InvitationChannel.EMAIL else patient.phone
        if address is None:
            what = "e-mail address" if channel is InvitationChannel.EMAIL else "phone number"
            raise InvalidInput(f"The patient's record has no {what}.", way_on="Add one first.", field=("channel",))
        if channel is InvitationChannel.EMAIL:
            await refuse_real_address(address, ("channel",))
        return await self._invite(actor, patient_id, None, channel, address, client_id)

    async def invite_guardian(self, actor: Actor, patient_id: UUID, guardian: Guardian, client_id: str) -> Holder:
        """Invite somebody to act for a patient (S11).

        Raises:
            NotFound: the practice has no such patient.
            SwitchedOff: the practice lets no guardians in.
            InvalidInput: a value can't be right; `field` begins with `input`.
            Conflict: too many are invited, or the client id has invited somebody else.
        """
        await self._platform.access.require(actor, "portal.invite", patient_id)
        if not (await self._platform.settings.read(PortalSettings)).guardians:
            raise SwitchedOff("The practice lets no guardians into its portal.", way_on="See the portal's settings.")
        names = (
            checks.text(guardian.relationship, ("input", "relationship")),
            checks.name(guardian.first_name, ("input", "first_name")),
            checks.name(guardian.last_name, ("input", "last_name")),
        )
        if (guardian.email is None) == (guardian.phone is None):
            raise InvalidInput("Either an e-mail address or a mobile number is required.", field=("input", "email"))
        if guardian.email is not None:
            address, channel = checks.email(guardian.email, ("input", "email")), InvitationChannel.EMAIL
            await refuse_real_address(address, ("input", "email"))
        else:
            regions = (await self._platform.settings.read(PeopleSettings)).phone_regions
            address = checks.phone(guardian.phone or "", regions, ("input", "phone"), mobile=True)
            channel = InvitationChannel.SMS
        await self.not_over(actor, guardian.until, ("input", "until"))
        return await self._invite(actor, patient_id, names, channel, address, client_id, guardian.until)

    async def _invite(
        self,
        actor: Actor,
        patient_id: UUID,
        guardian: tuple[str, str, str] | None,
        channel: InvitationChannel,
        address: str,
        client_id: str,
        until: date | None = None,
    ) -> Holder:
        """Make a holder and send the link; a retry with the same client id returns the first one (G9)."""
        practice_id, member_id = actor.in_practice()
        now, relationship, names = self._platform.clock.now(), None, (None, None)
        if guardian is not None:
            relationship, *given = guardian
            names = given[0], given[1]
        try:
            async with unit():
                before = await self.locked(patient_id)
                made = await DB.fetchval(
                    _INSERT, uuid7(), practice_id, patient_id, relationship, *names, channel, address, member_id,
                    client_id, now, now + LASTS, until,
                )  # fmt: skip
                if made is None:
                    asked = (patient_id, relationship, *names, until)
                    return await self._retried(member_id, client_id, asked, channel)
                if len(before.holders) >= MOST_HOLDERS:
                    raise Conflict(
                        f"At most {MOST_HOLDERS} people act for one patient.", way_on="Remove somebody first."
                    )
                holder = await self.holder(made)
                await self._send(practice_id, holder, channel, address)
                await self.tell(before, holder, "portal.invite")
                return holder
        except asyncpg.UniqueViolationError:
            raise Conflict(
                "The patient has a portal account or an invitation already.",
                way_on="An invitation can be sent again with resendPortalInvitation.",
                field=("patientId",),
            ) from None

    async def _retried(
        self, member_id: UUID, client_id: str, asked: tuple[Any, ...], channel: InvitationChannel
    ) -> Holder:
        """Return what a client id has made before.

        Raises:
            Conflict: that was somebody else.
        """
        row = await DB.fetchrow(
            """SELECT id, patient_id, relationship, first_name, last_name, ends_on, channel FROM portal_holder
            WHERE invited_by = $1 AND client_id = $2""",
            member_id,
            client_id,
        )
        if row is None or (*tuple(row)[1:6], row["channel"]) != (*asked, channel):
            raise Conflict("This clientId was used with other content.", field=("clientId",))
        return await self.holder(row["id"])

    async def resend(self, actor: Actor, holder_id: UUID) -> Holder:
        """Send an invitation again, for another 21 days and five dates of birth; the older link is void (A2).

        Raises:
            NotFound: there is no such invitation in the practice.
            Conflict: it was followed or taken back, or the last day on which they act is over.
        """
        practice_id, _ = actor.in_practice()
        await self._platform.access.require(actor, "portal.invite")
        async with unit():
            holder, before = await self._open(holder_id)
            if await self.is_over(actor, holder):
                raise Conflict("They act for the patient no more.", field=("holderId",))
            now = self._platform.clock.now()
            address = await DB.fetchval(
                """UPDATE portal_holder SET sent_at = $2, expires_at = $3, failures = 0, chosen = NULL, letters = 0
                WHERE id = $1 RETURNING address""",
                holder_id,
                now,
                now + LASTS,
            )
            assert holder.invitation is not None
            await self._send(practice_id, holder, holder.invitation.channel, address)
            holder = await self.holder(holder_id)
            await self.tell(before, holder, "portal.resend")
            return holder

    async def revoke(self, actor: Actor, holder_id: UUID) -> Holder:
        """Take an invitation back; its link is void.

        Raises:
            NotFound: there is no such invitation in the practice.
            Conflict: it was followed.
        """
        actor.in_practice()
        await self._platform.access.require(actor, "portal.invite")
        async with unit():
            holder, before = await self._open(holder_id)
            await void_links(self._platform, holder)
            return await self.removed(before, holder_id, "portal.revoke")

    async def _open(self, holder_id: UUID) -> tuple[Holder, PortalAccount]:
        """Return an invitation that is not followed, and its patient's account, locked."""
        holder, before = await self.found(holder_id)
        if holder.state is not HolderState.INVITED:
            raise Conflict("The invitation was followed or taken back.")
        return holder, before

    async def _send(self, practice_id: UUID, holder: Holder, channel: InvitationChannel, address: str) -> None:
        """Issue a link and send it, within the present unit."""
        notify, key = self._platform.notify, str(holder.id)
        async with unit() as work:
            await void_links(self._platform, holder)
            secret = await self._platform.links.issue(work, PURPOSE, holder.id, lasts=LASTS)
            to = (
                Recipient.address(practice_id=practice_id, email=address)
                if channel is InvitationChannel.EMAIL
                else Recipient.address(practice_id=practice_id, phone=address)
            )
            await notify.send(work, kind_of(holder), to=to, data={Fact.LINK: f"{PAGE}#{secret}"}, key=key)

    async def is_over(self, actor: Actor, holder: Holder) -> bool:
        """Tell whether somebody's last day is over where the practice is, whether or not that was told yet."""
        return holder.until is not None and holder.until < await self._platform.people.today(actor.in_practice()[0])

    async def not_over(self, actor: Actor, day: date | None, field: tuple[str, ...]) -> None:
        """Refuse a last day that is over where the practice is.

        Raises:
            InvalidInput: it is.
        """
        if day is not None and day < await self._platform.people.today(actor.in_practice()[0]):
            raise InvalidInput("This day is over.", field=field)

    # -- ending ----------------------------------------------------------------------------------------------------

    async def remove(self, actor: Actor, holder_id: UUID) -> Holder:
        """Have somebody act for a patient no more; their sessions that do end at once (A10, S11).

        Raises:
            NotFound: there is nobody of this id in the practice.
            Conflict: they were only invited, which is revoked.
        """
        actor.in_practice()
        await self._platform.access.require(actor, "portal.manage")
        async with unit() as work:
            holder, before = await self.found(holder_id)
            if holder.state is HolderState.INVITED:
                raise Conflict("This is an invitation.", way_on="Take it back with revokePortalInvitation.")
            if holder.state is HolderState.REMOVED or holder.account_id is None:
                audit.saw([holder.patient_id])
                return holder
            return await self.ended(work, before, holder, "portal.remove")

    async def ended(self, work: Work, before: PortalAccount, holder: Holder, action: str) -> Holder:
        """Have somebody who acts for a patient do so no more, within a unit: all they have open for them ends (A10)."""
        await told_no_more(self._platform, work, holder.patient_id, holder.account_id)
        removed = await self.removed(before, holder.id, action)
        await self._platform.auth.end_sessions(work, account_id=holder.account_id, patient_id=holder.patient_id)
        return removed

    async def suspend(self, actor: Actor, patient_id: UUID) -> PortalAccount:
        """Let nobody in who acts for a patient, from now on; their sessions that do end at once (A10, promise A4).

        Repeating it changes nothing.

        Raises:
            NotFound: the practice has no such patient.
            Conflict: nobody has an account, or an invitation to one.
        """
        practice_id, member_id = actor.in_practice()
        await self._platform.access.require(actor, "portal.manage", patient_id)
        async with unit() as work:
            before = await self.locked(patient_id)
            if before.state is PortalState.NONE:
                raise Conflict("The patient has no portal account.", field=("patientId",))
            if before.state is not PortalState.SUSPENDED:
                await told_no_more(self._platform, work, patient_id, None)
                await DB.execute(
                    """INSERT INTO portal_suspension (patient_id, practice_id, suspended_at, suspended_by)
                    VALUES ($1, $2, $3, $4)""",
                    patient_id,
                    practice_id,
                    self._platform.clock.now(),
                    member_id,
                )
                await self._platform.auth.end_sessions(work, patient_id=patient_id)
                await self._platform.auth.guests.end(work, person_id=patient_id)
                await self.tell(before, None, "portal.suspend")
        return (await self.accounts([patient_id]))[patient_id]

    async def reinstate(self, actor: Actor, patient_id: UUID) -> PortalAccount:
        """Let in again who acts for a patient; they sign in anew. Repeating it changes nothing.

        Raises:
            NotFound: the practice has no such patient.
        """
        actor.in_practice()
        await self._platform.access.require(actor, "portal.manage", patient_id)
        async with unit():
            before = await self.locked(patient_id)
            if before.state is PortalState.SUSPENDED:
                await DB.execute("DELETE FROM portal_suspension WHERE patient_id = $1", patient_id)
                await self.tell(before, None, "portal.reinstate")
        return (await self.accounts([patient_id]))[patient_id]


async def void_links(platform: Platform, holder: Holder) -> None:
    """Void the links of an invitation, and call off what is still to be sent with them, within the present unit."""
    async with unit() as work:
        for purpose in (PURPOSE, CHOSEN):
            await platform.links.void(work, purpose, holder.id)
        await platform.notify.cancel(work, kind_of(holder), key=str(holder.id))


def kind_of(holder: Holder) -> str:
    """Return the kind of notification that an invitation is sent as."""
    return (INVITATION if holder.relationship is None else GUARDIAN_INVITATION).key
