"""Until when a guardian acts for a patient, such as until a child is of age, and the job that closes it then (S11)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, Conflict, Job, JobRun, audit, unit
from bedside_portal.api import Holder, HolderState, PortalAccountChanged, PortalHolderChanged, PortalState
from bedside_portal.service import PortalService, void_links

if TYPE_CHECKING:
    from bedside_core.api import Platform

BATCH = 100


async def set_until(
    platform: Platform, portal: PortalService, actor: Actor, holder_id: UUID, day: date | None
) -> Holder:
    """Say until when a guardian acts for a patient.

    Args:
        platform: access.
        portal: keeps who acts for whom.
        actor: a member.
        holder_id: the guardian, also one who is only invited.
        day: the last day on which they act, in the practice's zone; None is without end.

    Raises:
        NotFound: there is nobody of this id in the practice.
        Conflict: the patient themselves, or somebody who acts no more.
        InvalidInput: the day is over.
    """
    actor.in_practice()
    await platform.access.require(actor, "portal.manage")
    await portal.not_over(actor, day, ("until",))
    async with unit():
        holder, before = await portal.found(holder_id)
        if holder.relationship is None:
            raise Conflict("Patients act for themselves without end.", field=("holderId",))
        if holder.state is HolderState.REMOVED or await portal.is_over(actor, holder):
            raise Conflict("They act for the patient no more.", field=("holderId",))
        if holder.until == day:
            audit.saw([holder.patient_id])
            return holder
        await DB.execute("UPDATE portal_holder SET ends_on = $2 WHERE id = $1", holder_id, day)
        changed = await portal.holder(holder_id)
        audit.did("portal.until", kind="portal_holder", target=holder_id, patients=[before.patient_id])
        return changed


async def end_guardians(run: JobRun) -> None:
    """Tell of what has ended, and end what is still open by it: sessions, letters, links; each in a unit of its own.

    That nobody acts any more whose last day is over does not wait for it: who acts is asked by the day.
    """
    portal = run.platform.service(PortalService)
    today = await run.platform.people.today(run.practice_id)
    rows = await DB.fetch(
        "SELECT id FROM portal_holder WHERE ends_on < $1 AND removed_at IS NULL ORDER BY ends_on, id LIMIT $2",
        today,
        BATCH,
    )
    for row in rows:
        async with unit() as work:
            holder, before = await portal.found(row["id"])
            if holder.state is HolderState.REMOVED or holder.until is None or holder.until >= today:
                continue  # meanwhile
            if holder.state is HolderState.INVITED:
                await void_links(run.platform, holder)
                await portal.removed(before, holder.id, "portal.revoke")
            else:
                await portal.ended(work, before, holder, "portal.remove")


def account_changed(platform: Platform) -> Callable[[PortalAccountChanged], Awaitable[None]]:
    """Return the listener by which a sign-in that went on beside a suspension is over, too (A10)."""

    async def changed(event: PortalAccountChanged) -> None:
        account = (await platform.service(PortalService).accounts([event.patient_id]))[event.patient_id]
        if account.state is PortalState.SUSPENDED:
            async with unit() as work:
                await platform.auth.end_sessions(work, patient_id=event.patient_id)

    return changed


def holder_changed(platform: Platform) -> Callable[[PortalHolderChanged], Awaitable[None]]:
    """Return the listener by which a sign-in that went on beside a guardian's removal is over, too (A10)."""

    async def changed(event: PortalHolderChanged) -> None:
        if event.account_id is None or event.state != HolderState.REMOVED:
            return
        acting = (await platform.service(PortalService).acting([event.patient_id]))[event.patient_id]
        if all(holder.account_id != event.account_id for holder in acting):
            async with unit() as work:
                await platform.auth.end_sessions(work, account_id=event.account_id, patient_id=event.patient_id)

    return changed


# Public, for what was to end ends, whatever the plan has become since (L5).
JOBS = (
    Job(
        name="end_guardians",
        function=end_guardians,
        doc="Closes what guardians have open for patients after the last day on which they act, and tells of it.",
        schedule="*/5 * * * *",
        public=True,
    ),
)
