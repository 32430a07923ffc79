"""What the portal keeps of patients: who acts for them, exported with them and joined when two records are one's."""

from __future__ import annotations

from uuid import UUID

from bedside_core.api import DB, DataContribution, KeptTable, Platform, unit
from bedside_portal.api import Holder, HolderState, PortalAccount
from bedside_portal.holders import Holders
from bedside_portal.reach import told_no_more
from bedside_portal.service import void_links

# A number that has written STOP and is nobody else's: neither another patient's, nor of who acts for another.
_OPT_OUTS = """DELETE FROM notification_opt_out t USING portal_holder h
WHERE h.patient_id = $1 AND t.practice_id = h.practice_id AND t.address = h.address
    AND NOT EXISTS (SELECT FROM patient p WHERE p.phone = t.address AND p.id <> $1)
    AND NOT EXISTS (SELECT FROM portal_holder o WHERE o.address = t.address AND o.patient_id <> $1)"""

# The merged record's goes where the kept one has none, or where it forbids: nobody books by a second record.
_BOOKING = """WITH merged AS (DELETE FROM portal_booking WHERE patient_id = $2 RETURNING *)
INSERT INTO portal_booking (patient_id, practice_id, allowed, decided_at, decided_by)
SELECT $1::uuid, practice_id, allowed, decided_at, decided_by FROM merged
ON CONFLICT (patient_id) DO UPDATE SET allowed = portal_booking.allowed AND excluded.allowed"""


async def _merge(platform: Platform, kept: UUID, merged: UUID) -> None:
    """Have who acts for the merged patient, or is invited to, act for the kept one; suspended stays so.

    Nobody who acts loses that by an invitation, nor by a last day that is over. The merged patient's sessions
    end with the merge itself, the kept one's where the suspension comes with it (promise A4).
    """
    holders = Holders(platform)
    before = await holders.written([kept, merged])
    present = (await holders.accounts([kept]))[kept]
    doubled = _doubled(before[kept], present, before[merged])
    async with unit() as work:
        for holder in doubled:
            await _remove(platform, holder)
            if holder.patient_id == kept and holder.account_id is not None:  # they sign in anew as who acts now
                await platform.auth.end_sessions(work, account_id=holder.account_id, patient_id=kept)
        await DB.execute("UPDATE portal_holder SET patient_id = $1 WHERE patient_id = $2", kept, merged)
        suspended = await DB.fetchval(
            """INSERT INTO portal_suspension (patient_id, practice_id, suspended_at, suspended_by)
            SELECT $1::uuid, practice_id, suspended_at, suspended_by FROM portal_suspension WHERE patient_id = $2
            ON CONFLICT DO NOTHING RETURNING true""",
            kept,
            merged,
        )
        await DB.execute("DELETE FROM portal_suspension WHERE patient_id = $1", merged)
        await DB.execute(_BOOKING, kept, merged)
        for account in before.values():
            await holders.tell_state(account)
        if suspended:
            await told_no_more(platform, work, kept, None)
            await platform.auth.end_sessions(work, patient_id=kept)
            await holders.tell_holder(kept, None, "portal.suspend")
        for holder in doubled:
            action = "portal.revoke" if holder.state is HolderState.INVITED else "portal.remove"
            await holders.tell_holder(kept, await holders.holder(holder.id), action)
        for holder in before[merged].holders:
            if holder not in doubled:
                await holders.tell_holder(kept, await holders.holder(holder.id), "portal.move")


def _doubled(kept: PortalAccount, present: PortalAccount, merged: PortalAccount) -> list[Holder]:
    """Return whom the kept patient would have twice: the merged one's, or an invitation of the kept one's own.

    Args:
        kept: as it is written.
        present: the same without guardians whose last day is over: of them the merged one's stays.
        merged: as it is written.
    """
    acting = {holder.account_id for holder in present.holders if holder.account_id is not None}
    doubled = [holder for holder in merged.holders if holder.account_id in acting]
    moving = {holder.account_id for holder in merged.holders if holder.account_id is not None}
    there = {holder.id for holder in present.holders}
    doubled += [holder for holder in kept.holders if holder.id not in there and holder.account_id in moving]
    own = next((holder for holder in kept.holders if holder.relationship is None), None)
    other = next((holder for holder in merged.holders if holder.relationship is None and holder not in doubled), None)
    if own is not None and other is not None:
        works = own.state is HolderState.INVITED and other.state is HolderState.ACTIVE
        doubled.append(own if works else other)
    return doubled


async def _remove(platform: Platform, holder: Holder) -> None:
    """Have somebody act no more, or void an invitation."""
    async with unit():
        if holder.state is HolderState.INVITED:
            await void_links(platform, holder)
        await DB.execute("UPDATE portal_holder SET removed_at = $2 WHERE id = $1", holder.id, platform.clock.now())


async def _erase(platform: Platform, patient_id: UUID) -> None:
    """Take away what was sent to who acts for a patient, or was to: it went to addresses, not to the patient."""
    rows = await DB.fetch("SELECT id FROM portal_holder WHERE patient_id = $1", patient_id)
    async with unit() as work:
        await platform.notify.erase(work, [str(row["id"]) for row in rows])
        await DB.execute(_OPT_OUTS, patient_id)


RECORDS = DataContribution(
    tables=(
        KeptTable(
            name="portal_holder",
            doc="Who acts for patients in the portal, or was invited to.",
            patient="t.patient_id = $1",
            hidden=("client_id", "registration_id"),
            active="t.patient_id = $1 AND greatest(t.sent_at, t.registered_at, t.removed_at) >= $2",
        ),
        KeptTable(name="portal_booking", doc="Who books by themselves, or does not.", patient="t.patient_id = $1"),
        KeptTable(name="portal_suspension", doc="Suspended portal accounts.", patient="t.patient_id = $1"),
    ),
    merge=_merge,
    erase=_erase,
)
"""Contributed by the manifest."""
