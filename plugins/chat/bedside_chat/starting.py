"""Starts conversations of every kind; the only one of its kind between two people is found again (C1, C5, C7, C9)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from bedside_chat.api import CONVERSATION_STREAM, Conversation, ConversationStarted
from bedside_chat.guest_links import LinkChannel
from bedside_chat.joins import Joining, Joins, outsider
from bedside_chat.kinds import ConversationKind, only_key
from bedside_chat.standing import no_portal_account
from bedside_core.api import DB, Actor, Conflict, InvalidInput, NotFound, Topic, Work, audit, unit, uuid7
from bedside_portal.api import PortalAccounts, PortalState

LONGEST_NAME = 100
LONGEST_DESCRIPTION = 1000
MOST_AT_ONCE = 100
"""People who can be added at once."""

_INSERT = """INSERT INTO conversation
    (id, practice_id, kind, only_key, name, description, private, subject_id, created_by, created_at, active_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) ON CONFLICT (only_key) DO NOTHING RETURNING id"""
_NOTE = """INSERT INTO conversation_start (practice_id, person_id, client_id, conversation_id)
SELECT practice_id, $1, $2, id FROM conversation WHERE id = $3
ON CONFLICT (person_id, client_id) DO UPDATE SET client_id = EXCLUDED.client_id RETURNING conversation_id"""
# Who is in it already is left alone, so once it is there nobody else is looked up.
_TEAM = """SELECT id FROM member WHERE active AND id <> $1
    AND NOT EXISTS (SELECT FROM conversation WHERE only_key = $2) ORDER BY id"""


class Starting(Joins):
    """Starts conversations."""

    async def start_direct(self, actor: Actor, member_id: UUID, client_id: str) -> Conversation:
        """Start the direct conversation with a member of the own or a connected practice, or return it (C1, P2).

        Args:
            actor: who starts.
            member_id: the other.
            client_id: the client's own id of this start (G9).

        Raises:
            NotFound: no such member that the actor sees.
            InvalidInput: the other is oneself.
            Conflict: the client id has started another conversation.
        """
        _, person_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.start", member_id)
        people = await self._members([person_id, member_id])
        return await self._only(actor, ConversationKind.DIRECT, only_key(person_id, member_id), people, client_id)

    async def start_with_patient(
        self,
        actor: Actor,
        patient_id: UUID,
        client_id: str,
        *,
        by_link: bool = False,
        channel: LinkChannel | None = None,
    ) -> Conversation:
        """Start the conversation of the actor and a patient of the practice, or return it if there is one (C2).

        Args:
            actor: a member.
            patient_id: the patient.
            client_id: the client's own id of this start (G9).
            by_link: reach them by a link where they have no active portal account; it is sent in the same transaction,
                unless one that was sent before is open still (C6).
            channel: how it is sent; None is by e-mail where there is an address, else by SMS.

        Raises:
            NotFound: no such patient in the practice.
            PortalNeeded: the patient has no active portal account, and is not to be reached by a link.
            InvalidInput: the patient can't be reached by that channel.
            Conflict: the client id has started another conversation.
        """
        _, person_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.start_with_patient", patient_id)
        active = await self._in_portal(patient_id)
        if not active and not by_link:
            raise no_portal_account().problem()
        patient = (await self._platform.people.patients_by_id([patient_id]))[patient_id]
        [member] = await self._members([person_id])
        people = [member, outsider(patient, member.practice, by_link=not active)]
        key = only_key(person_id, patient_id)
        return await self._only(
            actor, ConversationKind.PATIENT, key, people, client_id, subject_id=patient_id, channel=channel
        )

    async def start_with_contact(
        self, actor: Actor, contact_id: UUID, client_id: str, *, channel: LinkChannel | None = None
    ) -> Conversation:
        """Start the conversation of the actor and a contact, who is reached by a link, or return it (C6).

        The link is sent in the same transaction, unless one that was sent before is open still. With a contact who is
        a member of the own or a connected practice by now it is the direct conversation, and no link is sent.

        Args:
            actor: a member.
            contact_id: the contact.
            client_id: the client's own id of this start (G9).
            channel: how the link is sent; None is by e-mail where there is an address, else by SMS.

        Raises:
            NotFound: no such contact in the practice.
            InvalidInput: the contact can't be reached by that channel.
            Conflict: the client id has started another conversation.
        """
        _, person_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.start_with_contact", contact_id)
        member_id = (await self._platform.people.contacts_reached([contact_id])).get(contact_id)
        if member_id is not None:
            return await self.start_direct(actor, member_id, client_id)
        contact = (await self._platform.people.contacts_by_id([contact_id]))[contact_id]
        [member] = await self._members([person_id])
        people = [member, outsider(contact, member.practice, by_link=True)]
        key = only_key(person_id, contact_id)
        return await self._only(
            actor, ConversationKind.EXTERNAL, key, people, client_id, subject_id=contact_id, channel=channel
        )

    async def start_with_practitioner(self, actor: Actor, member_id: UUID, client_id: str) -> Conversation:
        """Start the conversation of a patient and a practitioner, or return it if there is one (C4).

        Args:
            actor: a patient in the portal.
            member_id: the practitioner.
            client_id: the client's own id of this start (G9).

        Raises:
            NotFound: no such practitioner in the practice.
            NotAvailable: they take no new conversations from patients; one that there is goes on.
            Conflict: the client id has started another conversation.
        """
        _, patient_id = actor.as_patient()
        key = only_key(member_id, patient_id)
        await self._platform.access.require(actor, "chat.start_with_practitioner", member_id)
        patient = (await self._platform.people.patients_by_id([patient_id])).get(patient_id)
        if patient is None:
            raise NotFound("There is no patient record that you act for.")
        [member] = await self._members([member_id])
        people = [member, outsider(patient, member.practice, by_link=False)]
        return await self._only(actor, ConversationKind.PATIENT, key, people, client_id, subject_id=patient_id)

    async def open_team(self, actor: Actor, client_id: str) -> Conversation:
        """Return the conversation of all members of the practice, which begins with the first who opens it (C1).

        Args:
            actor: a member.
            client_id: the client's own id of this start (G9).

        Raises:
            Conflict: the client id has started another conversation.
        """
        practice_id, person_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.open_team")
        others = [row["id"] for row in await DB.fetch(_TEAM, person_id, str(practice_id))]
        people = await self._members([person_id, *others])
        return await self._only(actor, ConversationKind.TEAM, str(practice_id), people, client_id)

    async def create_group(
        self,
        actor: Actor,
        name: str,
        description: str | None,
        person_ids: Sequence[UUID],
        client_id: str,
        *,
        private: bool = False,
        channel: LinkChannel | None = None,
    ) -> Conversation:
        """Create a group with the actor and others in it (C7).

        Args:
            actor: a member.
            name: what it is called, 1 to 100 characters.
            description: what it is for, at most 1,000 characters.
            person_ids: members, and outsiders where the practice allows them; at most 100.
            client_id: the client's own id of it (G9).
            private: whether it is joined by invitation only (C8).
            channel: how contacts in it are sent their links; None is by e-mail where there is an address, else by SMS.

        Raises:
            InvalidInput: no name, something too long, or too many people.
            NotFound: one of the people is nobody that the actor sees.
            SwitchedOff: outsiders are not allowed in groups.
            Conflict: the client id has started another conversation.
        """
        practice_id, person_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.create_group")
        named, described = group_name(name), group_description(description)
        invited = await self._invited(practice_id, at_once([each for each in person_ids if each != person_id]))
        others = [each for each in invited if each.person_id != person_id]
        [oneself] = await self._members([person_id])
        now = self._platform.clock.now()

        async def make(new_id: UUID, work: Work) -> UUID:
            await DB.execute(
                _INSERT, new_id, practice_id, ConversationKind.GROUP, None, named, described, private, None,
                person_id, now,
            )  # fmt: skip
            if await self._note(actor, client_id, new_id) != new_id:  # of another kind
                raise _other()
            await self._begin(work, practice_id, new_id, person_id, [oneself, *others], channel)
            return new_id

        asked = [named, described, private, sorted(map(str, person_ids)), channel]
        return await self._one(actor, await self._platform.people.once(actor, "chat.group", client_id, asked, make))

    async def _only(
        self,
        actor: Actor,
        kind: ConversationKind,
        key: str,
        people: Sequence[Joining],
        client_id: str,
        *,
        subject_id: UUID | None = None,
        channel: LinkChannel | None = None,
    ) -> Conversation:
        """Start the one conversation with a key, or come back to it."""
        practice_id, person_id = actor.as_person()
        now = self._platform.clock.now()
        async with unit() as work:
            new_id = uuid7()
            if await DB.fetchval(
                _INSERT, new_id, practice_id, kind, key, None, None, False, subject_id, person_id, now
            ):
                conversation_id = new_id
                await self._begin(work, practice_id, new_id, person_id, people, channel)
            else:
                conversation_id = await self._come_back(work, key, people, person_id, channel)
            if await self._note(actor, client_id, conversation_id) != conversation_id:
                raise _other()
        return await self._one(actor, conversation_id)

    async def _begin(
        self,
        work: Work,
        practice_id: UUID,
        conversation_id: UUID,
        person_id: UUID,
        people: Sequence[Joining],
        channel: LinkChannel | None,
    ) -> None:
        await self._enter(conversation_id, people, person_id, self._platform.clock.now())
        work.emit(ConversationStarted(practice_id=practice_id, conversation_id=conversation_id, started_by=person_id))
        self._tell_inboxes(work, conversation_id, [each.person_id for each in people])
        patients = [each.person_id for each in people if each.kind == "patient"]
        audit.did("chat.start", kind="conversation", target=conversation_id, patients=patients)
        await self._links.send_missing(work, conversation_id, by_link(people), person_id, channel)

    async def _come_back(
        self, work: Work, key: str, people: Sequence[Joining], person_id: UUID, channel: LinkChannel | None
    ) -> UUID:
        """Return the conversation that there is; the actor is in it again, and reached people as they are now."""
        conversation_id: UUID
        row = await DB.fetchrow("SELECT * FROM chat_come_back($1)", key)
        if row is None:  # the team's, of which the actor has become one since it began
            conversation_id = await DB.fetchval("SELECT id FROM conversation WHERE only_key = $1", key)
            joined = await self._enter(
                conversation_id,
                [each for each in people if each.person_id == person_id],
                person_id,
                self._platform.clock.now(),
            )
            for position in joined.values():
                work.publish(Topic(CONVERSATION_STREAM, conversation_id), position)
            return conversation_id
        conversation_id = row["id"]
        for each in people:
            if each.kind == "member" or each.person_id == person_id:
                continue
            if each.by_link:
                await DB.execute(
                    """UPDATE participant SET by_link = true
                    WHERE conversation_id = $1 AND person_id = $2 AND NOT by_link""",
                    conversation_id,
                    each.person_id,
                )
            else:
                await self._links.over(work, conversation_id, each.person_id)
        if row["moved"] is not None:
            work.publish(Topic(CONVERSATION_STREAM, conversation_id), row["moved"])
            self._tell_inboxes(work, conversation_id, [person_id])
        await self._links.send_missing(work, conversation_id, by_link(people), person_id, channel)
        return conversation_id

    async def _note(self, actor: Actor, client_id: str, conversation_id: UUID) -> UUID:
        """Note what a client id has started; returns what it started first (G9)."""
        return await DB.fetchval(_NOTE, actor.as_person()[1], client_id, conversation_id)

    async def _in_portal(self, patient_id: UUID) -> bool:
        """Tell whether a patient has an active portal account."""
        if not self._platform.provides(PortalAccounts):
            return False
        states = await self._platform.service(PortalAccounts).states([patient_id])
        return states[patient_id] is PortalState.ACTIVE


def by_link(people: Sequence[Joining]) -> list[UUID]:
    """Return those of the people who are reached by a link (C6)."""
    return [each.person_id for each in people if each.by_link]


def _other() -> Conflict:
    return Conflict("This clientId has started another conversation.", field=("clientId",))


def group_name(name: str) -> str:
    """Return a group's name without blanks around it.

    Raises:
        InvalidInput: there is none, or it is too long.
    """
    named = name.strip()
    if not 1 <= len(named) <= LONGEST_NAME:
        raise InvalidInput(f"A group's name has 1 to {LONGEST_NAME} characters.", field=("name",))
    return named


def group_description(description: str | None) -> str | None:
    """Return a group's description; None for an empty one.

    Raises:
        InvalidInput: it is too long.
    """
    described = (description or "").strip()
    if len(described) > LONGEST_DESCRIPTION:
        raise InvalidInput(f"A description has at most {LONGEST_DESCRIPTION} characters.", field=("description",))
    return described or None


def at_once(ids: Sequence[UUID]) -> Sequence[UUID]:
    """Return the ids of people who are to be added.

    Raises:
        InvalidInput: they are too many.
    """
    if len(ids) > MOST_AT_ONCE:
        raise InvalidInput(f"At most {MOST_AT_ONCE} people are added at once.", field=("personIds",))
    return ids
