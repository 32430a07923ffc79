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
    Forbidden,
    InvalidInput,
    Joiner,
    LinkOver,
    NotFound,
    Problem,
    acting,
    audit,
    checks,
    unit,
)
from bedside_portal.api import Holder, InvitationChannel, PortalState
from bedside_portal.rows import MOST_FAILURES
from bedside_portal.service import PURPOSE, PortalService

if TYPE_CHECKING:
    from bedside_core.api import Platform


class IdentityRefused(Problem):
    """The date of birth is not that of the patient whom the invitation is about."""

    code = "DATE_OF_BIRTH_WRONG"
    meaning = (
        "The date of birth is not the patient's; `attemptsLeft` tells how often it may still be wrong. At 0 the "
        "invitation is void, and the practice can send another (S9)."
    )
    status = 403


@dataclass(frozen=True, kw_only=True)
class Invited:
    """What an invitation says to whom it was sent.

    Args:
        practice: the practice's name.
        guardian: whether it is to act for somebody else.
        email: the user name it leads to; None where it may be chosen, as it came by SMS, and before the date of birth.
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
        email: the user name, for an invitation by SMS; one by e-mail leads to the address it was sent to.
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
        practice_id, holder_id = await self._whose(secret)
        with acting(practice_id):
            return await self._invited(practice_id, await self._portal.holder(holder_id))

    async def confirm(self, secret: str, date_of_birth: date) -> Invited:
        """Return what an invitation leads to, once the patient's date of birth was right.

        Raises:
            LinkOver: it leads nowhere any more.
            IdentityRefused: it was wrong; five times make the invitation void.
        """
        practice_id, holder_id = await self._whose(secret)
        with acting(practice_id):
            holder = await self._identified(secret, holder_id, date_of_birth)
            invited, email = await self._invited(practice_id, holder), _email(holder)
            known = email is not None and await self._platform.accounts.joining.known(email)
        return Invited(practice=invited.practice, guardian=invited.guardian, email=email, known=known)

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
            practice_id, holder_id = await self._whose(secret)
        except LinkOver as over:
            return await self._again(over, secret, client_id)
        with acting(practice_id):
            holder = await self._identified(secret, holder_id, date_of_birth)
            invited, words = await self._invited(practice_id, holder), await self._words(holder)
            user = _email(holder) or checks.email(given.email or "", ("email",))
            if given.email is not None and given.email.strip().lower() != user.lower():
                raise InvalidInput("The account is that of the address the invitation went to.", field=("email",))
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
                    await self._platform.links.consume(work, PURPOSE, secret)
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
        link = await self._platform.links.whatever(PURPOSE, secret) if over.detail["state"] == "consumed" else None
        user = await DB.fetchval("SELECT portal_registered($1, $2)", link.subject, client_id) if link else None
        if user is None:
            raise over
        return user

    async def _whose(self, secret: str) -> tuple[UUID, UUID]:
        """Return practice and holder of an invitation.

        Raises:
            LinkOver: it leads nowhere any more.
        """
        link = await self._platform.links.look(PURPOSE, secret)
        practice_id = await DB.fetchval("SELECT portal_holder_practice($1)", link.subject)
        if practice_id is None:
            raise NotFound("There is no such invitation.")
        return practice_id, link.subject

    async def _identified(self, secret: str, holder_id: UUID, date_of_birth: date) -> Holder:
        """Return the holder once the date of birth was right; attempts that come at once are counted one by one."""
        async with unit() as work:
            row = await DB.fetchrow(
                """SELECT h.failures, h.patient_id, p.date_of_birth = $2 AS fits FROM portal_holder h
                JOIN patient p ON p.practice_id = h.practice_id AND p.id = h.patient_id
                WHERE h.id = $1 FOR UPDATE OF h""",
                holder_id,
                date_of_birth,
            )
            await self._platform.links.look(PURPOSE, secret)  # another attempt may have ended it meanwhile
            if row is None:
                raise NotFound("There is no such invitation.")
            if row["fits"]:
                return await self._portal.holder(holder_id)
            left = MOST_FAILURES - row["failures"] - 1
            await DB.execute("UPDATE portal_holder SET failures = failures + 1 WHERE id = $1", holder_id)
            if left <= 0:
                await self._platform.links.void(work, PURPOSE, holder_id)
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


def _email(holder: Holder) -> str | None:
    """Return the address that an invitation by e-mail was sent to."""
    invitation = holder.invitation
    return invitation.address if invitation and invitation.channel is InvitationChannel.EMAIL else None
