"""What partners' webhooks may be told of appointments: their ids alone (G6)."""

from __future__ import annotations

from bedside_core.api import PublicEvent
from bedside_scheduling.api import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentConverted,
    AppointmentMoved,
    AppointmentPatientsChanged,
    VisitRecorded,
)

_IDS = ("appointment_id",)

PUBLIC_EVENTS = (
    PublicEvent(key="appointment.booked", event=AppointmentBooked, doc="An appointment was booked.", ids=_IDS),
    PublicEvent(
        key="appointment.moved",
        event=AppointmentMoved,
        doc="An appointment has another time, or other practitioners.",
        ids=_IDS,
    ),
    PublicEvent(
        key="appointment.converted",
        event=AppointmentConverted,
        doc="An appointment in person became one by telehealth, or the other way round.",
        ids=_IDS,
    ),
    PublicEvent(
        key="appointment.cancelled",
        event=AppointmentCancelled,
        doc="An appointment takes place no more.",
        ids=_IDS,
    ),
    PublicEvent(
        key="appointment.patients_changed",
        event=AppointmentPatientsChanged,
        doc="Somebody joined a group appointment, or comes no more, while it goes on.",
        ids=_IDS,
    ),
    PublicEvent(
        key="visit.recorded",
        event=VisitRecorded,
        doc="A patient came, a visit began or ended, or nobody came.",
        ids=_IDS,
    ),
)
"""Contributed by the manifest."""
