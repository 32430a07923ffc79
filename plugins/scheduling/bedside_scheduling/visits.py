"""Records visits: a patient came, the visit began, it ended, or nobody came."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, InvalidInput, audit, unit
from bedside_scheduling.api import Appointment, AppointmentOver, AppointmentState, VisitRecorded
from bedside_scheduling.changes import locked, seen_at
from bedside_scheduling.consequences import changed
from bedside_scheduling.reading import Reading
from bedside_scheduling.standing import over

if TYPE_CHECKING:
    from bedside_core.api import Platform

EARLY = timedelta(hours=12)
"""How long before its time a visit can begin."""

_STEP = """UPDATE appointment SET state = $2, arrived_at = $3, started_at = $4, finished_at = $5, version = version + 1
WHERE id = $1"""


class VisitStep(StrEnum):
    """What happened."""

    ARRIVED = "arrived"
    STARTED = "started"
    COMPLETED = "completed"
    NO_SHOW = "no_show"


_ORDER = (VisitStep.ARRIVED, VisitStep.STARTED, VisitStep.COMPLETED)


class Visits:
    """Records visits.

    Args:
        platform: access and clock.
        reading: what was recorded is read again.
    """

    def __init__(self, platform: Platform, reading: Reading) -> None:
        self._platform = platform
        self._reading = reading

    async def record(
        self,
        actor: Actor,
        appointment_id: UUID,
        step: VisitStep,
        *,
        at: datetime | None = None,
        version: int | None = None,
    ) -> Appointment:
        """Record what happened with a booked appointment; what was recorded already stays, and its times with it.

        A step that was skipped happened with the next one: who began has arrived. That nobody came, and that a visit
        was completed, can be taken back by the other: then what was recorded before is gone.

        Args:
            actor: a member.
            appointment_id: the appointment.
            step: what happened.
            at: when, where it is written down afterwards; None is now.
            version: the version that was seen; None is whichever.

        Raises:
            NotFound: none that the actor sees.
            InvalidInput: not yet, or a time that can't be right.
            AppointmentOver: it is cancelled, or this step was recorded as past already.
            Conflict: it is only held, or was changed since that version.
        """
        practice_id, _ = actor.in_practice()
        await self._platform.access.require(actor, "scheduling.record_visit")
        now = self._platform.clock.now()
        async with unit() as work:
            found = await locked(actor, appointment_id)
            if _recorded(found) is step:
                return await self._reading.one(actor, appointment_id)
            if found.state in (AppointmentState.HELD, AppointmentState.LAPSED, AppointmentState.CANCELLED) and (
                refusal := over(found)
            ):
                raise refusal.problem()
            seen_at(found, version)
            times = _times(found, step, _when(found, step, at, now))
            state = (
                AppointmentState(step) if step in (VisitStep.COMPLETED, VisitStep.NO_SHOW) else AppointmentState.BOOKED
            )
            await DB.execute(_STEP, appointment_id, state, *times)
            work.emit(VisitRecorded(practice_id=practice_id, appointment_id=appointment_id, step=step))
            audit.did(
                "scheduling.record_visit",
                kind="appointment",
                target=appointment_id,
                patients=found.patient_ids,
                detail={"step": step.value},
            )
            changed(self._platform, work, appointment_id)
        return await self._reading.one(actor, appointment_id)


def _recorded(found: Appointment) -> VisitStep | None:
    """Return the last step that was recorded."""
    if found.state is AppointmentState.NO_SHOW:
        return VisitStep.NO_SHOW
    if found.state is AppointmentState.COMPLETED:
        return VisitStep.COMPLETED
    if found.started_at is not None:
        return VisitStep.STARTED
    return VisitStep.ARRIVED if found.arrived_at is not None else None


def _when(found: Appointment, step: VisitStep, at: datetime | None, now: datetime) -> datetime:
    """Return when a step happened.

    Raises:
        InvalidInput: it can't have happened then.
    """
    if at is not None and at > now:
        raise InvalidInput("This is still to come.", field=("at",))
    when = at or now
    earliest = found.starts_at if step is VisitStep.NO_SHOW else found.starts_at - EARLY
    if when < earliest:
        raise InvalidInput("It is too early for that.", field=("step",) if at is None else ("at",))
    return when


def _times(
    found: Appointment, step: VisitStep, at: datetime
) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Return when the patient came, and the visit began and ended, after a step.

    Raises:
        InvalidInput: the step would come before one that was recorded.
        AppointmentOver: a later step was recorded already.
    """
    last = _recorded(found)
    if step is VisitStep.NO_SHOW:
        if last in (VisitStep.ARRIVED, VisitStep.STARTED):
            raise AppointmentOver("The patient came.", way_on="Complete the visit.")
        return None, None, None
    before = (found.arrived_at, found.started_at, found.finished_at)
    reached = _ORDER.index(step)
    if any(time is not None for time in before[reached:]):
        raise AppointmentOver("The visit has come further already.")
    if any(time is not None and time > at for time in before):
        raise InvalidInput("This was before what was recorded already.", field=("at",))
    arrived, started, finished = (time or (at if number <= reached else None) for number, time in enumerate(before))
    return arrived, started, finished
