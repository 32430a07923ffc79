"""A practice whose front desk invites patients, seen from outside: HTTP, a mail server, and Twilio's look-alike."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest_asyncio
from accounts_stage import cheap_hashes
from deployment import Deployment, Person
from notify_stage import notifying
from smtp_stage import MailServer
from twilio_stage import Twilio

from bedside_core.auth import Role
from bedside_core.people import Patient, Practice
from bedside_core.testing import Database, until

SECRET = re.compile(r"https?://[a-z0-9.:]+/portal/register#([A-Za-z0-9_-]{43})")
PASSWORD = "nine quiet herons by a lake"
BORN = "1980-02-03"
MISSING = "0199aaaa-0000-7000-8000-000000000000"

HOLDER = """id patientId name relationship state registeredAt
    invitation { channel address sentAt expiresAt attemptsLeft state }"""
ACCOUNT = f"portalAccount {{ state suspendedAt holders {{ {HOLDER} }} }}"
INVITE = f"""mutation($p: ID!, $h: PortalChannel!, $c: String!) {{
    invitePatient(patientId: $p, channel: $h, clientId: $c) {{ {HOLDER} }} }}"""
GUARDIAN = f"""mutation($p: ID!, $g: GuardianInput!, $c: String!) {{
    inviteGuardian(patientId: $p, input: $g, clientId: $c) {{ {HOLDER} }} }}"""
RESEND = f"mutation($h: ID!) {{ resendPortalInvitation(holderId: $h) {{ {HOLDER} }} }}"
REVOKE = f"mutation($h: ID!) {{ revokePortalInvitation(holderId: $h) {{ {HOLDER} }} }}"
REMOVE = f"mutation($h: ID!) {{ removePortalHolder(holderId: $h) {{ {HOLDER} }} }}"
SUSPEND = "mutation($p: ID!) { suspendPortalAccount(patientId: $p) { state suspendedAt } }"
REINSTATE = "mutation($p: ID!) { reinstatePortalAccount(patientId: $p) { state suspendedAt } }"
LOOK = "query($s: String!) { portalInvitation(secret: $s) { practice guardian email known } }"
CONFIRM = """mutation($s: String!, $b: Date!) {
    confirmPortalInvitation(secret: $s, dateOfBirth: $b) { practice guardian email known } }"""
CHOOSE = """mutation($s: String!, $b: Date!, $e: String!) {
    choosePortalAddress(secret: $s, dateOfBirth: $b, email: $e) }"""
REGISTER = """mutation($s: String!, $b: Date!, $p: String!, $e: String, $a: [SecurityAnswerInput!] = [
        { question: "first_job", answer: "Ashford" }, { question: "first_book", answer: "Momo" },
        { question: "first_teacher", answer: "Hale" }], $t: Int = 1, $c: String = "r-1") {
    registerForPortal(secret: $s, dateOfBirth: $b, password: $p, email: $e, answers: $a, termsVersion: $t,
        clientId: $c) }"""
STATE = f"query($p: ID!) {{ patient(id: $p) {{ id {ACCOUNT} }} }}"
OWN = "{ ownRecord { id firstName mrn } viewer { role member { id } personas { id role practice name current } } }"
SWITCH = "mutation($p: ID!) { switchTo(persona: $p) { role } }"

_numbers = itertools.count()


class Desk:
    """A premium practice with a front desk, and a patient with an e-mail address and a number."""

    def __init__(
        self,
        deployment: Deployment,
        database: Database,
        practice: Practice,
        staff: Person,
        owner: Person,
        patient: Patient,
        mail: MailServer,
        phone: Twilio,
    ) -> None:
        self.deployment = deployment
        self.database = database
        self.practice = practice
        self.staff = staff
        self.owner = owner
        self.patient = patient
        self.mail = mail
        self.phone = phone

    async def data(self, query: str, by: Person | None = None, /, **variables: Any) -> Any:
        """Ask one field as the front desk and return what it gives."""
        [value] = (await self.deployment.data(query, (by or self.staff).token, **variables)).values()
        return value

    async def code(self, query: str, by: Person | None = None, /, **variables: Any) -> str:
        return await self.deployment.code(query, (by or self.staff).token, **variables)

    async def invited(self, patient: Patient | None = None, channel: str = "EMAIL") -> tuple[dict[str, Any], str]:
        """Invite a patient; returns the holder, and the secret out of what was sent."""
        patient = patient or self.patient
        count = len(self.letters(str(patient.email if channel == "EMAIL" else patient.phone)))
        holder = await self.data(INVITE, p=str(patient.id), h=channel, c=f"i-{next(_numbers)}")
        return holder, await self.secret(holder["invitation"]["address"], count + 1)

    async def guarded(self, patient: Patient, email: str, relationship: str = "mother") -> tuple[dict[str, Any], str]:
        """Invite a guardian by e-mail; returns the holder and the secret."""
        given = {"firstName": "Gil", "lastName": "Ward", "relationship": relationship, "email": email}
        count = len(self.letters(email))
        holder = await self.data(GUARDIAN, p=str(patient.id), g=given, c=f"g-{next(_numbers)}")
        return holder, await self.secret(email, count + 1)

    async def chosen(self, secret: str, email: str) -> str:
        """Choose an address with the secret of an SMS; returns the secret out of the letter that goes there."""
        count = len(self.letters(email))
        answered = await self.deployment.data(CHOOSE, s=secret, b=BORN, e=email)
        assert answered == {"choosePortalAddress": True}
        return await self.secret(email, count + 1)

    def letters(self, address: str) -> list[str]:
        """What was sent to an address or a number, the oldest first."""
        if address.startswith("+"):
            return [taken.text for taken in self.phone.taken if taken.to == address]
        return [mail.text for mail in self.mail.to(address)]

    async def secret(self, address: str, number: int = 1) -> str:
        """Wait for the nth letter to somebody and return the secret in it."""
        await until(lambda: len(self.letters(address)) >= number, f"letter {number} to {address}", 60)
        found = SECRET.search(self.letters(address)[number - 1])
        assert found is not None, self.letters(address)
        return found.group(1)

    async def registered(self, patient: Patient | None = None) -> str:
        """Invite a patient who registers; returns the user name."""
        _, secret = await self.invited(patient)
        answered = await self.deployment.data(REGISTER, s=secret, b=BORN, p=PASSWORD)
        return answered["registerForPortal"]

    async def account(self, patient: Patient | None = None) -> dict[str, Any]:
        """The portal account of a patient, as the front desk sees it."""
        return (await self.data(STATE, p=str((patient or self.patient).id)))["portalAccount"]


@asynccontextmanager
async def opened(database: Database, **config: Any) -> AsyncGenerator[Desk]:
    """Serve a practice with a front desk."""
    with cheap_hashes():
        async with notifying(database, **config) as (deployment, mail, phone):
            practice = await deployment.practice()
            staff = await deployment.person(practice, Role.STAFF, name="Sam")
            owner = await deployment.person(practice, Role.OWNER, name="Olga")
            patient = await deployment.patient(practice)
            yield Desk(deployment, database, practice, staff, owner, patient, mail, phone)


@pytest_asyncio.fixture
async def quiet_desk(fresh_database: Database) -> AsyncGenerator[Desk]:
    """One without background work, whose statements would be counted with those of a request."""
    async with opened(fresh_database, worker=False) as stage:
        yield stage


@pytest_asyncio.fixture
async def desk(fresh_database: Database) -> AsyncGenerator[Desk]:
    async with opened(fresh_database) as stage:
        yield stage
