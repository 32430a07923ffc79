"""Series of appointments, and who is on group appointments (S1, S4, S7)."""

import asyncio
from datetime import date, datetime
from typing import Annotated

import strawberry

from bedside_core.api import USUAL_PAGE
from bedside_graphql.api import (
    After,
    ClientId,
    Connection,
    First,
    Info,
    Member,
    Zone,
    client_id_of,
    connection,
    gate,
    member_of,
    uuid_of,
)
from bedside_scheduling import groups, series
from bedside_scheduling.appointment_types import AppointmentTypes
from bedside_scheduling.groups import Groups
from bedside_scheduling.schema.appointment import Appointment, appointment_node
from bedside_scheduling.schema.appointment_types import AppointmentType, appointment_type
from bedside_scheduling.schema.appointments import (
    AppointmentId,
    AppointmentInput,
    AppointmentWarning,
    InviteToPortal,
    Reason,
    Version,
    wanted_of,
    warning_of,
)
from bedside_scheduling.schema.types import AppointmentKind
from bedside_scheduling.sections import wall_of
from bedside_scheduling.series import NewSeries, SeriesService
from bedside_scheduling.series_changing import MoveRest, SeriesChanging

SeriesId = Annotated[strawberry.ID, strawberry.argument(description="The series' id.")]
Since = Annotated[
    datetime,
    strawberry.argument(
        name="from",
        description="Those that the series has begin then or later, wherever they were moved by themselves.",
    ),
]


@strawberry.type(description="Appointments that recur (S7); each is an appointment of its own.")
class AppointmentSeries:
    """A series."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    kind: AppointmentKind = strawberry.field(description="Where people meet.")
    rule: str = strawberry.field(description="The rule by which they recur, an RRULE of RFC 5545.")
    zone: Zone = strawberry.field(description="The time zone whose wall time they keep over changes of clocks (S6).")
    begins: str = strawberry.field(description="The first one's wall time in that zone, e.g. 2027-03-01T09:30.")
    minutes: int = strawberry.field(description="How long each is.")
    type_id: strawberry.ID | None = strawberry.field(description="What they are about; null where nobody has said.")
    created_at: datetime = strawberry.field(description="When it was booked.")
    ended_at: datetime | None = strawberry.field(description="When it was ended before its rule does.")
    series: strawberry.Private[series.Series]

    @strawberry.field(description="Its appointments in the order of the rule, 104 at most; as a patient one's own.")
    async def appointments(self, info: Info) -> list[Appointment]:
        """Return its appointments."""
        service = info.context.platform.service(SeriesService)
        return [appointment_node(each) for each in await service.appointments(info.context.signed_in(), self.series.id)]

    @strawberry.field(description="What the rule names, and was left out since the time was taken.")
    async def skipped(self, info: Info) -> list[datetime]:
        """Return the starts for which there is no appointment."""
        service = info.context.platform.service(SeriesService)
        return await service.skipped(info.context.signed_in(), self.series.id)

    @strawberry.field(
        description="What whoever books is to think of with those that are to come (S2, S3); for patients nothing."
    )
    async def warnings(self, info: Info) -> list[AppointmentWarning]:
        """Return the warnings."""
        service = info.context.platform.service(SeriesService)
        return [warning_of(each) for each in await service.cautions(info.context.signed_in(), self.series.id)]

    @strawberry.field(description="What they are about.")
    async def type(self, info: Info) -> AppointmentType | None:
        """Return the type, through the operation's DataLoader."""
        if self.series.type_id is None:
            return None
        types = info.context.platform.service(AppointmentTypes)
        found = await info.context.loader(types.by_id).load(self.series.type_id)
        return appointment_type(found) if found else None


@strawberry.type(description="A group appointment that one can join; who else is on it nobody is told.")
class OpenGroup:
    """A group appointment with places."""

    id: strawberry.ID = strawberry.field(description="The appointment's id.")
    kind: AppointmentKind = strawberry.field(description="Where people meet.")
    starts_at: datetime = strawberry.field(description="When it begins.")
    ends_at: datetime = strawberry.field(description="When it ends.")
    zone: Zone = strawberry.field(description="The practice's time zone, in which its people mean the time (S6).")
    places: int = strawberry.field(description="How many can still join; what is offered to others is theirs.")
    group: strawberry.Private[groups.OpenGroup]

    @strawberry.field(description="What it is about.")
    async def type(self, info: Info) -> AppointmentType | None:
        """Return the type, through the operation's DataLoader."""
        types = info.context.platform.service(AppointmentTypes)
        found = await info.context.loader(types.by_id).load(self.group.type_id)
        return appointment_type(found) if found else None

    @strawberry.field(description="Its practitioners.")
    async def members(self, info: Info) -> list[Member]:
        """Return the practitioners, through the operation's DataLoader."""
        found = await asyncio.gather(*(member_of(info, each) for each in self.group.member_ids))
        return [each for each in found if each is not None]


@strawberry.type
class SeriesQuery:
    """Queries of series and groups."""

    @strawberry.field(
        description="A series of the practice, as a patient one that one is on. Whatever the plan (L5).",
        extensions=[gate("scheduling.read")],
    )
    async def appointment_series(self, info: Info, id: SeriesId) -> AppointmentSeries | None:
        """Return a series."""
        actor = info.context.signed_in()
        return _series(await info.context.platform.service(SeriesService).one(actor, uuid_of(id)))

    @strawberry.field(
        description="Group appointments with places left that one can join by oneself, the soonest first (S4).",
        extensions=[gate("scheduling.self_schedule", "self_scheduling")],
    )
    async def open_groups(
        self,
        info: Info,
        type_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only those of this type.")] = None,
        starts_from: Annotated[
            datetime | None,
            strawberry.argument(name="from", description="No sooner; nor sooner than patients can book."),
        ] = None,
        starts_to: Annotated[
            datetime | None,
            strawberry.argument(name="to", description="Before then; nor later than patients can book."),
        ] = None,
        full: Annotated[
            bool,
            strawberry.argument(
                description="Whether those are shown, too, of which every place is taken: one can wait for their type."
            ),
        ] = False,
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[OpenGroup] | None:
        """Return a page of group appointments."""
        page = await info.context.platform.service(Groups).open(
            info.context.signed_in(),
            type_id=uuid_of(type_id) if type_id is not None else None,
            starts_from=starts_from,
            starts_to=starts_to,
            full=full,
            first=first,
            after=after,
        )
        return connection(page, group_node)


@strawberry.type
class SeriesMutation:
    """Mutations of series and groups."""

    @strawberry.mutation(
        description="Book appointments that recur, all at once: 104 at most, over two years. They keep the first one's "
        "wall time in the practice's zone. Where times are taken none is booked, and `SLOT_TAKEN` has each start as "
        "`taken`; or the others are, with `skipTaken`. A retry with the same clientId returns the first.",
        extensions=[gate("scheduling.keep", "scheduling")],
    )
    async def book_series(
        self,
        info: Info,
        input: Annotated[AppointmentInput, strawberry.argument(description="The first appointment.")],
        rule: Annotated[
            str,
            strawberry.argument(
                description="How they recur, an RRULE of RFC 5545 with FREQ (DAILY, WEEKLY, MONTHLY), COUNT or UNTIL, "
                "and INTERVAL, BYDAY, BYMONTHDAY, BYSETPOS and WKST as needed: FREQ=WEEKLY;BYDAY=MO,WE;COUNT=12. The "
                "first appointment is one that it names."
            ),
        ],
        client_id: ClientId,
        skip_taken: Annotated[
            bool, strawberry.argument(description="Whether those are left out whose time is taken.")
        ] = False,
        invite_to_portal: InviteToPortal = None,
    ) -> AppointmentSeries | None:
        """Book a series."""
        invite = [uuid_of(each) for each in invite_to_portal or ()]
        new = NewSeries(wanted=wanted_of(input), rule=rule, skip_taken=skip_taken, invite=invite)
        service = info.context.platform.service(SeriesService)
        return _series(await service.book(info.context.signed_in(), new, client_id_of(client_id)))

    @strawberry.mutation(
        description="Give the rest of a series another time of the day, other days, or other practitioners; what is "
        "null stays. What was moved alone stays, and so do appointments that have begun. Where times are taken nothing "
        "is moved, and `SLOT_TAKEN` has the start of each as `taken`.",
        extensions=[gate("scheduling.keep", "scheduling")],
    )
    async def move_series(
        self,
        info: Info,
        id: SeriesId,
        since: Since,
        time: Annotated[
            str | None, strawberry.argument(description="The wall time in the series' zone, e.g. 09:30.")
        ] = None,
        on: Annotated[
            date | None,
            strawberry.argument(
                name="date",
                description="On which date the first of them is then: the others go as many days on, or back; 62 at "
                "most.",
            ),
        ] = None,
        minutes: Annotated[
            int | None, strawberry.argument(description="How long each is; null is as long as before.")
        ] = None,
        member_ids: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(description="Their practitioners, 1 to 10; null is who they are."),
        ] = None,
        reason: Reason = None,
    ) -> AppointmentSeries | None:
        """Move the rest of a series."""
        to = MoveRest(
            at=None if time is None else wall_of(time, "time"),
            on=on,
            minutes=minutes,
            member_ids=None if member_ids is None else tuple(dict.fromkeys(uuid_of(each) for each in member_ids)),
            reason=reason,
        )
        service = info.context.platform.service(SeriesChanging)
        return _series(await service.move(info.context.signed_in(), uuid_of(id), since, to))

    @strawberry.mutation(
        description="End a series: those of its appointments that are to come are cancelled, from one on.",
        extensions=[gate("scheduling.keep", "scheduling")],
    )
    async def cancel_series(
        self, info: Info, id: SeriesId, since: Since, reason: Reason = None
    ) -> AppointmentSeries | None:
        """End a series."""
        ended = await info.context.platform.service(SeriesChanging).cancel(
            info.context.signed_in(), uuid_of(id), since, reason
        )
        return _series(ended)

    @strawberry.mutation(
        description="Put a patient on an appointment that has a place left; one who is on it already stays. Once every "
        "place is taken the answer is `APPOINTMENT_FULL`.",
        extensions=[gate("scheduling.keep", "scheduling")],
    )
    async def add_to_appointment(
        self,
        info: Info,
        id: AppointmentId,
        patient_id: Annotated[strawberry.ID, strawberry.argument(description="A patient of the practice.")],
        version: Version = None,
    ) -> Appointment | None:
        """Put a patient on an appointment."""
        changed = await info.context.platform.service(Groups).add(
            info.context.signed_in(), uuid_of(id), uuid_of(patient_id), version=version
        )
        return appointment_node(changed)

    @strawberry.mutation(
        description="Take a patient off a group appointment, which goes on for the others.",
        extensions=[gate("scheduling.keep", "scheduling")],
    )
    async def remove_from_appointment(
        self,
        info: Info,
        id: AppointmentId,
        patient_id: Annotated[strawberry.ID, strawberry.argument(description="Somebody who is on it.")],
        version: Version = None,
    ) -> Appointment | None:
        """Take a patient off an appointment."""
        changed = await info.context.platform.service(Groups).remove(
            info.context.signed_in(), uuid_of(id), uuid_of(patient_id), version=version
        )
        return appointment_node(changed)

    @strawberry.mutation(
        description="Join a group appointment of `openGroups`; repeating it changes nothing. Once every place is taken "
        "the answer is `APPOINTMENT_FULL`. One leaves it again with `cancelAppointment`.",
        extensions=[gate("scheduling.self_schedule", "self_scheduling")],
    )
    async def join_appointment(self, info: Info, id: AppointmentId) -> Appointment | None:
        """Join a group appointment."""
        joined = await info.context.platform.service(Groups).join(info.context.signed_in(), uuid_of(id))
        return appointment_node(joined)


def _series(found: series.Series) -> AppointmentSeries:
    return AppointmentSeries(
        id=strawberry.ID(str(found.id)),
        kind=AppointmentKind(found.kind.value),
        rule=found.rule,
        zone=Zone(found.zone),
        begins=found.begins.isoformat(timespec="minutes"),
        minutes=found.minutes,
        type_id=strawberry.ID(str(found.type_id)) if found.type_id else None,
        created_at=found.created_at,
        ended_at=found.ended_at,
        series=found,
    )


def group_node(found: groups.OpenGroup) -> OpenGroup:
    """Return a group as clients are told of it."""
    return OpenGroup(
        id=strawberry.ID(str(found.id)),
        kind=AppointmentKind(found.kind.value),
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        zone=Zone(found.zone),
        places=found.places,
        group=found,
    )
