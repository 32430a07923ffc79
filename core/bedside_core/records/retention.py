"""Retention: whose time is over is told to owners, and a month later archived or erased, as the practice has set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from bedside_core import audit
from bedside_core.access import LEADERS, Permission
from bedside_core.auth import Actor
from bedside_core.database import DB, unit
from bedside_core.jobs.declared import Job, JobRun
from bedside_core.notify.kinds import Channel, Fact, Language, NotificationKind, Part, Recipient
from bedside_core.paging import Page, key_of, page_of, page_size
from bedside_core.people.model import Patient, PatientArchived
from bedside_core.records.catalogue import contributions, unknown_tables
from bedside_core.records.erasing import erase_patient
from bedside_core.records.settings import RecordSettings

if TYPE_CHECKING:
    from bedside_core.platform import Platform

log = structlog.get_logger("bedside.records")

NOTICE = timedelta(days=30)
"""Time between the notification and what it tells of."""
YEAR = timedelta(days=365.2425)
BATCH = 500

PERMISSIONS = (
    Permission(key="retention.read", doc="See whose records are about to be archived or erased.", roles=LEADERS),
)

_TEXTS: Mapping[Language, Mapping[Part, str]] = {
    Language.ENGLISH: {
        Part.SUBJECT: "Patients' records will soon reach the end of their time",
        Part.IN_APP: "Records of patients reach the end of the time that {{ practice }} has set, on {{ time }}. "
        "Have a look at which.",
        Part.BODY: "Records of patients reach the end of the time that {{ practice }} has set.\n\n"
        "On {{ time }} they are put into the archive or erased, as the practice's settings say. "
        "Sign in to see which they are; whoever is treated again until then stays.",
    },
    Language.SPANISH: {
        Part.SUBJECT: "El plazo de conservación de algunos registros termina pronto",
        Part.IN_APP: "Registros de pacientes llegan al final del plazo que {{ practice }} ha fijado, el {{ time }}. "
        "Revise cuáles son.",
        Part.BODY: "Registros de pacientes llegan al final del plazo que {{ practice }} ha fijado.\n\n"
        "El {{ time }} se archivan o se borran, según la configuración del consultorio. "
        "Inicie sesión para ver cuáles son; quien vuelva a ser atendido hasta entonces se queda.",
    },
}

NOTIFICATION = NotificationKind(
    key="core.retention_due",
    doc="Patients' records are about to be archived or erased, since their time is over.",
    facts=(Fact.TIME, Fact.LINK),
    channels=(Channel.IN_APP, Channel.EMAIL),
    required=(Channel.EMAIL,),
    texts=_TEXTS,
)


@dataclass(frozen=True, kw_only=True)
class Due:
    """A patient whose record's time is over.

    Args:
        patient: the patient.
        acts_at: when the record is archived or erased, unless something happens until then.
        erases: whether it is erased.
    """

    patient: Patient
    acts_at: datetime
    erases: bool


async def retain(run: JobRun) -> None:
    """Tell owners whose time is over, and archive or erase those of whom they were told a month ago.

    Nothing is done while a plugin is off that has kept something of the practice: neither would what happens there
    count, nor would it be erased.
    """
    platform = run.platform
    settings = await platform.settings.read(RecordSettings)
    now = platform.clock.now()
    if not settings.retention_years:
        await DB.execute("DELETE FROM retention_due")
        return
    if unknown := await unknown_tables(platform):
        log.warning("retention waits for plugins that are off", practice=str(run.practice_id), tables=unknown)
        return
    since = now - settings.retention_years * YEAR
    due = await _due(platform, since, settings.retention_erases)
    await _tell(platform, run.practice_id, due, now, settings.retention_erases)
    told = await DB.fetch("SELECT patient_id FROM retention_due WHERE told_at <= $1 ORDER BY patient_id", now - NOTICE)
    for row in told:  # each for itself: what a crash leaves is done in the next night
        await _act(platform, run.practice_id, row["patient_id"], since, settings.retention_erases)


async def _due(platform: Platform, since: datetime, erases: bool) -> list[UUID]:
    """Return the patients with whom nothing has happened since then, and for whom something is left to be done."""
    found, after = list[UUID](), UUID(int=0)
    while rows := await DB.fetch(
        """SELECT id FROM patient WHERE merged_into IS NULL AND changed_at < $1 AND created_at < $1
            AND ($2 OR archived_at IS NULL) AND id > $3 ORDER BY id LIMIT $4""",
        since,
        erases,
        after,
        BATCH,
    ):
        after = rows[-1]["id"]
        found += await _idle(platform, [row["id"] for row in rows], since)
    return found


async def _idle(platform: Platform, patient_ids: Sequence[UUID], since: datetime) -> list[UUID]:
    """Return those of the patients with whom nothing has happened since then, as core and each plugin declare."""
    idle = list(patient_ids)
    for _, data in contributions(platform):
        for table in data.tables:
            if table.active is not None:
                rows = await DB.fetch("SELECT record_idle($1, $2, $3, $4) AS id", table.name, table.active, idle, since)
                idle = [row["id"] for row in rows]
    return [row["id"] for row in await DB.fetch("SELECT patients_unseen($1, $2) AS id", idle, since)]


async def _tell(platform: Platform, practice_id: UUID, due: Sequence[UUID], now: datetime, erases: bool) -> None:
    """Write down who is due, and notify owners where there is somebody new or more is to happen to somebody."""
    async with unit() as work:
        await DB.execute("DELETE FROM retention_due WHERE patient_id <> ALL($1)", list(due))
        new = await DB.fetch(
            """INSERT INTO retention_due AS d (practice_id, patient_id, told_at, erases)
            SELECT $1, id, $3, $4 FROM unnest($2::uuid[]) AS due (id)
            ON CONFLICT (practice_id, patient_id) DO UPDATE SET told_at = excluded.told_at, erases = excluded.erases
                WHERE d.erases <> excluded.erases
            RETURNING patient_id""",
            practice_id,
            list(due),
            now,
            erases,
        )
        if not new:
            return
        for owner in await DB.fetch("SELECT id FROM member WHERE role = 'owner' AND active"):
            await platform.notify.send(
                work,
                NOTIFICATION.key,
                to=Recipient.member(owner["id"], practice_id),
                data={Fact.TIME: now + NOTICE, Fact.LINK: "/patients"},
                dedupe=f"{now:%Y-%m-%d}",
            )
        audit.did("retention.tell", patients=[row["patient_id"] for row in new])


async def _act(platform: Platform, practice_id: UUID, patient_id: UUID, since: datetime, erases: bool) -> None:
    """Archive or erase a patient, unless something has happened with them since this night's look."""
    async with unit() as work:
        row = await DB.fetchrow("SELECT changed_at FROM patient WHERE id = $1 FOR UPDATE", patient_id)
        if row is None or row["changed_at"] >= since or not await _idle(platform, [patient_id], since):
            return
        if erases:
            await erase_patient(platform, work, practice_id, patient_id)
            return
        await DB.execute("DELETE FROM retention_due WHERE patient_id = $1", patient_id)
        archived = await DB.fetchval(
            "UPDATE patient SET archived_at = $2 WHERE id = $1 AND archived_at IS NULL RETURNING true",
            patient_id,
            platform.clock.now(),
        )
        if archived:
            work.emit(PatientArchived(practice_id=practice_id, patient_id=patient_id, archived=True))
            audit.did("patients.archive", kind="patient", target=patient_id, patients=[patient_id])


async def due_patients(platform: Platform, actor: Actor, *, first: int | None, after: str | None) -> Page[Due]:
    """Return the patients of the actor's practice whose records' time is over, the next to be acted on first."""
    actor.in_practice()
    size, key = page_size(first), key_of(after, str, UUID)
    rows = await DB.fetch(
        """SELECT patient_id, told_at, erases FROM retention_due
        WHERE $2::text IS NULL OR (told_at, patient_id) > ($2::text::timestamptz, $3)
        ORDER BY told_at, patient_id LIMIT $1""",
        size + 1,
        *(key or (None, None)),
    )
    patients = await platform.people.patients_by_id([row["patient_id"] for row in rows[:size]])
    found = [
        Due(patient=patients[row["patient_id"]], acts_at=row["told_at"] + NOTICE, erases=row["erases"])
        for row in rows
        if row["patient_id"] in patients
    ]
    return page_of(
        found,
        size,
        lambda item: ((item.acts_at - NOTICE).isoformat(), str(item.patient.id)),
        after=after,
        more=len(rows) > size,
    )


JOBS = (
    Job(
        name="retain",
        function=retain,
        doc="Tells owners which patients' records have reached the end of their time, and archives or erases them a "
        "month later.",
        schedule="11 2 * * *",
        public=True,
    ),
)
