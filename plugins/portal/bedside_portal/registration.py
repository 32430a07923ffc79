"""Following an invitation: the date of birth, a password, the Terms; then somebody acts for a patient (S9, S11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from bedside_core.api import (
    DB,
    Conflict,
    Fact,
    Forbidden,
    InvalidInput,
    Joiner,
    LinkOver,
    LinkState,
    NotFound,
    RateLimited,
    Recipient,
    acting,
    audit,
    checks,
    refuse_real_address,
    unit,
)
from bedside_portal.api import Holder, IdentityRefused, InvitationChannel, PortalState
from bedside_portal.rows import MOST_FAILURES
from bedside_portal.service import CHOSEN, PAGE, PURPOSE, PortalService, kind_of, void_links

if TYPE_CHECKING:
    from bedside_core.api import Platform


MOST_LETTERS = 5
"""How often somebody invited by SMS has a link sent to an address."""


@dataclass(frozen=True, kw_only=True)
class Invited:
    """What an invitation says to whom it was sent.

    Args:
        practice: the practice's name.
        guardian: whether it is to act for somebody else.
        email: the user name it leads to; None where one is to be chosen, as it came by SMS, and before the date of
            birth.
        known: whether there is an account with that address, whose password is then asked for.
    """

    practice: str
    guardian: bool
    email: str | None = None
    known: bool = False


@dataclass(frozen=True, kw_only=True)
class Registering:
    """What registration asks for besides the date of birth (A3).

    Args:
        password: a new one; of an account that is there, the one it has.
        email: the user name, which may be left out: it is the address that the link was sent to.
        answers: for a new account, key of a question, and its answer.
        terms: for a new account, the version of the Terms of Use that is accepted.
    """

    password: str
    email: str | None
    answers: Sequence[tuple[str, str]]
    terms: int | None


class Registration:
    """What somebody with an invitation's secret can do, who is not signed in.

    Args:
        platform: links, people, sign-in and clock.
        portal: keeps who acts for whom.
    """

    def __init__(self, platform: Platform, portal: PortalService) -> None:
        self._platform = platform
        self._portal = portal

    async def look(self, secret: str) -> Invited:
        """Return what an invitation is; nothing changes by it (A7).

        Raises:
            LinkOver: it leads nowhere any more.
        """
        practice_id, holder_id, _ = await self._whose(secret)
        with acting(practice_id):
            return await self._invited(practice_id, await self._holder(practice_id, holder_id))

    async def confirm(self, secret: str, date_of_birth: date) -> Invited:
        """Return what an invitation leads to, once the patient's date of birth was right.

        Raises:
            LinkOver: it leads nowhere any more.
            IdentityRefused: it was wrong; five times make the invitation void.
        """
        practice_id, holder_id, purpose = await self._whose(secret)
        with acting(practice_id):
            holder = await self._identified(secret, purpose, practice_id, holder_id, date_of_birth)
            invited, email = await self._invited(practice_id, holder), await _email(holder, purpose)
            known = email is not None and await self._platform.accounts.joining.known(email)
        return Invited(practice=invited.practice, guardian=invited.guardian, email=email, known=known)

    async def choose(self, secret: str, date_of_birth: date, email: str) -> None:
        """Send a link to the address that somebody invited by SMS chooses; it is theirs if they follow it.

        Whether there is an account with that address is neither looked at nor told here (A6): the link leads on, as one
        of an invitation by mail does. The one in the SMS stays, for who has mistyped.

        Args:
            secret: that of the link in the SMS.
            date_of_birth: the patient's.
            email: the address.

        Raises:
            LinkOver: it leads nowhere any more.
            IdentityRefused: the date of birth was wrong.
            InvalidInput: this can be no address, or the invitation went to one already.
            RateLimited: links went to several addresses already.
        """
        practice_id, holder_id, purpose = await self._whose(secret)
        with acting(practice_id):
            holder = await self._identified(secret, purpose, practice_id, holder_id, date_of_birth)
            if await _email(holder, purpose) is not None:
                raise _other_address()
            address = checks.email(email, ("email",))
            await refuse_real_address(address, ("email",))
            async with unit() as work:
                await self._portal.found(holder_id)
                await self._platform.links.look(PURPOSE, secret)
                expires = await DB.fetchval(
                    """UPDATE portal_holder SET chosen = $2, letters = letters + 1 WHERE id = $1 AND letters < $3
                    RETURNING expires_at""",
                    holder_id,
                    address,
                    MOST_LETTERS,
                )
                if expires is None:
                    raise RateLimited(
                        "Links were sent several times already.", way_on="Ask the practice for another invitation."
                    )
                lasts = expires - self._platform.clock.now()
                sent = await self._platform.links.issue(work, CHOSEN, holder_id, lasts=lasts)
                notify, kind, key = self._platform.notify, kind_of(holder), str(holder_id)
                await notify.cancel(work, kind, key=key)
                to = Recipient.address(practice_id=practice_id, email=address)
                await notify.send(work, kind, to=to, data={Fact.LINK: f"{PAGE}#{sent}"}, key=key)
                audit.did("portal.choose", kind="portal_holder", target=holder_id, patients=[holder.patient_id])

    async def register(self, secret: str, date_of_birth: date, given: Registering, client_id: str) -> str:
        """Give whom an invitation was sent to an account that acts for the patient; returns its user name.

        An account that is there already acts for one more (A15), once its password was right.

        Args:
            secret: the link's.
            date_of_birth: the patient's.
            given: user name, password and, for a new account, what registration asks for besides.
            client_id: the client's own id of it; a retry is told the same (G9).

        Raises:
            LinkOver: it leads nowhere any more.
            IdentityRefused: the date of birth was wrong.
            InvalidInput: address, password, an answer or the version of the Terms can't be used.
            Forbidden: the practice lets nobody in who acts for this patient.
            Conflict: the account acts for the patient already.
        """
        try:
            practice_id, holder_id, purpose = await self._whose(secret)
        except LinkOver as over:
            return await self._again(over, secret, client_id)
        with acting(practice_id):
            holder = await self._identified(secret, purpose, practice_id, holder_id, date_of_birth)
            invited, words = await self._invited(practice_id, holder), await self._words(holder)
            user = await _email(holder, purpose)
            if user is None:
                raise InvalidInput(
                    "The address of the account has to be shown to be yours.",
                    way_on="Have a link sent there by choosePortalAddress, and follow it.",
                    field=("email",),
                )
            if given.email is not None and given.email.strip().lower() != user.lower():
                raise _other_address()
            joining = self._platform.accounts.joining
            joined = await joining.ready(
                Joiner(
                    email=user,
                    password=given.password,
                    answers=given.answers,
                    terms=given.terms,
                    words=(*words, invited.practice),
                )
            )
            try:
                async with unit() as work:
                    # Patient, holder, link: who takes them in one order never waits for one another in a circle.
                    _, before = await self._portal.found(holder_id)
                    await DB.execute("SELECT FROM portal_holder WHERE id = $1 FOR UPDATE", holder_id)
                    await self._platform.links.consume(work, purpose, secret)
                    await void_links(self._platform, holder)
                    if before.state is PortalState.SUSPENDED:
                        raise Forbidden("The practice has suspended this portal account.", way_on="Ask the practice.")
                    account_id = await joining.complete(work, joined)
                    await DB.execute(
                        """UPDATE portal_holder SET account_id = $2, registered_at = $3, registration_id = $4
                        WHERE id = $1""",
                        holder_id,
                        account_id,
                        self._platform.clock.now(),
                        client_id,
                    )
                    await self._portal.tell(before, await self._portal.holder(holder_id), "portal.register")
            except asyncpg.UniqueViolationError:
                raise Conflict("This account acts for the patient already.", field=("email",)) from None
        return user

    async def _again(self, over: LinkOver, secret: str, client_id: str) -> str:
        """Return what a first registration was told, where this is its retry; else refuse as over."""
        purpose = await self._purpose(secret)
        link = await self._platform.links.whatever(purpose, secret) if over.detail["state"] == "consumed" else None
        user = await DB.fetchval("SELECT portal_registered($1, $2)", link.subject, client_id) if link else None
        if user is None:
            raise over
        return user

    async def _purpose(self, secret: str) -> str:
        """Return what a link is for: the invitation itself, or an address that was chosen."""
        return PURPOSE if await self._platform.links.whatever(CHOSEN, secret) is None else CHOSEN

    async def _whose(self, secret: str) -> tuple[UUID, UUID, str]:
        """Return practice and holder of an invitation, and what the link is for.

        Raises:
            LinkOver: it leads nowhere any more.
        """
        purpose = await self._purpose(secret)
        link = await self._platform.links.look(purpose, secret)
        practice_id = await DB.fetchval("SELECT portal_holder_practice($1)", link.subject)
        if practice_id is None:
            raise NotFound("There is no such invitation.")
        return practice_id, link.subject, purpose

    async def _holder(self, practice_id: UUID, holder_id: UUID) -> Holder:
        """Return whom an invitation is of.

        Raises:
            LinkOver: the last day is over on which they were to act (S11).
        """
        holder = await self._portal.holder(holder_id)
        if holder.until is not None and holder.until < await self._platform.people.today(practice_id):
            raise LinkOver(
                "This link is not good any more.",
                way_on="Ask the practice for another invitation.",
                detail={"state": LinkState.VOIDED, "support": None},
            )
        return holder

    async def _identified(
        self, secret: str, purpose: str, practice_id: UUID, holder_id: UUID, date_of_birth: date
    ) -> Holder:
        """Return the holder once the date of birth was right; attempts that come at once are counted one by one."""
        async with unit():
            row = await DB.fetchrow(
                """SELECT h.failures, h.patient_id, p.date_of_birth = $2 AS fits FROM portal_holder h
                JOIN patient p ON p.practice_id = h.practice_id AND p.id = h.patient_id
                WHERE h.id = $1 FOR UPDATE OF h""",
                holder_id,
                date_of_birth,
            )
            await self._platform.links.look(purpose, secret)  # another attempt may have ended it meanwhile
            if row is None:
                raise NotFound("There is no such invitation.")
            holder = await self._holder(practice_id, holder_id)
            if row["fits"]:
                return holder
            left = MOST_FAILURES - row["failures"] - 1
            await DB.execute("UPDATE portal_holder SET failures = failures + 1 WHERE id = $1", holder_id)
            if left <= 0:
                await void_links(self._platform, holder)
            audit.did("portal.refuse", kind="portal_holder", target=holder_id, patients=[row["patient_id"]])
        raise IdentityRefused(
            "This is not the date of birth that the practice has.",
            way_on="Try again." if left > 0 else "Ask the practice for another invitation.",
            field=("dateOfBirth",),
            detail={"attemptsLeft": max(0, left)},
        )

    async def _invited(self, practice_id: UUID, holder: Holder) -> Invited:
        practice = await self._platform.people.practice(practice_id)
        return Invited(practice=practice.name if practice else "", guardian=holder.relationship is not None)

    async def _words(self, holder: Holder) -> tuple[str, ...]:
        """Return what a password should not be made of: the names of patient and guardian."""
        row = await DB.fetchrow("SELECT first_name, last_name FROM patient WHERE id = $1", holder.patient_id)
        return (holder.name, *(row or ()))


def _other_address() -> InvalidInput:
    return InvalidInput("The account is that of the address the invitation went to.", field=("email",))


async def _email(holder: Holder, purpose: str) -> str | None:
    """Return the address that a link was sent to; None where it came by SMS."""
    if purpose == CHOSEN:
        return await DB.fetchval("SELECT chosen FROM portal_holder WHERE id = $1", holder.id)
    invitation = holder.invitation
    return invitation.address if invitation and invitation.channel is InvitationChannel.EMAIL else None
