"""Asks for the password again before something of the sign-in itself is changed."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core import errors
from bedside_core.auth.actor import Actor
from bedside_core.auth.attempts import Attempts
from bedside_core.auth.passwords import fits
from bedside_core.clock import Clock
from bedside_core.database import DB

_OPEN = "SELECT true FROM auth_sessions($1, $2) AS s WHERE s.id = $3"


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
        clock: the product's time.
    """

    def __init__(self, attempts: Attempts, clock: Clock) -> None:
        self._attempts = attempts
        self._clock = clock

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

    async def still(self, actor: Actor, account: Account, *, field: str = "password") -> None:
        """Hold the account in a unit of work, unless what was proven has come to its end since: it comes first there.

        Raises:
            errors.InvalidInput: the password was changed while it was compared.
            errors.Unauthenticated: the session was ended meanwhile.
        """
        await DB.execute("SELECT account_hold($1)", actor.account_id)
        row = await DB.fetchrow("SELECT password_hash FROM auth_account_of($1)", actor.account_id)
        if row is None or row["password_hash"] != account.password_hash:
            raise errors.InvalidInput("The password is wrong.", field=(field,))
        if not await DB.fetchval(_OPEN, actor.account_id, self._clock.now(), actor.session_id):
            raise errors.Unauthenticated("The session has ended.", way_on="Sign in again.")
