"""Appointments: read, held, booked, moved, converted, cancelled; and visits as they are recorded (S1, S4, S7)."""

import enum
from datetime import datetime
from typing import Annotated

import strawberry

from bedside_core.api import USUAL_PAGE
from bedside_graphql.api import After, ClientId, Connection, First, Info, client_id_of, connection, gate, uuid_of
from bedside_scheduling import api
from bedside_scheduling.booking import Booking
from bedside_scheduling.cautions import Caution, cautions
from bedside_scheduling.changing import Changing, Move
from bedside_scheduling.reading import Reading
from bedside_scheduling.schema.appointment import Appointment, AppointmentState, appointment_node
from bedside_scheduling.schema.types import AppointmentKind
from bedside_scheduling.visits import Visits
from bedside_scheduling.visits import VisitStep as Step
from bedside_scheduling.wanted import Wanted

AppointmentId = Annotated[strawberry.ID, strawberry.argument(description="The appointment's id.")]
Version = Annotated[
    int | None,
    strawberry.argument(description="The version one has seen: if it is another one now, the answer is `CONFLICT`."),
]
Reason = Annotated[
    str | None, strawberry.argument(description="Why, at most 500 characters; patients of the appointment read it.")
]
InviteToPortal = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(
        description="Patients of it who are invited to the portal in the same step, where they have no account and no "
        "invitation that is good: by e-mail where there is an address, else by text message (S2)."
    ),
]


@strawberry.enum(description="What happened with a booked appointment.")
class VisitStep(enum.Enum):
    """Steps of a visit; its values are those of `visits.VisitStep`."""

    ARRIVED = strawberry.enum_value("arrived", description="The patient came.")
    STARTED = strawberry.enum_value("started", description="The visit began.")
    COMPLETED = strawberry.enum_value("completed", description="It ended.")
    NO_SHOW = strawberry.enum_value("no_show", description="Nobody came.")


@strawberry.enum(description="What is to be thought of with an appointment; it is no refusal.")
class AppointmentWarningCode(enum.Enum):
    """Codes of warnings; its values are those of `cautions.CautionCode`."""

    PORTAL_ACCOUNT_MISSING = strawberry.enum_value(
        "portal_account_missing", description="A patient can't join by telehealth for want of a portal account (S2)."
    )
    OUTSIDE_SECTIONS = strawberry.enum_value(
        "outside_sections", description="It is outside of a practitioner's sections for its kind, or in a closure (S3)."
    )
    BUFFER = strawberry.enum_value(
        "buffer", description="It is nearer to another appointment than their buffers leave it to patients (S4)."
    )
    PATIENT_BUSY = strawberry.enum_value("patient_busy", description="A patient has another appointment at the time.")
    PRACTITIONER_INACTIVE = strawberry.enum_value("practitioner_inactive", description="A practitioner is deactivated.")


@strawberry.type(description="What is to be thought of with an appointment; it is no refusal.")
class AppointmentWarning:
    """A warning."""

    code: AppointmentWarningCode = strawberry.field(description="What.")
    message: str = strawberry.field(description="In a sentence, for people.")
    patient_id: strawberry.ID | None = strawberry.field(description="The patient whom it is about.")
    member_id: strawberry.ID | None = strawberry.field(description="The practitioner whom it is about.")
    appointment_id: strawberry.ID | None = strawberry.field(
        description="The appointment that it is about; null is all of a series."
    )


@strawberry.type(description="An appointment that was saved, and what is to be thought of.")
class AppointmentSaved:
    """A saved appointment."""

    appointment: Appointment = strawberry.field(description="The appointment.")

    @strawberry.field(description="What whoever books for others is to think of; for patients nothing.")
    async def warnings(self, info: Info) -> list[AppointmentWarning]:
        """Return the warnings."""
        context = info.context
        found = await cautions(context.platform, context.signed_in(), [self.appointment.appointment])
        return [warning_of(each) for each in found]


@strawberry.input(description="An appointment that is wanted.")
class AppointmentInput:
    """A wanted appointment."""

    kind: AppointmentKind = strawberry.field(description="Where people meet.")
    starts_at: datetime = strawberry.field(description="When it begins, on a full minute.")
    member_ids: list[strawberry.ID] = strawberry.field(description="Its practitioners, 1 to 10; a patient chooses one.")
    patient_ids: list[strawberry.ID] = strawberry.field(
        description="Who is seen; a patient books for themselves and leaves it out.",
        default_factory=list[strawberry.ID],
    )
    type_id: strawberry.ID | None = strawberry.field(
        description="What it is about; patients have to say.", default=None
    )
    minutes: int | None = strawberry.field(
        description="How long it is, 5 to 720; null is as its type says. For members to say.", default=None
    )


@strawberry.type
class AppointmentQuery:
    """Queries of appointments."""

    @strawberry.field(
        description="The appointments that have time between two instants, in the order of their starts: the "
        "practice's, as a patient one's own. Whatever the plan (L5).",
        extensions=[gate("scheduling.read")],
    )
    async def appointments(
        self,
        info: Info,
        starts_from: Annotated[datetime, strawberry.argument(name="from", description="The first instant.")],
        starts_to: Annotated[
            datetime,
            strawberry.argument(
                name="to",
                description="The first instant that is not in it any more; at most 400 days later, unless it is about "
                "one patient.",
            ),
        ],
        member_ids: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(description="Only those of these practitioners, 100 at most."),
        ] = None,
        patient_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those of this patient.")
        ] = None,
        states: Annotated[
            list[AppointmentState] | None,
            strawberry.argument(
                description="Only those in one of these states; by default what takes the practitioners' time: HELD, "
                "BOOKED, COMPLETED and NO_SHOW. Of one patient, groups that they have left count as CANCELLED."
            ),
        ] = None,
        attended: Annotated[
            bool | None,
            strawberry.argument(
                description="Only those that have an active practitioner; false is those whose practitioners are all "
                "deactivated, to be given to somebody else or cancelled. For members to ask."
            ),
        ] = None,
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[Appointment] | None:
        """Return a page of appointments."""
        page = await info.context.platform.service(Reading).page(
            info.context.signed_in(),
            starts_from=starts_from,
            starts_to=starts_to,
            member_ids=[uuid_of(each) for each in member_ids or ()],
            patient_id=uuid_of(patient_id) if patient_id is not None else None,
            states=None if states is None else [api.AppointmentState(each.value) for each in states],
            attended=attended,
            first=first,
            after=after,
        )
        return connection(page, appointment_node)

    @strawberry.field(
        description="An appointment: of the practice, as a patient one's own. Whatever the plan (L5).",
        extensions=[gate("scheduling.read")],
    )
    async def appointment(self, info: Info, id: AppointmentId) -> Appointment | None:
        """Return one appointment."""
        actor = info.context.signed_in()
        return appointment_node(await info.context.platform.service(Reading).one(actor, uuid_of(id)))


@strawberry.type
class AppointmentMutation:
    """Mutations of appointments."""

    @strawberry.mutation(
        description="Book a time: members any that is free, patients what `slots` offers them. Who was too late is "
        "told `SLOT_TAKEN` with the starts of the next free times. A retry with the same clientId returns the first.",
        extensions=[gate("scheduling.book", "scheduling")],
    )
    async def book_appointment(
        self,
        info: Info,
        input: Annotated[AppointmentInput, strawberry.argument(description="The appointment.")],
        client_id: ClientId,
        invite_to_portal: InviteToPortal = None,
    ) -> AppointmentSaved | None:
        """Book."""
        made = await info.context.platform.service(Booking).book(
            info.context.signed_in(),
            wanted_of(input),
            client_id_of(client_id),
            invite=[uuid_of(each) for each in invite_to_portal or ()],
        )
        return AppointmentSaved(appointment=appointment_node(made))

    @strawberry.mutation(
        description="Hold a time for the minutes that the practice has set, while the rest is filled in; refused as "
        "booking is. A retry with the same clientId returns the first.",
        extensions=[gate("scheduling.book", "scheduling")],
    )
    async def hold_slot(
        self,
        info: Info,
        input: Annotated[AppointmentInput, strawberry.argument(description="The appointment.")],
        client_id: ClientId,
    ) -> Appointment | None:
        """Hold a time."""
        actor = info.context.signed_in()
        made = await info.context.platform.service(Booking).hold(actor, wanted_of(input), client_id_of(client_id))
        return appointment_node(made)

    @strawberry.mutation(
        description="Book what one holds. Once it is held no more the answer is `HOLD_OVER`.",
        extensions=[gate("scheduling.book", "scheduling")],
    )
    async def confirm_appointment(self, info: Info, id: AppointmentId) -> AppointmentSaved | None:
        """Book what is held."""
        booked = await info.context.platform.service(Booking).confirm(info.context.signed_in(), uuid_of(id))
        return AppointmentSaved(appointment=appointment_node(booked))

    @strawberry.mutation(
        description="Let go what one holds, or as a member whoever holds it, so that others have it at once. Of the "
        "waiting list's offers it is the same as `declineOffer`.",
        extensions=[gate("scheduling.cancel")],
    )
    async def release_slot(self, info: Info, id: AppointmentId) -> Appointment | None:
        """Let go what is held."""
        actor = info.context.signed_in()
        return appointment_node(await info.context.platform.service(Booking).release(actor, uuid_of(id)))

    @strawberry.mutation(
        description="Give an appointment another time, or other practitioners. Patients move their own to what `slots` "
        "offers them, until some hours before (`canMove`). One that stands so already is not changed.",
        extensions=[gate("scheduling.book", "scheduling")],
    )
    async def move_appointment(
        self,
        info: Info,
        id: AppointmentId,
        starts_at: Annotated[datetime, strawberry.argument(description="When it begins, on a full minute.")],
        minutes: Annotated[
            int | None, strawberry.argument(description="How long it is; null is as long as before. For members.")
        ] = None,
        member_ids: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(description="Its practitioners; null is who they are. A patient chooses one."),
        ] = None,
        reason: Reason = None,
        version: Version = None,
    ) -> AppointmentSaved | None:
        """Move an appointment."""
        members = None if member_ids is None else tuple(dict.fromkeys(uuid_of(each) for each in member_ids))
        moved = await info.context.platform.service(Changing).move(
            info.context.signed_in(),
            uuid_of(id),
            Move(starts_at=starts_at, minutes=minutes, member_ids=members, reason=reason),
            version=version,
        )
        return AppointmentSaved(appointment=appointment_node(moved))

    @strawberry.mutation(
        description="Make an appointment in person one by telehealth, or the other way round (S1).",
        extensions=[gate("scheduling.keep", "scheduling")],
    )
    async def convert_appointment(
        self,
        info: Info,
        id: AppointmentId,
        kind: Annotated[AppointmentKind, strawberry.argument(description="What it is to be.")],
        invite_to_portal: InviteToPortal = None,
        version: Version = None,
    ) -> AppointmentSaved | None:
        """Convert an appointment."""
        converted = await info.context.platform.service(Changing).convert(
            info.context.signed_in(),
            uuid_of(id),
            api.AppointmentKind(kind.value),
            version=version,
            invite=[uuid_of(each) for each in invite_to_portal or ()],
        )
        return AppointmentSaved(appointment=appointment_node(converted))

    @strawberry.mutation(
        description="Cancel an appointment. Patients cancel their own, until some hours before (`canCancel`); of a "
        "group appointment it is their place. One that is cancelled already is not changed. Whatever the plan (L5).",
        extensions=[gate("scheduling.cancel")],
    )
    async def cancel_appointment(
        self, info: Info, id: AppointmentId, reason: Reason = None, version: Version = None
    ) -> Appointment | None:
        """Cancel an appointment."""
        cancelled = await info.context.platform.service(Changing).cancel(
            info.context.signed_in(), uuid_of(id), reason=reason, version=version
        )
        return appointment_node(cancelled)

    @strawberry.mutation(
        description="Record what happened with an appointment. A step that was skipped happened with the next one; "
        "that nobody came, and that a visit was completed, can be taken back by the other.",
        extensions=[gate("scheduling.record_visit", "scheduling")],
    )
    async def record_visit(
        self,
        info: Info,
        id: AppointmentId,
        step: Annotated[VisitStep, strawberry.argument(description="What happened.")],
        at: Annotated[
            datetime | None, strawberry.argument(description="When, where it is written down afterwards; null is now.")
        ] = None,
        version: Version = None,
    ) -> Appointment | None:
        """Record a step of a visit."""
        recorded = await info.context.platform.service(Visits).record(
            info.context.signed_in(), uuid_of(id), Step(step.value), at=at, version=version
        )
        return appointment_node(recorded)


def warning_of(caution: Caution) -> AppointmentWarning:
    """Return what somebody is to think of as clients are told it."""
    return AppointmentWarning(
        code=AppointmentWarningCode(caution.code.value),
        message=caution.message,
        patient_id=strawberry.ID(str(caution.patient_id)) if caution.patient_id else None,
        member_id=strawberry.ID(str(caution.member_id)) if caution.member_id else None,
        appointment_id=strawberry.ID(str(caution.appointment_id)) if caution.appointment_id else None,
    )


def wanted_of(given: AppointmentInput) -> Wanted:
    """Return what is wanted as the services take it."""
    return Wanted(
        type_id=uuid_of(given.type_id) if given.type_id is not None else None,
        kind=api.AppointmentKind(given.kind.value),
        starts_at=given.starts_at,
        minutes=given.minutes,
        member_ids=tuple(dict.fromkeys(uuid_of(each) for each in given.member_ids)),
        patient_ids=tuple(dict.fromkeys(uuid_of(each) for each in given.patient_ids)),
    )
