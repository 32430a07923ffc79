"""Types of appointments: what practices offer, for how long, and with whom."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from bedside_core.api import USUAL_PAGE
from bedside_graphql.api import (
    After,
    ClientId,
    Connection,
    First,
    Info,
    Member,
    client_id_of,
    connection,
    gate,
    member_of,
    uuid_of,
)
from bedside_scheduling import api, appointment_types
from bedside_scheduling.appointment_types import AppointmentTypes, TypeTerms
from bedside_scheduling.schema.types import AppointmentMode

_MINUTES = "Its length in minutes, 5 to 720; null is the practice's usual one."
_BUFFER = "Minutes that patients leave free {} it, 0 to 240; null is the practitioner's or practice's usual."
_MEMBERS = "Members who see patients for it, at most 100; nobody else is offered."
_CAPACITY = "Most patients of one appointment, 1 to 100; 1 is no group."


@strawberry.type(description="Something that appointments are about: for how long, as which kinds, and with whom.")
class AppointmentType:
    """A type of appointment."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    name: str = strawberry.field(description="What it is called.")
    description: str = strawberry.field(description="What patients read of it.")
    minutes: int | None = strawberry.field(description=_MINUTES)
    buffer_before: int | None = strawberry.field(description=_BUFFER.format("before"))
    buffer_after: int | None = strawberry.field(description=_BUFFER.format("after"))
    mode: AppointmentMode = strawberry.field(description="Which kinds of appointment it is for.")
    self_scheduling: bool = strawberry.field(description="Whether patients book it by themselves (S4).")
    capacity: int = strawberry.field(description="Most patients of one appointment; 1 is no group.")
    member_ids: list[strawberry.ID] = strawberry.field(description="Who sees patients for it.")
    archived_at: datetime | None = strawberry.field(description="Since when nothing new is booked as it.")
    of_practice: strawberry.Private[UUID]

    @strawberry.field(description="How many minutes such an appointment takes, be it the practice's usual length.")
    async def length(self, info: Info) -> int:
        """Return the length, through the operation's DataLoader."""
        if self.minutes is not None:
            return self.minutes
        usual = await info.context.loader(service(info).usual_minutes).load(self.of_practice)
        assert usual is not None
        return usual

    @strawberry.field(description="Who sees patients for it now.")
    async def members(self, info: Info) -> list[Member]:
        """Return the active members, through the operation's DataLoader."""
        found = await asyncio.gather(*(member_of(info, uuid_of(each)) for each in self.member_ids))
        return [each for each in found if each is not None and each.active]


@strawberry.input(description="A type of appointment.")
class AppointmentTypeInput:
    """What a new type is."""

    name: str = strawberry.field(description="What it is called, 1 to 80 characters.")
    description: str = strawberry.field(description="What patients read of it, at most 1,000 characters.", default="")
    minutes: int | None = strawberry.field(description=_MINUTES, default=None)
    buffer_before: int | None = strawberry.field(description=_BUFFER.format("before"), default=None)
    buffer_after: int | None = strawberry.field(description=_BUFFER.format("after"), default=None)
    mode: AppointmentMode = strawberry.field(
        description="Which kinds of appointment it is for.", default=AppointmentMode.BOTH
    )
    self_scheduling: bool = strawberry.field(description="Whether patients book it by themselves.", default=False)
    capacity: int = strawberry.field(description=_CAPACITY, default=1)
    member_ids: list[strawberry.ID] = strawberry.field(description=_MEMBERS)


@strawberry.input(description="What to change of a type of appointment; what is not given stays.")
class AppointmentTypePatch:
    """A patch of a type."""

    name: str | None = strawberry.field(description="What it is called.", default=UNSET)
    description: str | None = strawberry.field(description="What patients read of it.", default=UNSET)
    minutes: int | None = strawberry.field(description=_MINUTES, default=UNSET)
    buffer_before: int | None = strawberry.field(description=_BUFFER.format("before"), default=UNSET)
    buffer_after: int | None = strawberry.field(description=_BUFFER.format("after"), default=UNSET)
    mode: AppointmentMode | None = strawberry.field(description="Which kinds it is for.", default=UNSET)
    self_scheduling: bool | None = strawberry.field(description="Whether patients book it.", default=UNSET)
    capacity: int | None = strawberry.field(description=_CAPACITY, default=UNSET)
    member_ids: list[strawberry.ID] | None = strawberry.field(description=_MEMBERS, default=UNSET)


AppointmentTypeId = Annotated[strawberry.ID, strawberry.argument(description="A type of appointment.")]
_CAN_BE_NULL = {"minutes", "buffer_before", "buffer_after"}


@strawberry.type
class AppointmentTypeQuery:
    """Queries of types of appointments."""

    @strawberry.field(
        description="What appointments can be about, by name. Patients see what they can book by themselves (S4).",
        extensions=[gate("scheduling.read")],
    )
    async def appointment_types(
        self,
        info: Info,
        archived: Annotated[
            bool, strawberry.argument(description="Whether archived ones are among them, for the practice's people.")
        ] = False,
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[AppointmentType] | None:
        """Return a page of types."""
        page = await service(info).page(info.context.signed_in(), archived=archived, first=first, after=after)
        return connection(page, appointment_type)


@strawberry.type
class AppointmentTypeMutation:
    """Mutations of types of appointments."""

    @strawberry.mutation(
        description="Make a type of appointment. A retry with the same clientId returns the first one.",
        extensions=[gate("scheduling.types", "scheduling")],
    )
    async def create_appointment_type(
        self,
        info: Info,
        input: Annotated[AppointmentTypeInput, strawberry.argument(description="What it is.")],
        client_id: ClientId,
    ) -> AppointmentType | None:
        """Make a type."""
        wanted = TypeTerms(**_given(vars(input)))
        return appointment_type(await service(info).create(info.context.signed_in(), wanted, client_id_of(client_id)))

    @strawberry.mutation(
        description="Change a type of appointment; appointments that are booked stay as they are.",
        extensions=[gate("scheduling.types", "scheduling")],
    )
    async def change_appointment_type(
        self,
        info: Info,
        id: AppointmentTypeId,
        patch: Annotated[AppointmentTypePatch, strawberry.argument(description="What to change.")],
    ) -> AppointmentType | None:
        """Change a type."""
        changes = {
            name: value
            for name, value in vars(patch).items()
            if value is not UNSET and (value is not None or name in _CAN_BE_NULL)
        }
        return appointment_type(await service(info).change(info.context.signed_in(), uuid_of(id), _given(changes)))

    @strawberry.mutation(
        description="Have nothing new be booked as this type; what is booked stays. Or take that back.",
        extensions=[gate("scheduling.types", "scheduling")],
    )
    async def archive_appointment_type(
        self,
        info: Info,
        id: AppointmentTypeId,
        archived: Annotated[bool, strawberry.argument(description="False has it be booked again.")] = True,
    ) -> AppointmentType | None:
        """Archive a type."""
        return appointment_type(await service(info).archive(info.context.signed_in(), uuid_of(id), archived=archived))


def service(info: Info) -> AppointmentTypes:
    """Return the service of types."""
    return info.context.platform.service(AppointmentTypes)


def appointment_type(of: appointment_types.AppointmentType) -> AppointmentType:
    """Return a type as GraphQL shows one."""
    return AppointmentType(
        id=strawberry.ID(str(of.id)),
        name=of.name,
        description=of.description,
        minutes=of.minutes,
        buffer_before=of.buffer_before,
        buffer_after=of.buffer_after,
        mode=AppointmentMode(of.mode.value),
        self_scheduling=of.self_scheduling,
        capacity=of.capacity,
        member_ids=ids_of(of.member_ids),
        archived_at=of.archived_at,
        of_practice=of.practice_id,
    )


def ids_of(keys: Sequence[UUID]) -> list[strawberry.ID]:
    """Return keys as GraphQL shows them."""
    return [strawberry.ID(str(each)) for each in keys]


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values out of an input as the service takes them."""
    given = dict(values)
    if "mode" in given:
        given["mode"] = api.Mode(given["mode"].value)
    if "member_ids" in given:
        given["member_ids"] = [uuid_of(each) for each in given["member_ids"]]
    return given
