"""What is followed live of appointments: calendars on screen, the inbox, and entries of timelines."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from bedside_core.api import Actor, Platform
from bedside_graphql.api import After, InboxKind, Info, gate, uuid_of
from bedside_scheduling import api
from bedside_scheduling.consequences import APPOINTMENT_KIND
from bedside_scheduling.inbox import ScheduleInbox
from bedside_scheduling.live import Following, Seen
from bedside_scheduling.schema.appointment import Appointment, appointment_node
from bedside_scheduling.schema.waiting import WaitingEntry, entry_node
from bedside_scheduling.timeline import BOOKED, VISIT, appointments_of

_CURSOR = "Give the last one you have as `after`."


@strawberry.type(
    description="The first event of a stream that began without a cursor, or with one that is not known any more: what "
    "happens from now on will be told, so fetch the calendar after it."
)
class ScheduleOpened:
    """The beginning."""

    cursor: str = strawberry.field(description=_CURSOR)


@strawberry.type(description="An appointment was put into the calendar, or has changed.")
class AppointmentChanged:
    """An appointment as it is now."""

    cursor: str = strawberry.field(description=_CURSOR)
    appointment: Appointment = strawberry.field(description="The appointment as it is now.")


@strawberry.type(
    description="An appointment stands no more in the calendar: it was moved away, its practitioner is another one, or "
    "it was held and not booked. It may be one that one never had."
)
class AppointmentGone:
    """An appointment that has left."""

    cursor: str = strawberry.field(description=_CURSOR)
    appointment_id: strawberry.ID = strawberry.field(description="Which.")


@strawberry.type(
    description="A practitioner's sections, days or closures have changed, those of the whole practice among them: "
    "fetch their `availability` or `slots` anew."
)
class AvailabilityChanged:
    """Whose availability has changed."""

    cursor: str = strawberry.field(description=_CURSOR)
    member_id: strawberry.ID = strawberry.field(description="Whose.")


@strawberry.type(
    description="Somebody has come to wait, is offered something or is so no more, or waits no more: told to whoever "
    "may read the waiting list, whatever the time and the practitioners that are followed."
)
class WaitingListChanged:
    """An entry of the waiting list as it is now."""

    cursor: str = strawberry.field(description=_CURSOR)
    entry: WaitingEntry = strawberry.field(description="The entry as it is now.")


ScheduleEvent = Annotated[
    ScheduleOpened | AppointmentChanged | AppointmentGone | AvailabilityChanged | WaitingListChanged,
    strawberry.union("ScheduleEvent", description="One thing that has changed in a calendar, as it is now."),
]


@strawberry.type
class ScheduleSubscription:
    """Subscriptions to what changes in calendars."""

    @strawberry.subscription(
        description="What changes in the practice's calendar between two instants, each appointment in its present "
        "state, in order, after a replay of what has changed after the cursor; whose availability changes, "
        "at whatever time; and what changes in the waiting list. What has changed several times "
        "meanwhile comes once, so no cursor is too old. What patients may see live is their `inbox`.",
        extensions=[gate("scheduling.follow", "scheduling")],
    )
    async def schedule_changed(
        self,
        info: Info,
        from_: Annotated[datetime, strawberry.argument(name="from", description="The first instant.")],
        to: Annotated[datetime, strawberry.argument(description="The last; at most 100 days later.")],
        member_ids: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(description="The calendars of these practitioners alone, 100 at most."),
        ] = None,
        after: After = None,
    ) -> AsyncGenerator[ScheduleEvent, None]:
        """Follow a calendar."""
        stream = info.context.platform.service(Following).changes(
            info.context.signed_in(),
            starts_from=from_,
            starts_to=to,
            member_ids=[uuid_of(each) for each in member_ids or ()],
            after=after,
        )
        async with aclosing(stream) as found:
            async for seen in found:
                yield _event(seen)


def _event(
    seen: Seen,
) -> ScheduleOpened | AppointmentChanged | AppointmentGone | AvailabilityChanged | WaitingListChanged:
    if seen.entry is not None:
        return WaitingListChanged(cursor=seen.cursor, entry=entry_node(seen.entry))
    if seen.member_id is not None:
        return AvailabilityChanged(cursor=seen.cursor, member_id=strawberry.ID(str(seen.member_id)))
    if seen.appointment_id is None:
        return ScheduleOpened(cursor=seen.cursor)
    if seen.appointment is None:
        return AppointmentGone(cursor=seen.cursor, appointment_id=strawberry.ID(str(seen.appointment_id)))
    return AppointmentChanged(cursor=seen.cursor, appointment=appointment_node(seen.appointment))


@strawberry.type(
    description="An appointment of one's own was booked, moved, converted or cancelled, or something else of it has "
    "changed: as its practitioner or as its patient."
)
class AppointmentInboxChanged:
    """An appointment as it is now."""

    cursor: str = strawberry.field(description="Give the last one you have to `inbox` as `after`.")
    appointment: Appointment = strawberry.field(description="The appointment as it is now.")


async def _load(info: Info, cursors: Mapping[UUID, str]) -> Mapping[UUID, AppointmentInboxChanged]:
    found = await info.context.platform.service(ScheduleInbox).present(info.context.signed_in(), list(cursors))
    return {
        key: AppointmentInboxChanged(cursor=cursors[key], appointment=appointment_node(each))
        for key, each in found.items()
    }


INBOX = {APPOINTMENT_KIND: InboxKind(event=AppointmentInboxChanged, load=_load)}
"""Contributed to the subscription `inbox`."""


@dataclass(frozen=True)
class _OfEntries:
    """Loads the appointments of a timeline's entries, in two statements.

    Args:
        platform: who reads appointments.
        actor: the viewer.
    """

    platform: Platform = field(compare=False)
    actor: Actor

    async def __call__(self, entry_ids: Sequence[UUID]) -> Mapping[UUID, api.Appointment]:
        """Return the appointment of each entry that is one's and that the viewer may see."""
        of = await appointments_of(entry_ids)
        found = await self.platform.service(api.Schedules).visible(self.actor, list(dict.fromkeys(of.values())))
        return {entry: found[each] for entry, each in of.items() if each in found}


@strawberry.type(name="TimelineEntry")
class AppointmentOfEntry:
    """What scheduling adds to an entry of a timeline."""

    id: strawberry.Private[strawberry.ID]
    kind: strawberry.Private[str]

    @strawberry.field(
        description="The appointment as it is now, of `scheduling.booked` and `scheduling.visit`.",
        extensions=[gate("scheduling.read")],
    )
    async def appointment(self, info: Info) -> Appointment | None:
        """Return the appointment, through the operation's DataLoader."""
        if self.kind not in {BOOKED, VISIT}:
            return None
        entries = _OfEntries(info.context.platform, info.context.signed_in())
        found = await info.context.loader(entries).load(uuid_of(self.id))
        return appointment_node(found) if found else None
