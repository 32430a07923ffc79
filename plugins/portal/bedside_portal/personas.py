"""Tells sign-in for which patients an account may act (A15, S11)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from bedside_core.api import DB, Clock, Persona, Role


class PortalPersonas:
    """Provides core's `PatientPersonas`.

    Args:
        clock: by which a guardian's last day is over.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def of_account(self, account_id: UUID) -> Sequence[Persona]:
        """Return the patients whose portal accounts are active and this account's to act for, with Role.PATIENT."""
        rows = await DB.fetch("SELECT * FROM portal_personas($1, $2)", account_id, self._clock.now())
        return [
            Persona(
                id=row["patient_id"],
                role=Role.PATIENT,
                practice_id=row["practice_id"],
                practice=row["practice"],
                name=f"{row['first_name']} {row['last_name']}",
            )
            for row in rows
        ]

    async def practices(self, account_id: UUID) -> Collection[UUID]:
        """Return the practices in which the account was let in for a patient and not taken away, suspended or not."""
        return [row["id"] for row in await DB.fetch("SELECT portal_practices($1) AS id", account_id)]

    async def active(self, account_id: UUID, patient_id: UUID) -> bool:
        """Tell whether the account may act for this patient now; asked with each request of such a session."""
        return bool(await DB.fetchval("SELECT portal_acts($1, $2, $3)", account_id, patient_id, self._clock.now()))
