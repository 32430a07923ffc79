"""Passkeys (WebAuthn 2): added by who is signed in, then both factors in one, or the second beside a password (A9)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from bedside_core import errors
from bedside_core.auth.actor import Actor
from bedside_core.auth.devices import Client
from bedside_core.auth.factors import Factors, awaits_factor, may_add
from bedside_core.auth.proof import Proof
from bedside_core.auth.trail import in_trail_of
from bedside_core.clock import Clock
from bedside_core.database import DB, unit
from bedside_core.ids import uuid7

CHALLENGE_LASTS = timedelta(minutes=5)
MOST_PASSKEYS = 20
_LONGEST_NAME = 100
_RP_NAME = "Bedside"
_MILLISECONDS = int(CHALLENGE_LASTS.total_seconds() * 1000)


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """What an authenticator is asked to sign.

    Args:
        id: to send back with what it has signed.
        options: JSON for `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`.
    """

    id: UUID
    options: str


@dataclass(frozen=True, kw_only=True)
class Passkey:
    """A passkey of an account, as its owner sees it."""

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ProvenPasskey:
    """Whose passkey was proven."""

    account_id: UUID
    email: str
    passkey_id: UUID


class Passkeys:
    """Adds passkeys and checks what they sign.

    Args:
        clock: the product's time.
        public_url: where browsers reach this deployment: passkeys belong to its host and are used on its pages only.
        factors: completes sign-ins.
        proof: asks for the password.
    """

    def __init__(self, clock: Clock, public_url: str | None, factors: Factors, proof: Proof) -> None:
        self._clock = clock
        self._url = urlsplit(public_url) if public_url else None
        self._factors = factors
        self._proof = proof

    def _place(self) -> tuple[str, str]:
        """Return relying party and origin.

        Raises:
            errors.SwitchedOff: the deployment does not know where browsers reach it.
        """
        if self._url is None or self._url.hostname is None:
            raise errors.SwitchedOff(
                "This deployment has no passkeys.", way_on="The operator has to set BEDSIDE_PUBLIC_URL."
            )
        return self._url.hostname, f"{self._url.scheme}://{self._url.netloc}"

    # -- adding ----------------------------------------------------------------------------------------------------

    async def begin(self, actor: Actor, password: str) -> Challenge:
        """Ask for a new passkey.

        Raises:
            errors.InvalidInput: the password is wrong.
            errors.Conflict: the account has as many as it may.
            errors.SwitchedOff: there are no passkeys in this deployment.
        """
        from webauthn import generate_registration_options, options_to_json  # takes half a second to import
        from webauthn.helpers import structs

        host, _ = self._place()
        account = await self._proof.by_password(may_add(actor), password)
        there = await DB.fetch("SELECT * FROM passkeys_of($1)", actor.account_id)
        if len(there) >= MOST_PASSKEYS:
            raise errors.Conflict(f"There are {MOST_PASSKEYS} passkeys.", way_on="Remove one first.")
        options = generate_registration_options(
            rp_id=host,
            rp_name=_RP_NAME,
            user_name=account.email,
            user_id=actor.account_id.bytes,
            timeout=_MILLISECONDS,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.REQUIRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=row["credential_id"]) for row in there],
        )
        return await self._keep(actor.account_id, "add", options.challenge, options_to_json(options))

    async def add(
        self, actor: Actor, challenge_id: UUID, credential: str, name: str, client: Client | None = None
    ) -> Sequence[str]:
        """Add the passkey that an authenticator has made, and complete the sign-in.

        Args:
            actor: whose.
            challenge_id: of `begin`.
            credential: what `navigator.credentials.create()` gave, `toJSON()` as text.
            name: what its owner calls it.
            client: what signs in.

        Returns:
            Recovery codes, told this once; none where unused ones are there.

        Raises:
            errors.InvalidInput: it is not what was asked for.
            errors.Conflict: it was added before.
        """
        from webauthn import verify_registration_response

        called = name.strip()[:_LONGEST_NAME]
        if not called:
            raise errors.InvalidInput("A passkey has a name.", field=("name",))
        host, origin = self._place()
        challenge = await self._take(challenge_id, may_add(actor).account_id, "add")
        try:
            made = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=host,
                expected_origin=origin,
                require_user_verification=True,
            )
        except Exception as error:
            raise _unproven(error) from None
        passkey_id = uuid7()
        with in_trail_of(actor.practice_id):
            async with unit():
                added = await DB.fetchval(
                    "SELECT passkey_add($1, $2, $3, $4, $5, $6, $7)",
                    passkey_id, actor.account_id, made.credential_id, made.credential_public_key, made.sign_count,
                    called, self._clock.now(),
                )  # fmt: skip
                if not added:
                    raise errors.Conflict("This passkey was added before.")
                return await self._factors.added(actor, client, "passkey", passkey_id)

    # -- using -----------------------------------------------------------------------------------------------------

    async def ask(self, actor: Actor | None = None) -> Challenge:
        """Ask for a passkey: any, for a sign-in by it alone, or one of an account whose sign-in waits for it.

        Raises:
            errors.SwitchedOff: there are no passkeys in this deployment.
        """
        from webauthn import generate_authentication_options, options_to_json
        from webauthn.helpers import structs

        host, _ = self._place()
        account = None
        allowed: list[structs.PublicKeyCredentialDescriptor] = []
        if actor is not None:
            awaits_factor(actor)
            account = actor.account_id
            rows = await DB.fetch("SELECT * FROM passkeys_of($1)", account)
            allowed = [structs.PublicKeyCredentialDescriptor(id=row["credential_id"]) for row in rows]
        options = generate_authentication_options(
            rp_id=host,
            timeout=_MILLISECONDS,
            allow_credentials=allowed,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )
        purpose = "sign_in" if account is None else "factor"
        return await self._keep(account, purpose, options.challenge, options_to_json(options))

    async def prove(self, challenge_id: UUID, credential: str, account_id: UUID | None = None) -> ProvenPasskey:
        """Return whose passkey has signed a challenge.

        Args:
            challenge_id: of `ask`.
            credential: what `navigator.credentials.get()` gave, `toJSON()` as text.
            account_id: whose it has to be, where a sign-in waits for it.

        Raises:
            errors.Unauthenticated: it is nobody's, another's, a copy, or has signed something else.
        """
        from webauthn import verify_authentication_response
        from webauthn.helpers import parse_authentication_credential_json

        host, origin = self._place()
        challenge = await self._take(challenge_id, account_id, "sign_in" if account_id is None else "factor")
        refused = errors.Unauthenticated("The passkey is not known here.", way_on="Try again, or use your password.")
        try:
            given = parse_authentication_credential_json(credential)
        except Exception:  # whatever a stranger's JSON makes the library raise
            raise refused from None
        row = await DB.fetchrow("SELECT * FROM passkey_by_credential($1)", given.raw_id)
        if row is None or (account_id is not None and row["account_id"] != account_id):
            raise refused
        try:
            seen = verify_authentication_response(
                credential=given,
                expected_challenge=challenge,
                credential_public_key=row["public_key"],
                credential_current_sign_count=row["sign_count"],
                expected_rp_id=host,
                expected_origin=origin,
                require_user_verification=True,
            )
        except Exception:
            raise refused from None
        if not await DB.fetchval("SELECT passkey_use($1, $2, $3)", row["id"], seen.new_sign_count, self._clock.now()):
            raise refused
        return ProvenPasskey(account_id=row["account_id"], email=row["email"], passkey_id=row["id"])

    async def verify(self, actor: Actor, challenge_id: UUID, credential: str, client: Client | None = None) -> None:
        """Complete a sign-in by one of the account's passkeys.

        Raises:
            errors.Conflict: the sign-in does not wait for it.
            errors.Unauthenticated: the passkey does not prove it.
        """
        awaits_factor(actor)
        await self.prove(challenge_id, credential, actor.account_id)
        await self._factors.complete(actor, client)

    # -- what there is ---------------------------------------------------------------------------------------------

    async def of(self, account_id: UUID) -> Sequence[Passkey]:
        """Return an account's passkeys, the oldest first."""
        rows = await DB.fetch("SELECT id, name, created_at, last_used_at FROM passkeys_of($1)", account_id)
        return [Passkey(**dict(row)) for row in rows]

    async def remove(self, actor: Actor, passkey_id: UUID, password: str) -> None:
        """Take a passkey away.

        Raises:
            errors.NotFound: the account has none with this id.
            errors.InvalidInput: the password is wrong.
            WeakPassword: it is the last factor, and the password is too short to stand alone.
        """
        async with self._factors.removing(actor, password, "passkey", passkey_id):
            if not await DB.fetchval("SELECT passkey_remove($1, $2)", passkey_id, actor.account_id):
                raise errors.NotFound("There is no passkey with this id that is yours.")

    async def _keep(self, account: UUID | None, purpose: str, challenge: bytes, options: str) -> Challenge:
        challenge_id, now = uuid7(), self._clock.now()
        await DB.execute(
            "SELECT passkey_challenge_make($1, $2, $3, $4, $5, $6)",
            challenge_id, account, purpose, challenge, now, now + CHALLENGE_LASTS,
        )  # fmt: skip
        return Challenge(id=challenge_id, options=options)

    async def _take(self, challenge_id: UUID, account: UUID | None, purpose: str) -> bytes:
        taken: Any = await DB.fetchval(
            "SELECT passkey_challenge_take($1, $2, $3, $4)", challenge_id, account, purpose, self._clock.now()
        )
        # One that is gone is answered like a wrong signature: a random challenge is signed by nobody.
        return bytes(taken) if taken is not None else secrets.token_bytes(64)


def _unproven(error: Exception) -> errors.InvalidInput:
    """Return what is told where a new passkey is not as asked for; the library's words may quote what was sent."""
    return errors.InvalidInput(
        "This is not the passkey that was asked for.",
        way_on="Begin again.",
        field=("credential",),
        detail={"reason": type(error).__name__},
    )
