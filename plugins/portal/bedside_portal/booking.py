"""Who books by themselves in the portal: the practice's setting, and what staff has decided about one patient (S4)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, Refusal, Rule, audit, unit
from bedside_portal.api import PortalAccount, PortalState
from bedside_portal.service import PortalService
from bedside_portal.settings import PortalSettings

if TYPE_CHECKING:
    from bedside_core.api import Platform


class PortalBooking:
    """Provides `PortalRules`, and keeps what staff decides.

    Args:
        platform: settings, access and clock.
        portal: knows the accounts.
    """

    def __init__(self, platform: Platform, portal: PortalService) -> None:
        self._platform = platform
        self._portal = portal

    async def may_book(self, patient_id: UUID, account_id: UUID) -> Refusal | None:
        """Return why an account can't book for a patient in the portal; None where it may, in two statements."""
        account = (await self._portal.accounts([patient_id]))[patient_id]
        acting = next((holder for holder in account.holders if holder.account_id == account_id), None)
        if account.state is not PortalState.ACTIVE or acting is None:
            return Refusal(rule=Rule.PORTAL, message="This account does not act for the patient.")
        settings = await self._platform.settings.read(PortalSettings)
        if not (settings.self_booking if account.booking is None else account.booking):
            return _switched_off("Your practice makes appointments for you.")
        if acting.relationship is not None and not settings.guardians_book:
            return _switched_off("Your practice makes appointments itself where somebody acts for a patient.")
        return None

    async def decided(self, patient_id: UUID) -> bool | None:
        """Return what staff has decided about a patient; None is as settings say."""
        return (await self._portal.accounts([patient_id]))[patient_id].booking

    async def waiting_text(self) -> str:
        """Return what the acting practice says to who waits (T15)."""
        return (await self._platform.settings.read(PortalSettings)).waiting_text

    async def decide(self, actor: Actor, patient_id: UUID, allowed: bool | None) -> PortalAccount:
        """Have a patient book by themselves or not, whatever the practice's setting says; repeating it changes nothing.

        Args:
            actor: a member.
            patient_id: the patient.
            allowed: None is as the setting says.

        Raises:
            NotFound: the practice has no such patient.
        """
        practice_id, member_id = actor.in_practice()
        await self._platform.access.require(actor, "portal.manage", patient_id)
        async with unit():
            before = await self._portal.locked(patient_id)
            if before.booking is not allowed:
                if allowed is None:
                    await DB.execute("DELETE FROM portal_booking WHERE patient_id = $1", patient_id)
                else:
                    await DB.execute(
                        """INSERT INTO portal_booking (patient_id, practice_id, allowed, decided_at, decided_by)
                        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (patient_id) DO UPDATE
                        SET allowed = excluded.allowed, decided_at = excluded.decided_at,
                            decided_by = excluded.decided_by""",
                        patient_id,
                        practice_id,
                        allowed,
                        self._platform.clock.now(),
                        member_id,
                    )
                word = {None: "as the practice", True: "allowed", False: "not allowed"}[allowed]
                audit.did(
                    "portal.booking", kind="patient", target=patient_id, patients=[patient_id], detail={"booking": word}
                )
            else:
                audit.saw([patient_id])
        return (await self._portal.accounts([patient_id]))[patient_id]


def _switched_off(message: str) -> Refusal:
    return Refusal(rule=Rule.SWITCH, message=message, way_on="Call or write to the practice.")
