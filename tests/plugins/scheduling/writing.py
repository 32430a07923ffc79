"""Appointments as booking writes them, without what it asks first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from deployment import Deployment

from bedside_core.database import unit
from bedside_scheduling.api import AppointmentKind
from bedside_scheduling.keeping import NewAppointment, hold_calendars, put

_numbers = count()


def visit(
    starts_at: datetime, members: Sequence[UUID], patients: Sequence[UUID], *, minutes: int = 30, **more: Any
) -> NewAppointment:
    """Return an appointment in person that the first of its practitioners books, if not said otherwise."""
    given: dict[str, Any] = {
        "type_id": None,
        "kind": AppointmentKind.IN_PERSON,
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(minutes=minutes),
        "zone": "UTC",
        "member_ids": members,
        "patient_ids": patients,
        "capacity": max(1, len(patients)),
        "booked_by": members[0],
        "by_patient": False,
        "client_id": f"visit-{next(_numbers)}",
    }
    return NewAppointment(**given | more)


async def written(deployment: Deployment, new: NewAppointment) -> UUID:
    """Write an appointment in the acting practice and return its id."""
    async with unit() as work:
        await hold_calendars(deployment.platform, work, new.member_ids)
        return await put(deployment.platform, work, new)
