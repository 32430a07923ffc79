"""Asks for the password again before something of the sign-in itself is changed."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core import errors
from bedside_core.auth.actor import Actor
from bedside_core.auth.attempts import Attempts
from bedside_core.auth.passwords import fits
from bedside_core.database import DB


@dataclass(frozen=True, kw_only=True)
class Account:
    """What is asked of an account when its sign-in changes.

    Args:
        email: the user name.
        has_factor: whether it has a second factor.
        password_hash: of the password that was right.
        words: what a password should not be made of.
    """

    email: str
    has_factor: bool
    password_hash: str
    words: tuple[str, ...]


class Proof:
    """Compares the password, and counts the wrong ones.

    Args:
        attempts: counts them.
    """

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    async def by_password(self, actor: Actor, password: str, *, field: str = "password") -> Account:
        """Return the actor's account once the password was right.

        Raises:
            errors.InvalidInput: it is wrong.
            Locked: it was wrong six times in a row, here; signing in goes on.
        """
        row = await DB.fetchrow("SELECT * FROM auth_account_of($1)", actor.account_id)
        right = await fits(password, row["password_hash"] if row else None)
        if not await self._attempts.settle(f"proof {actor.account_id}", right, account=actor.account_id) or row is None:
            raise errors.InvalidInput("The password is wrong.", field=(field,))
        email: str = row["email"]
        return Account(
            email=email,
            has_factor=row["has_factor"],
            password_hash=row["password_hash"],
            words=(email, *(row["words"] or ())),
        )
