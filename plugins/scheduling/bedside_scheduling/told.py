"""Remembers what was told of each appointment last: what a change is, follows from the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bedside_core.api import DB
from bedside_scheduling.api import Appointment, AppointmentKind, AppointmentState

_BEFORE = """SELECT app_person() AS by, t.appointment_id, t.state, t.kind, t.starts_at, t.member_ids, t.patient_ids
FROM (SELECT) AS one LEFT JOIN appointment_told t ON t.appointment_id = ANY($1)"""

_REMEMBER = """INSERT INTO appointment_told AS t (appointment_id, practice_id, state, kind, starts_at, ends_at,
    member_ids, patient_ids, spans, calendars)
SELECT a.id, a.practice_id, a.state, a.kind, a.starts_at, a.ends_at, m.ids, p.ids,
    tstzmultirange(tstzrange(a.starts_at, a.ends_at, '[)')), m.ids
FROM appointment a,
    LATERAL (SELECT ARRAY(SELECT member_id FROM appointment_member
        WHERE appointment_id = a.id ORDER BY number)) AS m(ids),
    LATERAL (SELECT ARRAY(SELECT patient_id FROM appointment_patient
        WHERE appointment_id = a.id AND cancelled_at IS NULL ORDER BY added_at, patient_id)) AS p(ids)
WHERE a.id = ANY($1) ORDER BY a.id
ON CONFLICT (appointment_id) DO UPDATE SET state = excluded.state, kind = excluded.kind,
    starts_at = excluded.starts_at, ends_at = excluded.ends_at, member_ids = excluded.member_ids,
    patient_ids = excluded.patient_ids, spans = t.spans + excluded.spans,
    calendars = ARRAY(SELECT DISTINCT unnest(t.calendars || excluded.calendars))"""


@dataclass(frozen=True, kw_only=True)
class Told:
    """An appointment as it was told of last.

    Args:
        state: how far it was.
        kind: where people met.
        starts_at: when it began.
        member_ids: its practitioners.
        patient_ids: who came.
    """

    state: AppointmentState
    kind: AppointmentKind
    starts_at: datetime
    member_ids: Sequence[UUID]
    patient_ids: Sequence[UUID]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of an appointment.

    Args:
        before: what was told of it last; None where nothing was.
        now: as it is.
        by: the member or patient who did it; None where nobody is known.
    """

    before: Told | None
    now: Appointment
    by: UUID | None

    @property
    def was_booked(self) -> bool:
        """Whether people were told that it takes place."""
        return self.before is not None and self.before.state is AppointmentState.BOOKED

    @property
    def gone(self) -> frozenset[UUID]:
        """Patients who came when it was told of last, and come no more."""
        return frozenset(self.before.patient_ids if self.before and self.was_booked else ()) - {*self.now.patient_ids}

    @property
    def by_patient(self) -> bool:
        """Whether one of its patients did it, or somebody who acts for them."""
        came = self.before.patient_ids if self.before else ()
        return self.by is not None and self.by in {*came, *(each.patient_id for each in self.now.patients)}


async def changes(found: Mapping[UUID, Appointment]) -> Sequence[Change]:
    """Return how appointments differ from what was told of them, in one statement, the earliest first."""
    rows = await DB.fetch(_BEFORE, list(found))
    before = {
        row["appointment_id"]: Told(
            state=AppointmentState(row["state"]),
            kind=AppointmentKind(row["kind"]),
            starts_at=row["starts_at"],
            member_ids=tuple(row["member_ids"]),
            patient_ids=tuple(row["patient_ids"]),
        )
        for row in rows
        if row["appointment_id"] is not None
    }
    made = [Change(before=before.get(each.id), now=each, by=rows[0]["by"]) for each in found.values()]
    return sorted(made, key=lambda change: (change.now.starts_at, change.now.id))


async def remember(appointment_ids: Sequence[UUID]) -> None:
    """Remember appointments as they are now, and whenever they were, in one statement."""
    await DB.execute(_REMEMBER, list(appointment_ids))
