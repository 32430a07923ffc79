"""Who acts for whom: read for any number of patients, locked for a change, and every change told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, NotFound, audit, unit
from bedside_portal.api import (
    Holder,
    HolderState,
    PortalAccount,
    PortalAccountChanged,
    PortalHolderChanged,
    PortalState,
)
from bedside_portal.rows import HOLDER, accounts_of, holder_of

if TYPE_CHECKING:
    from bedside_core.api import Platform

_LOCK = "SELECT true FROM patient WHERE id = $1 AND merged_into IS NULL FOR NO KEY UPDATE"
_MISSING = "There is nobody with this id that you may see."


class Holders:
    """Reads holders, and tells of changes.

    Args:
        platform: its clock.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    # -- what is asked ---------------------------------------------------------------------------------------------

    async def accounts(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, PortalAccount]:
        """Return the accounts of patients with who acts for them, in one statement; every id is in the answer."""
        return await accounts_of(patient_ids, self._platform.clock.now())

    async def states(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, PortalState]:
        """Return the state of each patient's account, in one statement; every id is in the answer."""
        return {patient_id: account.state for patient_id, account in (await self.accounts(patient_ids)).items()}

    async def acting(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Holder]]:
        """Return who acts for each patient now, in one statement; nobody does while it is suspended."""
        return {
            patient_id: [holder for holder in account.holders if holder.state is HolderState.ACTIVE]
            if account.state is PortalState.ACTIVE
            else []
            for patient_id, account in (await self.accounts(patient_ids)).items()
        }

    async def who_acted(self, acts: Sequence[tuple[UUID, UUID]]) -> Mapping[tuple[UUID, UUID], Holder]:
        """Return, of (account, patient), who that was, though they may be removed since; for the audit trail."""
        rows = await DB.fetch(
            f"""{HOLDER} WHERE (h.account_id, h.patient_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
            ORDER BY h.removed_at NULLS LAST, h.id""",
            [account for account, _ in acts],
            [patient for _, patient in acts],
        )
        audit.saw(row["patient_id"] for row in rows)
        now = self._platform.clock.now()
        return {(row["account_id"], row["patient_id"]): holder_of(row, now) for row in rows}

    # -- shared ----------------------------------------------------------------------------------------------------

    async def lock(self, patient_id: UUID) -> None:
        """Have changes of a patient's account come one after the other.

        Raises:
            NotFound: the practice has no such patient.
        """
        if await DB.fetchval(_LOCK, patient_id) is None:
            raise NotFound("There is no patient with this id that you may see.")

    async def locked(self, patient_id: UUID) -> PortalAccount:
        """Return a patient's account as it is written, locked.

        Raises:
            NotFound: the practice has no such patient.
        """
        await self.lock(patient_id)
        return (await self.written([patient_id]))[patient_id]

    async def written(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, PortalAccount]:
        """Return accounts as they are written: with guardians whose last day is over, until that was told (S11).

        What is changed is told by what stood before and after; who may do something is asked of `accounts`.
        """
        return await accounts_of(patient_ids, self._platform.clock.now(), written=True)

    async def found(self, holder_id: UUID) -> tuple[Holder, PortalAccount]:
        """Return a holder of the acting practice and the patient's account, locked."""
        patient_id = await DB.fetchval("SELECT patient_id FROM portal_holder WHERE id = $1", holder_id)
        if patient_id is None:
            raise NotFound(_MISSING)
        before = await self.locked(patient_id)
        return await self.holder(holder_id), before

    async def holder(self, holder_id: UUID) -> Holder:
        """Return a holder of the acting practice.

        Raises:
            NotFound: there is none.
        """
        row = await DB.fetchrow(f"{HOLDER} WHERE h.id = $1", holder_id)
        if row is None:
            raise NotFound(_MISSING)
        return holder_of(row, self._platform.clock.now())

    async def removed(self, before: PortalAccount, holder_id: UUID, action: str) -> Holder:
        """Have somebody act no more, or an invitation be none."""
        await DB.execute(
            "UPDATE portal_holder SET removed_at = $2 WHERE id = $1", holder_id, self._platform.clock.now()
        )
        holder = await self.holder(holder_id)
        await self.tell(before, holder, action)
        return holder

    async def tell(self, before: PortalAccount, holder: Holder | None, action: str) -> None:
        """Enter a change of a patient's portal account in the trail and tell its listeners, within the present unit.

        Args:
            before: the account before the change.
            holder: who it is about; None is everybody.
            action: what was done.
        """
        await self.tell_state(before)
        await self.tell_holder(before.patient_id, holder, action)

    async def tell_state(self, before: PortalAccount) -> None:
        """Tell listeners if a patient's portal account is in another state than before, within the present unit."""
        patient_id = before.patient_id
        after = (await self.written([patient_id]))[patient_id]
        if after.state is before.state:
            return
        async with unit() as work:
            work.emit(
                PortalAccountChanged(
                    practice_id=await DB.fetchval("SELECT app_practice()"),
                    patient_id=patient_id,
                    before=before.state,
                    state=after.state,
                )
            )

    async def tell_holder(self, patient_id: UUID, holder: Holder | None, action: str) -> None:
        """Enter what was done about a holder, or about everybody, and tell listeners, within the present unit."""
        async with unit() as work:
            if holder is not None and action != "portal.resend":
                work.emit(
                    PortalHolderChanged(
                        practice_id=await DB.fetchval("SELECT app_practice()"),
                        patient_id=patient_id,
                        holder_id=holder.id,
                        account_id=holder.account_id,
                        state=holder.state,
                    )
                )
            audit.did(
                action,
                kind="portal_holder" if holder else "patient",
                target=holder.id if holder else patient_id,
                patients=[patient_id],
                detail={"account": str(holder.account_id)} if holder and holder.account_id else None,
            )
