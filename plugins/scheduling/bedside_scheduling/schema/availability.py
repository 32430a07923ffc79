"""Availability: weekly sections, days with sections of their own, closures, and the slots that come of them."""

import enum
from datetime import date, datetime, time
from typing import Annotated, Any

import strawberry

from bedside_core.api import USUAL_PAGE
from bedside_graphql.api import (
    After,
    ClientId,
    Connection,
    First,
    Info,
    Zone,
    client_id_of,
    connection,
    gate,
    uuid_of,
    weighed,
)
from bedside_scheduling import api, sections, slots
from bedside_scheduling.availability import Availability as AvailabilityService
from bedside_scheduling.availability import Kept
from bedside_scheduling.schema.types import AppointmentMode, MemberId

_BEGINS = "When it begins, on the practice's clocks: 09:30."
_ENDS = "When it ends; not after `begins` is on the next day, and 24:00 is midnight."
_MODE = "Which kinds of appointment it is for; only in person, where telehealth is not offered with the member (S3)."
_OPEN = "Whether patients book in it by themselves (S4)."
_FROM_DATE = "The first date on which it begins; null is always."
_UNTIL_DATE = "The last one; null is for ever."


@strawberry.enum(description="Days of the week.")
class Weekday(enum.Enum):
    """Days of the week, by their number (ISO 8601)."""

    MONDAY = strawberry.enum_value(1, description="Monday.")
    TUESDAY = strawberry.enum_value(2, description="Tuesday.")
    WEDNESDAY = strawberry.enum_value(3, description="Wednesday.")
    THURSDAY = strawberry.enum_value(4, description="Thursday.")
    FRIDAY = strawberry.enum_value(5, description="Friday.")
    SATURDAY = strawberry.enum_value(6, description="Saturday.")
    SUNDAY = strawberry.enum_value(7, description="Sunday.")


_WEEKDAYS = tuple(Weekday)


@strawberry.type(description="A section of each week, in the practice's zone (S3).")
class WeeklySection:
    """A weekly section."""

    weekday: Weekday = strawberry.field(description="The day on which it begins.")
    begins: str = strawberry.field(description=_BEGINS)
    ends: str = strawberry.field(description="When it ends; not after `begins` is on the next day.")
    mode: AppointmentMode = strawberry.field(description=_MODE)
    self_scheduling: bool = strawberry.field(description=_OPEN)
    from_date: date | None = strawberry.field(description=_FROM_DATE)
    until_date: date | None = strawberry.field(description=_UNTIL_DATE)


@strawberry.type(description="A section of one date, in the practice's zone (S3).")
class DaySection:
    """A section of a date."""

    begins: str = strawberry.field(description=_BEGINS)
    ends: str = strawberry.field(description="When it ends; not after `begins` is on the next day.")
    mode: AppointmentMode = strawberry.field(description=_MODE)
    self_scheduling: bool = strawberry.field(description=_OPEN)


@strawberry.type(description="A date whose own sections stand in place of the weekly ones (S3).")
class AvailabilityDay:
    """A date with sections of its own."""

    on_date: date = strawberry.field(name="date", description="The date.")
    sections: list[DaySection] = strawberry.field(description="Its sections; none is a day off.")


@strawberry.type(description="A time in which nothing is offered; appointments that were booked before stay.")
class Closure:
    """A closure."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    member_id: strawberry.ID | None = strawberry.field(description="Whose; null is the whole practice.")
    starts_at: datetime = strawberry.field(description="From when.")
    ends_at: datetime = strawberry.field(description="Until when.")
    reason: str = strawberry.field(description="For the practice's own people.")


@strawberry.type(description="When a practitioner sees patients (S3).")
class Availability:
    """A practitioner's availability."""

    member_id: strawberry.ID = strawberry.field(description="Whose.")
    zone: Zone = strawberry.field(description="The practice's time zone, in which the wall times are meant (S6).")
    telehealth: bool = strawberry.field(
        description="Whether telehealth is offered with them. If not, sections only have the choice of self-scheduling."
    )
    sections: list[WeeklySection] = strawberry.field(description="All weekly sections.")
    days: list[AvailabilityDay] = strawberry.field(description="The dates asked for that have sections of their own.")
    closures: list[Closure] = strawberry.field(
        description="The closures that touch the dates asked for, the practice's among them."
    )


@strawberry.input(description="A section of each week.")
class WeeklySectionInput:
    """A weekly section."""

    weekday: Weekday = strawberry.field(description="The day on which it begins.")
    begins: str = strawberry.field(description=_BEGINS)
    ends: str = strawberry.field(description=_ENDS)
    mode: AppointmentMode = strawberry.field(description=_MODE, default=AppointmentMode.IN_PERSON)
    self_scheduling: bool = strawberry.field(description=_OPEN)
    from_date: date | None = strawberry.field(description=_FROM_DATE, default=None)
    until_date: date | None = strawberry.field(description=_UNTIL_DATE, default=None)


@strawberry.input(description="A section of one date.")
class DaySectionInput:
    """A section of a date."""

    begins: str = strawberry.field(description=_BEGINS)
    ends: str = strawberry.field(description=_ENDS)
    mode: AppointmentMode = strawberry.field(description=_MODE, default=AppointmentMode.IN_PERSON)
    self_scheduling: bool = strawberry.field(description=_OPEN)


Day = Annotated[date, strawberry.argument(description="The date, in the practice's zone.")]


@strawberry.type
class AvailabilityQuery:
    """Queries of availability."""

    @strawberry.field(
        description="When a practitioner sees patients.", extensions=[gate("scheduling.see_availability"), weighed(5)]
    )
    async def availability(
        self,
        info: Info,
        member_id: MemberId,
        from_: Annotated[date, strawberry.argument(name="from", description="The first date of days and closures.")],
        to: Annotated[date, strawberry.argument(description="The last date, at most 366 days on.")],
    ) -> Availability | None:
        """Return a practitioner's availability."""
        return _availability(await _service(info).of(info.context.signed_in(), uuid_of(member_id), from_, to))

    @strawberry.field(
        description="The closures of the whole practice that touch these dates, in order of time. Those of one member "
        "are told by `availability`.",
        extensions=[gate("scheduling.see_availability")],
    )
    async def closures(
        self,
        info: Info,
        from_: Annotated[date, strawberry.argument(name="from", description="The first date, in the practice's zone.")],
        to: Annotated[date, strawberry.argument(description="The last date, at most 366 days on.")],
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[Closure] | None:
        """Return a page of the practice's closures."""
        page = await _service(info).closures(info.context.signed_in(), from_, to, first=first, after=after)
        return connection(page, _closure)


@strawberry.type
class AvailabilityMutation:
    """Mutations of availability."""

    @strawberry.mutation(
        description="Put sections in the place of all weekly ones of a member; they don't overlap. One's own, or as "
        "owner, manager or staff anybody's of the practice.",
        extensions=[gate("scheduling.availability", "scheduling")],
    )
    async def set_week(
        self,
        info: Info,
        member_id: MemberId,
        sections: Annotated[list[WeeklySectionInput], strawberry.argument(description="All sections, at most 100.")],
    ) -> list[WeeklySection] | None:
        """Set a week."""
        wanted = [
            slots.WeeklySection(
                **_wall(each, number),
                weekday=_WEEKDAYS.index(each.weekday) + 1,
                from_date=each.from_date,
                until_date=each.until_date,
            )
            for number, each in enumerate(sections)
        ]
        kept = await _service(info).set_week(info.context.signed_in(), uuid_of(member_id), wanted)
        return [_weekly(each) for each in kept]

    @strawberry.mutation(
        description="Put sections in the place of a member's weekly ones on one date; none is a day off.",
        extensions=[gate("scheduling.availability", "scheduling")],
    )
    async def set_day(
        self,
        info: Info,
        member_id: MemberId,
        date: Day,
        sections: Annotated[list[DaySectionInput], strawberry.argument(description="All sections, at most 20.")],
    ) -> AvailabilityDay | None:
        """Set a day."""
        wanted = [slots.DaySection(**_wall(each, number)) for number, each in enumerate(sections)]
        kept = await _service(info).set_day(info.context.signed_in(), uuid_of(member_id), date, wanted)
        return AvailabilityDay(on_date=date, sections=[_section(each) for each in kept])

    @strawberry.mutation(
        description="Have a member's weekly sections stand on a date again.",
        extensions=[gate("scheduling.availability", "scheduling")],
    )
    async def clear_day(self, info: Info, member_id: MemberId, date: Day) -> bool | None:
        """Clear a day."""
        return await _service(info).clear_day(info.context.signed_in(), uuid_of(member_id), date)

    @strawberry.mutation(
        description="Offer nothing for a time, with one member or at all: the whole practice is closed by who has the "
        "permission `scheduling.types`. What is booked stays. A retry with the same clientId returns the first one.",
        extensions=[gate("scheduling.availability", "scheduling")],
    )
    async def add_closure(
        self,
        info: Info,
        starts_at: Annotated[datetime, strawberry.argument(description="From when.")],
        ends_at: Annotated[datetime, strawberry.argument(description="Until when.")],
        client_id: ClientId,
        member_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Whose time; null is the whole practice.")
        ] = None,
        reason: Annotated[
            str, strawberry.argument(description="For the practice's own people, at most 200 characters.")
        ] = "",
    ) -> Closure | None:
        """Add a closure."""
        made = await _service(info).close(
            info.context.signed_in(),
            None if member_id is None else uuid_of(member_id),
            starts_at,
            ends_at,
            reason,
            client_id_of(client_id),
        )
        return _closure(made)

    @strawberry.mutation(
        description="Remove a closure, as who may add it.",
        extensions=[gate("scheduling.availability", "scheduling")],
    )
    async def remove_closure(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The closure.")]
    ) -> bool | None:
        """Remove a closure."""
        return await _service(info).open_again(info.context.signed_in(), uuid_of(id))


def _service(info: Info) -> AvailabilityService:
    return info.context.platform.service(AvailabilityService)


def _wall(given: WeeklySectionInput | DaySectionInput, number: int) -> dict[str, Any]:
    return {
        "begins": sections.wall_of(given.begins, "sections", str(number), "begins"),
        "ends": sections.wall_of(given.ends, "sections", str(number), "ends"),
        "mode": api.Mode(given.mode.value),
        "self_scheduling": given.self_scheduling,
    }


def _text(wall: time) -> str:
    return wall.isoformat("minutes")


def _section(of: slots.DaySection) -> DaySection:
    return DaySection(
        begins=_text(of.begins),
        ends=_text(of.ends),
        mode=AppointmentMode(of.mode.value),
        self_scheduling=of.self_scheduling,
    )


def _weekly(of: slots.WeeklySection) -> WeeklySection:
    return WeeklySection(
        **vars(_section(of)),
        weekday=_WEEKDAYS[of.weekday - 1],
        from_date=of.from_date,
        until_date=of.until_date,
    )


def _closure(of: sections.Closure) -> Closure:
    return Closure(
        id=strawberry.ID(str(of.id)),
        member_id=None if of.member_id is None else strawberry.ID(str(of.member_id)),
        starts_at=of.begins_at,
        ends_at=of.ends_at,
        reason=of.reason,
    )


def _availability(kept: Kept) -> Availability:
    return Availability(
        member_id=strawberry.ID(str(kept.member_id)),
        zone=Zone(kept.zone),
        telehealth=kept.telehealth,
        sections=[_weekly(each) for each in kept.sections],
        days=[
            AvailabilityDay(on_date=day, sections=[_section(each) for each in those])
            for day, those in kept.days.items()
        ],
        closures=[_closure(each) for each in kept.closures],
    )
