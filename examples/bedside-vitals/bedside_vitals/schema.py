"""The part of the GraphQL schema that is about vitals; thin, for the verbs are in `service`."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import date, datetime
from typing import Annotated

import strawberry

from bedside_core.api import USUAL_PAGE, cursor_of
from bedside_graphql.api import (
    After,
    ClientId,
    Connection,
    First,
    GraphQLPart,
    Info,
    Member,
    client_id_of,
    connection,
    gate,
    member_of,
    uuid_of,
)
from bedside_vitals import api
from bedside_vitals.service import PageOf, VitalsService


def _service(info: Info) -> VitalsService:
    return info.context.platform.service(VitalsService)


@strawberry.type(description="A recording of a patient's vitals.")
class Vitals:
    """A recording."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    systolic: int = strawberry.field(description="Upper blood pressure, in mmHg.")
    diastolic: int = strawberry.field(description="Lower blood pressure, in mmHg.")
    pulse: int = strawberry.field(description="Beats per minute.")
    note: str = strawberry.field(description="What was written beside it; may be empty.")
    recorded_at: datetime = strawberry.field(description="When it was recorded.")
    alert: bool = strawberry.field(description="Whether `systolic` reaches the practice's `alertSystolic`.")
    cursor: str = strawberry.field(description="Where it stands; give the newest to `vitalsRecorded` as `after`.")
    member_id: strawberry.Private[object]

    @strawberry.field(description="Who recorded it.")
    async def recorded_by(self, info: Info) -> Member | None:
        """Return the member, through the operation's DataLoader."""
        return await member_of(info, self.member_id)


@strawberry.type(description="A patient's recordings of one day, summed up in the night after it.")
class VitalsDay:
    """A day of recordings."""

    day: date = strawberry.field(description="The day, in the practice's time zone.")
    recordings: int = strawberry.field(description="How many there were.")
    lowest_systolic: int = strawberry.field(description="Lowest upper blood pressure, in mmHg.")
    highest_systolic: int = strawberry.field(description="Highest upper blood pressure, in mmHg.")
    average_pulse: float = strawberry.field(description="Average pulse, in beats per minute.")


def _vitals(vitals: api.Vitals) -> Vitals:
    return Vitals(
        id=strawberry.ID(str(vitals.id)),
        systolic=vitals.systolic,
        diastolic=vitals.diastolic,
        pulse=vitals.pulse,
        note=vitals.note,
        recorded_at=vitals.recorded_at,
        alert=vitals.alert,
        cursor=cursor_of(vitals.position),
        member_id=vitals.recorded_by,
    )


@strawberry.type(name="Patient")
class PatientVitals:
    """What vitals adds to core's type `Patient`. Private fields are the patient's own, read and not added."""

    id: strawberry.Private[strawberry.ID]

    @strawberry.field(description="The patient's vitals, the newest first.", extensions=[gate("vitals.read", "vitals")])
    async def vitals(self, info: Info, first: First = USUAL_PAGE, after: After = None) -> Connection[Vitals] | None:
        """Return a page, through the operation's DataLoader: for a list of patients it is one statement."""
        wanted = PageOf.wanted(uuid_of(self.id), first, after)
        page = await info.context.loader(_service(info).pages).load(wanted)
        return connection(page, _vitals) if page else None

    @strawberry.field(
        description="The last thirty days with recordings, the newest first; today comes with the night.",
        extensions=[gate("vitals.read", "vitals")],
    )
    async def vitals_days(self, info: Info) -> list[VitalsDay] | None:
        """Return the summaries that the nightly job has made."""
        days = await info.context.loader(_service(info).days).load(uuid_of(self.id))
        return [VitalsDay(**vars(day)) for day in days or ()]


PatientId = Annotated[strawberry.ID, strawberry.argument(description="A patient of the practice.")]


@strawberry.type
class VitalsMutation:
    """What can be done."""

    @strawberry.mutation(
        description="Record a patient's vitals. A retry with the same clientId returns the first recording.",
        extensions=[gate("vitals.record", "vitals")],
    )
    async def record_vitals(
        self,
        info: Info,
        patient_id: PatientId,
        systolic: Annotated[int, strawberry.argument(description="Upper blood pressure, 40 to 300 mmHg.")],
        diastolic: Annotated[int, strawberry.argument(description="Lower blood pressure, 20 to 200 mmHg.")],
        pulse: Annotated[int, strawberry.argument(description="Beats per minute, 20 to 300.")],
        client_id: ClientId,
        note: Annotated[str, strawberry.argument(description="At most 500 characters.")] = "",
    ) -> Vitals | None:
        """Record vitals."""
        recorded = await _service(info).record(
            info.context.signed_in(),
            uuid_of(patient_id),
            systolic=systolic,
            diastolic=diastolic,
            pulse=pulse,
            note=note,
            client_id=client_id_of(client_id),
        )
        return _vitals(recorded)


@strawberry.type
class VitalsSubscription:
    """What can be followed."""

    @strawberry.subscription(
        description="Each new recording of a patient, once and in order, after a replay of what came after the cursor.",
        extensions=[gate("vitals.read", "vitals")],
    )
    async def vitals_recorded(
        self, info: Info, patient_id: PatientId, after: After = None
    ) -> AsyncGenerator[Vitals, None]:
        """Follow a patient's vitals."""
        stream = await _service(info).recorded(info.context.signed_in(), uuid_of(patient_id), after)
        async with aclosing(stream):
            async for vitals in stream:
                yield _vitals(vitals)


PART = GraphQLPart(mutation=VitalsMutation, subscription=VitalsSubscription, extend=(PatientVitals,))
