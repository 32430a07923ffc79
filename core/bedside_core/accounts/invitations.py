"""Invitations: an owner or manager asks somebody to join, the operator a practice's first owner (A1, A2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from bedside_core import audit, errors
from bedside_core.access import LEADERS
from bedside_core.accounts.joining import refuse_other_house
from bedside_core.accounts.letters import ANEW, FIRST_OWNER, INVITATION
from bedside_core.accounts.links import LinkState
from bedside_core.accounts.model import Invitation, InvitationState, NewInvitation
from bedside_core.auth import Actor, Role
from bedside_core.database import DB, Row, Work, acting, unit
from bedside_core.ids import uuid7
from bedside_core.notify.kinds import Fact, Language, Recipient
from bedside_core.paging import Page, key_of, page_of, page_size
from bedside_core.people.base import Base
from bedside_core.reserved import refuse_real_address

if TYPE_CHECKING:
    from bedside_core.platform import Platform

PURPOSE = "core.register"
"""Of the links in these mails; their subject is the invitation."""
LASTS = timedelta(days=21)
"""How long one works (A2)."""
PAGE = "/register"

_ROW = "SELECT * FROM invitation WHERE id = $1"
_MISSING = "There is no invitation with this id that you may see."


class Invitations(Base):
    """Sends, lists, resends and revokes invitations. Row-level security confines each to the acting practice.

    Args:
        platform: for its clock, links and notifications.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform.clock, platform.settings)
        self._platform = platform

    async def page(self, actor: Actor, *, first: int | None, after: str | None) -> Page[Invitation]:
        """Return the practice's invitations, the newest first."""
        actor.in_practice()
        size, key = page_size(first), key_of(after, UUID)
        rows = await DB.fetch(
            "SELECT * FROM invitation WHERE $2::uuid IS NULL OR id < $2 ORDER BY id DESC LIMIT $1",
            size + 1,
            *(key or (None,)),
        )
        return page_of(await self._shown(rows), size, lambda item: (str(item.id),), after=after)

    async def invite(self, actor: Actor, new: NewInvitation, client_id: str) -> Invitation:
        """Invite somebody to be a member (A1); whether they have an account already is told to nobody.

        An invitation of the same address that is still open is called off: the newest counts.

        Raises:
            errors.InvalidInput: a value can't be used.
            errors.Forbidden: they are to be owner, or are invited as one, and the actor is none.
            errors.Conflict: the client id was used with other content, or two invited the address at once.
        """
        practice_id, member_id = actor.in_practice()
        given = new.checked()
        _may_invite(actor, given.role)

        async def make(invitation_id: UUID, work: Work) -> UUID:
            await self._call_off(work, actor, given.email)
            await self._put(work, practice_id, invitation_id, given, invited_by=member_id)
            return invitation_id

        try:
            made = await self.once(actor, "invitations.create", client_id, given, make)
        except asyncpg.UniqueViolationError:
            raise _open_already() from None
        return await self._one(made)

    async def invite_anew(self, actor: Actor, member_id: UUID, client_id: str) -> Invitation:
        """Invite a member who can't get in any more to register anew (A4); an open one is sent again.

        Raises:
            errors.NotFound: the practice has no such active member.
            errors.Conflict: the practice is the sandbox, and the member's account is not its own.
            errors.Forbidden: their address is invited as an owner's, and the actor is none.
        """
        practice_id, by = actor.in_practice()

        async def make(invitation_id: UUID, work: Work) -> UUID:
            row = await DB.fetchrow(
                """SELECT m.*, a.email FROM member m, notify_addresses('member', ARRAY[m.id]) a
                WHERE m.id = $1 AND m.active""",
                member_id,
            )
            if row is None:
                raise errors.NotFound("There is no member with this id that you may see.")
            await refuse_other_house(row["account_id"])
            there = await DB.fetchrow(
                """SELECT * FROM invitation WHERE member_id = $1 AND anew
                AND accepted_at IS NULL AND revoked_at IS NULL FOR UPDATE""",
                member_id,
            )
            if there is not None:
                await self._send_again(work, there)
                return there["id"]
            given = NewInvitation(
                email=row["email"],
                first_name=row["first_name"],
                last_name=row["last_name"],
                role=Role(row["role"]),
                language=await _language(member_id),
            )
            await self._call_off(work, actor, given.email)
            await self._put(work, practice_id, invitation_id, given, invited_by=by, anew=member_id)
            return invitation_id

        try:
            made = await self.once(actor, "invitations.anew", client_id, str(member_id), make)
        except asyncpg.UniqueViolationError:
            raise _open_already() from None
        return await self._one(made)

    async def invite_first_owner(
        self, actor: Actor | None, practice_id: UUID, new: NewInvitation, client_id: str
    ) -> tuple[Invitation, str | None]:
        """Invite a practice's first owner, for the operator (A1, A15); one invited before is so no longer.

        Args:
            actor: the operator; None is a command on the machine.
            practice_id: the practice, which has no owner yet.
            new: whom; the role is the owner's.
            client_id: the operator's own id of it; a retry gives the same invitation (G9).

        Returns:
            The invitation, and the secret of its link where it was sent now, for who has no mail server yet.

        Raises:
            errors.Forbidden: the actor is not the operator.
            errors.NotFound: there is no such practice.
            errors.Conflict: it has an owner, who invites from then on.
        """
        if actor is not None and actor.role is not Role.OPERATOR:
            raise errors.Forbidden("Only the operator of this deployment may.")
        given = new.checked("owner")
        if await self._platform.people.practice(practice_id) is None:
            raise errors.NotFound("There is no practice with this id.")
        secret = None
        with acting(practice_id):
            async with unit() as work:
                await _one_first_owner(practice_id)
                row = await DB.fetchrow(
                    "SELECT * FROM invitation WHERE invited_by IS NULL AND client_id = $1", client_id
                )
                if row is not None and _content(row) != given:
                    raise errors.Conflict("This clientId was used with other content.", field=("clientId",))
                invitation_id = row["id"] if row is not None else uuid7()
                if row is None:
                    await refuse_second_owner(practice_id)
                    await self._call_off(work, None)
                    secret = await self._put(work, practice_id, invitation_id, given, client_id=client_id)
            return await self._one(invitation_id), secret

    async def resend(self, actor: Actor, invitation_id: UUID) -> Invitation:
        """Send an invitation again, with a new link for another 21 days; the older one is void (A2).

        Raises:
            errors.NotFound: the practice has no such invitation.
            errors.Conflict: it was accepted or revoked.
            errors.Forbidden: it is for an owner, and the actor is none.
        """
        actor.in_practice()
        async with unit() as work:
            row = await _locked(invitation_id)
            _may_invite(actor, Role(row["role"]), anew=row["anew"])
            if row["accepted_at"] is not None or row["revoked_at"] is not None:
                raise errors.Conflict("This invitation was accepted or revoked.", way_on="Invite the person anew.")
            await self._send_again(work, row)
        return await self._one(invitation_id)

    async def revoke(self, actor: Actor, invitation_id: UUID) -> Invitation:
        """Call an invitation off; its link leads nowhere any more. Repeating it changes nothing.

        Raises:
            errors.NotFound: the practice has no such invitation.
            errors.Conflict: it was accepted.
            errors.Forbidden: it is for an owner, and the actor is none.
        """
        actor.in_practice()
        async with unit() as work:
            row = await _locked(invitation_id)
            _may_invite(actor, Role(row["role"]), anew=row["anew"])
            if row["accepted_at"] is not None:
                raise errors.Conflict("This invitation was accepted.", way_on="Deactivate the member instead.")
            if row["revoked_at"] is None:
                await self._revoke(work, invitation_id)
        return await self._one(invitation_id)

    # -- within a unit of work -------------------------------------------------------------------------------------

    async def _put(
        self,
        work: Work,
        practice_id: UUID,
        invitation_id: UUID,
        given: NewInvitation,
        *,
        invited_by: UUID | None = None,
        anew: UUID | None = None,
        client_id: str | None = None,
    ) -> str:
        await refuse_real_address(given.email, ("input", "email") if anew is None else ())
        now = self._clock.now()
        row = await DB.fetchrow(
            """INSERT INTO invitation (id, practice_id, email, first_name, last_name, role, language, anew, member_id,
                invited_by, client_id, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING *""",
            invitation_id, practice_id, given.email, given.first_name, given.last_name, given.role, given.language,
            anew is not None, anew, invited_by, client_id, now,
        )  # fmt: skip
        assert row is not None
        _did("create", invitation_id, role=given.role.value)
        return await self._send(work, row)

    async def _send_again(self, work: Work, row: Row) -> None:
        if row["anew"]:  # the member may have another address by now
            await DB.execute(
                """UPDATE invitation SET email = a.email FROM notify_addresses('member', ARRAY[$2::uuid]) a
                WHERE invitation.id = $1""",
                row["id"],
                row["member_id"],
            )
        _did("resend", row["id"])
        await self._send(work, await _locked(row["id"]))

    async def _send(self, work: Work, row: Row) -> str:
        secret = await self._platform.links.issue(work, PURPOSE, row["id"], lasts=LASTS)
        to = Recipient.address(practice_id=row["practice_id"], email=row["email"], language=Language(row["language"]))
        facts = {Fact.LINK: f"{PAGE}#{secret}"}
        if row["invited_by"] is None:
            await self._platform.notify.send(work, FIRST_OWNER.key, to=to, data=facts)
            return secret
        sender = (await self._platform.people.members_by_id([row["invited_by"]]))[row["invited_by"]]
        kind = ANEW if row["anew"] else INVITATION
        await self._platform.notify.send(work, kind.key, to=to, data={**facts, Fact.SENDER: sender.name})
        return secret

    async def _call_off(self, work: Work, actor: Actor | None, email: str | None = None) -> None:
        """Call off what is open of an address, or of the whole practice; None is the operator."""
        for old in await DB.fetch(
            """SELECT * FROM invitation WHERE accepted_at IS NULL AND revoked_at IS NULL
            AND ($1::text IS NULL OR lower(email) = lower($1)) FOR UPDATE""",
            email,
        ):
            if actor is not None:
                _may_invite(actor, Role(old["role"]), anew=old["anew"])
            await self._revoke(work, old["id"])

    async def _revoke(self, work: Work, invitation_id: UUID) -> None:
        await DB.execute("UPDATE invitation SET revoked_at = $2 WHERE id = $1", invitation_id, self._clock.now())
        await self._platform.links.void(work, PURPOSE, invitation_id)
        _did("revoke", invitation_id)

    # -- what there is ---------------------------------------------------------------------------------------------

    async def _one(self, invitation_id: UUID) -> Invitation:
        row = await DB.fetchrow(_ROW, invitation_id)
        if row is None:
            raise errors.NotFound(_MISSING)
        [shown] = await self._shown([row])
        return shown

    async def _shown(self, rows: Sequence[Row]) -> list[Invitation]:
        links = await self._platform.links.newest(PURPOSE, [row["id"] for row in rows])
        return [
            Invitation(
                id=row["id"],
                email=None if row["anew"] else row["email"],
                first_name=row["first_name"],
                last_name=row["last_name"],
                role=Role(row["role"]),
                state=_state(row, links[row["id"]].state),
                anew=row["anew"],
                sent_at=links[row["id"]].created_at,
                expires_at=links[row["id"]].expires_at,
                invited_by=row["invited_by"],
                member_id=row["member_id"],
            )
            for row in rows
        ]


async def refuse_second_owner(practice_id: UUID) -> None:
    """Refuse within a unit of work where the acting practice has an owner.

    Raises:
        errors.Conflict: it has one.
    """
    await _one_first_owner(practice_id)
    if await DB.fetchval("SELECT true FROM member WHERE role = 'owner' LIMIT 1"):
        raise errors.Conflict("This practice has an owner.", way_on="Ask an owner of it to invite further people.")


async def _one_first_owner(practice_id: UUID) -> None:
    """Wait within a unit of work for whoever is inviting or making a practice's first owner at the same moment."""
    await DB.execute("SELECT pg_advisory_xact_lock(hashtextextended('first owner ' || $1::text, 0))", str(practice_id))


async def _locked(invitation_id: UUID) -> Row:
    row = await DB.fetchrow(f"{_ROW} FOR UPDATE", invitation_id)
    if row is None:
        raise errors.NotFound(_MISSING)
    return row


async def _language(member_id: UUID) -> Language:
    chosen = await DB.fetchval("SELECT language FROM notification_preference WHERE person_id = $1", member_id)
    return Language(chosen) if chosen else Language.ENGLISH


def may_send(inviter: Role, role: Role, *, anew: bool) -> bool:
    """Tell whether a member of a role may invite somebody to be of another; anew, they are that already."""
    return inviter is Role.OWNER or (inviter in LEADERS and (role is not Role.OWNER or anew))


def _may_invite(actor: Actor, role: Role, *, anew: bool = False) -> None:
    if not may_send(actor.role, role, anew=anew):
        raise errors.Forbidden("Only an owner invites owners, or calls that off.", way_on="Ask an owner.")


def _content(row: Row) -> NewInvitation:
    return NewInvitation(
        email=row["email"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        role=Role(row["role"]),
        language=Language(row["language"]),
    )


def _state(row: Row, link: LinkState) -> InvitationState:
    if row["accepted_at"] is not None:
        return InvitationState.ACCEPTED
    if row["revoked_at"] is not None:
        return InvitationState.REVOKED
    return InvitationState.OPEN if link is LinkState.OPEN else InvitationState.EXPIRED


def _open_already() -> errors.Conflict:
    return errors.Conflict("This address has an open invitation.", way_on="Try again, or send that one again.")


def _did(what: str, invitation_id: UUID, **detail: str) -> None:
    audit.did(f"invitations.{what}", kind="invitation", target=invitation_id, detail=detail or None)
