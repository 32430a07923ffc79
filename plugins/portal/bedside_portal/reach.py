"""Where who acts for a patient is told of what the patient is told of, and the end of it (S11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Clock, Reached, Recipient, Work

if TYPE_CHECKING:
    from bedside_core.api import Platform


class PortalReach:
    """Provides core's `PatientReach`: guardians are told what the patient is told, and whoever has no address there.

    Args:
        clock: by which a guardian's last day is over.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def reach(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Reached]]:
        """Return where who acts for patients is reached besides the records' own addresses, in one statement."""
        found: dict[UUID, list[Reached]] = {}
        for row in await DB.fetch("SELECT * FROM portal_addresses($1, NULL, $2)", list(patient_ids), self._clock.now()):
            found.setdefault(row["patient_id"], []).append(Reached(email=row["email"], phone=row["phone"]))
        return found


async def told_no_more(platform: Platform, work: Work, patient_id: UUID, account_id: UUID | None) -> None:
    """Have an account that acts for a patient, or every one, be told no more; what is on its way to it is not sent.

    To be called in the unit in which they cease to act, before they are written down as removed.
    """
    rows = await DB.fetch("SELECT * FROM portal_addresses($1, $2, NULL)", [patient_id], account_id)
    practice_id: UUID = await DB.fetchval("SELECT app_practice()")
    await platform.notify.told_no_more(
        work,
        Recipient.patient(patient_id, practice_id),
        [Reached(email=row["email"], phone=row["phone"]) for row in rows],
        account_id=account_id,
    )
