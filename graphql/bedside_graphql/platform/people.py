"""Practices, members and patients as GraphQL shows them."""

from datetime import date
from typing import Annotated

import strawberry

from bedside_core import access, auth, errors, people
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import After, Connection, First, Phone, Zone, connection, uuid_of


@strawberry.type(description="A person who signs in for a practice.")
class Member:
    """A member of a practice."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    first_name: str = strawberry.field(description="First name.")
    last_name: str = strawberry.field(description="Last name.")
    name: str = strawberry.field(description="The name as it is shown.")
    role: auth.Role = strawberry.field(description="What the person is in the practice.")


@strawberry.type(description="A person in the practice's care, with or without a portal account.")
class Patient:
    """A patient."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    first_name: str = strawberry.field(description="First name.")
    last_name: str = strawberry.field(description="Last name.")
    date_of_birth: date = strawberry.field(description="Date of birth.")
    mrn: str = strawberry.field(description="Medical record number, unique within the practice.")
    gender: str = strawberry.field(description="Gender.")
    phone: Phone | None = strawberry.field(description="Telephone number; e-mail may stand in for it.")
    email: str | None = strawberry.field(description="E-mail address.")


@strawberry.type(description="A feature, and whether the practice has it.")
class Feature:
    """A feature's state."""

    key: str = strawberry.field(description="Stable name.")
    title: str = strawberry.field(description="What people read.")
    description: str = strawberry.field(description="What one has with it.")
    enabled: bool = strawberry.field(description="Whether the practice has it now.")
    reason: access.Reason = strawberry.field(description="Why it has it or not.")
    tier: access.Tier | None = strawberry.field(description="The lowest tier that includes it; null is every tier.")


@strawberry.type(description="A practice: the tenant that everything belongs to.")
class Practice:
    """The practice acted for."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    name: str = strawberry.field(description="The practice's name.")
    zone: Zone = strawberry.field(description="The practice's time zone.")

    @strawberry.field(description="Every feature, with whether the practice has it and why.")
    async def features(self, info: Info) -> list[Feature]:
        """Return the features' states, by key."""
        core = info.context.platform.access
        states = await core.states(uuid_of(self.id))
        return [
            Feature(
                key=key,
                title=core.features[key].title,
                description=core.features[key].doc,
                enabled=state.enabled,
                reason=state.reason,
                tier=access.Tier(state.tier) if state.tier else None,
            )
            for key, state in sorted(states.items())
            if key in core.features
        ]


def member_type(member: people.Member) -> Member:
    """Return a member as GraphQL shows one; for plugins whose fields lead to members."""
    return Member(
        id=strawberry.ID(str(member.id)),
        first_name=member.first_name,
        last_name=member.last_name,
        name=member.name,
        role=member.role,
    )


def _practice(practice: people.Practice) -> Practice:
    return Practice(id=strawberry.ID(str(practice.id)), name=practice.name, zone=Zone(practice.zone))


def patient_type(patient: people.Patient) -> Patient:
    """Return a patient as GraphQL shows one; for plugins whose fields lead to patients."""
    return Patient(
        id=strawberry.ID(str(patient.id)),
        first_name=patient.first_name,
        last_name=patient.last_name,
        date_of_birth=patient.date_of_birth,
        mrn=patient.mrn,
        gender=patient.gender,
        phone=Phone(patient.phone) if patient.phone else None,
        email=patient.email,
    )


async def member_of(info: Info, member_id: object) -> Member | None:
    """Return a member of the practice by id, through the operation's DataLoader; for plugins."""
    found = await info.context.loader(info.context.platform.people.members_by_id).load(member_id)  # pyright: ignore[reportArgumentType]
    return member_type(found) if found else None


@strawberry.type
class PeopleQuery:
    """Queries of practices and people."""

    @strawberry.field(
        description="The practice that the viewer acts for; null for the operator.", extensions=[gate("practice.read")]
    )
    async def practice(self, info: Info) -> Practice | None:
        """Return the actor's practice."""
        practice_id, _ = info.context.signed_in().in_practice()
        found = await info.context.platform.people.practice(practice_id)
        return _practice(found) if found else None

    @strawberry.field(
        description="The practices of the deployment, by name; for the operator.", extensions=[gate("practices.list")]
    )
    async def practices(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[Practice] | None:
        """Return a page of practices."""
        return connection(await info.context.platform.people.practices(first=first, after=after), _practice)

    @strawberry.field(description="The members of the practice, by name.", extensions=[gate("practice.read")])
    async def members(self, info: Info, first: First = USUAL_PAGE, after: After = None) -> Connection[Member] | None:
        """Return a page of members."""
        page = await info.context.platform.people.members(info.context.signed_in(), first=first, after=after)
        return connection(page, member_type)

    @strawberry.field(description="The patients of the practice, by name.", extensions=[gate("patients.read")])
    async def patients(self, info: Info, first: First = USUAL_PAGE, after: After = None) -> Connection[Patient] | None:
        """Return a page of patients."""
        page = await info.context.platform.people.patients(info.context.signed_in(), first=first, after=after)
        return connection(page, patient_type)

    @strawberry.field(description="A patient of the practice.", extensions=[gate("patients.read")])
    async def patient(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The patient's id.")]
    ) -> Patient | None:
        """Return one patient.

        Raises:
            errors.NotFound: there is none that the actor may see.
        """
        info.context.signed_in().in_practice()
        found = await info.context.loader(info.context.platform.people.patients_by_id).load(uuid_of(id))
        if found is None:
            raise errors.NotFound("There is no patient with this id that you may see.")
        return patient_type(found)


PART = GraphQLPart(query=PeopleQuery)
