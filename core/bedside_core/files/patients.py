"""A patient's Files (P8): the first things in core that files are attached to."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import errors
from bedside_core.access import Refusal
from bedside_core.auth import Actor
from bedside_core.database import unit
from bedside_core.files.facts import PATIENT, FileOwner, StoredFile
from bedside_core.files.service import refused
from bedside_core.paging import Page

if TYPE_CHECKING:
    from bedside_core.platform import Platform


async def _may_read(platform: Platform, actor: Actor, file: StoredFile) -> Refusal | None:
    if actor.patient_id is not None:  # in the portal: their own, whoever put it there
        return None if file.owner_id == actor.patient_id else refused()
    if refusal := await platform.access.why_not(actor, "files.read"):
        return refusal
    return None if file.owner_id in await platform.people.patients_by_id([file.owner_id or file.id]) else refused()


async def _may_delete(platform: Platform, actor: Actor, file: StoredFile) -> Refusal | None:
    own = file.made_by == actor.person_id and actor.member_id is not None
    return await platform.access.why_not(actor, "files.delete" if own else "files.moderate")


OWNER = FileOwner(
    kind=PATIENT,
    doc="A patient's files. Who may see the patient's files reads them, and so does the patient; who uploaded one, and "
    "leaders, delete it.",
    may_read=_may_read,
    may_delete=_may_delete,
    panel="f.owner_id = $1",
)


async def attach_to_patient(platform: Platform, actor: Actor, upload_id: UUID, patient_id: UUID) -> StoredFile:
    """Put a finished upload of the actor's with a patient of the practice.

    Raises:
        errors.NotFound: no such upload or patient that the actor may see.
        errors.Conflict: the upload is not finished, or attached to something else.
    """
    await _require_patient(platform, actor, "files.attach", patient_id)
    async with unit():
        await platform.people.hold_patient(patient_id)
        [file] = await platform.files.attach(actor, [upload_id], PATIENT, patient_id)
        return file


async def patient_files(
    platform: Platform, actor: Actor, patient_id: UUID, *, first: int | None, after: str | None
) -> Page[StoredFile]:
    """Return a patient's Files, the latest first: those with the patient, and what plugins contribute (P8).

    Raises:
        errors.NotFound: no such patient that the actor may see.
    """
    await _require_patient(platform, actor, "files.read", patient_id)
    return await platform.files.panel(actor, patient_id, first=first, after=after)


async def _require_patient(platform: Platform, actor: Actor, permission: str, patient_id: UUID) -> None:
    actor.in_practice()
    await platform.access.require(actor, permission)
    if patient_id not in await platform.people.patients_by_id([patient_id]):
        raise errors.NotFound("There is no patient with this id that you may see.", field=("patientId",))
