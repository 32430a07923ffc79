"""What patients see of themselves in the portal: their record, their files, and who saw them (S10, A14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import Actor, NotFound, Page, Patient, Practice, Refusal, Role, StoredFile, audit
from bedside_portal.api import Holder, PortalRules
from bedside_portal.service import PortalService
from bedside_portal.settings import PortalSettings

if TYPE_CHECKING:
    from bedside_core.api import Platform

_OUTSIDE = frozenset({Role.PATIENT, Role.GUEST})


@dataclass(frozen=True, kw_only=True)
class Access:
    """One access to a patient's record, as the patient sees it."""

    id: UUID
    at: datetime
    action: str
    name: str | None
    relationship: str | None
    staff: bool


@dataclass(frozen=True, kw_only=True)
class Portal:
    """What the portal shows to the patient whom a session acts as.

    Args:
        patient: their record.
        practice: the practice.
        settings: the practice's, of the portal.
        refusal: why nobody books for them in the portal; None where one may.
    """

    patient: Patient
    practice: Practice
    settings: PortalSettings
    refusal: Refusal | None


class OwnRecord:
    """Answers for the patient whom a session acts as, and nobody else.

    Args:
        platform: people, files and the audit trail.
        portal: knows who acts for whom.
    """

    def __init__(self, platform: Platform, portal: PortalService) -> None:
        self._platform = platform
        self._portal = portal

    async def record(self, actor: Actor) -> Patient:
        """Return the patient's own record."""
        _, patient_id = actor.as_patient()
        found = (await self._platform.people.patients_by_id([patient_id])).get(patient_id)
        if found is None:
            raise NotFound("There is no record of yours.")
        return found

    async def portal(self, actor: Actor) -> Portal:
        """Return what the portal shows first, in a fixed number of statements (S10)."""
        practice_id, patient_id = actor.as_patient()
        patient, practice = await self.record(actor), await self._platform.people.practice(practice_id)
        if practice is None:
            raise NotFound("There is no record of yours.")
        return Portal(
            patient=patient,
            practice=practice,
            settings=await self._platform.settings.read(PortalSettings),
            refusal=await self._platform.service(PortalRules).may_book(patient_id, actor.account_id),
        )

    async def acting(self, actor: Actor) -> Sequence[Holder]:
        """Return who acts for the patient: they see with whom they share what is theirs (S11)."""
        _, patient_id = actor.as_patient()
        return (await self._portal.acting([patient_id]))[patient_id]

    async def files(self, actor: Actor, *, first: int | None, after: str | None) -> Page[StoredFile]:
        """Return the patient's own files, the latest first: with their record, and shared with them (P8)."""
        _, patient_id = actor.as_patient()
        audit.saw([patient_id])
        return await self._platform.files.panel(actor, patient_id, first=first, after=after)

    async def accesses(self, actor: Actor, *, first: int | None, after: str | None) -> Page[Access]:
        """Return who saw or changed the patient's data, the newest first, in a fixed number of statements (A14)."""
        _, patient_id = actor.as_patient()
        page = await self._platform.audit.accesses(patient_id, first=first, after=after)
        return Page(
            items=await self._named(patient_id, page.items), cursors=page.cursors, more=page.more, before=page.before
        )

    async def _named(self, patient_id: UUID, entries: Sequence[audit.Entry]) -> list[Access]:
        """Name who did what; of other patients in an entry nothing is told."""
        staff = {entry.person_id for entry in entries if entry.person_id and entry.role not in _OUTSIDE}
        members = await self._platform.people.members_by_id(list(staff))
        acts = {(entry.account_id, patient_id) for entry in entries if _is_of(entry, patient_id)}
        holders = await self._portal.who_acted([(account, whom) for account, whom in acts if account is not None])
        named = (await self._platform.settings.read(PortalSettings)).names_in_access_log
        shown: list[Access] = []
        for entry in entries:
            member = members.get(entry.person_id) if entry.person_id else None
            account = entry.account_id
            holder = holders.get((account, patient_id)) if account and _is_of(entry, patient_id) else None
            shown.append(
                Access(
                    id=entry.id,
                    at=entry.at,
                    action=entry.action,
                    name=(member.name if named else None) if member else holder.name if holder else None,
                    relationship=holder.relationship if holder else None,
                    staff=entry.role is not None and entry.role not in _OUTSIDE,
                )
            )
        return shown


def _is_of(entry: audit.Entry, patient_id: UUID) -> bool:
    return entry.role == Role.PATIENT and entry.person_id == patient_id
