"""External contacts: outside people reached by e-mail or mobile number (P6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.auth import Actor
from bedside_core.database import DB, Row, Work
from bedside_core.paging import Page, key_of, page_of, page_size
from bedside_core.people import checks
from bedside_core.people.base import BY_NAME
from bedside_core.people.members import Members
from bedside_core.people.model import Contact, ContactAdded, Listed

_CONTACT = "SELECT id, practice_id, first_name, last_name, phone, email FROM contact"


class Contacts(Members):
    """Finds and adds contacts. Row-level security confines each statement to the acting practice."""

    async def contacts_by_id(self, ids: Sequence[UUID]) -> Mapping[UUID, Contact]:
        """Return those of the contacts that the acting practice has, in one statement."""
        rows = await DB.fetch(f"{_CONTACT} WHERE id = ANY($1)", list(ids))
        return {row["id"]: _contact(row) for row in rows}

    async def contacts_reached(self, ids: Sequence[UUID]) -> Mapping[UUID, UUID]:
        """Return those of the contacts who are members now -> the member, as `add_contact` finds them: one statement.

        A contact was added before the practices were connected, or before that member came or showed who they are.
        """
        rows = await DB.fetch(
            """SELECT c.id, r.member FROM contact c, directory_reached(c.email, c.phone) AS r(member)
            WHERE c.id = ANY($1)""",
            list(ids),
        )
        return {row["id"]: row["member"] for row in rows}

    async def contacts(self, actor: Actor, *, first: int | None, after: str | None) -> Page[Contact]:
        """Return the contacts of the actor's practice, by name."""
        actor.in_practice()
        size, key = page_size(first), key_of(after, str, str, UUID)
        rows = await DB.fetch(f"{_CONTACT} WHERE {BY_NAME}", size + 1, *(key or (None, None, None)))
        return page_of(
            [_contact(row) for row in rows],
            size,
            lambda item: (item.last_name, item.first_name, str(item.id)),
            after=after,
        )

    async def add_contact(
        self,
        actor: Actor,
        *,
        first_name: str,
        last_name: str,
        email: str | None,
        phone: str | None,
        client_id: str,
    ) -> Contact | Listed:
        """Add an outside person, or find them where they are known already.

        Who is a member of one's own or a connected practice, and shows this address or number to the actor (A8), is
        returned as that member; a contact that has it as that contact: nobody is there twice. Of who hides it nothing
        is told: they become a contact like anybody.

        Args:
            actor: who adds.
            first_name: of the person.
            last_name: of the person.
            email: address; this or a number is needed.
            phone: mobile number.
            client_id: the client's own id of it (G9).

        Raises:
            errors.InvalidInput: a value can't be right; `field` begins with `input`.
            errors.Conflict: the client id has added somebody else, or address and number are two contacts'.
        """
        practice_id, _ = actor.in_practice()
        names = checks.name(first_name, ("input", "first_name")), checks.name(last_name, ("input", "last_name"))
        if email is None and phone is None:
            raise errors.InvalidInput("An e-mail address or a mobile number is required.", field=("input", "email"))
        address = checks.email(email, ("input", "email")) if email is not None else None
        number = None
        if phone is not None:
            number = checks.phone(phone, await self.regions(), ("input", "phone"), mobile=True)

        async def make(new_id: UUID, work: Work) -> UUID:
            reached = await DB.fetchval("SELECT directory_reached($1, $2)", address, number)
            if reached is not None:
                return reached
            made = await DB.fetchval(
                """INSERT INTO contact (id, practice_id, first_name, last_name, phone, email, created_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id""",
                new_id,
                practice_id,
                *names,
                number,
                address,
                self._clock.now(),
            )
            if made is not None:
                work.emit(ContactAdded(practice_id=practice_id, contact_id=new_id))
                audit.did("contacts.add", kind="contact", target=new_id)
                return new_id
            rows = await DB.fetch(
                "SELECT id FROM contact WHERE lower(email) = lower($1) OR phone = $2", address, number
            )
            if len(rows) != 1:
                raise errors.Conflict(
                    "The address and the number belong to two contacts.", way_on="Give one of them alone."
                )
            return rows[0]["id"]

        made = await self.once(actor, "contact", client_id, [*names, address, number], make)
        found = (await self.contacts_by_id([made])).get(made)
        if found is not None:
            return found
        listed = (await self.directory([made])).get(made)
        if listed is None:  # a connection that was there at the first time has ended since
            raise errors.NotFound("There is nobody with this id that you may see.")
        return listed


def _contact(row: Row) -> Contact:
    return Contact(**{name: row[name] for name in Contact.__dataclass_fields__})
