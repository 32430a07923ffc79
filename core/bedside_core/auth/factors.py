"""The second factor: codes of an authenticator application (RFC 6238), and codes for when it is lost (A9)."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from pyotp import random_base32
from pyotp.totp import TOTP

from bedside_core import audit, errors
from bedside_core.auth import policy
from bedside_core.auth.actor import Actor, Pending
from bedside_core.auth.attempts import Attempts
from bedside_core.auth.devices import Client, device_of, know
from bedside_core.auth.proof import Proof
from bedside_core.auth.sealing import Sealing
from bedside_core.auth.tokens import SESSION_STREAM, token_hash
from bedside_core.auth.trail import in_trail_of
from bedside_core.clock import Clock
from bedside_core.database import DB, Row, Work, unit
from bedside_core.live import Topic

STEP_SECONDS = 30
NEIGHBOURS = (-1, 0, 1)
"""Steps whose codes count, for clocks that are not quite right."""
RECOVERY_CODES = 10
_PURPOSE = "totp"
_ISSUER = "Bedside"
_GAPS = re.compile(r"[\s-]+")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_LONGEST_CODE = 64


@dataclass(frozen=True, kw_only=True)
class SecondFactors:
    """What an account has.

    Args:
        totp: whether an authenticator application is set up.
        codes: how many recovery codes are left.
        passkeys: how many passkeys there are.
    """

    totp: bool
    codes: int
    passkeys: int

    @property
    def number(self) -> int:
        """How many factors, recovery codes aside."""
        return self.totp + self.passkeys


@dataclass(frozen=True, kw_only=True)
class RightCode:
    """A code that is right, and good until it is used up.

    Args:
        account_id: whose.
        step: the half minute whose code of the application it is; None for a recovery code.
        hashed: of a recovery code, what is stored of it.
    """

    account_id: UUID
    step: int | None = None
    hashed: bytes = b""


class Factors:
    """Sets second factors up, has them shown, and takes them away.

    Args:
        clock: the product's time.
        sealing: keeps the secrets.
        attempts: counts wrong codes.
        proof: asks for the password again.
    """

    def __init__(self, clock: Clock, sealing: Sealing, attempts: Attempts, proof: Proof) -> None:
        self._clock = clock
        self._sealing = sealing
        self._attempts = attempts
        self._proof = proof

    async def of(self, account_id: UUID) -> SecondFactors:
        """Return what an account has."""
        row = await DB.fetchrow("SELECT * FROM factors_of($1)", account_id)
        return SecondFactors(**dict(row)) if row else SecondFactors(totp=False, codes=0, passkeys=0)

    async def held(self, account_id: UUID) -> SecondFactors:
        """Return what an account has, and hold it: until the unit ends nobody else changes that or the password.

        It comes first in the unit: who takes the account before its sessions and links waits for nobody in a circle.
        """
        await DB.execute("SELECT account_hold($1)", account_id)
        return await self.of(account_id)

    async def hold_for(self, account_id: UUID, password: str, field: str = "new") -> None:
        """Hold an account that gets a password, which was found good with the factors that it had then.

        Raises:
            WeakPassword: the last factor was removed meanwhile, and the password is too short to stand alone.
        """
        there = await self.held(account_id)
        policy.check_length(password, with_factor=there.number > 0, field=field)

    # -- setting up ------------------------------------------------------------------------------------------------

    async def begin_totp(self, actor: Actor, password: str) -> tuple[str, str]:
        """Make a secret for an authenticator application; it counts once a code of it was shown.

        Returns:
            The secret in base 32, and the `otpauth:` address to show as a QR code.

        Raises:
            errors.Conflict: one is set up already.
            errors.InvalidInput: the password is wrong.
        """
        account = await self._proof.by_password(may_add(actor), password)
        secret = random_base32()
        sealed = self._sealing.seal(_PURPOSE, secret.encode(), actor.account_id.bytes)
        async with unit():
            await self._proof.still(actor, account)
            if not await DB.fetchval("SELECT totp_begin($1, $2)", actor.account_id, sealed):
                raise errors.Conflict("An authenticator application is set up already.", way_on="Remove it first.")
        return secret, TOTP(secret).provisioning_uri(name=account.email, issuer_name=_ISSUER)

    async def confirm_totp(self, actor: Actor, code: str, client: Client | None = None) -> Sequence[str]:
        """Switch the application on by a first code, and complete the sign-in.

        Returns:
            Recovery codes, told this once; none where unused ones are there.

        Raises:
            errors.InvalidInput: the code is wrong.
            Locked: codes were wrong too often.
        """
        may_add(actor)
        row = await DB.fetchrow("SELECT * FROM totp_of($1)", actor.account_id)
        if row is not None and row["confirmed_at"] is not None:
            raise errors.Conflict("An authenticator application is set up already.", way_on="Remove it first.")
        step = self._step(actor.account_id, row, code)
        await self._settle(actor, step is not None, client)
        with in_trail_of(actor.practice_id):
            async with unit():
                await self.held(actor.account_id)
                if row is None or not await DB.fetchval(
                    "SELECT totp_confirm($1, $2, $3, $4)", actor.account_id, row["secret"], step, self._clock.now()
                ):
                    raise _wrong()
                return await self.added(actor, client, "totp", actor.account_id)

    async def added(self, actor: Actor, client: Client | None, kind: str, target: UUID) -> Sequence[str]:
        """Complete the sign-in in which a factor was added; returns recovery codes where there are none."""
        codes: Sequence[str] = ()
        async with _change(actor, "factors.add", kind, target):
            there = await self.held(actor.account_id)
            await DB.execute("SELECT totp_forget_unconfirmed($1)", actor.account_id)
            if not there.codes:
                codes = await _new_codes(actor.account_id)
            await self.complete(actor, client)
        return codes

    async def new_codes(self, actor: Actor, password: str) -> Sequence[str]:
        """Replace the recovery codes; the old ones count no more.

        Raises:
            errors.Conflict: there is no second factor.
            errors.InvalidInput: the password is wrong.
        """
        account = await self._proof.by_password(actor.oneself().complete(), password)
        async with _change(actor, "factors.codes", "account", actor.account_id):
            await self._proof.still(actor, account)
            if not (await self.of(actor.account_id)).number:
                raise errors.Conflict("There is no second factor to recover from.", way_on="Set one up first.")
            return await _new_codes(actor.account_id)

    # -- showing ---------------------------------------------------------------------------------------------------

    async def verify(self, actor: Actor, code: str, client: Client | None = None) -> None:
        """Complete a sign-in by a code of the application or a recovery code; each counts once.

        Raises:
            errors.Conflict: the sign-in does not wait for it.
            errors.InvalidInput: the code is wrong, or was used.
            Locked: codes were wrong too often.
        """
        awaits_factor(actor)
        right = await self.right(actor.account_id, code)
        await self._settle(actor, right is not None, client)
        with in_trail_of(actor.practice_id):
            async with unit():
                await self.use(right)
                await self.complete(actor, client)

    async def right(self, account: UUID, code: str) -> RightCode | None:
        """Compare a code with those of the application, if it counts, and with the recovery codes; all stay good.

        The caller counts the attempt, and uses the code up in the unit of what it is good for: one that a lock does
        not let through is not lost.
        """
        row = await DB.fetchrow("SELECT * FROM totp_of($1)", account)
        if row is not None and row["confirmed_at"] is not None:
            step = self._step(account, row, code)
            if step is not None:
                return RightCode(account_id=account, step=step)
        hashed = token_hash(_GAPS.sub("", code[:_LONGEST_CODE]).lower())
        good = await DB.fetchval("SELECT recovery_code_good($1, $2)", account, hashed)
        return RightCode(account_id=account, hashed=hashed) if good else None

    async def use(self, code: RightCode | None) -> None:
        """Use a code up within a unit of work.

        Raises:
            errors.InvalidInput: somebody has used it meanwhile.
        """
        if code is None:
            raise _wrong()
        if code.step is not None:
            used = await DB.fetchval("SELECT totp_use($1, $2)", code.account_id, code.step)
        else:
            now = self._clock.now()
            used = await DB.fetchval("SELECT recovery_code_use($1, $2, $3)", code.account_id, code.hashed, now)
        if not used:
            raise _wrong()

    async def complete(self, actor: Actor, client: Client | None) -> None:
        """Make the session one whose second factor was shown; its sockets are closed, since it is another actor's."""
        now = self._clock.now()
        async with _change(actor, "session.verify", "session", actor.session_id) as work:
            if client is not None:
                device = await know(actor.account_id, client, await device_of(actor.account_id, client), now)
                await DB.execute("SELECT auth_session_device($1, $2)", actor.session_id, device)
            position = await DB.fetchval("SELECT auth_session_factor($1, $2)", actor.session_id, "shown")
            if position is None:
                raise errors.Unauthenticated("The session has ended.", way_on="Sign in again.")
            if actor.pending is not None:
                work.publish(Topic(SESSION_STREAM, actor.session_id), position)

    async def _settle(self, actor: Actor, right: bool, client: Client | None) -> None:
        device = await device_of(actor.account_id, client)
        anywhere = f"factor {actor.account_id}"
        counted = anywhere if device is None else f"factor on {device}"
        try:
            right = await self._attempts.settle(counted, right, account=actor.account_id, also=anywhere)
        finally:  # a lock is told by an exception
            if not right:
                async with _change(actor, "session.refuse", "session", actor.session_id):
                    pass
        if not right:
            raise _wrong()

    def _step(self, account: UUID, row: Row | None, code: str) -> int | None:
        """Return the half minute whose code of an application it is, if it is later than those that were used."""
        digits = _GAPS.sub("", code[:_LONGEST_CODE])
        if row is None or not (digits.isascii() and digits.isdecimal()):
            return None
        totp = TOTP(self._sealing.unseal(_PURPOSE, row["secret"], account.bytes).decode())
        present = int(self._clock.now().timestamp()) // STEP_SECONDS
        for step in (present + near for near in NEIGHBOURS):
            if step > row["last_step"] and hmac.compare_digest(totp.generate_otp(step), digits):
                return step
        return None

    # -- taking away -----------------------------------------------------------------------------------------------

    async def remove_totp(self, actor: Actor, password: str) -> None:
        """Switch the authenticator application off.

        Raises:
            errors.NotFound: there is none.
            errors.InvalidInput: the password is wrong.
            WeakPassword: it is the last factor, and the password is too short to stand alone.
        """
        async with self.removing(actor, password, "totp", actor.account_id):
            if not await DB.fetchval("SELECT totp_remove($1)", actor.account_id):
                raise errors.NotFound("No authenticator application is set up.")

    @asynccontextmanager
    async def removing(self, actor: Actor, password: str, kind: str, target: UUID) -> AsyncGenerator[None]:
        """Have the block take a factor away, once the password was right, and may stand alone if it has to.

        The recovery codes go with the last one: there is nothing left to recover. So does what its sessions have shown:
        one that acts for a practice which demands a second factor waits until there is one again.
        """
        account = await self._proof.by_password(actor.oneself().complete(), password)
        async with _change(actor, "factors.remove", kind, target) as work:
            await self._proof.still(actor, account)
            yield
            if (await self.of(actor.account_id)).number:
                return
            policy.check_length(password, with_factor=False, field="password")
            await DB.execute("SELECT recovery_codes_replace($1, $2)", actor.account_id, [])
            for session in await DB.fetch("SELECT * FROM auth_factors_gone($1)", actor.account_id):
                work.publish(Topic(SESSION_STREAM, session["id"]), session["position"])


@asynccontextmanager
async def _change(actor: Actor, action: str, kind: str, target: UUID) -> AsyncGenerator[Work]:
    """Have the block be a unit of work that stands in the trail of whom the actor signs in for (A14).

    Who has not shown the second factor is nobody of a practice yet: that stands in the deployment's trail.
    """
    with in_trail_of(actor.practice_id):
        async with unit() as work:
            audit.did(action, kind=kind, target=target, actor=actor)
            yield work


def may_add(actor: Actor) -> Actor:
    """Return the actor if they may set a factor up: a complete sign-in, or one that lacks just that."""
    actor.oneself()
    return actor if actor.pending is Pending.SET_UP else actor.complete()


def awaits_factor(actor: Actor) -> None:
    """Refuse where the sign-in does not wait for its second factor."""
    if actor.oneself().pending is not Pending.FACTOR:
        raise errors.Conflict("This sign-in does not wait for a second factor.")


def _wrong() -> errors.InvalidInput:
    return errors.InvalidInput(
        "The code is wrong, or was used already.", way_on="Wait for the next one.", field=("code",)
    )


async def _new_codes(account: UUID) -> Sequence[str]:
    plain = ["".join(secrets.choice(_ALPHABET) for _ in range(20)) for _ in range(RECOVERY_CODES)]
    await DB.execute("SELECT recovery_codes_replace($1, $2)", account, [token_hash(code) for code in plain])
    return ["-".join(code[at : at + 5] for at in range(0, 20, 5)) for code in plain]
