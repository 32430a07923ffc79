"""Who comes by a link: the members who send it and call it off, and the guest whom its secret lets in (C6, A6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.api import Conversation
from bedside_chat.guest_links import MOST_FAILURES, PURPOSE, GuestLinks, LinkChannel
from bedside_chat.joins import check_outsiders
from bedside_chat.kinds import ConversationKind
from bedside_chat.rules import not_there, standing_of
from bedside_chat.service import ChatService
from bedside_core.api import (
    DB,
    Actor,
    Conflict,
    Forbidden,
    GuestPass,
    Link,
    NotFound,
    Problem,
    acting,
    audit,
    unit,
)
from bedside_portal.api import IdentityRefused

if TYPE_CHECKING:
    from bedside_core.api import Platform

# Who is sent a link is reached by it; what was sent can be called off whatever they are reached by now.
_ADDRESSEE = """SELECT p.left_at IS NULL FROM participant p
WHERE p.conversation_id = $1 AND p.person_id = $2 AND p.kind <> 'member'
    AND CASE WHEN $3 THEN p.by_link AND NOT p.removed ELSE EXISTS (SELECT FROM guest_link g
        WHERE g.conversation_id = p.conversation_id AND g.person_id = p.person_id) END"""
# The conversation's row comes first, as with whoever sends messages or links there: they never wait in a circle.
_ROW = """SELECT FROM conversation WHERE id = (SELECT g.conversation_id FROM guest_link g WHERE g.id = $1)
FOR NO KEY UPDATE"""
_LINK = """SELECT g.conversation_id, g.person_id, g.person_kind, g.failures, g.expires_at, r.date_of_birth = $2 AS fits
FROM guest_link g LEFT JOIN patient r ON g.person_kind = 'patient' AND r.practice_id = g.practice_id
    AND r.id = g.person_id
JOIN participant p ON p.conversation_id = g.conversation_id AND p.person_id = g.person_id AND p.left_at IS NULL
    AND p.by_link
WHERE g.id = $1 AND g.revoked_at IS NULL FOR UPDATE OF g"""


class IdentityNeeded(Problem):
    """The link is a patient's, and asks for their date of birth first."""

    code = "DATE_OF_BIRTH_NEEDED"
    meaning = "The link is a patient's: send their `dateOfBirth` with the secret (C6)."
    status = 403


@dataclass(frozen=True, kw_only=True)
class Entered:
    """What a guest gets for a link's secret.

    Args:
        bearer: the token, and how long it lasts.
        conversation_id: the one conversation that it reaches.
        practice: name of the practice whose conversation it is.
    """

    bearer: GuestPass
    conversation_id: UUID
    practice: str


class Guests:
    """Links as members and guests use them.

    Args:
        platform: access, links and sign-in.
        chat: the conversations.
    """

    def __init__(self, platform: Platform, chat: ChatService) -> None:
        self._platform = platform
        self._chat = chat
        self._links = GuestLinks(platform)

    async def send_link(
        self, actor: Actor, conversation_id: UUID, person_id: UUID, channel: LinkChannel | None
    ) -> Conversation:
        """Send somebody their link, or send it again; an older one is void, and whoever came by it is put out.

        Args:
            actor: a member of the owning practice who takes part.
            conversation_id: one of theirs.
            person_id: a patient or contact who is reached by a link; who left comes back by it.
            channel: how; None is by e-mail where there is an address, else by SMS.

        Raises:
            NotFound: no such conversation of theirs, or nobody in it who is reached by a link.
            Forbidden: another practice owns it.
            InvalidInput: the person has no such address.
            FeatureNotInPlan: nothing could be sent to them there.
            SwitchedOff: they left a group in which outsiders are not allowed any more.
            Conflict: the contact is a member of the own or a connected practice by now; `detail` names them.
        """
        kind, here = await self._may(actor, "chat.send_link", conversation_id, person_id, by_link=True)
        if kind is ConversationKind.GROUP and not here:
            await check_outsiders(self._platform, "personId")
        member_id = (await self._platform.people.contacts_reached([person_id])).get(person_id)
        if member_id is not None:
            raise Conflict(
                "This contact is a member whom you reach in the application.",
                way_on="Write to the member, or add them to the group.",
                field=("personId",),
                detail={"memberId": str(member_id)},
            )
        async with unit() as work:
            await DB.execute("SELECT FROM conversation WHERE id = $1 FOR NO KEY UPDATE", conversation_id)
            await self._links.send(work, conversation_id, [person_id], actor.in_practice()[1], channel)
        return await self._chat.conversation(actor, conversation_id)

    async def revoke_link(self, actor: Actor, conversation_id: UUID, person_id: UUID) -> Conversation:
        """Call a link off: whoever came by it is put out at once; one that is over already stays so.

        Args:
            actor: a member of the owning practice who takes part.
            conversation_id: one of theirs.
            person_id: whose link it is.

        Raises:
            NotFound: no such conversation of theirs, or nobody in it who was sent a link.
            Forbidden: another practice owns it.
        """
        await self._may(actor, "chat.revoke_link", conversation_id, person_id, by_link=False)
        async with unit() as work:
            await DB.execute("SELECT FROM conversation WHERE id = $1 FOR NO KEY UPDATE", conversation_id)
            if await self._links.void(work, conversation_id, person_id, touch=True):
                audit.did(
                    "chat.revoke_link",
                    kind="conversation",
                    target=conversation_id,
                    patients=await self._platform.people.patients_by_id([person_id]),
                    detail={"person": str(person_id)},
                )
        return await self._chat.conversation(actor, conversation_id)

    async def _may(
        self, actor: Actor, permission: str, conversation_id: UUID, person_id: UUID, *, by_link: bool
    ) -> tuple[ConversationKind, bool]:
        """Return the conversation's kind, and whether the person takes part in it now.

        Raises:
            NotFound: nobody in it who is reached by a link, or, where that is not asked, was sent one.
        """
        practice_id, _ = actor.in_practice()
        await self._platform.access.require(actor, permission, conversation_id)
        standing = await standing_of(self._platform, actor, conversation_id)
        if standing is None:
            raise not_there().problem()
        if standing.practice_id != practice_id:
            raise Forbidden("Another practice owns this conversation.", way_on="Ask somebody of it who is in it.")
        here = await DB.fetchval(_ADDRESSEE, conversation_id, person_id, by_link)
        if here is None:
            raise NotFound(
                "There is nobody with this id in the conversation who is reached by a link.", field=("personId",)
            )
        return standing.kind, here

    async def exchange(self, secret: str, date_of_birth: date | None, network: str) -> Entered:
        """Let in whom a link was sent to; the link stays good until it expires.

        Args:
            secret: what stands behind `#`.
            date_of_birth: the patient's, where the link is a patient's.
            network: where the caller is; six secrets in a row that are nobody's lock it for a while.

        Raises:
            LinkOver: it leads nowhere, or nowhere any more.
            IdentityNeeded: the date of birth is missing.
            IdentityRefused: it was wrong; five times make the link void.
            Locked: too many secrets were tried from there.
        """
        link = await self._platform.links.whatever(PURPOSE, secret)
        await self._platform.auth.attempts.settle(f"guest link from {network}", link is not None, account=None)
        practice_id = await DB.fetchval("SELECT guest_link_practice($1)", link.subject) if link else None
        if link is None or practice_id is None:
            await self._platform.links.look(PURPOSE, secret)
            raise NotFound("There is no such link.")
        with acting(practice_id):
            return await self._entered(practice_id, link, secret, date_of_birth)

    async def _entered(self, practice_id: UUID, link: Link, secret: str, date_of_birth: date | None) -> Entered:
        left = None
        async with unit() as work:
            await DB.execute(_ROW, link.subject)
            row = await DB.fetchrow(_LINK, link.subject, date_of_birth)
            try:
                await self._platform.links.look(PURPOSE, secret)
            except Problem:
                row = None
            if row is not None:
                about = [row["person_id"]] if row["person_kind"] == "patient" else []
                conversation_id = row["conversation_id"]
                if not about or row["fits"]:
                    now = self._platform.clock.now()
                    await DB.execute(
                        "UPDATE guest_link SET failures = 0, entered_at = $2 WHERE id = $1", link.subject, now
                    )
                    bearer = await self._platform.auth.guests.open(
                        work,
                        practice_id=practice_id,
                        person_id=row["person_id"],
                        bound_to=conversation_id,
                        until=row["expires_at"],
                    )
                    audit.did(
                        "chat.guest_enter",
                        kind="conversation",
                        target=conversation_id,
                        patients=about,
                        actor=bearer.actor,
                    )
                    practice = await self._platform.people.practice(practice_id)
                    name = practice.name if practice else ""
                    return Entered(bearer=bearer, conversation_id=conversation_id, practice=name)
                if date_of_birth is None:
                    raise IdentityNeeded("The link asks for the patient's date of birth.", field=("dateOfBirth",))
                left = MOST_FAILURES - row["failures"] - 1
                await DB.execute("UPDATE guest_link SET failures = failures + 1 WHERE id = $1", link.subject)
                if left <= 0:
                    await self._links.void(work, conversation_id, row["person_id"], touch=True)
                audit.did("chat.guest_refuse", kind="conversation", target=conversation_id, patients=about)
            else:
                audit.did("chat.guest_refuse", kind="guest_link", target=link.subject)
        if left is None:
            await self._platform.links.look(PURPOSE, secret)
            raise NotFound("There is no such link.")
        raise IdentityRefused(
            "This is not the date of birth that the practice has.",
            way_on="Try again." if left > 0 else "Ask the practice for another link.",
            field=("dateOfBirth",),
            detail={"attemptsLeft": max(0, left)},
        )
