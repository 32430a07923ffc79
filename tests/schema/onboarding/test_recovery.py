"""Who has lost the second factor and the recovery codes gets back in by the operator, or by an owner."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from accounts_stage import (
    BEGIN_TOTP,
    CONFIRM_TOTP,
    MAKE_KEY,
    SIGN_IN,
    Authenticator,
    add_passkey,
    everything,
)
from backup_stage import bedside
from deployment import PASSWORD, Person
from onboarding_stage import ANSWERS, NEW_PASSWORD, PUBLIC_URL, RESET, RESET_LOOK, House, account_of
from pyotp.totp import TOTP

from bedside_core.auth import Role, token_hash
from bedside_core.database import DB
from bedside_core.ids import uuid7

RECOVER = "mutation($m: ID!, $p: String!) { recoverMember(memberId: $m, password: $p) { id } }"
HAS = "{ secondFactors { totp recoveryCodes passkeys { id } } }"
ME = "{ viewer { pending member { id } } }"
SUBJECT = "Your second factor was removed"
OTHER = "sixty slow trains in the rain"
SHORT = "zu9#kelp"


async def with_factors(house: House, token: str, password: str = NEW_PASSWORD) -> Authenticator:
    """Set an authenticator application and a passkey up, and recovery codes with them."""
    secret = (await house.data(BEGIN_TOTP, token, p=password))["beginTotp"]["secret"]
    await house.data(CONFIRM_TOTP, token, c=TOTP(secret).at(house.deployment.platform.clock.now()))
    key = Authenticator(PUBLIC_URL)
    await add_passkey(house.deployment, token, password, key)
    return key


async def member_of(house: House, token: str) -> str:
    return (await house.data(ME, token))["viewer"]["member"]["id"]


async def state(house: House) -> dict[str, Any]:
    return {**await everything(house.database), "letters": await house.rows("SELECT id FROM notification ORDER BY 1")}


async def resets(house: House, email: str) -> None:
    """Choose a new password by mail, long enough to stand alone, and find no second factor any more."""
    secret = await house.reset_link(email)
    asked = (await house.data(RESET_LOOK, s=secret))["passwordReset"]
    assert (asked["factor"], asked["passkey"]) == (False, False)
    answer = {each["question"]: each["answer"] for each in ANSWERS}[asked["question"]["key"]]
    assert await house.code(RESET, s=secret, p=SHORT, a=answer) == "PASSWORD_REFUSED"
    assert await house.data(RESET, s=secret, p=OTHER, a=answer) == {"resetPassword": True}
    body = (await house.data(SIGN_IN, e=email, p=OTHER))["signIn"]
    assert body["viewer"]["pending"] is None
    has = (await house.data(HAS, body["token"]))["secondFactors"]
    assert has == {"totp": False, "recoveryCodes": 0, "passkeys": []}


@pytest.mark.rule("A9")
@pytest.mark.rule("A14")
@pytest.mark.promise("A7")
async def test_an_owner_helps_a_member_who_has_lost_all_second_factors(house: House) -> None:
    nia = await house.registered()
    await with_factors(house, nia)
    member = await member_of(house, nia)
    async with house.deployment.socket(nia) as socket:
        assert await house.data(RECOVER, house.owner.token, m=member, p=PASSWORD) == {"recoverMember": {"id": member}}
        assert (await socket.closed())[0] == 4403
    assert await house.code(HAS, nia) == "UNAUTHENTICATED"
    for table in ("totp", "passkey", "recovery_code", "device"):
        assert await house.rows(f"SELECT * FROM {table}") == []
    # Whoever knows the password alone, which may be short, is not in by it.
    assert await house.code(SIGN_IN, e="new@example.org", p=NEW_PASSWORD) == "UNAUTHENTICATED"
    told = await house.mailed("new@example.org", 2)
    assert told.subject == SUBJECT
    assert "Your password counts no more" in told.text
    [entry] = await house.trail("account.recover")
    account = await account_of("new@example.org")
    assert (entry["practice_id"], entry["person_id"]) == (house.practice.id, house.owner.member.id)
    assert (entry["target"], entry["operator"]) == (str(account), False)
    assert json.loads(entry["detail"]) == {
        "fields": ["recoverMember"], "by": "owner", "member": member, "removed": ["totp", "passkeys", "recovery_codes"],
    }  # fmt: skip
    await resets(house, "new@example.org")


@pytest.mark.rule("A9")
@pytest.mark.rule("A15")
@pytest.mark.promise("A1")
async def test_no_owner_weakens_an_account_that_is_not_of_their_practice_alone(house: House) -> None:
    deployment, practice = house.deployment, house.practice
    away = await deployment.practice("Hill View", tier=None)
    there = await deployment.person(away, Role.OWNER, name="Theo")
    manager = await deployment.person(practice, Role.MANAGER, name="Mia")
    second = await deployment.person(practice, Role.OWNER, name="Oda")
    lost = {name: await deployment.person(practice, name=name) for name in ("Ada", "Both", "Pat", "Gone")}
    for person in (*lost.values(), house.owner, second):
        await with_factors(house, person.token, PASSWORD)
    bare = await deployment.person(practice, name="Bare")
    people = deployment.platform.people
    names = {"first_name": "Lost", "last_name": "Moss", "role": Role.STAFF}
    await people.create_member(away.id, await account_of(lost["Both"].email), **names)
    gone = await people.create_member(away.id, await account_of(lost["Gone"].email), **names)
    left = "mutation($i: ID!) { deactivateMember(memberId: $i) { id } }"
    await house.data(left, there.token, i=str(gone.id))
    patient = await deployment.patient(away)
    now = datetime.now(UTC)
    await DB.execute(
        "SELECT auth_open_session($1, $2, NULL, $3, $4, $5, $6, NULL, 'a test', 'shown')",
        uuid7(), await account_of(lost["Pat"].email), patient.id, token_hash("as a patient there"), now,
        now + timedelta(days=1),
    )  # fmt: skip
    made = {"n": "k", "s": ["practice.read"], "u": (now + timedelta(days=9)).isoformat(), "c": "k-1"}
    key = (await house.data(MAKE_KEY, house.owner.token, **made))["createApiKey"]["token"]
    wider = {**made, "s": ["account.recover"], "c": "k-2"}
    assert await house.code(MAKE_KEY, house.owner.token, **wider) == "INVALID_INPUT"
    operator = await deployment.operator()
    before = await state(house)

    async def code(person: Person, by: str, password: str = PASSWORD) -> str:
        return await house.code(RECOVER, by, m=person.id, p=password)

    ada, owner = lost["Ada"], house.owner.token
    assert await code(ada, owner, "a wrong password") == "INVALID_INPUT"
    assert await code(ada, manager.token) == "FORBIDDEN"
    assert await code(ada, ada.token) == "FORBIDDEN"
    assert await code(ada, key) == "FORBIDDEN"
    assert await code(ada, there.token) == "NOT_FOUND"
    assert await code(house.owner, owner) == "FORBIDDEN"
    assert [await code(lost[name], owner) for name in ("Both", "Gone", "Pat")] == ["FORBIDDEN"] * 3
    assert await code(bare, owner) == "CONFLICT"
    assert await house.code(RECOVER, operator, m=ada.id, p=PASSWORD) == "FORBIDDEN"
    assert await state(house) == before
    assert await house.trail("account.recover") == []
    # One owner helps another; of two who help each other at once one does.
    answers = await asyncio.gather(
        house.ask(RECOVER, owner, m=second.id, p=PASSWORD),
        house.ask(RECOVER, second.token, m=house.owner.id, p=PASSWORD),
    )
    assert sorted("errors" in body for body in answers) == [False, True]
    assert len(await house.trail("account.recover")) == 1


@pytest.mark.timeout(300)
@pytest.mark.rule("A9")
@pytest.mark.rule("A14")
@pytest.mark.rule("A15")
async def test_the_operator_helps_whoever_it_is_and_every_practice_of_theirs_sees_it(house: House) -> None:
    away = await house.deployment.practice("Hill View", tier=None)
    nia = await house.registered()
    await house.deployment.platform.people.create_member(
        away.id, await account_of("new@example.org"), first_name="Nia", last_name="Vale", role=Role.STAFF
    )
    await with_factors(house, nia)
    given = {
        "BEDSIDE_DATABASE_URL": house.database.dsn,
        "BEDSIDE_PLUGINS": "graphql",
        "BEDSIDE_SMTP_URL": house.mail.url,
        "BEDSIDE_MAIL_SENDER": "clinic@clinic.example",
        "BEDSIDE_PUBLIC_URL": PUBLIC_URL,
    }

    async def recover(*arguments: str, fails: bool = False) -> Any:
        return await asyncio.to_thread(bedside, "account", "recover", *arguments, given=given, fails=fails)

    before = await state(house)
    for wrong, why in (
        (("nobody@example.org",), "There is no account with this address."),
        (("new@example.org", "--new-password"), "The person chooses a new password by mail"),
    ):
        assert why in (await recover(*wrong, fails=True)).stderr
    assert await state(house) == before
    done = await recover("NEW@example.org")
    assert "an authenticator application, a passkey, 10 recovery codes" in done.stdout
    assert await house.code(HAS, nia) == "UNAUTHENTICATED"
    assert await house.code(SIGN_IN, e="new@example.org", p=NEW_PASSWORD) == "UNAUTHENTICATED"
    assert (await house.mailed("new@example.org", 2)).subject == SUBJECT
    entries = await house.trail("account.recover")
    assert {(entry["practice_id"], entry["operator"]) for entry in entries} == {
        (house.practice.id, True), (away.id, True),
    }  # fmt: skip
    assert "The account has no second factor." in (await recover("new@example.org", fails=True)).stderr
    await resets(house, "new@example.org")
