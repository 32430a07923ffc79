"""What follows in the schedule when a member is deactivated: what they leave is told, offered to nobody (S1, S7, S8).

Their appointments stay as they are booked, for the practice alone knows whether somebody else sees the patient.
`ATTENDED` is what lists ask: reactivating a practitioner, or giving an appointment to another one, is enough to end it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import (
    DB,
    Fact,
    Listener,
    MemberDeactivated,
    MemberReactivated,
    Recipient,
    Role,
    on,
    unit,
)
from bedside_scheduling.api import AppointmentCancelled
from bedside_scheduling.calendars import link_of
from bedside_scheduling.feeds import end_feeds
from bedside_scheduling.notices import UNATTENDED
from bedside_scheduling.offers import Offers
from bedside_scheduling.rows import ATTENDED
from bedside_scheduling.waking import wake

if TYPE_CHECKING:
    from bedside_core.api import Platform

KEEPERS = (Role.OWNER, Role.MANAGER, Role.STAFF)
"""Who keeps everybody's schedule, and is told."""

_LEFT = f"""FROM appointment_member o JOIN appointment a ON a.id = o.appointment_id
WHERE o.member_id = {{}} AND a.state = 'booked' AND a.starts_at > $2 AND NOT {ATTENDED}"""
_FIRST = f"SELECT a.id, a.starts_at {_LEFT.format('$1')} ORDER BY a.starts_at, a.id LIMIT 1"
# Of those whose appointment it was, whoever is deactivated and leaves nothing any more.
_SEEN_TO = f"""SELECT m.id FROM appointment_told t JOIN member m ON m.id = ANY(t.calendars) AND NOT m.active
WHERE t.appointment_id = $1 AND NOT EXISTS (SELECT {_LEFT.format("m.id")}) ORDER BY m.id"""
_KEEPERS = "SELECT id FROM member WHERE active AND role = ANY($1::text[]) ORDER BY id"


def member_listeners(platform: Platform) -> Iterable[Listener]:
    """Return the listeners by which what a deactivated member leaves is told, and their feeds and offers end.

    What was seen to before anybody was told is told no more, and who is back is offered to those who wait.
    """

    async def deactivated(event: MemberDeactivated) -> None:
        await platform.service(Offers).unattended(event.member_id)
        await end_feeds(platform, event.member_id, None)
        async with unit() as work:  # last: what is repeated is told once
            first = await DB.fetchrow(_FIRST, event.member_id, platform.clock.now())
            if first is not None:
                keepers = await DB.fetch(_KEEPERS, [role.value for role in KEEPERS])
                await platform.notify.send_all(
                    work,
                    UNATTENDED.key,
                    to=[Recipient.member(row["id"], event.practice_id) for row in keepers],
                    data={Fact.TIME: first["starts_at"], Fact.LINK: link_of(first["id"])},
                    key=_key(event.member_id),
                )

    async def reactivated(event: MemberReactivated) -> None:
        async with unit() as work:
            await platform.notify.cancel(work, UNATTENDED.key, key=_key(event.member_id))
            await wake(platform, work, event.practice_id, member_ids=[event.member_id])

    async def cancelled(event: AppointmentCancelled) -> None:
        await seen_to(platform, event.appointment_id)

    return (
        on(MemberDeactivated, deactivated, durable=True),
        on(MemberReactivated, reactivated, durable=True),
        on(AppointmentCancelled, cancelled, durable=True),
    )


async def seen_to(platform: Platform, appointment_id: UUID) -> None:
    """Call off what is not told yet of deactivated members whose last appointment with nobody else this was.

    Args:
        platform: notifications and clock.
        appointment_id: an appointment that was cancelled, or has other practitioners or another time.
    """
    async with unit() as work:
        for row in await DB.fetch(_SEEN_TO, appointment_id, platform.clock.now()):
            await platform.notify.cancel(work, UNATTENDED.key, key=_key(row["id"]))


def _key(member_id: UUID) -> str:
    return str(member_id)
