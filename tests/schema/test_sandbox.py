"""The sandbox: test keys, letters that stay in the house, sample data, and a reset that restores it (G8)."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from accounts_stage import MAKE_KEY, cheap_hashes, everything, rows
from click.testing import CliRunner
from deployment import APPS, PASSWORD, Deployment, served
from smtp_stage import SENDER, mail_server
from webhooks_stage import CONTACT, CREATE

from bedside_core import audit, sandbox
from bedside_core.auth import Role
from bedside_core.cli import bedside
from bedside_core.database import DB, acting, unit
from bedside_core.errors import Conflict
from bedside_core.notify import Fact, Recipient
from bedside_core.paging import cursor_of
from bedside_core.people import NewPatient
from bedside_core.testing import Database, until

OWNER = sandbox.SandboxOwner(email="olga@partner.example", password=PASSWORD, first_name="Olga", last_name="Partner")
OUTBOX = """query($f: Int, $a: String) { sandboxOutbox(first: $f, after: $a) {
    nodes { channel to subject text } pageInfo { hasNextPage endCursor } } }"""
RESET = "mutation { resetSandbox }"
PATIENTS = "{ patients(first: 100) { nodes { mrn firstName lastName } } }"
START = 'mutation($m: ID!) { startConversation(memberId: $m, clientId: "c") { id } }'
SEND = 'mutation($i: ID!) { sendMessage(conversationId: $i, body: "Hello", clientId: "s") { id } }'
CHANGE_EMAIL = "mutation($e: String!, $p: String!) { changeEmail(email: $e, password: $p) }"
MEMBERS = "{ members(first: 100) { nodes { id name role } } }"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def deployment(fresh_database: Database) -> AsyncGenerator[Deployment, None]:
    with cheap_hashes():
        async with served(fresh_database, worker=True) as running:
            yield running


async def made(deployment: Deployment) -> str:
    """Make the sandbox as the command does, and sign its owner in."""
    async with audit.operation(via=audit.Via.COMMAND, operator=True):
        practice = await sandbox.create(deployment.platform, OWNER)
    from bedside_core.access import Tier
    from bedside_plans.service import PlanService

    await deployment.platform.service(PlanService).change_plan(practice.id, Tier.PREMIUM)
    return await deployment.sign_in(OWNER.email)


async def letters(deployment: Deployment, token: str) -> list[dict[str, Any]]:
    return (await deployment.data(OUTBOX, token))["sandboxOutbox"]["nodes"]


async def trial(deployment: Deployment, person: tuple[Any, Any]) -> None:
    """Notify a member: practice and member."""
    practice_id, member_id = person
    with acting(practice_id):
        async with unit() as work:
            data = {Fact.SENDER: "Olga", Fact.TIME: deployment.platform.clock.now(), Fact.LINK: "/home"}
            await deployment.platform.notify.send(
                work, "core.trial", to=Recipient.member(member_id, practice_id), data=data
            )


@pytest.mark.rule("G8")
async def test_a_deployment_has_one_sandbox_with_people_and_patients(
    deployment: Deployment, fresh_database: Database
) -> None:
    token = await made(deployment)
    patients = (await deployment.data(PATIENTS, token))["patients"]["nodes"]
    assert len(patients) == 12
    members = (await deployment.data(MEMBERS, token))["members"]["nodes"]
    assert sorted(each["role"] for each in members) == ["MANAGER", "OWNER", "PRACTITIONER", "PRACTITIONER", "STAFF"]
    with pytest.raises(Conflict):
        await made(deployment)
    flagged = await rows(fresh_database, "SELECT name FROM practice WHERE sandbox")
    assert [row["name"] for row in flagged] == ["Sandbox"]
    # Nobody signs in with what everybody knows of the demo.
    assert await deployment.code(
        "mutation { signIn(email: \"staff@sandbox.example\", password: \"quiet-otter-by-the-river\") { token } }"
    ) == "UNAUTHENTICATED"  # fmt: skip


@pytest.mark.rule("G8")
async def test_the_sandbox_s_keys_show_what_they_are_and_its_webhooks_do_without_tls(deployment: Deployment) -> None:
    token = await made(deployment)
    other = await deployment.person(await deployment.practice(), Role.OWNER)
    until_ = (deployment.platform.clock.now() + timedelta(days=3)).isoformat()
    keys = [
        (await deployment.data(MAKE_KEY, who, n="Key", s=["patients.read"], u=until_, c="k"))["createApiKey"]["token"]
        for who in (token, other.token)
    ]
    assert keys[0].startswith("bedside_key_test_")
    assert keys[1].startswith("bedside_key_")
    assert not keys[1].startswith("bedside_key_test_")
    assert len((await deployment.data(PATIENTS, keys[0]))["patients"]["nodes"]) == 12
    hook = {"u": "http://partner.example/hooks", "t": ["contact.added"], "c": "h"}
    assert (await deployment.data(CREATE, token, **hook))["createWebhook"]["secret"]
    assert await deployment.code(CREATE, other.token, **hook) == "INVALID_INPUT"
    # Never to inner addresses, though it is a sandbox.
    assert await deployment.code(CREATE, token, **{**hook, "u": "http://127.0.0.1/", "c": "i"}) == "INVALID_INPUT"


@pytest.mark.rule("G8")
@pytest.mark.parametrize("mail", [True, False])
async def test_what_the_sandbox_sends_stays_in_the_house_whatever_the_deployment_sends_with(
    fresh_database: Database, mail: bool
) -> None:
    async with mail_server() as server:
        config: dict[str, Any] = {"smtp_url": server.url, "mail_sender": SENDER} if mail else {}
        with cheap_hashes():
            async with served(fresh_database, worker=True, public_url="https://clinic.example", **config) as deployment:
                token = await made(deployment)
                [viewer] = await rows(
                    fresh_database, "SELECT m.id, m.practice_id, m.account_id FROM member m WHERE m.role = 'owner'"
                )
                other = await deployment.person(await deployment.practice(), Role.OWNER)
                await trial(deployment, (viewer["practice_id"], viewer["id"]))
                await trial(deployment, (other.member.practice_id, other.member.id))

                async def kept() -> bool:
                    return len(await letters(deployment, token)) == 1

                await until(kept, "the sandbox's letter", 60)
                [letter] = await letters(deployment, token)
                assert (letter["channel"], letter["to"]) == ("email", OWNER.email)
                assert "Olga" in letter["text"]
                assert await deployment.code(OUTBOX, other.token) == "FORBIDDEN"
                outside = cursor_of("0001-01-01T00:00:00+14:00", str(UUID(int=1)))  # no instant by UTC
                assert await deployment.code(OUTBOX, token, a=outside) == "INVALID_INPUT"
                if mail:
                    await until(lambda: len(server.mails) == 1, "the other's mail", 60)
                    assert server.to(OWNER.email) == []


@pytest.mark.rule("G8")
async def test_a_reset_takes_away_what_was_made_and_puts_the_sample_back(
    deployment: Deployment, fresh_database: Database
) -> None:
    token = await made(deployment)
    before = (await deployment.data(PATIENTS, token))["patients"]["nodes"]
    other = await deployment.person(await deployment.practice(), Role.OWNER)
    given = {"firstName": "Con", "lastName": "Tact", "email": "con@example.org"}
    for who in (token, other.token):
        await deployment.data(CONTACT, who, i=given, c="n")
    members = (await deployment.data(MEMBERS, token))["members"]["nodes"]
    staff = next(each for each in members if each["role"] == "STAFF")
    started = (await deployment.data(START, token, m=staff["id"]))["startConversation"]
    await deployment.data(SEND, token, i=started["id"])
    [owner] = await rows(
        fresh_database,
        """SELECT m.id, m.practice_id FROM member m JOIN practice p ON p.id = m.practice_id
        WHERE p.sandbox AND m.role = 'owner'""",
    )
    pat = NewPatient(
        first_name="Pat", last_name="New", date_of_birth=date(1990, 1, 1), mrn="X-1",
        gender="female", phone="+12025550143", email=None,
    )  # fmt: skip
    await deployment.platform.people.create_patient(owner["practice_id"], pat)
    await trial(deployment, (owner["practice_id"], owner["id"]))

    async def kept() -> bool:
        return len(await letters(deployment, token)) == 1

    await until(kept, "the letter", 60)
    trail = await rows(fresh_database, "SELECT id FROM audit_entry")
    elsewhere = await rows(fresh_database, "SELECT * FROM contact WHERE practice_id = $1", other.member.practice_id)
    assert await deployment.code(RESET, other.token) == "FORBIDDEN"
    assert await deployment.data(RESET, token) == {"resetSandbox": True}
    assert (await deployment.data(PATIENTS, token))["patients"]["nodes"] == before
    assert await letters(deployment, token) == []
    for table in ("contact", "conversation", "message", "notification", "webhook_delivery", "creation"):
        left = await rows(fresh_database, f"SELECT * FROM {table} WHERE practice_id = $1", owner["practice_id"])
        assert left == [], table
    assert (await deployment.data(MEMBERS, token))["members"]["nodes"] == members
    assert await rows(fresh_database, "SELECT * FROM contact") == elsewhere
    now = {row["id"] for row in await rows(fresh_database, "SELECT id FROM audit_entry")}
    assert {row["id"] for row in trail} < now
    await deployment.data(CONTACT, token, i=given, c="n")  # the client id is free again
    found = 'query { search(text: "Agnes Wh") { nodes { name } } }'
    assert len((await deployment.data(found, token))["search"]["nodes"]) == 1


@pytest.mark.rule("G8")
async def test_nothing_but_the_sandbox_can_be_emptied(deployment: Deployment, fresh_database: Database) -> None:
    other = await deployment.person(await deployment.practice(), Role.OWNER)
    await made(deployment)
    [flagged] = await rows(fresh_database, "SELECT id FROM practice WHERE sandbox")
    before = await rows(fresh_database, "SELECT * FROM patient")
    for practice_id, table in (
        (other.member.practice_id, "patient"), (flagged["id"], "audit_entry"), (flagged["id"], "account"),
        (flagged["id"], "patient; DROP TABLE patient"),
    ):  # fmt: skip
        with pytest.raises(Exception, match="is no sandbox|is not emptied"):
            await DB.execute("SELECT sandbox_empty($1, $2)", practice_id, [table])
    assert await rows(fresh_database, "SELECT * FROM patient") == before


@pytest.mark.rule("G8")
def test_the_command_makes_and_resets_the_sandbox(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BEDSIDE_DATABASE_URL", fresh_database.dsn)
    monkeypatch.setenv("BEDSIDE_DATA", str(tmp_path))
    create = ["sandbox", "create", "--owner", OWNER.email, "--first-name", "Olga", "--last-name", "Partner"]
    done = CliRunner().invoke(bedside, ["sandbox", "reset"])
    assert (done.exit_code, "no sandbox" in done.output) == (1, True)
    done = CliRunner().invoke(bedside, create, input=PASSWORD + "\n")
    assert (done.exit_code, "its owner olga@partner.example can sign in" in done.output) == (0, True), done.output
    done = CliRunner().invoke(bedside, create, input=PASSWORD + "\n")
    assert (done.exit_code, "has a sandbox" in done.output) == (1, True)
    done = CliRunner().invoke(bedside, ["sandbox", "reset"])
    assert (done.exit_code, "as it was at first" in done.output) == (0, True), done.output


@pytest.mark.rule("G8", "A4")
async def test_the_sandbox_takes_no_address_that_may_be_somebody_s(
    deployment: Deployment, fresh_database: Database
) -> None:
    token = await made(deployment)
    [patient] = await rows(fresh_database, "SELECT id FROM patient ORDER BY id LIMIT 1")
    before = await everything(fresh_database)
    victim = "dr.victim@realclinic.org"
    member = {"email": victim, "firstName": "V", "lastName": "V", "role": "STAFF"}
    invite = 'mutation($i: InvitationInput!) { inviteMember(input: $i, clientId: "c") { id } }'
    guardian = {"firstName": "V", "lastName": "V", "relationship": "mother", "email": victim}
    guard = 'mutation($p: ID!, $g: GuardianInput!) { inviteGuardian(patientId: $p, input: $g, clientId: "c") { id } }'
    for query, given, field in (
        (invite, {"i": member}, ["input", "email"]),
        (guard, {"p": str(patient["id"]), "g": guardian}, ["input", "email"]),
        (CHANGE_EMAIL, {"e": victim, "p": PASSWORD}, ["email"]),
    ):
        [error] = (await deployment.ask(query, token, **given))["errors"]
        assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", field)
        assert "nobody's" in error["message"]
    assert await everything(fresh_database) == before
    assert await letters(deployment, token) == []
    for address in ("new@example.com", "new@clinic.test", "new@deep.example.org"):
        member["email"] = address
        assert await deployment.data(invite.replace('"c"', f'"{address}"'), token, i=member)
    owner = await deployment.person(await deployment.practice(), Role.OWNER)
    assert await deployment.data(invite, owner.token, i={**member, "email": victim})


@pytest.mark.rule("G8")
async def test_letters_about_the_sandbox_s_accounts_stay_in_the_house(fresh_database: Database) -> None:
    async with mail_server() as server:
        with cheap_hashes():
            async with served(
                fresh_database, worker=True, public_url="https://clinic.example", smtp_url=server.url,
                mail_sender=SENDER,
            ) as deployment:  # fmt: skip
                token = await made(deployment)
                other = await deployment.person(await deployment.practice(), Role.OWNER)
                await deployment.data(CHANGE_EMAIL, token, e="new@partner.example", p=PASSWORD)

                async def kept(number: int) -> bool:
                    return len(await letters(deployment, token)) == number

                await until(lambda: kept(1), "the link to the new address", 60)
                [letter] = await letters(deployment, token)
                assert letter["to"] == "new@partner.example"
                [secret] = re.findall(r"/confirm-email#([A-Za-z0-9_-]{43})", letter["text"])
                await deployment.data("mutation($s: String!) { confirmEmail(secret: $s) { email } }", s=secret)
                await until(lambda: kept(2), "what the old address is told", 60)
                assert (await letters(deployment, token))[0]["to"] == OWNER.email
                await deployment.data("mutation($e: String!) { requestPasswordReset(email: $e) }", e=other.email)
                await until(lambda: len(server.mails) == 1, "the other's mail", 60)
                assert server.mails[0].to == other.email
