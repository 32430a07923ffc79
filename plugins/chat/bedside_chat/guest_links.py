"""Links by which patients and contacts reach one conversation without an account: sent, void, and how they stand (C6).

A person has one link in a conversation; sending it anew takes the place of the older one, whose guests are put out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.api import CONVERSATION_STREAM
from bedside_chat.settings import ChatSettings
from bedside_chat.standing import portal_states
from bedside_chat.texts import GUEST_LINK, GUEST_MESSAGE_EMAIL, GUEST_MESSAGE_SMS
from bedside_core.api import (
    DB,
    Contact,
    Fact,
    InvalidInput,
    NotFound,
    Patient,
    PersonKind,
    Recipient,
    SwitchedOff,
    Topic,
    Work,
    audit,
    unit,
    uuid7,
)
from bedside_portal.api import PortalAccounts, PortalState

if TYPE_CHECKING:
    from bedside_core.api import Platform

PURPOSE = "chat.guest"
"""What the links are for; their subject is a row of `guest_link`."""
PAGE = "/chat/guest"
"""Where they lead; the secret stands behind `#`."""
MOST_FAILURES = 5
"""The wrong date of birth that makes a link void."""

_PUT = """INSERT INTO guest_link AS g (id, practice_id, conversation_id, person_id, person_kind, channel, address,
    sent_by, sent_at, expires_at)
SELECT $1, c.practice_id, c.id, $3, $4, $5, $6, $7, $8, $9 FROM conversation c WHERE c.id = $2
ON CONFLICT (practice_id, conversation_id, person_id) DO UPDATE SET channel = excluded.channel,
    address = excluded.address, sent_by = excluded.sent_by, sent_at = excluded.sent_at,
    expires_at = excluded.expires_at, revoked_at = NULL, failures = 0
RETURNING g.id"""
# Who left is in it again: a link is sent to whom somebody wants in it. Live readers hear of how the link stands.
_TOUCH = """
WITH moved AS (
    UPDATE conversation SET "position" = "position" + 1 WHERE id = $1 RETURNING "position"
)
UPDATE participant p SET changed = m."position", left_at = CASE WHEN $3 THEN NULL ELSE p.left_at END
FROM moved m WHERE p.conversation_id = $1 AND p.person_id = $2 RETURNING m."position"
"""
_VOID = """UPDATE guest_link SET revoked_at = $3
WHERE conversation_id = $1 AND person_id = $2 AND revoked_at IS NULL RETURNING id, practice_id"""


_BY_LINK = """SELECT c.id FROM conversation c WHERE EXISTS (SELECT FROM participant p
    WHERE p.conversation_id = c.id AND p.person_id = $1 AND p.kind = 'patient' AND p.by_link)
ORDER BY c.id FOR NO KEY UPDATE"""
_SENT_BEFORE = """SELECT c.id FROM conversation c WHERE EXISTS (SELECT FROM guest_link g
    WHERE g.conversation_id = c.id AND g.person_id = $1 AND g.revoked_at IS NULL AND g.sent_at <= $2)
ORDER BY c.id FOR NO KEY UPDATE"""
_PORTAL = """UPDATE participant SET by_link = false
WHERE conversation_id = $1 AND person_id = $2 AND kind = 'patient' AND by_link RETURNING true"""


class LinkChannel(StrEnum):
    """How a link is sent."""

    EMAIL = "email"
    SMS = "sms"


class GuestLinkState(StrEnum):
    """What a link is good for."""

    OPEN = "open"
    EXPIRED = "expired"
    REVOKED = "revoked"
    """It was called off, or its person left or was removed."""
    LOCKED = "locked"
    """The date of birth was wrong five times."""


@dataclass(frozen=True, kw_only=True)
class GuestLink:
    """A link that was sent to somebody for a conversation; its secret is in the letter alone.

    Args:
        conversation_id: what it leads to.
        person_id: the patient or contact.
        channel: how the newest letter with it, or with one beside it, was sent.
        address: where that went, masked.
        sent_at: when it was sent last.
        expires_at: until when it can be used.
        entered_at: when its person last came by it, or by an older one.
        state: what it is good for now.
    """

    conversation_id: UUID
    person_id: UUID
    channel: LinkChannel
    address: str
    sent_at: datetime
    expires_at: datetime
    entered_at: datetime | None
    state: GuestLinkState


class GuestLinks:
    """Sends links and voids them, in the units of the services that asked who may.

    Args:
        platform: people, links, notifications, guests and clock.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def send(
        self, work: Work, conversation_id: UUID, person_ids: Sequence[UUID], by: UUID, channel: LinkChannel | None
    ) -> None:
        """Send people their links; older ones are void, and whoever came by them is put out.

        Args:
            work: the unit's, in which they come to take part.
            conversation_id: what the links lead to.
            person_ids: patients and contacts who are reached by a link.
            by: the member who sends, whose name stands in the letter.
            channel: how; None is by e-mail where there is an address, else by SMS.

        Raises:
            InvalidInput: somebody can't be reached that way.
            SwitchedOff: by SMS, which the practice or they have switched off, and they have an e-mail address (N2).
            NotFound: one of them is nobody of the practice.
        """
        people = self._platform.people
        found: Mapping[UUID, Patient | Contact] = {
            **await people.patients_by_id(person_ids),
            **await people.contacts_by_id(person_ids),
        }
        member = (await people.members_by_id([by])).get(by)
        days = (await self._platform.settings.read(ChatSettings)).guest_days
        for person_id in person_ids:
            person = found.get(person_id)
            if person is None or member is None:
                raise NotFound("There is nobody with this id to whom a link could be sent.", field=("personId",))
            await self._send(work, conversation_id, person, (by, member.name), channel, timedelta(days=days))

    async def _send(
        self,
        work: Work,
        conversation_id: UUID,
        person: Patient | Contact,
        by: tuple[UUID, str],
        channel: LinkChannel | None,
        lasts: timedelta,
    ) -> None:
        channel = channel or (LinkChannel.EMAIL if person.email else LinkChannel.SMS)
        address = person.email if channel is LinkChannel.EMAIL else person.phone
        if not address:
            what = "e-mail address" if channel is LinkChannel.EMAIL else "mobile number"
            raise InvalidInput(f"There is no {what} of this person.", way_on="Add one first.", field=("channel",))
        if channel is LinkChannel.SMS and person.email and await DB.fetchval("SELECT chat_sms_off($1)", person.id):
            raise SwitchedOff(
                "SMS are switched off for people who have an e-mail address.",
                way_on="Send the link by e-mail.",
                field=("channel",),
            )
        patient, now = isinstance(person, Patient), self._platform.clock.now()
        kind = PersonKind.PATIENT if patient else PersonKind.CONTACT
        link_id = await DB.fetchval(
            _PUT, uuid7(), conversation_id, person.id, kind, channel, masked(address), by[0], now, now + lasts
        )
        if link_id is None:
            raise NotFound("There is no such conversation.")
        await self._platform.auth.guests.end(work, bound_to=conversation_id, person_id=person.id)
        secret = await self._platform.links.issue(work, PURPOSE, link_id, lasts=lasts)
        await self._take_back(work, conversation_id, Recipient.guest(person.id, person.practice_id), link_id)
        to = (
            Recipient.address(practice_id=person.practice_id, email=address)
            if channel is LinkChannel.EMAIL
            else Recipient.address(practice_id=person.practice_id, phone=address)
        )
        data = {Fact.SENDER: by[1], Fact.LINK: f"{PAGE}#{secret}"}
        await self._platform.notify.send(work, GUEST_LINK.key, to=to, data=data, key=str(link_id))
        await self._touch(work, conversation_id, person.id, back=True)
        _audit_sent(conversation_id, person.id, channel, patient=patient)

    async def send_missing(
        self, work: Work, conversation_id: UUID, person_ids: Sequence[UUID], by: UUID, channel: LinkChannel | None
    ) -> None:
        """Send links to those of the people who have none that is open."""
        if not person_ids:
            return
        links = await self.of([(conversation_id, person_id) for person_id in person_ids])
        has = {person_id for (_, person_id), link in links.items() if link.state is GuestLinkState.OPEN}
        if missing := [person_id for person_id in person_ids if person_id not in has]:
            await self.send(work, conversation_id, missing, by, channel)

    async def moved(
        self, work: Work, conversation_id: UUID, person_id: UUID, channel: LinkChannel, address: str, *, patient: bool
    ) -> None:
        """Note that a further letter goes elsewhere than the one before, since the person's addresses have changed.

        Args:
            work: the unit's, which has the conversation's row.
            conversation_id: what the links lead to.
            person_id: whose they are.
            channel: how it goes.
            address: where to.
            patient: whether that is a patient.
        """
        await DB.execute(
            "SELECT guest_link_moved($1, $2, $3, $4)", conversation_id, person_id, channel, masked(address)
        )
        await self._touch(work, conversation_id, person_id, back=False)
        _audit_sent(conversation_id, person_id, channel, patient=patient)

    async def void(self, work: Work, conversation_id: UUID, person_id: UUID, *, touch: bool = False) -> bool:
        """Void somebody's link and put them out, on every process within a second; tells whether there was one.

        Args:
            work: the unit's.
            conversation_id: what it leads to.
            person_id: whose it is.
            touch: whether live readers are to hear of it from here.
        """
        row = await DB.fetchrow(_VOID, conversation_id, person_id, self._platform.clock.now())
        await self._platform.auth.guests.end(work, bound_to=conversation_id, person_id=person_id)
        if row is None:
            return False
        await self._platform.links.void(work, PURPOSE, row["id"])
        await self._take_back(work, conversation_id, Recipient.guest(person_id, row["practice_id"]), row["id"])
        if touch:
            await self._touch(work, conversation_id, person_id, back=False)
        return True

    async def all_over(self, patient_id: UUID) -> None:
        """Have a patient be reached in the portal wherever that was by a link, if they have an active account now."""
        if (await portal_states(self._platform, [patient_id])).get(patient_id) is not PortalState.ACTIVE:
            return
        async with unit() as work:
            for row in await DB.fetch(_BY_LINK, patient_id):
                await self.over(work, row["id"], patient_id)

    async def suspended(self, patient_id: UUID) -> None:
        """Void the links that a patient had when their portal account was suspended, if it is still.

        So none of them is a way round. What staff sends them since then is staff's to decide (C2).
        """
        account = (await self._platform.service(PortalAccounts).accounts([patient_id]))[patient_id]
        if account.suspended_at is None:
            return
        async with unit() as work:
            for row in await DB.fetch(_SENT_BEFORE, patient_id, account.suspended_at):
                await self.void(work, row["id"], patient_id, touch=True)

    async def over(self, work: Work, conversation_id: UUID, patient_id: UUID) -> None:
        """Have a patient be reached in the portal, not by a link: it is void, and whoever came by it is put out.

        Args:
            work: the unit's, which has the conversation's row.
            conversation_id: what the link led to.
            patient_id: who has an active portal account.
        """
        if await DB.fetchval(_PORTAL, conversation_id, patient_id):
            await self.void(work, conversation_id, patient_id)
            await self._touch(work, conversation_id, patient_id, back=False)

    async def _take_back(self, work: Work, conversation_id: UUID, guest: Recipient, link_id: UUID) -> None:
        """Take back the letters with links that are void now."""
        await self._platform.notify.cancel(work, GUEST_LINK.key, key=str(link_id))
        messages = (GUEST_MESSAGE_EMAIL.key, GUEST_MESSAGE_SMS.key)
        await self._platform.notify.cancel_all(work, messages, key=str(conversation_id), to=guest)

    async def _touch(self, work: Work, conversation_id: UUID, person_id: UUID, *, back: bool) -> None:
        position = await DB.fetchval(_TOUCH, conversation_id, person_id, back)
        if position is not None:
            work.publish(Topic(CONVERSATION_STREAM, conversation_id), position)

    async def of(self, keys: Sequence[tuple[UUID, UUID]]) -> Mapping[tuple[UUID, UUID], GuestLink]:
        """Return conversation and person -> the link that was sent last, in one statement; for the owning practice."""
        rows = await DB.fetch(
            """SELECT g.* FROM guest_link g
            JOIN unnest($1::uuid[], $2::uuid[]) AS k(conversation, person)
                ON g.conversation_id = k.conversation AND g.person_id = k.person""",
            [key[0] for key in keys],
            [key[1] for key in keys],
        )
        now = self._platform.clock.now()
        return {
            (row["conversation_id"], row["person_id"]): GuestLink(
                conversation_id=row["conversation_id"],
                person_id=row["person_id"],
                channel=LinkChannel(row["channel"]),
                address=row["address"],
                sent_at=row["sent_at"],
                expires_at=row["expires_at"],
                entered_at=row["entered_at"],
                state=_state(row["failures"], row["revoked_at"], row["expires_at"], now),
            )
            for row in rows
        }


def _audit_sent(conversation_id: UUID, person_id: UUID, channel: LinkChannel, *, patient: bool) -> None:
    audit.did(
        "chat.send_link",
        kind="conversation",
        target=conversation_id,
        patients=[person_id] if patient else [],
        detail={"channel": channel.value, "person": str(person_id)},
    )


def _state(failures: int, revoked_at: datetime | None, expires_at: datetime, now: datetime) -> GuestLinkState:
    if failures >= MOST_FAILURES:
        return GuestLinkState.LOCKED
    if revoked_at is not None:
        return GuestLinkState.REVOKED
    return GuestLinkState.OPEN if expires_at > now else GuestLinkState.EXPIRED


def masked(address: str) -> str:
    """Return an address so that those who know it recognise it: `a•••@example.org`, `•••0143`."""
    name, at, host = address.rpartition("@")
    return f"{name[:1]}•••@{host}" if at else f"•••{address[-4:]}"
