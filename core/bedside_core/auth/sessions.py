"""Credentials become an Actor: sign-in, opaque tokens, and their end, for HTTP and sockets alike."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.auth import policy
from bedside_core.auth.actor import Actor, Pending, Role
from bedside_core.auth.attempts import Attempts, Locked
from bedside_core.auth.devices import Client, know
from bedside_core.auth.factors import Factors
from bedside_core.auth.guests import Guests, guest_actor
from bedside_core.auth.keys import PREFIX, Keys, key_actor
from bedside_core.auth.opened import Session
from bedside_core.auth.passkeys import Passkeys, ProvenPasskey
from bedside_core.auth.passwords import fits, hash_password
from bedside_core.auth.personas import PatientPersonas, Persona, PersonaIds, personas_of, told
from bedside_core.auth.proof import Proof
from bedside_core.auth.sealing import Sealing
from bedside_core.auth.tokens import APPLICATION_PREFIX, GUEST_PREFIX, LONGEST_TOKEN, SESSION_STREAM, token_hash
from bedside_core.auth.trail import in_trail_of
from bedside_core.clock import Clock
from bedside_core.config import Config
from bedside_core.database import DB, Row, Work, unit
from bedside_core.ids import uuid7
from bedside_core.live import Topic

NOTED = timedelta(seconds=10)
"""A session is noted as seen once in this time at most."""
_MOST_NOTED = 10_000


class Auth:
    """Signs people in and out and finds out who a token stands for.

    Args:
        clock: the product's time.
        config: for how long sign-ins last, the operator's contact, the public address and the deployment's key.
    """

    def __init__(self, clock: Clock, config: Config) -> None:
        self._clock = clock
        self._way_on = "Try again."
        contact = f"If that does not help, ask {config.support_contact}." if config.support_contact else ""
        self._way_on = f"Try again. {contact}".strip()
        self.lasts = timedelta(hours=config.session_hours)
        self.patients: PatientPersonas | None = None
        """Who tells which patients an account may act for; set once the plugins are assembled."""
        secret = config.secret_key.get_secret_value() if config.secret_key else None
        self.attempts = Attempts(clock, contact)
        self.proof = Proof(self.attempts, clock)
        self.sealing = Sealing(secret, config.data)
        """The deployment's own key."""
        self.factors = Factors(clock, self.sealing, self.attempts, self.proof)
        self.passkeys = Passkeys(clock, config.public_url, self.factors, self.proof)
        self.keys = Keys(clock)
        self.guests = Guests(clock)
        self._noted: dict[UUID, datetime] = {}

    # -- signing in ------------------------------------------------------------------------------------------------

    async def sign_in(self, email: str, password: str, client: Client | None = None) -> tuple[str, Actor]:
        """Open a session.

        Args:
            email: the user name, in any case (A4).
            password: the password.
            client: what signs in; the device is known by `client.fresh` from then on, where the sign-in is complete.

        Returns:
            The token, 43 characters, told this once; and who it stands for, perhaps with the second factor pending.

        Raises:
            errors.Unauthenticated: unknown address or wrong password, told alike (A6).
            Locked: six attempts in a row were wrong; addresses that are nobody's are locked alike (A5).
            errors.RateLimited: too many people are signing in at this moment; no password was looked at.
        """
        named = email.strip()[:320]
        row = await DB.fetchrow("SELECT * FROM auth_account($1, $2)", named, client.hash if client else None)
        right = await fits(password, row["password_hash"] if row else None)
        account: UUID | None = row["account_id"] if row else None
        persona = await self._first(row) if row and right else None
        device: UUID | None = row["device_id"] if row else None
        address = f"address {named}"
        counted = address if device is None else f"device {device}"
        try:
            right = await self.attempts.settle(counted, persona is not None, account=account, also=address)
        except Locked:
            await self._refused(row)
            raise
        if not right or row is None or persona is None:
            await self._refused(row)
            raise errors.Unauthenticated("The e-mail address or the password is wrong.", way_on=self._way_on)
        return await self._open(row["account_id"], persona, client, device, password_hash=row["password_hash"])

    async def sign_in_with_passkey(self, proven: ProvenPasskey, client: Client | None = None) -> tuple[str, Actor]:
        """Open a session for whom a passkey was proven to be; it is both factors in one (A9).

        Raises:
            errors.Unauthenticated: the account has no member, patient or operator any more.
        """
        row = await DB.fetchrow("SELECT * FROM auth_account($1, $2)", proven.email, client.hash if client else None)
        persona = await self._first(row) if row else None
        if row is None or persona is None:
            raise errors.Unauthenticated("The passkey is not known here.", way_on=self._way_on)
        return await self._open(row["account_id"], persona, client, row["device_id"], passkey=proven.passkey_id)

    async def _first(self, row: Row) -> PersonaIds | None:
        """Return whom a sign-in acts as at first, if the account can act as anybody."""
        if row["role"] is not None:
            return PersonaIds(row["practice_id"], row["member_id"], None)
        patients = await self.patients.of_account(row["account_id"]) if self.patients is not None else ()
        return PersonaIds(patients[0].practice_id, None, patients[0].id) if patients else None

    async def _open(
        self,
        account: UUID,
        persona: PersonaIds,
        client: Client | None,
        device: UUID | None,
        *,
        password_hash: str | None = None,
        passkey: UUID | None = None,
    ) -> tuple[str, Actor]:
        """Open a session, unless what was shown for it was changed or taken away while it was looked at (A10)."""
        token, session_id, now = secrets.token_urlsafe(32), uuid7(), self._clock.now()
        with in_trail_of(persona.practice_id):
            async with unit():
                factor = await DB.fetchval("SELECT auth_hold_shown($1, $2, $3)", account, password_hash, passkey)
                if factor is None:
                    raise errors.Unauthenticated("The e-mail address or the password is wrong.", way_on=self._way_on)
                if client is not None and factor != "needed":  # else it is known once the factor was shown
                    device = await know(account, client, device, now)
                await DB.execute(
                    "SELECT auth_open_session($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    session_id, account, persona.member_id, persona.patient_id, token_hash(token), now,
                    now + self.lasts, device, client.label if client else "", factor,
                )  # fmt: skip
                actor = await self.authenticate(token)
                if actor is None:
                    raise errors.Unauthenticated("The sign-in was ended at once.", way_on=self._way_on)
                audit.did("session.open", kind="session", target=session_id, actor=actor)
        self._noted[session_id] = now
        return token, actor

    async def _refused(self, row: Row | None) -> None:
        """Enter an attempt that failed; that of an unknown address too, or its answer would come sooner (A6)."""
        with in_trail_of(row["practice_id"] if row else None):
            async with unit():
                audit.did("session.refuse", kind="account", target=row["account_id"] if row else None)

    # -- who a token stands for ------------------------------------------------------------------------------------

    async def authenticate(self, token: str | None) -> Actor | None:
        """Return who a token stands for; None where it is unknown, ended, expired or idle. One statement.

        That holds back no idle sign-out; `seen` does.

        Args:
            token: of a session, an API key, an application or a guest.
        """
        if not token or len(token) > LONGEST_TOKEN:
            return None
        now = self._clock.now()
        if token.startswith(PREFIX):
            return await key_actor(token, now)
        if token.startswith(GUEST_PREFIX):
            return await guest_actor(token, now)
        if token.startswith(APPLICATION_PREFIX):
            granted = await DB.fetchrow("SELECT * FROM auth_application($1, $2, false)", token_hash(token), now)
            actor = await self._of(granted)
            if granted is None or actor is None:
                return None
            return replace(actor, application_id=granted["application_id"], scopes=frozenset(granted["scopes"]))
        return await self._of(await DB.fetchrow("SELECT * FROM auth_session($1, $2, false)", token_hash(token), now))

    async def _of(self, row: Row | None) -> Actor | None:
        if row is None:
            return None
        pending = Pending(row["pending"]) if row["pending"] else None
        if row["patient_id"] is not None and not await self._is_patient(row["account_id"], row["patient_id"]):
            return None
        inside = pending is None  # an incomplete sign-in sees no practice's rows, whoever forgets to ask
        return Actor(
            account_id=row["account_id"],
            session_id=row["session_id"],
            role=Role(row["role"]),
            practice_id=row["practice_id"] if inside else None,
            member_id=row["member_id"] if inside else None,
            patient_id=row["patient_id"] if inside else None,
            pending=pending,
        )

    async def completed(self, actor: Actor) -> Actor:
        """Return who a session stands for now that it was changed: another persona, or its second factor shown.

        Raises:
            errors.Unauthenticated: it has ended meanwhile.
        """
        row = await DB.fetchrow("SELECT * FROM auth_session_by_id($1, $2)", actor.session_id, self._clock.now())
        found = await self._of(row)
        if found is None:
            raise errors.Unauthenticated("The session has ended.", way_on="Sign in again.")
        return found

    async def _is_patient(self, account: UUID, patient: UUID) -> bool:
        return self.patients is not None and await self.patients.active(account, patient)

    async def seen(self, *session_ids: UUID) -> None:
        """Note that the owners of sessions do something, which holds back the idle sign-out (promise A8).

        What is let through tells it: an operation, by HTTP or over a socket, a route's gate, and being in a call (A10)
        once a minute. At most one statement in ten seconds for each session.
        """
        now = self._clock.now()
        due = [each for each in session_ids if each not in self._noted or abs(now - self._noted[each]) >= NOTED]
        if not due:
            return
        if len(self._noted) > _MOST_NOTED:
            self._noted.clear()
        self._noted.update(dict.fromkeys(due, now))
        await DB.execute("SELECT auth_seen($1, $2), guest_seen($1, $2)", due, now)

    # -- as whom ---------------------------------------------------------------------------------------------------

    async def personas(self, actor: Actor, *, only: UUID | None = None) -> Sequence[Persona]:
        """Tell everybody the actor's account can act as, or one of them; a key or an application is one person."""
        found = await self._personas(actor)
        return told(actor, [persona for persona in found if only is None or persona.id == only])

    async def _personas(self, actor: Actor) -> Sequence[Persona]:
        found = await personas_of(actor.account_id, self.patients)
        return [persona for persona in found if actor.scopes is None or persona.id == actor.person_id]

    async def switch_to(self, actor: Actor, persona_id: UUID) -> Actor:
        """Have the session act as another of the account's personas; its sockets are closed (A15).

        In the trail of the one practice it leaves, and in the other's it comes (A14).

        Returns:
            Who it stands for now.

        Raises:
            errors.NotFound: the account can't act as them.
        """
        actor.oneself().complete()
        wanted = next((persona for persona in await self._personas(actor) if persona.id == persona_id), None)
        if wanted is None:
            raise errors.NotFound("There is nobody with this id whom you may act as.")
        patient = wanted.role is Role.PATIENT
        with in_trail_of(actor.practice_id):
            async with unit() as work:
                position = await DB.fetchval(
                    "SELECT auth_change_session($1, $2, $3)",
                    actor.session_id,
                    None if patient else wanted.id,
                    wanted.id if patient else None,
                )
                if position is None:
                    raise errors.Unauthenticated("The session has ended.", way_on="Sign in again.")
                work.publish(Topic(SESSION_STREAM, actor.session_id), position)
                now = await self.completed(actor)
                audit.did("session.leave", kind="session", target=actor.session_id, actor=actor)
                audit.did(
                    "session.enter", kind="session", target=actor.session_id, actor=now, practice_id=wanted.practice_id
                )
        return now

    # -- the end ---------------------------------------------------------------------------------------------------

    async def sign_out(self, actor: Actor) -> None:
        """End the session on every process: HTTP at once, sockets within a second (A10)."""
        actor.oneself()
        with in_trail_of(actor.practice_id):
            async with unit() as work:
                await self.end_sessions(work, account_id=actor.account_id, only=actor.session_id)
                audit.did("session.end", kind="session", target=actor.session_id, actor=actor)

    async def sign_out_everywhere(self, actor: Actor) -> None:
        """End all of the account's sessions, this one too, and know none of its devices any more (A10).

        Links that were sent for the account lead nowhere from then on: they outlive no session that asked for them.
        """
        actor.oneself()
        with in_trail_of(actor.practice_id):
            async with unit() as work:
                await self.factors.held(actor.account_id)
                await self.end_sessions(work, account_id=actor.account_id)
                await DB.execute("SELECT auth_forget_devices($1, NULL)", actor.account_id)
                await self._void_links(actor.account_id)
                audit.did("session.end_all", kind="account", target=actor.account_id, actor=actor)

    async def end_session(self, actor: Actor, session_id: UUID) -> None:
        """End one of the account's sessions.

        Raises:
            errors.NotFound: it has no such open session.
        """
        actor.oneself()
        with in_trail_of(actor.practice_id):
            async with unit() as work:
                if not await self.end_sessions(work, account_id=actor.account_id, only=session_id):
                    raise errors.NotFound("There is no open session with this id that is yours.")
                audit.did("session.end", kind="session", target=session_id, actor=actor)

    async def end_sessions(
        self,
        work: Work,
        *,
        account_id: UUID | None = None,
        member_id: UUID | None = None,
        patient_id: UUID | None = None,
        only: UUID | None = None,
        but: UUID | None = None,
    ) -> int:
        """End sessions within a unit: on every process HTTP is refused and sockets are closed after its commit (A10).

        Args:
            work: the unit's.
            account_id: this account's.
            member_id: those that act as this member; of a deactivated one they count no more in any case.
            patient_id: those that act as this patient, whoever's they are unless an account is given too (S11).
            only: this one alone.
            but: not this one.

        Returns:
            How many were open.
        """
        rows = await DB.fetch(
            "SELECT * FROM auth_end_sessions($1, $2, $3, $4, $5, $6)",
            account_id, member_id, patient_id, [only] if only else None, but, self._clock.now(),
        )  # fmt: skip
        for row in rows:
            work.publish(Topic(SESSION_STREAM, row["id"]), row["position"])
        return len(rows)

    async def sessions(self, actor: Actor) -> Sequence[Session]:
        """Return the account's open sessions, those used last first, a hundred at most."""
        rows = await DB.fetch(
            "SELECT s.*, application_of_session(s.id) AS application FROM auth_sessions($1, $2) s",
            actor.account_id, self._clock.now(),
        )  # fmt: skip
        return [Session(**dict(row)) for row in rows]

    # -- the password ----------------------------------------------------------------------------------------------

    async def replace_password(self, work: Work, account_id: UUID, hashed: str) -> None:
        """Give an account another password within a unit of work, end all its sessions and know no device (A10).

        What was sent for the account before leads nowhere any more: to another password, or to another address.
        Who may do so was asked before: by a link, and a security question or an invitation. The account is held.
        """
        await DB.execute("SELECT auth_set_password($1, $2)", account_id, hashed)
        await self.end_sessions(work, account_id=account_id)
        await DB.execute("SELECT auth_forget_devices($1, NULL)", account_id)
        await self._void_links(account_id)

    async def _void_links(self, account_id: UUID) -> None:
        await DB.execute("SELECT auth_void_links($1, $2)", account_id, self._clock.now())

    async def change_password(self, actor: Actor, current: str, new: str) -> None:
        """Give the account another password, end all its other sessions, and void what was sent for it (A10).

        Raises:
            errors.InvalidInput: the current one is wrong, or the new one is the same.
            Locked: the current one was wrong too often.
            WeakPassword: the new one may not be chosen.
        """
        actor.oneself().complete()
        account = await self.proof.by_password(actor, current, field="current")
        policy.check(new, account.words, with_factor=account.has_factor)
        if new == current:
            raise errors.InvalidInput("This is the password you have.", field=("new",))
        hashed = await hash_password(new)
        with in_trail_of(actor.practice_id):
            async with unit() as work:
                await self.proof.still(actor, account, field="current")
                await self.factors.hold_for(actor.account_id, new)
                await DB.execute("SELECT auth_set_password($1, $2)", actor.account_id, hashed)
                await self.end_sessions(work, account_id=actor.account_id, but=actor.session_id)
                await DB.execute("SELECT auth_forget_devices($1, $2)", actor.account_id, actor.session_id)
                await self._void_links(actor.account_id)
                audit.did("account.password", kind="account", target=actor.account_id, actor=actor)
