"""Brings somebody who was invited to an account: to a new one, or to theirs once its password was right (A15)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.auth import policy
from bedside_core.auth.actor import Role
from bedside_core.auth.attempts import Attempts
from bedside_core.auth.passwords import fits, hash_password
from bedside_core.clock import Clock
from bedside_core.database import DB, Work
from bedside_core.ids import uuid7


@dataclass(frozen=True, kw_only=True)
class Joined:
    """An account that was proven to be somebody's, or one that can be made.

    Args:
        account_id: the account's.
        email: its user name (A4).
        password_hash: of one that is still to be made; None of one that is there.
    """

    account_id: UUID
    email: str
    password_hash: str | None


class Joining:
    """Finds or prepares accounts. That the person was invited is for the caller to have seen.

    Args:
        clock: the product's time.
        attempts: counts wrong passwords of accounts that are there, as signing in does (A5).
    """

    def __init__(self, clock: Clock, attempts: Attempts) -> None:
        self._clock = clock
        self._attempts = attempts

    async def known(self, email: str) -> bool:
        """Tell whether there is an account with this address; only to somebody who was invited at it (A6)."""
        return await DB.fetchrow("SELECT * FROM auth_account($1, NULL)", email) is not None

    async def ready(self, email: str, password: str, words: Iterable[str]) -> Joined:
        """Look at address and password, outside of any transaction: it takes a tenth of a second or more.

        Args:
            email: the user name.
            password: that of the account with this address, or else one for a new account.
            words: what a new password should not be made of, besides the address.

        Raises:
            errors.InvalidInput: there is an account, and this is not its password; or it is the operator's.
            WeakPassword: a new one that may not be chosen (promise A7).
            Locked: the password was wrong too often.
        """
        row = await DB.fetchrow("SELECT * FROM auth_account($1, NULL)", email)
        if row is None:
            policy.check(password, (email, *words), field="password")
            return Joined(account_id=uuid7(), email=email, password_hash=await hash_password(password))
        right = await fits(password, row["password_hash"])
        if not await self._attempts.settle(f"address {email}", right, account=row["account_id"]):
            raise errors.InvalidInput(
                "There is an account with this address, and this is not its password.",
                way_on="Give the password you sign in with, or reset it first.",
                field=("password",),
            )
        if row["role"] == Role.OPERATOR:  # who runs the deployment sees no patient's data (A15)
            raise errors.InvalidInput("The operator's account can't be used here.", field=("email",))
        return Joined(account_id=row["account_id"], email=email, password_hash=None)

    async def complete(self, work: Work, joined: Joined) -> UUID:
        """Make the account if it is still to be made, in the unit that makes use of it; returns its id.

        Raises:
            asyncpg.UniqueViolationError: somebody made one with this address meanwhile.
        """
        if work.over:
            raise RuntimeError("an account is made in an open unit of work")
        if joined.password_hash is not None:
            await DB.execute(
                "SELECT account_create($1, $2, $3, false, $4)",
                joined.account_id, joined.email, joined.password_hash, self._clock.now(),
            )  # fmt: skip
            audit.did("accounts.create", kind="account", target=joined.account_id)
        return joined.account_id
