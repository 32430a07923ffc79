"""Scheduling's types that several of its parts of the schema share."""

import enum
from typing import Annotated
from uuid import UUID

import strawberry

from bedside_graphql.api import Info, Patient, patient_type


@strawberry.enum(description="Where people meet (S1).")
class AppointmentKind(enum.Enum):
    """Kinds of an appointment; its values are those of `api.AppointmentKind`."""

    IN_PERSON = strawberry.enum_value("in_person", description="At the practice.")
    TELEHEALTH = strawberry.enum_value("telehealth", description="By video.")


@strawberry.enum(description="Which kinds of appointment something is for (S3).")
class AppointmentMode(enum.Enum):
    """Modes; its values are those of `api.Mode`."""

    IN_PERSON = strawberry.enum_value("in_person", description="In person only.")
    TELEHEALTH = strawberry.enum_value("telehealth", description="By telehealth only.")
    BOTH = strawberry.enum_value("both", description="Either; who books chooses (S4).")


async def patient_of(info: Info, patient_id: UUID) -> Patient | None:
    """Return a patient's record, through the operation's DataLoader; a patient has their own alone before them.

    Raises:
        Forbidden: a key or an application that may see appointments, and no patients (A13).
    """
    context = info.context
    if context.signed_in().member_id is not None:
        await context.platform.access.require(context.signed_in(), "patients.read")
    found = await context.loader(context.platform.people.present_patients).load(patient_id)
    return patient_type(found) if found else None


MemberId = Annotated[strawberry.ID, strawberry.argument(description="A member of the practice.")]
MemberIds = Annotated[list[strawberry.ID], strawberry.argument(description="Members of the practice.")]
