"""Finding people by name, and external contacts, as GraphQL shows them (P6, P7)."""

from typing import Annotated

import strawberry

from bedside_core import errors, people
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.platform.members import Member, member_type
from bedside_graphql.platform.patients import Patient, patient_type
from bedside_graphql.types import After, ClientId, Connection, First, Phone, client_id_of, connection, uuid_of


@strawberry.type(description="An outside person reached by e-mail or mobile number (P6).")
class Contact:
    """A contact."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    first_name: str = strawberry.field(description="First name.")
    last_name: str = strawberry.field(description="Last name.")
    name: str = strawberry.field(description="The name as it is shown.")
    phone: Phone | None = strawberry.field(description="Mobile number.")
    email: str | None = strawberry.field(description="E-mail address.")


@strawberry.type(description="Somebody whom one may see; of member, patient and contact one is there.")
class Person:
    """A person that was found."""

    id: strawberry.ID = strawberry.field(description="The id of the member, patient or contact.")
    kind: people.PersonKind = strawberry.field(description="What the person is to the practice.")
    name: str = strawberry.field(description="The name as it is shown.")
    label: str | None = strawberry.field(
        description="What stands under the name: null for one's own practice, the practice's name for a member of a "
        'connected one, "Patient", "(External)" (P7).'
    )
    badge: str | None = strawberry.field(
        description='"Video Chat Enabled" beside the practice\'s name of a member who may host video (P7).'
    )
    member: Member | None = strawberry.field(description="The member, if it is one.")
    patient: Patient | None = strawberry.field(description="The patient, if it is one.")
    contact: Contact | None = strawberry.field(description="The contact, if it is one.")


@strawberry.input(description="An outside person; of e-mail address and mobile number at least one (P6).")
class ContactInput:
    """A new contact."""

    first_name: str = strawberry.field(description="First name.")
    last_name: str = strawberry.field(description="Last name.")
    email: str | None = strawberry.field(description="E-mail address.", default=None)
    phone: str | None = strawberry.field(
        description="Mobile number of one of the practice's regions, with or without the country's code.", default=None
    )


def contact_type(contact: people.Contact) -> Contact:
    """Return a contact as GraphQL shows one."""
    return Contact(
        id=strawberry.ID(str(contact.id)),
        first_name=contact.first_name,
        last_name=contact.last_name,
        name=contact.name,
        phone=Phone(contact.phone) if contact.phone else None,
        email=contact.email,
    )


def _person(found: people.Found) -> Person:
    one = found.person
    return Person(
        id=strawberry.ID(str(one.id)),
        kind=found.kind,
        name=one.name,
        label=found.label,
        badge=found.badge,
        member=member_type(one) if isinstance(one, people.Member) else None,
        patient=patient_type(one) if isinstance(one, people.Patient) else None,
        contact=contact_type(one) if isinstance(one, people.Contact) else None,
    )


@strawberry.type
class SearchQuery:
    """Queries that find people."""

    @strawberry.field(
        description="The people whose names have words that begin with each word of the text, by name. Neither case "
        "nor accents count. Members of connected practices are found too, or one practice's people alone (C7).",
        extensions=[gate("people.search")],
    )
    async def search(
        self,
        info: Info,
        text: Annotated[str, strawberry.argument(description="Beginnings of first or last names, in any order.")],
        kinds: Annotated[
            list[people.PersonKind] | None, strawberry.argument(description="Which kinds of people; null is all.")
        ] = None,
        practice_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(
                description="One's own or a connected practice, whose people are searched alone; in any other there is "
                "nobody. Null is all."
            ),
        ] = None,
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[Person] | None:
        """Return a page of people."""
        actor, wanted = info.context.signed_in(), people.PersonKind if kinds is None else kinds
        page = await info.context.platform.people.search(
            actor,
            text,
            set(wanted),
            practice_id=None if practice_id is None else uuid_of(practice_id),
            first=first,
            after=after,
        )
        return connection(page, _person)

    @strawberry.field(description="The practice's external contacts, by name.", extensions=[gate("contacts.read")])
    async def contacts(self, info: Info, first: First = USUAL_PAGE, after: After = None) -> Connection[Contact] | None:
        """Return a page of contacts."""
        page = await info.context.platform.people.contacts(info.context.signed_in(), first=first, after=after)
        return connection(page, contact_type)

    @strawberry.field(description="An external contact of the practice.", extensions=[gate("contacts.read")])
    async def contact(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The contact's id.")]
    ) -> Contact | None:
        """Return one contact.

        Raises:
            errors.NotFound: there is none that the actor may see.
        """
        info.context.signed_in().in_practice()
        found = await info.context.loader(info.context.platform.people.contacts_by_id).load(uuid_of(id))
        if found is None:
            raise errors.NotFound("There is no contact with this id that you may see.")
        return contact_type(found)


@strawberry.type
class SearchMutation:
    """The mutation for whom a search did not find."""

    @strawberry.mutation(
        description="Add an outside person whom `search` does not find. Who is known already comes back as what they "
        "are: a member of one's own or a connected practice, or the contact with this address or number.",
        extensions=[gate("contacts.add")],
    )
    async def add_contact(
        self,
        info: Info,
        input: Annotated[ContactInput, strawberry.argument(description="The person.")],
        client_id: ClientId,
    ) -> Person | None:
        """Add a contact."""
        actor = info.context.signed_in()
        practice_id, _ = actor.in_practice()
        made = await info.context.platform.people.add_contact(actor, **vars(input), client_id=client_id_of(client_id))
        return _person(people.found(made, practice_id))


PART = GraphQLPart(query=SearchQuery, mutation=SearchMutation)
