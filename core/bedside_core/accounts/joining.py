"""Brings somebody whom a plugin has invited to an account: to a new one, or to theirs once its password was right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.accounts import questions
from bedside_core.auth import Role, hash_password, policy
from bedside_core.auth.passwords import fits
from bedside_core.database import DB, Work
from bedside_core.ids import uuid7
from bedside_core.reserved import refuse_real_address

if TYPE_CHECKING:
    from bedside_core.platform import Platform


@dataclass(frozen=True, kw_only=True)
class Joiner:
    """What somebody gives who follows an invitation.

    Args:
        email: the user name (A4).
        password: a new one, or that of the account with this address.
        answers: for a new account, key of a question, and its answer (A3).
        terms: for a new account, the version of the Terms of Use that is accepted.
        words: what a new password should not be made of, besides the address.
    """

    email: str
    password: str
    answers: Sequence[tuple[str, str]] = ()
    terms: int | None = None
    words: Iterable[str] = ()


@dataclass(frozen=True, kw_only=True)
class Joined:
    """An account that was proven to be somebody's, or one that can be made.

    Args:
        account_id: the account's.
        email: its user name.
        password_hash: of one that is still to be made; None of one that is there.
        answers: of one that is still to be made, hashed.
        terms: the version that it accepts.
    """

    account_id: UUID
    email: str
    password_hash: str | None = None
    answers: Sequence[tuple[str, str]] = ()
    terms: int = 0


async def refuse_other_house(account_id: UUID) -> None:
    """Refuse where an account is the sandbox's and the acting practice is not, or the other way round (G8).

    The sandbox's owners read every letter to its people, with the links by which an account is got into again. What an
    account is was settled when it was made, so nothing changes it between this and the commit.

    Raises:
        errors.Conflict: it is.
    """
    if not await DB.fetchval("SELECT account_fits($1)", account_id):
        raise errors.Conflict(
            "The sandbox and the practices of this deployment have no accounts in common.",
            way_on="Use another e-mail address for it.",
        )


class Joining:
    """Finds or prepares accounts (A3, A15). That the person was invited is for the caller to have seen.

    Args:
        platform: for its clock, sign-ins and Terms of Use.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def known(self, email: str) -> bool:
        """Tell whether there is an account with this address; only to somebody who was invited at it (A6)."""
        return await DB.fetchrow("SELECT * FROM auth_account($1, NULL)", email) is not None

    async def ready(self, given: Joiner) -> Joined:
        """Look at what was given, outside of any transaction: it takes a tenth of a second or more.

        Raises:
            errors.InvalidInput: there is an account, and this is not its password; or it is the operator's; or, for a
                new one, an answer or the version of the Terms can't be used.
            WeakPassword: a new one that may not be chosen (promise A7).
            Locked: the password was wrong too often.
        """
        row = await DB.fetchrow("SELECT * FROM auth_account($1, NULL)", given.email)
        if row is None:
            return await self._anew(given)
        right = await fits(given.password, row["password_hash"])
        named = f"address {given.email}"
        if not await self._platform.auth.attempts.settle(named, right, account=row["account_id"]):
            raise errors.InvalidInput(
                "There is an account with this address, and this is not its password.",
                way_on="Give the password you sign in with, or reset it first.",
                field=("password",),
            )
        if row["role"] == Role.OPERATOR:  # who runs the deployment sees no patient's data (A15)
            raise errors.InvalidInput("The operator's account can't be used here.", field=("email",))
        return Joined(account_id=row["account_id"], email=given.email)

    async def _anew(self, given: Joiner) -> Joined:
        policy.check(given.password, (given.email, *given.words), field="password")
        answers = questions.checked(given.answers)
        await self._platform.accounts.terms.check(given.terms or 0)
        return Joined(
            account_id=uuid7(),
            email=given.email,
            password_hash=await hash_password(given.password),
            answers=await questions.hashed(answers),
            terms=given.terms or 0,
        )

    async def complete(self, work: Work, joined: Joined) -> UUID:
        """Make the account if it is still to be made, in the unit that makes use of it; returns its id.

        Raises:
            asyncpg.UniqueViolationError: somebody made one with this address meanwhile.
            errors.Conflict: it is of the sandbox, and the acting practice is not, or the other way round.
        """
        if work.over:
            raise RuntimeError("an account is made in an open unit of work")
        if joined.password_hash is not None:
            await refuse_real_address(joined.email, ("email",))
            now = self._platform.clock.now()
            await DB.execute(
                "SELECT account_create($1, $2, $3, false, $4)",
                joined.account_id, joined.email, joined.password_hash, now,
            )  # fmt: skip
            audit.did("accounts.create", kind="account", target=joined.account_id)
            await questions.store(joined.account_id, joined.answers, now)
            await self._platform.accounts.terms.record(joined.account_id, joined.terms)
        await refuse_other_house(joined.account_id)
        return joined.account_id
