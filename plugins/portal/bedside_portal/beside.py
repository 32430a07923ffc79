"""Invites patients to the portal beside something else that is done with them, such as an appointment (S2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import Actor, InvalidInput, NotFound, Patient, unit, uuid7
from bedside_portal.api import InvitationChannel, InvitationState, PortalAccount, PortalState
from bedside_portal.service import PortalService

if TYPE_CHECKING:
    from bedside_core.api import Platform

FIELD = ("inviteToPortal",)


class Beside:
    """Provides `PortalInvitations`.

    Args:
        platform: access and people.
        portal: sends invitations.
    """

    def __init__(self, platform: Platform, portal: PortalService) -> None:
        self._platform = platform
        self._portal = portal

    async def missing(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, bool]:
        """Tell of each patient whether there is somebody to invite, in two statements."""
        patients = await self._platform.people.patients_by_id(patient_ids)
        accounts = await self._portal.accounts(patient_ids)
        return {each: _reached(patients.get(each)) and _is_missing(accounts[each]) for each in patient_ids}

    async def invite_missing(self, actor: Actor, patient_ids: Sequence[UUID]) -> None:
        """Invite those of the patients who have no account and no invitation that is good, within the present unit.

        One whose link is over, or whose date of birth was wrong too often, is sent again.

        Raises:
            Problem: the actor may not invite, or a record has neither address nor number.
        """
        await self._platform.access.require(actor, "portal.invite")
        patients = await self._platform.people.patients_by_id(patient_ids)
        async with unit():
            # In their order, so that nobody waits in a circle.
            for patient_id in sorted(set(patient_ids)):
                patient = patients.get(patient_id)
                if patient is None:
                    raise NotFound("There is no patient with this id that you may see.", field=FIELD)
                await self._portal.lock(patient_id)
                account = (await self._portal.accounts([patient_id]))[patient_id]
                if not _is_missing(account):
                    continue
                if account.holders:
                    [holder] = [each for each in account.holders if each.relationship is None]
                    await self._portal.resend(actor, holder.id)
                    continue
                if not _reached(patient):
                    raise InvalidInput(
                        "The patient's record has no e-mail address and no phone number.",
                        way_on="Add one first.",
                        field=FIELD,
                    )
                channel = InvitationChannel.EMAIL if patient.email is not None else InvitationChannel.SMS
                # Who has one already was left out above, so that each is a new one.
                await self._portal.invite_patient(actor, patient_id, channel, uuid7().hex)


def _reached(patient: Patient | None) -> bool:
    return patient is not None and (patient.email is not None or patient.phone is not None)


def _is_missing(account: PortalAccount) -> bool:
    """Tell whether the patient is to be invited: nobody was, or the link that they were sent leads nowhere any more."""
    if account.state is PortalState.NONE:
        return True
    own = [each.invitation for each in account.holders if each.relationship is None]
    return account.state is PortalState.INVITED and any(
        each is not None and each.state is not InvitationState.OPEN for each in own
    )
