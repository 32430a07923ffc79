"""What scheduling tells people's inboxes of: the appointments that concern them, as they are now (C16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import Actor
from bedside_scheduling.api import Appointment, AppointmentState, Schedules

if TYPE_CHECKING:
    from bedside_core.api import Platform


class ScheduleInbox:
    """Loads what the inbox shows of appointments.

    Args:
        platform: access, and who reads appointments.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def present(self, actor: Actor, appointment_ids: Sequence[UUID]) -> Mapping[UUID, Appointment]:
        """Return those of the appointments that concern the actor still, as they are now, whatever the plan (L5)."""
        _, person_id = actor.as_person()
        await self._platform.access.require(actor, "scheduling.read")
        found = await self._platform.service(Schedules).visible(actor, appointment_ids)
        return {key: each for key, each in found.items() if _concerns(each, person_id)}


def _concerns(appointment: Appointment, person_id: UUID) -> bool:
    """Tell whether somebody is a practitioner or patient of what was booked; who comes no more is told so, too."""
    people = {*appointment.member_ids, *(each.patient_id for each in appointment.patients)}
    return appointment.state not in {AppointmentState.HELD, AppointmentState.LAPSED} and person_id in people
