"""Registration: who has an invitation's link makes an account, joins with the one they have, or registers anew (A3)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from bedside_core import audit, errors
from bedside_core.accounts import questions
from bedside_core.accounts.invitations import PURPOSE, may_send, refuse_second_owner
from bedside_core.accounts.joining import refuse_other_house
from bedside_core.accounts.letters import PASSWORD_CHANGED
from bedside_core.accounts.links import Link, LinkOver, LinkState
from bedside_core.accounts.model import Invited, Registering
from bedside_core.auth import Actor, Role, hash_password, policy
from bedside_core.database import DB, Row, Work, acting, unit
from bedside_core.ids import uuid7
from bedside_core.notify.kinds import Fact, Recipient
from bedside_core.people import checks
from bedside_core.reserved import refuse_real_address

if TYPE_CHECKING:
    from bedside_core.platform import Platform


class Registration:
    """What a link of an invitation is good for.

    Args:
        platform: for its clock, links, people and sign-ins.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def look(self, secret: str) -> Invited:
        """Return what a link invites to; it stays as it is (A7).

        Raises:
            LinkOver: it leads nowhere any more.
        """
        link, row = await self._found(secret)
        return Invited(
            practice=row["practice"],
            email=row["email"],
            first_name=row["first_name"],
            last_name=row["last_name"],
            role=Role(row["role"]),
            inviter=row["inviter"],
            anew=row["anew"],
            has_account=row["account_id"] is not None and not row["anew"],
            expires_at=link.expires_at,
        )

    async def register(self, secret: str, given: Registering, client_id: str) -> str:
        """Use a link up: make the account and the member, or give a member's account a new password and new answers.

        Args:
            secret: the link's.
            given: what registration asks for.
            client_id: the client's own id of it; a retry is told the same (G9).

        Returns:
            The user name to sign in with.

        Raises:
            LinkOver: the link leads nowhere any more.
            errors.Conflict: there is an account with this address; it accepts the invitation signed in.
            WeakPassword: the password may not be chosen.
            errors.InvalidInput: an answer, a name or the version of the Terms of Use can't be used.
        """
        try:
            return await self._register(secret, given, client_id)
        except (LinkOver, errors.Conflict) as refused:  # of two at once, the second learns it in the midst
            return (await self._again(refused, secret, client_id))["email"]

    async def _register(self, secret: str, given: Registering, client_id: str) -> str:
        link, row = await self._found(secret)
        if row["account_id"] is not None and not row["anew"]:
            raise _has_account()
        names = (
            checks.name(given.first_name if given.first_name is not None else row["first_name"], ("firstName",)),
            checks.name(given.last_name if given.last_name is not None else row["last_name"], ("lastName",)),
        )
        account = row["account_id"] if row["anew"] else None
        with_factor = account is not None and (await self._platform.auth.factors.of(account)).number > 0
        words = (row["email"], *names, row["practice"])
        policy.check(given.password, words, with_factor=with_factor, field="password")
        answers = questions.checked(given.answers)
        await self._platform.accounts.terms.check(given.terms)
        hashed, hashes = await hash_password(given.password), await questions.hashed(answers)
        try:
            with acting(row["practice_id"]):
                async with unit() as work:
                    if account is not None:
                        await self._platform.auth.factors.hold_for(account, given.password, "password")
                    await self._consume(work, link.subject, secret)
                    member_id: UUID = row["member_id"]
                    if account is None:
                        account, member_id = await self._joined_by_new(row, names, hashed)
                    else:
                        await self._let_in_anew(work, row, account, hashed)
                    await questions.store(account, hashes, self._platform.clock.now())
                    await self._platform.accounts.terms.record(account, given.terms)
                    await self._accepted(link.subject, member_id, client_id)
        except asyncpg.UniqueViolationError:
            raise _has_account() from None
        return row["email"]

    async def accept(self, actor: Actor, secret: str, client_id: str) -> UUID:
        """Use a link up with the account that one has: it becomes a member of the practice too (A15).

        Returns:
            The member, to switch to.

        Raises:
            LinkOver: the link leads nowhere any more.
            errors.Forbidden: the actor is the operator or an API key.
            errors.Conflict: they are a member already, or it is an invitation to register anew, or the account is the
                sandbox's and the practice is not, or the other way round.
        """
        actor.oneself().complete()
        try:
            return await self._accept(actor, secret, client_id)
        except (LinkOver, errors.Conflict) as refused:
            return (await self._again(refused, secret, client_id))["member_id"]

    async def _accept(self, actor: Actor, secret: str, client_id: str) -> UUID:
        link, row = await self._found(secret)
        if actor.role is Role.OPERATOR:
            raise errors.Forbidden("The operator's account is of no practice.", way_on="Register with another address.")
        if row["anew"]:
            raise errors.Conflict("This link is for choosing a new password.", way_on="Register with it.")
        member_id = uuid7()
        try:
            with acting(row["practice_id"]):
                async with unit() as work:
                    await self._consume(work, link.subject, secret)
                    await refuse_other_house(actor.account_id)
                    await self._join(row, actor.account_id, (row["first_name"], row["last_name"]), member_id)
                    await self._accepted(link.subject, member_id, client_id)
        except asyncpg.UniqueViolationError:
            raise errors.Conflict("You are of this practice already.", way_on="Ask to be reactivated.") from None
        return member_id

    # -- within a unit of work -------------------------------------------------------------------------------------

    async def _consume(self, work: Work, invitation_id: UUID, secret: str) -> None:
        """Use a link up, unless its sender could not send it today (A1, A10).

        Invitations are called off when their sender's role ends; this holds whatever else has ended it. The invitation
        is taken before its link, as by those who call it off.
        """
        row = await DB.fetchrow(
            """SELECT i.role, i.anew, b.role AS inviter, b.active
            FROM invitation i LEFT JOIN member b ON b.id = i.invited_by WHERE i.id = $1 FOR UPDATE OF i""",
            invitation_id,
        )
        await self._platform.links.consume(work, PURPOSE, secret)
        if row is None or row["inviter"] is None:  # the operator's
            return
        if not (row["active"] and may_send(Role(row["inviter"]), Role(row["role"]), anew=row["anew"])):
            raise errors.Conflict(
                "Who invited you may no longer do so.", way_on="Ask the practice to invite you again."
            )

    async def _joined_by_new(self, row: Row, names: tuple[str, str], hashed: str) -> tuple[UUID, UUID]:
        await refuse_real_address(row["email"])
        account, member_id = uuid7(), uuid7()
        now = self._platform.clock.now()
        await DB.execute("SELECT account_create($1, $2, $3, false, $4)", account, row["email"], hashed, now)
        audit.did("accounts.create", kind="account", target=account)
        await self._join(row, account, names, member_id)
        return account, member_id

    async def _join(self, row: Row, account: UUID, names: tuple[str, str], member_id: UUID) -> None:
        role = Role(row["role"])
        if row["inviter"] is None:
            await refuse_second_owner(row["practice_id"])
        await self._platform.people.create_member(
            row["practice_id"], account, first_name=names[0], last_name=names[1], role=role, member_id=member_id
        )

    async def _let_in_anew(self, work: Work, row: Row, account: UUID, hashed: str) -> None:
        """Give an account a new password and end what was open with the old one."""
        await refuse_other_house(account)
        if not await DB.fetchval("SELECT active FROM member WHERE id = $1", row["member_id"]):
            raise errors.Conflict("The practice has deactivated this member.", way_on="Ask it to reactivate you.")
        await self._platform.auth.replace_password(work, account, hashed)
        await self._platform.notify.send(
            work, PASSWORD_CHANGED.key, to=Recipient.account(account), data={Fact.TIME: self._platform.clock.now()}
        )
        audit.did("account.password", kind="account", target=account, detail={"by": "invitation"})

    async def _accepted(self, invitation_id: UUID, member_id: UUID, client_id: str) -> None:
        await DB.execute(
            "UPDATE invitation SET accepted_at = $2, member_id = $3, accepted_client_id = $4 WHERE id = $1",
            invitation_id,
            self._platform.clock.now(),
            member_id,
            client_id,
        )
        audit.did("invitations.accept", kind="invitation", target=invitation_id)

    # -- what a secret leads to ------------------------------------------------------------------------------------

    async def _found(self, secret: str) -> tuple[Link, Row]:
        link = await self._platform.links.look(PURPOSE, secret)
        row = await DB.fetchrow("SELECT * FROM invitation_look($1)", link.subject)
        if row is None:
            raise errors.NotFound("There is no such invitation.")
        return link, row

    async def _again(self, refused: errors.Problem, secret: str, client_id: str) -> Row:
        """Return the invitation, where the refused is a retry of what has accepted it; else refuse."""
        link = await self._platform.links.whatever(PURPOSE, secret)
        if link is not None and link.state is LinkState.CONSUMED:
            row = await DB.fetchrow("SELECT * FROM invitation_look($1)", link.subject)
            if row is not None and row["accepted_client_id"] == client_id:
                return row
        raise refused


def _has_account() -> errors.Conflict:
    return errors.Conflict(
        "There is an account with this address already.", way_on="Sign in, and accept the invitation with it."
    )
