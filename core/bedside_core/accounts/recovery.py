"""The way back for who has lost the second factor and the recovery codes: somebody who may takes them away (A9).

Whoever asks for it may be somebody who knows the password and wants the rest, so that counts no more either: the
account's owner chooses a new one by mail, with a security question or an invitation (A4). It stands alone then, and has
the length for it (promise A7). All sign-ins end, and the account's owner is told.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.accounts import questions
from bedside_core.accounts.letters import FACTORS_REMOVED
from bedside_core.auth import Actor, hash_password, policy
from bedside_core.auth.factors import SecondFactors
from bedside_core.auth.trail import in_trail_of
from bedside_core.database import DB, Work, unit
from bedside_core.notify.kinds import Channel, Fact, Recipient

if TYPE_CHECKING:
    from bedside_core.platform import Platform

ACTION = "account.recover"
"""In the audit trail."""


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What was taken from an account.

    Args:
        account_id: the account.
        removed: the second factors it had.
    """

    account_id: UUID
    removed: SecondFactors


class Recovery:
    """Takes the second factors from accounts whose owners have lost them.

    Args:
        platform: for its clock, sign-ins and notifications.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def by_operator(self, email: str, password: str | None = None) -> Recovered:
        """Take the second factors from any account, for a command on the machine.

        It is entered in the trail of each practice that the account is of (A15), or else in the deployment's.

        Args:
            email: the account's user name, in any case.
            password: a new one to be handed over; only for who can't choose one by mail.

        Raises:
            errors.NotFound: there is no such account.
            errors.Conflict: it has no second factor; or it takes a new password, or may not be given one.
            WeakPassword: the new one may not be chosen.
        """
        row = await DB.fetchrow("SELECT * FROM auth_account($1, NULL)", email.strip())
        if row is None:
            raise errors.NotFound("There is no account with this address.")
        account_id: UUID = row["account_id"]
        by_mail = self._platform.notify.possible(Channel.EMAIL) and bool(await questions.answered(account_id))
        if by_mail is (password is not None):
            raise errors.Conflict(
                "The person chooses a new password by mail, and is given none."
                if by_mail
                else "The person can't choose a new password by mail: there is no mail server, or the account has "
                "answered no security questions.",
                way_on="Leave --new-password out." if by_mail else "Hand one over: --new-password.",
            )
        if password is not None:
            known = await DB.fetchrow("SELECT * FROM auth_account_of($1)", account_id)
            policy.check(password, (email, *((known["words"] if known else None) or ())), field="password")
        hashed = await _hashed(password)
        practices = await self._practices(account_id)
        with in_trail_of(practices[0] if practices else None):
            async with unit() as work:
                removed = await self._take_away(work, account_id, hashed)
                for practice_id in practices or (audit.DEPLOYMENT,):
                    _did(account_id, removed, "operator", practice_id)
        return Recovered(account_id=account_id, removed=removed)

    async def by_owner(self, actor: Actor, member_id: UUID, password: str) -> None:
        """Take the second factors from a member's account, where that is of the actor's practice and of nothing else.

        Who is of another practice too, as a member or a patient, is helped by the operator alone: no practice's owner
        weakens what another practice relies on. That the actor is an owner is for the caller to have asked.

        Args:
            actor: an owner.
            member_id: whose account.
            password: the actor's own, asked for again.

        Raises:
            errors.InvalidInput: the password is wrong.
            Locked: it was wrong six times in a row.
            errors.NotFound: the practice has no such member.
            errors.Forbidden: it is the actor's own account, or one that is of more than this practice.
            errors.Conflict: the account has no second factor, or no mail could tell its owner how to get in again.
        """
        practice_id, _ = actor.oneself().complete().in_practice()
        if not self._platform.notify.possible(Channel.EMAIL):
            raise errors.Conflict(
                "The member could choose no new password: this deployment sends no mail.",
                way_on="Ask the operator, who can hand one over.",
            )
        own = await self._platform.auth.proof.by_password(actor, password)
        account_id = await DB.fetchval("SELECT account_id FROM member WHERE id = $1", member_id)
        if account_id is None:
            raise errors.NotFound("There is no member with this id that you may see.")
        if account_id == actor.account_id:
            raise errors.Forbidden(
                "Nobody takes their own second factors away like this.",
                way_on="Remove them in your settings, or ask another owner or the operator.",
            )
        hashed = await _hashed(None)
        async with unit() as work:
            for each in sorted((account_id, actor.account_id)):  # two owners who help each other wait in no circle
                await DB.execute("SELECT account_hold($1)", each)
            await self._platform.auth.proof.still(actor, own)
            await self._has_factors(account_id)  # asked first, so that the refusal below tells nothing of who has none
            elsewhere = set(await self._practices(account_id)) - {practice_id}
            if elsewhere or await DB.fetchval("SELECT account_operator($1)", account_id):
                raise errors.Forbidden(
                    "This account is not of your practice alone.", way_on="Ask the operator of this deployment."
                )
            removed = await self._take_away(work, account_id, hashed)
            _did(account_id, removed, "owner", practice_id, member_id)

    async def _practices(self, account_id: UUID) -> list[UUID]:
        """Return the practices that an account is of, as a member or a patient."""
        rows = await DB.fetch("SELECT account_practices($1) AS id", account_id)
        patients = self._platform.auth.patients
        known = await patients.practices(account_id) if patients is not None else ()
        return sorted({*(row["id"] for row in rows), *known})

    async def _has_factors(self, account_id: UUID) -> SecondFactors:
        """Hold an account and return its second factors.

        Raises:
            errors.Conflict: it has none.
        """
        there = await self._platform.auth.factors.held(account_id)
        if not (there.number or there.codes):
            raise errors.Conflict("The account has no second factor.", way_on="It is signed in to by password alone.")
        return there

    async def _take_away(self, work: Work, account_id: UUID, hashed: str) -> SecondFactors:
        """Take all of an account's factors away within a unit of work, with whatever was opened by them."""
        auth, notify = self._platform.auth, self._platform.notify
        there = await self._has_factors(account_id)
        await DB.execute("SELECT factors_take_away($1)", account_id)
        await auth.replace_password(work, account_id, hashed)
        now = self._platform.clock.now()
        await notify.send(work, FACTORS_REMOVED.key, to=Recipient.account(account_id), data={Fact.TIME: now})
        return there


async def _hashed(password: str | None) -> str:
    """Return the hash of a password, or of one that nobody knows."""
    return await hash_password(secrets.token_urlsafe(32) if password is None else password)


def _did(account_id: UUID, removed: SecondFactors, by: str, practice_id: UUID, member_id: UUID | None = None) -> None:
    kinds = {"totp": removed.totp, "passkeys": removed.passkeys > 0, "recovery_codes": removed.codes > 0}
    detail = {"by": by, "removed": [name for name, there in kinds.items() if there]}
    if member_id is not None:
        detail["member"] = str(member_id)
    audit.did(ACTION, kind="account", target=account_id, detail=detail, practice_id=practice_id)
