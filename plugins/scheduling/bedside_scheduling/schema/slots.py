"""Slots: the times at which appointments can be made (S4)."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from bedside_core.api import USUAL_PAGE
from bedside_graphql.api import (
    After,
    Connection,
    First,
    Info,
    Member,
    Zone,
    connection,
    gate,
    member_of,
    uuid_of,
    weighed,
)
from bedside_scheduling import api, slots
from bedside_scheduling.offering import Offering, SlotSearch
from bedside_scheduling.schema.types import AppointmentKind

SLOTS_WEIGHT = 25
"""What looking for slots counts as: weeks of a practice's time are worked out."""
From = Annotated[datetime, strawberry.argument(name="from", description="No slot starts before.")]
To = Annotated[datetime, strawberry.argument(description="Slots start before; at most 62 days on.")]
TypeId = Annotated[
    strawberry.ID | None, strawberry.argument(description="The type of appointment; patients have to say.")
]
With = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(description="With whom, at most 100; null is everybody who is there for the type."),
]
Kind = Annotated[AppointmentKind | None, strawberry.argument(description="Only slots that are offered as this kind.")]


@strawberry.type(description="A time at which an appointment can be made (S4).")
class Slot:
    """A slot."""

    member_id: strawberry.ID = strawberry.field(description="With whom.")
    starts_at: datetime = strawberry.field(description="From when.")
    ends_at: datetime = strawberry.field(description="Until when.")
    kinds: list[AppointmentKind] = strawberry.field(
        description="As what: both where who books may choose, or one alone (S4)."
    )

    @strawberry.field(description="With whom.")
    async def member(self, info: Info) -> Member | None:
        """Return the member, through the operation's DataLoader."""
        return await member_of(info, uuid_of(self.member_id))

    @strawberry.field(description="The practice's time zone, in which its people mean the time (S6).")
    async def zone(self, info: Info) -> Zone | None:
        """Return the zone, through the operation's DataLoader."""
        practice_id, _ = info.context.signed_in().as_person()
        found = await info.context.loader(info.context.platform.people.practices_by_id).load(practice_id)
        return Zone(found.zone) if found else None


@strawberry.type
class SlotQuery:
    """Queries of slots."""

    @strawberry.field(
        description="The free times of practitioners, by time. Patients see those that they can book by themselves: in "
        "sections open to it, with the practice's notice, horizon and buffers (S4). The practice's people see all that "
        "is free within sections, from now on.",
        extensions=[gate("scheduling.find_slots", "scheduling"), weighed(SLOTS_WEIGHT)],
    )
    async def slots(
        self,
        info: Info,
        from_: From,
        to: To,
        type_id: TypeId = None,
        member_ids: With = None,
        kind: Kind = None,
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[Slot] | None:
        """Return a page of slots."""
        search, offering = _search(from_, to, type_id, member_ids, kind), info.context.platform.service(Offering)
        return connection(await offering.slots(info.context.signed_in(), search, first=first, after=after), _slot)

    @strawberry.field(
        description="The dates in the practice's zone on which there are `slots`, for a calendar of a month.",
        extensions=[gate("scheduling.find_slots", "scheduling"), weighed(SLOTS_WEIGHT)],
    )
    async def slot_days(
        self,
        info: Info,
        from_: From,
        to: To,
        type_id: TypeId = None,
        member_ids: With = None,
        kind: Kind = None,
    ) -> list[date] | None:
        """Return dates."""
        search, offering = _search(from_, to, type_id, member_ids, kind), info.context.platform.service(Offering)
        return list(await offering.days(info.context.signed_in(), search))


def _search(
    starts_from: datetime,
    starts_to: datetime,
    type_id: strawberry.ID | None,
    member_ids: list[strawberry.ID] | None,
    kind: AppointmentKind | None,
) -> SlotSearch:
    return SlotSearch(
        type_id=None if type_id is None else uuid_of(type_id),
        member_ids=None if member_ids is None else [uuid_of(each) for each in member_ids],
        kind=None if kind is None else api.AppointmentKind(kind.value),
        starts_from=starts_from,
        starts_to=starts_to,
    )


def _slot(of: slots.Slot) -> Slot:
    return Slot(
        member_id=strawberry.ID(str(of.member_id)),
        starts_at=of.starts_at,
        ends_at=of.ends_at,
        kinds=[AppointmentKind(each.value) for each in of.kinds],
    )
