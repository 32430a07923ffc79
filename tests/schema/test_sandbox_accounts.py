"""Whose accounts the sandbox has: its owner reads the letters to its people, so they are nobody's of a practice."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from datetime import date
from typing import Any

import pytest
import pytest_asyncio
from accounts_stage import SIGN_IN, WIDE, cheap_hashes, rows
from deployment import APPS, PASSWORD, Deployment, Person, served
from onboarding_stage import ACCEPT, ANEW, ANSWERS, ASK, INVITE, NEW_PASSWORD, REGISTER, code_of
from smtp_stage import SENDER, MailServer, mail_server

from bedside_core import audit, sandbox
from bedside_core.access import Tier
from bedside_core.auth import Role
from bedside_core.database import DB
from bedside_core.database.driver import asyncpg
from bedside_core.people import NewPatient
from bedside_core.testing import Database, until
from bedside_plans.service import PlanService

OWNER = sandbox.SandboxOwner(email="olga@partner.example", password=PASSWORD, first_name="Olga", last_name="Partner")
OUTBOX = "{ sandboxOutbox(first: 50) { nodes { to text } } }"
INVITE_PATIENT = 'mutation($p: ID!) { invitePatient(patientId: $p, channel: EMAIL, clientId: "i") { id } }'
JOIN = """mutation($s: String!, $p: String!) {
    registerForPortal(secret: $s, dateOfBirth: "1980-02-29", password: $p, clientId: "k") }"""


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


class Stage:
    """A sandbox with its owner, and a practice with Vera, who owns it."""

    def __init__(self, deployment: Deployment, database: Database, mail: MailServer, olga: str, vera: Person) -> None:
        self.deployment = deployment
        self.database = database
        self.mail = mail
        self.olga = olga
        self.vera = vera

    async def kept(self, number: int) -> dict[str, Any]:
        """Wait for the sandbox's letter of a number, and return it."""
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            found[:] = (await self.deployment.data(OUTBOX, self.olga))["sandboxOutbox"]["nodes"]
            return len(found) >= number

        await until(there, f"letter {number} of the sandbox", 40)
        assert len(found) == number
        return found[0]

    async def invited(self, email: str, number: int) -> str:
        """Have the sandbox invite somebody; returns the secret, as its owner reads it."""
        who = {"email": email, "firstName": "Vera", "lastName": "Vale", "role": "STAFF"}
        await self.deployment.data(INVITE, self.olga, i=who, c=email)
        return secret_in((await self.kept(number))["text"])

    async def state(self) -> list[Any]:
        """Who belongs where with which password, to compare before and after."""
        return [
            await rows(self.database, f"SELECT * FROM {table} ORDER BY 1")
            for table in ("account", "credential", "member", "security_answer")
        ]


def secret_in(text: str) -> str:
    [found] = re.findall(r"#([A-Za-z0-9_-]{43})", text)
    return found


@pytest_asyncio.fixture
async def stage(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Stage]:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    async with mail_server() as mail:
        given: dict[str, Any] = {"smtp_url": mail.url, "mail_sender": SENDER, "public_url": "https://clinic.example"}
        with cheap_hashes():
            async with served(fresh_database, worker=True, **given) as deployment:
                async with audit.operation(via=audit.Via.COMMAND, operator=True):
                    await sandbox.create(deployment.platform, OWNER)
                olga = await deployment.sign_in(OWNER.email)
                vera = await deployment.person(await deployment.practice("Real Clinic"), Role.OWNER, name="Vera")
                yield Stage(deployment, fresh_database, mail, olga, vera)


@pytest.mark.rule("A4")
@pytest.mark.rule("G8")
async def test_the_sandbox_gets_no_account_of_a_practice(stage: Stage) -> None:
    door, vera = stage.deployment, stage.vera
    secret = await stage.invited(vera.email, 1)
    before = await stage.state()
    assert await door.code(ACCEPT, vera.token, s=secret, c="a-1") == "CONFLICT"
    body = await door.ask(REGISTER, s=secret, p=NEW_PASSWORD, a=ANSWERS, t=1, c="r-1")
    assert code_of(body) == "CONFLICT"
    assert await stage.state() == before
    # Nor does whatever else makes members.
    [place] = await rows(stage.database, "SELECT id FROM practice WHERE sandbox")
    account = await DB.fetchval("SELECT account_id FROM auth_account($1, NULL)", vera.email)
    async with audit.operation(via=audit.Via.COMMAND, operator=True):
        with pytest.raises(asyncpg.CheckViolationError, match="no accounts in common"):
            await door.platform.people.create_member(
                place["id"], account, first_name="Vera", last_name="Vale", role=Role.STAFF
            )
    assert await stage.state() == before
    # What is written to her goes to her.
    await door.data(ASK, e=vera.email)
    await until(lambda: len(stage.mail.to(vera.email)) == 1, "the mail", 40)
    await stage.kept(1)


@pytest.mark.rule("A4")
@pytest.mark.rule("G8")
async def test_nobody_of_a_practice_is_a_patient_of_the_sandbox_nor_the_other_way_round(stage: Stage) -> None:
    door, vera = stage.deployment, stage.vera
    assert vera.member is not None
    [place] = await rows(stage.database, "SELECT id FROM practice WHERE sandbox")
    homes: list[tuple[Any, str, str, str]] = [
        (place["id"], stage.olga, vera.email, PASSWORD),
        (vera.member.practice_id, vera.token, OWNER.email, OWNER.password),
    ]
    for practice_id, token, email, password in homes:
        await door.platform.service(PlanService).change_plan(practice_id, Tier.PREMIUM)
        pat = NewPatient(
            first_name="Pat", last_name="Vale", date_of_birth=date(1980, 2, 29), mrn="X-1", gender="female",
            phone=None, email=email,
        )  # fmt: skip
        patient = await door.platform.people.create_patient(practice_id, pat)
        await door.data(INVITE_PATIENT, token, p=str(patient.id))
        if token == stage.olga:
            secret = secret_in((await stage.kept(1))["text"])
        else:
            await until(lambda: len(stage.mail.to(OWNER.email)) == 1, "the mail", 40)
            secret = secret_in(stage.mail.to(OWNER.email)[0].text)
        before = await stage.state()
        assert await door.code(JOIN, s=secret, p=password) == "CONFLICT"
        assert await stage.state() == before
        assert await rows(stage.database, "SELECT 1 FROM portal_holder WHERE account_id IS NOT NULL") == []


@pytest.mark.rule("A4")
@pytest.mark.rule("G8")
async def test_one_who_was_of_both_is_not_invited_anew_by_the_sandbox(stage: Stage) -> None:
    door, vera = stage.deployment, stage.vera
    [place] = await rows(stage.database, "SELECT id FROM practice WHERE sandbox")
    account = await DB.fetchval("SELECT account_id FROM auth_account($1, NULL)", vera.email)
    owner = await asyncpg.connect(stage.database.owner_dsn)
    try:  # as it may stand in a database from before
        await owner.execute("ALTER TABLE member DISABLE TRIGGER member_sandbox")
        await owner.execute(
            """INSERT INTO member (id, practice_id, account_id, first_name, last_name, role, created_at)
            VALUES (gen_random_uuid(), $1, $2, 'Vera', 'Vale', 'staff', now())""",
            place["id"],
            account,
        )
        await owner.execute("ALTER TABLE member ENABLE TRIGGER member_sandbox")
    finally:
        await owner.close()
    members = (await door.data("{ members(first: 50) { nodes { id firstName } } }", stage.olga))["members"]["nodes"]
    wanted = next(each["id"] for each in members if each["firstName"] == "Vera")
    before = await stage.state()
    assert await door.code(ANEW, stage.olga, m=wanted, c="n-1") == "CONFLICT"
    assert await stage.state() == before
    await door.data(ASK, e=vera.email)
    await until(lambda: len(stage.mail.to(vera.email)) == 1, "the mail", 40)
    assert (await door.data(OUTBOX, stage.olga))["sandboxOutbox"]["nodes"] == []
    assert (await door.ask(SIGN_IN, e=vera.email, p=PASSWORD))["data"]["signIn"]["viewer"]["role"] == "OWNER"


@pytest.mark.rule("G8")
async def test_an_account_of_the_sandbox_is_of_no_practice(stage: Stage) -> None:
    door, vera = stage.deployment, stage.vera
    secret = await stage.invited("nia@partner.example", 1)
    await door.data(REGISTER, s=secret, p=NEW_PASSWORD, a=ANSWERS, t=1, c="r-1")
    nia = await door.sign_in("nia@partner.example", NEW_PASSWORD)
    who = {"email": "nia@partner.example", "firstName": "Nia", "lastName": "Vale", "role": "STAFF"}
    await door.data(INVITE, vera.token, i=who, c="c-1")
    await until(lambda: len(stage.mail.to("nia@partner.example")) == 1, "the practice's mail", 40)
    link = secret_in(stage.mail.to("nia@partner.example")[0].text)
    before = await stage.state()
    assert await door.code(ACCEPT, nia, s=link, c="a-1") == "CONFLICT"
    assert await stage.state() == before
    # Her own letters stay in the house, as do those of her practice.
    await door.data(ASK, e="nia@partner.example")
    letter = await stage.kept(2)
    assert (letter["to"], "/reset#" in letter["text"]) == ("nia@partner.example", True)
    assert len(stage.mail.to("nia@partner.example")) == 1
