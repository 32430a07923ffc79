"""Reminders of appointments: planned with each change of them, taken up once, and never sent of what is no more (N7).

A row is one reminder of one patient of one start. It is made, renewed and removed in the unit of work that changes the
appointment. A job looks every minute what is due and puts it into the outbox, in one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Fact, Job, JobRun, Recipient, Work, unit
from bedside_scheduling.calendars import link_of
from bedside_scheduling.notices import REMINDER, TELEHEALTH_REMINDER
from bedside_scheduling.settings import SchedulingSettings

if TYPE_CHECKING:
    from bedside_core.api import Platform

TELEHEALTH_BEFORE = timedelta(minutes=30)
"""How long before a telehealth appointment the second reminder is sent; somebody looks every minute."""
BATCH = 200
_RUN_SECONDS = 45.0
_JOB = "reminders"
_KINDS = {"standard": REMINDER.key, "telehealth": TELEHEALTH_REMINDER.key}
EVERY = tuple(_KINDS.values())
"""The kinds of notifications that are reminders."""

# What stays is of the same start and still to be told; all else goes, sent or not.
_STALE = """DELETE FROM appointment_reminder r USING appointment a
WHERE r.appointment_id = ANY($1) AND a.id = r.appointment_id AND NOT (
    a.state = 'booked' AND a.starts_at = r.starts_at AND (r.kind = 'standard' OR a.kind = 'telehealth')
    AND EXISTS (SELECT FROM appointment_patient p
        WHERE p.appointment_id = a.id AND p.patient_id = r.patient_id AND p.cancelled_at IS NULL))
RETURNING r.practice_id, r.appointment_id, r.patient_id, r.kind, r.taken_at IS NOT NULL AS taken"""

# Who books later than the standard reminder would come has just been told. The second one is sent at once then. What
# is planned already is of the appointment as it is now.
_PLAN = """INSERT INTO appointment_reminder AS r (appointment_id, patient_id, kind, practice_id, version, starts_at,
    due_at)
SELECT a.id, p.patient_id, k.kind, a.practice_id, a.version, a.starts_at, greatest(k.due_at, $2)
FROM appointment a
JOIN appointment_patient p ON p.appointment_id = a.id AND p.cancelled_at IS NULL
CROSS JOIN LATERAL (VALUES
    ('standard', a.starts_at - make_interval(hours => $3)), ('telehealth', a.starts_at - $4::interval)
) AS k(kind, due_at)
WHERE ($1::uuid[] IS NULL OR a.id = ANY($1)) AND a.state = 'booked' AND a.starts_at > $2
    AND CASE k.kind WHEN 'telehealth' THEN a.kind = 'telehealth' ELSE k.due_at > $2 OR EXISTS (
        SELECT FROM appointment_reminder o
        WHERE o.appointment_id = a.id AND o.patient_id = p.patient_id AND o.kind = k.kind) END
ORDER BY a.id, p.patient_id, k.kind
ON CONFLICT (appointment_id, patient_id, kind) DO UPDATE SET version = excluded.version
RETURNING r.taken_at IS NULL AND r.due_at <= $2 AS due"""

# Had first, and looked at in a statement of its own: what somebody has changed until then is seen with its reminders.
_DUE = """SELECT appointment_id, patient_id, kind FROM appointment_reminder
WHERE taken_at IS NULL AND due_at <= $1
ORDER BY due_at, appointment_id, patient_id, kind LIMIT $2 FOR UPDATE SKIP LOCKED"""

# A row of another version is of an appointment that somebody has changed past all care: it is sent to nobody.
_TAKE = """UPDATE appointment_reminder r SET taken_at = $1
FROM unnest($2::uuid[], $3::uuid[], $4::text[]) AS d(appointment_id, patient_id, kind), appointment a
WHERE r.appointment_id = d.appointment_id AND r.patient_id = d.patient_id AND r.kind = d.kind
    AND a.id = r.appointment_id
RETURNING r.appointment_id, r.patient_id, r.kind, r.starts_at,
    a.version = r.version AND a.state = 'booked' AND a.starts_at = r.starts_at AND a.starts_at > $1 AS wanted"""

_OVER = """WITH over AS (
    SELECT appointment_id, patient_id, kind FROM appointment_reminder
    WHERE taken_at IS NOT NULL AND over_at IS NULL AND starts_at <= $1
    ORDER BY starts_at, appointment_id, patient_id, kind LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE appointment_reminder r SET over_at = $1 FROM over o
WHERE r.appointment_id = o.appointment_id AND r.patient_id = o.patient_id AND r.kind = o.kind
RETURNING r.appointment_id"""


async def replan(platform: Platform, work: Work, appointment_ids: Sequence[UUID]) -> None:
    """Make the reminders of appointments what the appointments are now, and take back what is stale (promise N3).

    Three statements, and one for each person whose reminder is in the outbox already.

    Args:
        platform: for clock, settings and notifications.
        work: the unit of work that has changed the appointments.
        appointment_ids: which.
    """
    for row in await DB.fetch(_STALE, list(appointment_ids)):
        if row["taken"]:
            patient = Recipient.patient(row["patient_id"], row["practice_id"])
            await platform.notify.cancel(work, _KINDS[row["kind"]], key=str(row["appointment_id"]), to=patient)
    await _plan(platform, work, list(appointment_ids))


async def _plan(platform: Platform, work: Work, appointment_ids: list[UUID] | None) -> None:
    """Plan the reminders of appointments, or of all that are to come."""
    hours = (await platform.settings.read(SchedulingSettings)).reminder_hours
    rows = await DB.fetch(_PLAN, appointment_ids, platform.clock.now(), hours, TELEHEALTH_BEFORE)
    if any(row["due"] for row in rows):
        await work.enqueue(f"scheduling.{_JOB}", {})


async def remind(run: JobRun) -> None:
    """Remind the practice's patients whom a reminder is due, and take back what was not sent until the start.

    Each is taken up and put into the outbox in one transaction: a process that is killed in between has done neither.
    """
    until = time.monotonic() + _RUN_SECONDS
    for batch in (_due, _over):
        while time.monotonic() < until and await batch(run):
            pass


async def _due(run: JobRun) -> bool:
    """Remind some, and tell whether there may be more."""
    async with unit() as work:
        now = run.platform.clock.now()
        due = await DB.fetch(_DUE, now, BATCH)
        if not due:
            return False
        of = ([row[name] for row in due] for name in ("appointment_id", "patient_id", "kind"))
        rows = await DB.fetch(_TAKE, now, *of)
        together: dict[tuple[str, UUID, datetime], list[Recipient]] = {}
        for row in rows:
            if row["wanted"]:
                patients = together.setdefault((row["kind"], row["appointment_id"], row["starts_at"]), [])
                patients.append(Recipient.patient(row["patient_id"], run.practice_id))
        for (kind, appointment_id, starts_at), patients in together.items():
            await run.platform.notify.send_all(
                work,
                _KINDS[kind],
                to=patients,
                data={Fact.TIME: starts_at, Fact.LINK: link_of(appointment_id)},
                key=str(appointment_id),
                item=str(appointment_id),
            )
    return len(due) == BATCH


async def _over(run: JobRun) -> bool:
    """Take back reminders of what has begun, that no server took in time, and tell whether there may be more."""
    async with unit() as work:
        rows = await DB.fetch(_OVER, run.platform.clock.now(), BATCH)
        for appointment_id in sorted({row["appointment_id"] for row in rows}):
            await run.platform.notify.cancel_all(work, EVERY, key=str(appointment_id))
    return len(rows) == BATCH


async def replan_all(platform: Platform) -> None:
    """Have reminders come when the practice wants them from now on; none comes twice."""
    async with unit() as work:
        hours = (await platform.settings.read(SchedulingSettings)).reminder_hours
        await DB.execute(
            """UPDATE appointment_reminder SET due_at = starts_at - make_interval(hours => $1)
            WHERE kind = 'standard' AND taken_at IS NULL""",
            hours,
        )
        await _plan(platform, work, None)


# Public, for a reminder is of what was booked: what a plan lacks since then stays (L5).
JOBS = (
    Job(
        name=_JOB,
        function=remind,
        doc="Reminds patients of their appointments when it is time (N7).",
        schedule="* * * * *",
        public=True,
    ),
)
