"""What the waiting list does by itself: it offers what becomes free, and ends what is over (S7)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from bedside_core.api import Job, JobRun, Listener, on
from bedside_scheduling.api import AppointmentBooked, AppointmentMoved, AppointmentPatientsChanged, TimeFreed
from bedside_scheduling.group_offers import GroupOffers
from bedside_scheduling.offers import Offers

if TYPE_CHECKING:
    from bedside_core.api import Platform

_RUN_SECONDS = 45.0


async def look(run: JobRun) -> None:
    """End offers whose time is over, which frees it for the next, and what waited in vain; offer places of groups."""
    until = time.monotonic() + _RUN_SECONDS
    while await run.platform.service(Offers).look() and time.monotonic() < until:
        pass
    await run.platform.service(GroupOffers).offer(run.practice_id)


def listeners(platform: Platform) -> Iterable[Listener]:
    """Return the listeners by which freed times are offered, and offers end with what is booked meanwhile."""

    async def time_freed(event: TimeFreed) -> None:
        await platform.service(Offers).time_freed(event.practice_id, event.member_ids, event.starts_at, event.ends_at)

    async def booked(event: AppointmentBooked | AppointmentMoved | AppointmentPatientsChanged) -> None:
        await platform.service(Offers).booked(event.appointment_id)

    return (
        on(TimeFreed, time_freed, durable=True),
        on(AppointmentBooked, booked, durable=True),
        on(AppointmentMoved, booked, durable=True),
        on(AppointmentPatientsChanged, booked, durable=True),
    )


# Public: what was offered before a plan lost scheduling ends all the same (L5).
JOBS = (
    Job(
        name="end_offers",
        function=look,
        doc="Ends offers of the waiting list whose time is over, so that the next one gets it, and entries that waited "
        "in vain; offers places of groups that are free.",
        schedule="* * * * *",
        public=True,
    ),
)
"""Contributed by the hook."""
