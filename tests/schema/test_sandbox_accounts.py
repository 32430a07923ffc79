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
from twilio_stage import Twilio, twilio

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
TEXTS = "mutation { updateNotificationsSettings(patch: { sms: true }) { sms } }"
ADD_CONTACT = 'mutation($i: ContactInput!) { addContact(input: $i, clientId: "c") { __typename } }'
ADD_PATIENT = 'mutation($i: PatientInput!) { createPatient(input: $i, clientId: "p") { id } }'
CHANGE_EMAIL = "mutation($e: String!, $p: String!) { changeEmail(email: $e, password: $p) }"
REQUEST = "mutation($p: String!, $c: String!) { requestConnection(practice: $p, clientId: $c) { id } }"
KEPT = """SELECT n.kind FROM outbox_letter o JOIN notification_delivery d ON d.id = o.delivery_id
    JOIN notification n ON n.id = d.notification_id"""
JOIN = """mutation($s: String!, $p: String!) {
    registerForPortal(secret: $s, dateOfBirth: "1980-02-29", password: $p, clientId: "k") }"""


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


class Stage:
    """A sandbox with its owner, and a practice with Vera, who owns it."""

    def __init__(
        self, deployment: Deployment, database: Database, mail: MailServer, phones: Twilio, olga: str, vera: Person
    ) -> None:
        self.deployment = deployment
        self.database = database
        self.mail = mail
        self.phones = phones
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
    async with mail_server() as mail, twilio() as phones:
        given: dict[str, Any] = {"smtp_url": mail.url, "mail_sender": SENDER, "public_url": "https://clinic.example"}
        given.update(phones.settings())
        with cheap_hashes():
            async with served(fresh_database, worker=True, **given) as deployment:
                async with audit.operation(via=audit.Via.COMMAND, operator=True):
                    await sandbox.create(deployment.platform, OWNER)
                olga = await deployment.sign_in(OWNER.email)
                vera = await deployment.person(await deployment.practice("Real Clinic"), Role.OWNER, name="Vera")
                yield Stage(deployment, fresh_database, mail, phones, olga, vera)


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


@pytest.mark.rule("G8")
@pytest.mark.promise("A2")
async def test_nothing_that_the_sandbox_s_people_do_leaves_the_house(stage: Stage) -> None:
    door, olga = stage.deployment, stage.olga
    [place] = await rows(stage.database, "SELECT id FROM practice WHERE sandbox")
    await door.platform.service(PlanService).change_plan(place["id"], Tier.PREMIUM)
    await door.data(TEXTS, olga)
    # Addresses that may be anybody's, of people who are written about, and to.
    victim, number = "dr.victim@realclinic.org", "+12025550177"
    contact = {"firstName": "Vic", "lastName": "Tim", "email": victim, "phone": number}
    await door.data(ADD_CONTACT, olga, i=contact)
    given = {
        "firstName": "Pat", "lastName": "Vale", "dateOfBirth": "1980-02-29", "mrn": "X-9", "gender": "female",
        "email": victim, "phone": number,
    }  # fmt: skip
    patient = (await door.data(ADD_PATIENT, olga, i=given))["createPatient"]["id"]
    assert await door.code(INVITE_PATIENT, olga, p=patient) == "INVALID_INPUT"
    await door.data(INVITE_PATIENT.replace("EMAIL", "SMS"), olga, p=patient)
    await stage.invited("new@deep.example.org", 2)
    # And what concerns their own accounts.
    await door.data('mutation { tryNotifications(clientId: "t") }', olga)
    for _ in range(6):
        await door.ask(SIGN_IN, e=OWNER.email, p="not the password at all", d=None)
    await door.data(ASK, e=OWNER.email)
    await door.data(CHANGE_EMAIL, olga, e="other@deep.example.org", p=PASSWORD)

    async def kept() -> set[str]:
        return {row["kind"] for row in await rows(stage.database, KEPT)}

    wanted = {
        "core.invitation",
        "portal.invitation",
        "core.trial",
        "core.account_locked",
        "core.password_reset",
        "core.email_confirm",
    }

    async def all_kept() -> bool:
        return await kept() >= wanted

    await until(all_kept, "every letter in the house", 60)
    # The last that goes out is a practice's own, so that whatever came before it would be there.
    await door.data(ASK, e=stage.vera.email)
    await until(lambda: len(stage.mail.to(stage.vera.email)) == 1, "the mail", 40)
    assert [mail.to for mail in stage.mail.mails] == [stage.vera.email]
    assert stage.phones.asked == 0

    async def all_written() -> bool:
        return await rows(stage.database, "SELECT 1 FROM notification_delivery WHERE state = 'waiting'") == []

    await until(all_written, "what became of each letter", 60)
    assert [mail.to for mail in stage.mail.mails] == [stage.vera.email]


@pytest.mark.rule("G8")
@pytest.mark.rule("P2")
async def test_the_sandbox_is_connected_to_no_practice(stage: Stage) -> None:
    door = stage.deployment
    handle = "{ practice { handle } }"
    ours, theirs = [(await door.data(handle, token))["practice"]["handle"] for token in (stage.olga, stage.vera.token)]
    connections = "SELECT * FROM connection"
    assert await door.code(REQUEST, stage.olga, p=theirs, c="c-1") == "FORBIDDEN"
    assert await door.code(REQUEST, stage.vera.token, p=ours, c="c-2") == "NOT_FOUND"
    assert await door.code(REQUEST, stage.vera.token, p="no-such-practice", c="c-3") == "NOT_FOUND"
    assert await rows(stage.database, connections) == []
