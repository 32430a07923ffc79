"""Patients as GraphQL shows them."""

from datetime import date, datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

from bedside_core import errors, people
from bedside_core.imports import Field
from bedside_core.paging import USUAL_PAGE
from bedside_core.records.merging import merge_patients
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import After, ClientId, Connection, First, Phone, client_id_of, connection, uuid_of

PatientId = Annotated[strawberry.ID, strawberry.argument(description="The patient's id.")]


@strawberry.type(description="A person in the practice's care, with or without a portal account.")
class Patient:
    """A patient."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    first_name: str = strawberry.field(description="First name.")
    last_name: str = strawberry.field(description="Last name.")
    name: str = strawberry.field(description="The name as it is shown.")
    date_of_birth: date = strawberry.field(description="Date of birth.")
    mrn: str = strawberry.field(description="Medical record number, unique within the practice.")
    gender: str = strawberry.field(description="Gender.")
    phone: Phone | None = strawberry.field(description="Telephone number; e-mail may stand in for it.")
    email: str | None = strawberry.field(description="E-mail address.")
    archived_at: datetime | None = strawberry.field(description="Since when in the archive; null is present.")


@strawberry.input(description="A new patient: everything is required, and of phone and e-mail one of the two (P3).")
class PatientInput:
    """A new patient."""

    first_name: str = strawberry.field(description="First name.")
    last_name: str = strawberry.field(description="Last name.")
    date_of_birth: date = strawberry.field(description="Date of birth.")
    mrn: str = strawberry.field(description="Medical record number, unique within the practice.")
    gender: str = strawberry.field(description="Gender.")
    phone: str | None = strawberry.field(
        description="Telephone number of one of the practice's regions, with or without the country's code (P4).",
        default=None,
    )
    email: str | None = strawberry.field(description="E-mail address.", default=None)


@strawberry.input(description="What to change of a patient; what is not given stays.")
class PatientPatch:
    """A patch of a patient."""

    first_name: str | None = strawberry.field(description="First name.", default=UNSET)
    last_name: str | None = strawberry.field(description="Last name.", default=UNSET)
    date_of_birth: date | None = strawberry.field(description="Date of birth.", default=UNSET)
    mrn: str | None = strawberry.field(description="Medical record number.", default=UNSET)
    gender: str | None = strawberry.field(description="Gender.", default=UNSET)
    phone: str | None = strawberry.field(
        description="Telephone number; null takes it away where there is an e-mail address.", default=UNSET
    )
    email: str | None = strawberry.field(
        description="E-mail address; null takes it away where there is a telephone number.", default=UNSET
    )


def patient_type(patient: people.Patient) -> Patient:
    """Return a patient as GraphQL shows one; for plugins whose fields lead to patients."""
    return Patient(
        id=strawberry.ID(str(patient.id)),
        first_name=patient.first_name,
        last_name=patient.last_name,
        name=patient.name,
        date_of_birth=patient.date_of_birth,
        mrn=patient.mrn,
        gender=patient.gender,
        phone=Phone(patient.phone) if patient.phone else None,
        email=patient.email,
        archived_at=patient.archived_at,
    )


@strawberry.type
class PatientQuery:
    """Queries of patients."""

    @strawberry.field(description="The patients of the practice, by name.", extensions=[gate("patients.read")])
    async def patients(
        self,
        info: Info,
        first: First = USUAL_PAGE,
        after: After = None,
        archived: Annotated[bool, strawberry.argument(description="Those in the archive instead.")] = False,
    ) -> Connection[Patient] | None:
        """Return a page of patients."""
        actor = info.context.signed_in()
        page = await info.context.platform.people.patients(actor, first=first, after=after, archived=archived)
        return connection(page, patient_type)

    @strawberry.field(
        description="A patient of the practice; by the id of a record that was merged, the one that was kept.",
        extensions=[gate("patients.read")],
    )
    async def patient(self, info: Info, id: PatientId) -> Patient | None:
        """Return one patient.

        Raises:
            errors.NotFound: there is none that the actor may see.
        """
        info.context.signed_in().in_practice()
        found = await info.context.loader(info.context.platform.people.present_patients).load(uuid_of(id))
        if found is None:
            raise errors.NotFound("There is no patient with this id that you may see.")
        return patient_type(found)


@strawberry.type
class PatientMutation:
    """Mutations of patients."""

    @strawberry.mutation(
        description="Create a patient. A retry with the same clientId returns the first one.",
        extensions=[gate("patients.create")],
    )
    async def create_patient(
        self,
        info: Info,
        input: Annotated[PatientInput, strawberry.argument(description="The patient.")],
        client_id: ClientId,
    ) -> Patient | None:
        """Make a patient."""
        new = people.NewPatient(**vars(input))
        made = await info.context.platform.people.create_patient_once(
            info.context.signed_in(), new, client_id_of(client_id)
        )
        return patient_type(made)

    @strawberry.mutation(description="Change a patient's data.", extensions=[gate("patients.update")])
    async def update_patient(
        self,
        info: Info,
        id: PatientId,
        patch: Annotated[PatientPatch, strawberry.argument(description="What to change.")],
    ) -> Patient | None:
        """Change a patient."""
        given = {name: value for name, value in vars(patch).items() if value is not UNSET}
        actor = info.context.signed_in()
        return patient_type(await info.context.platform.people.update_patient(actor, uuid_of(id), given))

    @strawberry.mutation(
        description="Put a patient into the archive, out of lists and search, or take one back. Nothing is deleted.",
        extensions=[gate("patients.archive")],
    )
    async def archive_patient(
        self,
        info: Info,
        id: PatientId,
        archived: Annotated[bool, strawberry.argument(description="False takes the patient back.")] = True,
    ) -> Patient | None:
        """Archive a patient."""
        actor = info.context.signed_in()
        return patient_type(await info.context.platform.people.archive_patient(actor, uuid_of(id), archived))

    @strawberry.mutation(
        description="Merge two records of one patient, for good. What belongs to the merged record belongs to the kept "
        "one then; the merged record's id answers with it, and its MRN is given to nobody else. It can't be undone.",
        extensions=[gate("patients.merge")],
    )
    async def merge_patients(
        self,
        info: Info,
        keep_id: Annotated[strawberry.ID, strawberry.argument(description="The record that stays.")],
        merge_id: Annotated[strawberry.ID, strawberry.argument(description="The record that becomes a pointer.")],
        client_id: ClientId,
        choices: Annotated[
            list[Field] | None,
            strawberry.argument(
                description="What the kept record takes over from the merged one; of the MRN, they change places."
            ),
        ] = None,
    ) -> Patient | None:
        """Merge two records."""
        context = info.context
        ids = uuid_of(keep_id), uuid_of(merge_id)
        actor, client = context.signed_in(), client_id_of(client_id)
        return patient_type(await merge_patients(context.platform, actor, *ids, frozenset(choices or ()), client))


PART = GraphQLPart(query=PatientQuery, mutation=PatientMutation)
