"""Erases a patient for good: every row and file that core and the plugins declare to be about them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import audit
from bedside_core.database import DB, Work
from bedside_core.files.handing import REMOVE_JOB
from bedside_core.people.model import PatientErased
from bedside_core.records.catalogue import contributions
from bedside_core.records.expiring import expire_containing

if TYPE_CHECKING:
    from bedside_core.platform import Platform


async def erase_patient(platform: Platform, work: Work, practice_id: UUID, patient_id: UUID) -> None:
    """Erase a patient of the acting practice, with the records that were merged with theirs.

    Accounts that act for nobody else, and are nobody's otherwise, go too, and so do exports that contain the patient.
    The bytes of files go by a job that exists once the unit is committed. Entries of the audit trail stay: they name
    ids, and nobody changes them.

    Args:
        platform: the plugins' contributions.
        work: the unit of work that it is part of.
        practice_id: whose patient.
        patient_id: the patient.
    """
    parts = list(contributions(platform))
    accounts = [
        row["id"]
        for _, data in parts
        for table in data.tables
        if table.patient is not None and table.erased
        for row in await DB.fetch("SELECT record_accounts($1, $2, $3) AS id", table.name, table.patient, patient_id)
    ]
    pointers = await DB.fetch("SELECT id FROM patient WHERE merged_into = $1", patient_id)
    await expire_containing(platform, [patient_id, *(row["id"] for row in pointers)])
    # Accounts before their sessions, as whoever changes a password or a factor takes them.
    await DB.execute("SELECT account_hold(id) FROM (SELECT unnest($1::uuid[]) AS id ORDER BY id) AS held", accounts)
    await DB.execute("SELECT patient_erase_sessions($1)", patient_id)
    for _, data in parts:
        for condition in data.files:  # before what it finds them by is taken away
            await DB.fetchval("SELECT record_erase('file', $1, $2)", condition, patient_id)
        if data.erase is not None:
            await data.erase(platform, patient_id)
    for _, data in reversed(parts):
        for table in reversed(data.tables):
            if table.patient is not None and table.erased:
                await DB.fetchval("SELECT record_erase($1, $2, $3)", table.name, table.patient, patient_id)
    await DB.execute("SELECT accounts_erase($1)", accounts)
    await work.enqueue(REMOVE_JOB, {})
    work.emit(PatientErased(practice_id=practice_id, patient_id=patient_id))
    audit.did("patients.erase", kind="patient", target=patient_id, patients=[patient_id])
