"""What chat adds to an appointment: the way into a conversation with each of its patients (C5)."""

import strawberry

from bedside_chat.schema.patients import PatientChat
from bedside_chat.schema.types import conversation_type, state_type
from bedside_chat.ways_in import WaysIn
from bedside_graphql.api import Info, gate
from bedside_scheduling.api import Appointment


@strawberry.type(description="How one comes to a conversation with a patient of an appointment.")
class AppointmentChat(PatientChat):
    """A way in from an appointment."""

    patient_id: strawberry.ID = strawberry.field(description="Which of its patients.")


@strawberry.type(name="Appointment")
class ChatOfAppointment:
    """What chat adds to an appointment."""

    appointment: strawberry.Private[Appointment]

    @strawberry.field(
        description="One's conversation with each of its patients, and whether one can be started (C5).",
        extensions=[gate("chat.start_with_patient")],
    )
    async def chat(self, info: Info) -> list[AppointmentChat] | None:
        """Return the ways in, through the operation's DataLoader."""
        ways = info.context.loader(WaysIn(info.context.platform, info.context.signed_in()))
        patient_ids = self.appointment.patient_ids
        found = zip(patient_ids, await ways.load_many(patient_ids), strict=True)
        return [
            AppointmentChat(
                patient_id=strawberry.ID(str(patient_id)),
                conversation=conversation_type(way.conversation) if way.conversation else None,
                start=state_type(way.refusal),
            )
            for patient_id, way in found
            if way is not None
        ]
