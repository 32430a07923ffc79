"""An appointment as GraphQL shows it: its people, its times on the practice's clocks, what one may do with it."""

import asyncio
import enum
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import strawberry

from bedside_core.api import Refusal
from bedside_graphql.api import Info, Member, Patient, Zone, member_of, uuid_of
from bedside_portal.api import PortalAccounts, PortalInvitations, PortalState
from bedside_scheduling import api
from bedside_scheduling.appointment_types import AppointmentTypes
from bedside_scheduling.schema.appointment_types import AppointmentType, appointment_type
from bedside_scheduling.schema.types import AppointmentKind, patient_of
from bedside_scheduling.standing import Standing, Standings


@strawberry.enum(description="How far an appointment is.")
class AppointmentState(enum.Enum):
    """States of an appointment; its values are those of `api.AppointmentState`."""

    HELD = strawberry.enum_value("held", description="Somebody is about to book it; until `heldUntil` it is theirs.")
    BOOKED = strawberry.enum_value("booked", description="It is to take place, or takes place.")
    COMPLETED = strawberry.enum_value("completed", description="The visit has taken place.")
    NO_SHOW = strawberry.enum_value("no_show", description="Nobody came.")
    CANCELLED = strawberry.enum_value("cancelled", description="It takes place no more.")
    LAPSED = strawberry.enum_value("lapsed", description="It was held, and not booked in time, or let go.")


@strawberry.type(description="Whether one may do something with an appointment, or why not.")
class AppointmentChoice:
    """A choice that is open, or not."""

    allowed: bool = strawberry.field(description="Whether one may.")
    code: str | None = strawberry.field(description="The code of the error that doing it has, where one may not.")
    message: str | None = strawberry.field(description="Why not, for people.")
    way_on: str | None = strawberry.field(description="What can be done about it.")
    until: datetime | None = strawberry.field(description="Until when a patient may, or might (S7); null for members.")


@strawberry.type(description="A patient on an appointment.")
class AppointmentPatient:
    """A patient on an appointment."""

    patient_id: strawberry.ID = strawberry.field(description="Who.")
    cancelled_at: datetime | None = strawberry.field(
        description="Since when they do not come, of an appointment that goes on for others."
    )

    @strawberry.field(description="The patient's record.")
    async def patient(self, info: Info) -> Patient | None:
        """Return the patient, through the operation's DataLoader."""
        return await patient_of(info, uuid_of(self.patient_id))

    @strawberry.field(
        description="Whether they have a portal account that is active, as a telehealth appointment needs (S2); "
        "`patient.portalAccount` tells how far it is. Null for patients."
    )
    async def has_portal_account(self, info: Info) -> bool | None:
        """Return whether they can sign in, through the operation's DataLoader."""
        actor = info.context.signed_in()
        if actor.member_id is None:
            return None
        await info.context.platform.access.require(actor, "portal.read")
        states = info.context.platform.service(PortalAccounts).states
        return await info.context.loader(states).load(uuid_of(self.patient_id)) is PortalState.ACTIVE

    @strawberry.field(
        description="Whether one can have them invited to the portal with `inviteToPortal`: nobody is yet, or the "
        "invitation is over, and their record has an address or a number (S2)."
    )
    async def can_invite(self, info: Info) -> bool:
        """Return whether there is somebody to invite, through the operation's DataLoader."""
        actor = info.context.signed_in()
        if await info.context.platform.access.why_not(actor, "portal.invite") is not None:
            return False
        missing = info.context.platform.service(PortalInvitations).missing
        return bool(await info.context.loader(missing).load(uuid_of(self.patient_id)))


@strawberry.type(description="Who did something with an appointment.")
class AppointmentPerson:
    """A member or a patient."""

    id: strawberry.ID = strawberry.field(description="The member's or patient's id.")
    name: str = strawberry.field(description="The name as it is shown.")
    patient: bool = strawberry.field(description="Whether it was a patient, or somebody who acts for one.")


@strawberry.type(description="An appointment (S1).")
class Appointment:
    """An appointment."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    kind: AppointmentKind = strawberry.field(description="Where people meet.")
    state: AppointmentState = strawberry.field(description="How far it is.")
    starts_at: datetime = strawberry.field(description="When it begins.")
    ends_at: datetime = strawberry.field(description="When it ends.")
    type_id: strawberry.ID | None = strawberry.field(description="What it is about; null where nobody has said.")
    member_ids: list[strawberry.ID] = strawberry.field(description="Its practitioners.")
    patients: list[AppointmentPatient] = strawberry.field(description="Who is seen; a patient sees themselves alone.")
    capacity: int = strawberry.field(description="Most patients; more than one is a group.")
    version: int = strawberry.field(description="Grows with each change; give it back with a change of one's own.")
    sequence: int = strawberry.field(
        description="Grows with each change of time, kind or of who comes, and the end (iCalendar)."
    )
    series_id: strawberry.ID | None = strawberry.field(description="The series it belongs to.")
    occurrence_at: datetime | None = strawberry.field(description="When the series has it begin, moved or not.")
    held_until: datetime | None = strawberry.field(description="Until when it is kept, while it is held.")
    created_at: datetime = strawberry.field(description="When it was booked, or held.")
    reason: str | None = strawberry.field(description="Why it was moved last, or cancelled.")
    cancelled_at: datetime | None = strawberry.field(description="Since when it is cancelled.")
    arrived_at: datetime | None = strawberry.field(description="When the patient came.")
    started_at: datetime | None = strawberry.field(description="When the visit began.")
    finished_at: datetime | None = strawberry.field(description="When it ended.")
    appointment: strawberry.Private[api.Appointment]

    @strawberry.field(description="What it is about.")
    async def type(self, info: Info) -> AppointmentType | None:
        """Return its type, through the operation's DataLoader."""
        if self.appointment.type_id is None:
            return None
        types = info.context.platform.service(AppointmentTypes)
        found = await info.context.loader(types.by_id).load(self.appointment.type_id)
        return appointment_type(found) if found else None

    @strawberry.field(description="Its practitioners.")
    async def members(self, info: Info) -> list[Member]:
        """Return the practitioners, through the operation's DataLoader."""
        found = await asyncio.gather(*(member_of(info, each) for each in self.appointment.member_ids))
        return [each for each in found if each is not None]

    @strawberry.field(description="The practice's time zone, in which its people mean the time (S6).")
    async def zone(self, info: Info) -> Zone | None:
        """Return the zone, through the operation's DataLoader."""
        zone = await _zone(info, self.appointment.practice_id)
        return Zone(zone.key) if zone else None

    @strawberry.field(description="When it begins on the practice's clocks, with their offset at that time (S6).")
    async def local_starts_at(self, info: Info) -> datetime | None:
        """Return its begin in the practice's zone."""
        zone = await _zone(info, self.appointment.practice_id)
        return self.starts_at.astimezone(zone) if zone else None

    @strawberry.field(description="When it ends on the practice's clocks, with their offset at that time (S6).")
    async def local_ends_at(self, info: Info) -> datetime | None:
        """Return its end in the practice's zone."""
        zone = await _zone(info, self.appointment.practice_id)
        return self.ends_at.astimezone(zone) if zone else None

    @strawberry.field(description="Who booked it; patients see members and themselves.")
    async def booked_by(self, info: Info) -> AppointmentPerson | None:
        """Return who booked it."""
        return await _person(info, self.appointment.booked_by)

    @strawberry.field(description="Who moved it last.")
    async def moved_by(self, info: Info) -> AppointmentPerson | None:
        """Return who moved it."""
        return await _person(info, self.appointment.moved_by)

    @strawberry.field(description="Who cancelled it.")
    async def cancelled_by(self, info: Info) -> AppointmentPerson | None:
        """Return who cancelled it."""
        return await _person(info, self.appointment.cancelled_by)

    @strawberry.field(description="Whether one may move it (S7).")
    async def can_move(self, info: Info) -> AppointmentChoice:
        """Return whether the viewer may move it."""
        standing = await _standing(info, self.appointment)
        return _choice(standing.move, standing.until)

    @strawberry.field(description="Whether one may cancel it, or as a patient one's place in a group (S7).")
    async def can_cancel(self, info: Info) -> AppointmentChoice:
        """Return whether the viewer may cancel it."""
        standing = await _standing(info, self.appointment)
        return _choice(standing.cancel, standing.until)


def appointment_node(appointment: api.Appointment) -> Appointment:
    """Return an appointment, as its viewer sees it, as GraphQL shows one."""
    return Appointment(
        id=strawberry.ID(str(appointment.id)),
        kind=AppointmentKind(appointment.kind.value),
        state=AppointmentState(appointment.state.value),
        starts_at=appointment.starts_at,
        ends_at=appointment.ends_at,
        type_id=_id(appointment.type_id),
        member_ids=[strawberry.ID(str(each)) for each in appointment.member_ids],
        patients=[
            AppointmentPatient(patient_id=strawberry.ID(str(each.patient_id)), cancelled_at=each.cancelled_at)
            for each in appointment.patients
        ],
        capacity=appointment.capacity,
        version=appointment.version,
        sequence=appointment.sequence,
        series_id=_id(appointment.series_id),
        occurrence_at=appointment.occurrence_at,
        held_until=appointment.held_until,
        created_at=appointment.created_at,
        reason=appointment.reason,
        cancelled_at=appointment.cancelled_at,
        arrived_at=appointment.arrived_at,
        started_at=appointment.started_at,
        finished_at=appointment.finished_at,
        appointment=appointment,
    )


def _id(value: UUID | None) -> strawberry.ID | None:
    return strawberry.ID(str(value)) if value else None


async def _zone(info: Info, practice_id: UUID) -> ZoneInfo | None:
    found = await info.context.loader(info.context.platform.people.practices_by_id).load(practice_id)
    return ZoneInfo(found.zone) if found else None


async def _person(info: Info, person_id: UUID | None) -> AppointmentPerson | None:
    """Return a member or patient by name; to a patient no other patient."""
    if person_id is None:
        return None
    actor, people = info.context.signed_in(), info.context.platform.people
    member = await info.context.loader(people.members_by_id).load(person_id)
    if member is not None:
        return AppointmentPerson(id=strawberry.ID(str(person_id)), name=member.name, patient=False)
    if actor.patient_id not in (None, person_id):
        return None
    patient = await info.context.loader(people.present_patients).load(person_id)
    return AppointmentPerson(id=strawberry.ID(str(person_id)), name=patient.name, patient=True) if patient else None


async def _standing(info: Info, appointment: api.Appointment) -> Standing:
    context = info.context
    found = await context.loader(Standings(context.platform, context.signed_in())).load(appointment)
    assert found is not None  # it tells of each that it is asked about
    return found


def _choice(refusal: Refusal | None, until: datetime | None) -> AppointmentChoice:
    return AppointmentChoice(
        allowed=refusal is None,
        code=refusal.code if refusal else None,
        message=refusal.message if refusal else None,
        way_on=refusal.way_on if refusal else None,
        until=until,
    )
