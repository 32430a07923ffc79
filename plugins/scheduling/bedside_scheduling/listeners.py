"""What scheduling does once something has happened: it offers what is free, and plans reminders anew (S7, N7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bedside_core.api import Listener, MemberChanged, SettingsChanged, on, unit
from bedside_portal.api import PortalAccountChanged
from bedside_scheduling import reminders
from bedside_scheduling.api import AppointmentBooked, AppointmentMoved, AppointmentPatientsChanged, TimeFreed
from bedside_scheduling.deactivated import seen_to
from bedside_scheduling.offers import Offers
from bedside_scheduling.waking import OPENING, wake

if TYPE_CHECKING:
    from bedside_core.api import Platform


def waiting_listeners(platform: Platform) -> Iterable[Listener]:
    """Return the listeners by which what is free is offered, and offers end with what comes between."""

    async def time_freed(event: TimeFreed) -> None:
        await platform.service(Offers).time_freed(event.practice_id, event.member_ids, event.starts_at, event.ends_at)

    async def booked(event: AppointmentBooked | AppointmentPatientsChanged) -> None:
        await platform.service(Offers).booked(event.appointment_id)

    async def moved(event: AppointmentMoved) -> None:
        await platform.service(Offers).booked(event.appointment_id)
        await seen_to(platform, event.appointment_id)

    async def portal_changed(event: PortalAccountChanged) -> None:
        await platform.service(Offers).portal_changed(event)

    async def member_changed(event: MemberChanged) -> None:
        if "video_host" in event.changed:  # sections for telehealth open with it (S3)
            async with unit() as work:
                await wake(platform, work, event.practice_id, member_ids=[event.member_id])

    return (
        on(TimeFreed, time_freed, durable=True),
        on(MemberChanged, member_changed, durable=True),
        on(AppointmentBooked, booked, durable=True),
        on(AppointmentMoved, moved, durable=True),
        on(AppointmentPatientsChanged, booked, durable=True),
        on(PortalAccountChanged, portal_changed, durable=True),
    )


def settings_changed(platform: Platform) -> Listener:
    """Return the listener by which reminders come when the practice wants them, and what settings open is offered."""

    async def changed(event: SettingsChanged) -> None:
        if event.plugin != "scheduling":
            return
        if "reminder_hours" in event.changed:
            await reminders.replan_all(platform)
        if not OPENING.isdisjoint(event.changed):
            async with unit() as work:
                whose = None if event.member_id is None else [event.member_id]
                await wake(platform, work, event.practice_id, member_ids=whose)

    return on(SettingsChanged, changed, durable=True)
