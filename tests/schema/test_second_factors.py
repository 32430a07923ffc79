"""Second factors: authenticator applications, recovery codes and passkeys, and practices that demand one."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from accounts_stage import (
    ADD_PASSKEY,
    ASK_PASSKEY,
    BEGIN_PASSKEY,
    BEGIN_TOTP,
    CHANGE,
    CONFIRM_TOTP,
    DEMAND,
    OTHER_PASSWORD,
    SECRET_KEY,
    SESSIONS,
    SIGN_IN,
    SIGN_IN_PASSKEY,
    URL,
    VERIFY,
    WHO,
    Authenticator,
    add_passkey,
    cheap_hashes,
    everything,
    give_cheap_password,
    rows,
)
from audit_stage import length, trail
from deployment import APPS, PASSWORD, Deployment, Person, served
from pyotp.totp import TOTP

from bedside_core.audit import DEPLOYMENT
from bedside_core.auth import Role
from bedside_core.auth.sealing import KEY_FILE
from bedside_core.testing import Database

REMOVE_TOTP = "mutation($p: String!) { removeTotp(password: $p) }"
REMOVE_PASSKEY = "mutation($i: ID!, $p: String!) { removePasskey(id: $i, password: $p) }"
RENEW = "mutation($p: String!) { renewRecoveryCodes(password: $p) }"
HAS = "{ secondFactors { totp recoveryCodes passkeys { id name lastUsedAt } } }"
ASK_FACTOR = "mutation { beginPasskeyFactor { id options } }"
VERIFY_PASSKEY = """mutation($i: ID!, $c: String!) { verifyPasskey(challengeId: $i, credential: $c) {
    deviceToken viewer { pending member { id } } } }"""


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def deployment(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Deployment, None]:
    monkeypatch.setenv("BEDSIDE_GRAPHQL_SIGN_INS_PER_ACCOUNT", "1000")
    monkeypatch.setenv("BEDSIDE_GRAPHQL_SIGN_INS_PER_ADDRESS", "1000")
    with cheap_hashes():
        async with served(fresh_database, secret_key=SECRET_KEY, public_url=URL) as running:
            running.http.headers["host"] = "localhost"
            yield running


def code_of(deployment: Deployment, secret: str, steps: int = 0) -> str:
    """The code of an application now, or some half minutes away."""
    return TOTP(secret).at(deployment.platform.clock.now() + timedelta(seconds=30 * steps))


async def with_totp(deployment: Deployment, person: Person) -> tuple[str, list[str]]:
    """Set an application up; returns secret and recovery codes."""
    secret = (await deployment.data(BEGIN_TOTP, person.token, p=PASSWORD))["beginTotp"]["secret"]
    made = await deployment.data(CONFIRM_TOTP, person.token, c=code_of(deployment, secret))
    await deployment.platform.clock.move(timedelta(minutes=2))  # that code is used
    return secret, made["confirmTotp"]["recoveryCodes"]


async def half_in(deployment: Deployment, person: Person, device: str | None = None) -> str:
    """Sign in with the password alone; returns the token of a sign-in that waits for the second factor."""
    signed_in = (await deployment.data(SIGN_IN, e=person.email, p=PASSWORD, d=device))["signIn"]
    assert (signed_in["viewer"]["pending"], signed_in["viewer"]["member"]) == ("FACTOR", None)
    assert signed_in["deviceToken"] is None
    return signed_in["token"]


@pytest.mark.rule("A9")
async def test_an_authenticator_application_is_the_second_factor(
    deployment: Deployment, fresh_database: Database
) -> None:
    ada = await deployment.person(await deployment.practice())
    begun = (await deployment.data(BEGIN_TOTP, ada.token, p=PASSWORD))["beginTotp"]
    assert begun["uri"].startswith("otpauth://totp/Bedside:")
    assert begun["secret"] in begun["uri"]
    assert (await deployment.data(SIGN_IN, e=ada.email, p=PASSWORD))["signIn"]["viewer"]["pending"] is None
    assert await deployment.code(CONFIRM_TOTP, ada.token, c="000000") == "INVALID_INPUT"  # so it does not count yet
    secret, codes = await with_totp(deployment, ada)
    assert (len(codes), len(set(codes)), {len(code) for code in codes}) == (10, 10, {23})
    assert (await deployment.data(HAS, ada.token))["secondFactors"] == {
        "totp": True, "recoveryCodes": 10, "passkeys": [],
    }  # fmt: skip
    token = await half_in(deployment, ada)
    done = (await deployment.data(VERIFY, token, c=code_of(deployment, secret)))["verifyCode"]
    assert done["viewer"] == {"role": "PRACTITIONER", "pending": None, "member": {"id": ada.id}}
    assert done["deviceToken"]
    assert (await deployment.data("{ viewer { member { id } } }", token))["viewer"] == {"member": {"id": ada.id}}
    stored = (await rows(fresh_database, "SELECT secret FROM totp"))[0]["secret"]
    assert secret.encode() not in stored


@pytest.mark.rule("A14")
async def test_each_change_of_a_factor_and_each_showing_of_one_is_in_the_trail(deployment: Deployment) -> None:
    practice = await deployment.practice()
    ada = await deployment.person(practice)
    before, others = await length(practice.id), await length(DEPLOYMENT)
    await with_totp(deployment, ada)
    await add_passkey(deployment, ada.token, PASSWORD, Authenticator())
    [passkey] = (await deployment.data(HAS, ada.token))["secondFactors"]["passkeys"]
    token = await half_in(deployment, ada)
    assert await deployment.code(VERIFY, token, c="000000") == "INVALID_INPUT"
    await deployment.data(RENEW, ada.token, p=PASSWORD)
    await deployment.data(REMOVE_PASSKEY, ada.token, i=passkey["id"], p=PASSWORD)
    assert await deployment.code(REMOVE_PASSKEY, ada.token, i=passkey["id"], p=PASSWORD) == "NOT_FOUND"
    entries = [entry for entry in await trail(practice.id, past=before) if entry.action != "session.verify"]
    assert [(entry.action, entry.kind) for entry in entries] == [
        ("factors.add", "totp"), ("factors.add", "passkey"), ("session.open", "session"),
        ("factors.codes", "account"), ("factors.remove", "passkey"),
    ]  # fmt: skip
    assert {entry.target for entry in entries if entry.kind == "passkey"} == {passkey["id"]}
    assert {str(entry.person_id) for entry in entries if entry.action != "session.open"} == {ada.id}
    # who has not shown the factor yet is nobody of the practice
    assert [entry.action for entry in await trail(DEPLOYMENT, past=others)] == ["session.refuse"]


@pytest.mark.rule("A9")
async def test_a_sign_in_without_its_second_factor_does_nothing(
    deployment: Deployment, fresh_database: Database
) -> None:
    ada = await deployment.person(await deployment.practice(), Role.OWNER)
    await with_totp(deployment, ada)
    token = await half_in(deployment, ada)
    before = await everything(fresh_database)
    refused: list[tuple[str, dict[str, Any]]] = [
        ("{ practice { name } }", {}),
        ("{ patients { nodes { id } } }", {}),
        (SESSIONS, {}),
        ("{ graphqlSettings { persistedOnly } }", {}),
        (CHANGE, {"c": PASSWORD, "n": OTHER_PASSWORD}),
        (DEMAND, {"on": True}),
        (BEGIN_TOTP, {"p": PASSWORD}),
        (BEGIN_PASSKEY, {"p": PASSWORD}),
        (REMOVE_TOTP, {"p": PASSWORD}),
        ("mutation { signOutEverywhere }", {}),
    ]
    for query, variables in refused:
        body = await deployment.ask(query, token, **variables)
        facts = body["errors"][0]["extensions"]
        assert (facts["code"], facts["pending"], "wayOn" in facts) == ("SECOND_FACTOR_NEEDED", "factor", True), query
    may = '{ can(action: "chat.send") { allowed rule code } viewer { personas { id } } }'
    assert await deployment.data(may, token) == {
        "can": {"allowed": False, "rule": "FACTOR", "code": "SECOND_FACTOR_NEEDED"}, "viewer": {"personas": []},
    }  # fmt: skip
    async with deployment.socket(token) as socket:
        key = await socket.subscribe('subscription { messageAdded(conversationId: "x") { body } }')
        assert await socket.error(key) == "SECOND_FACTOR_NEEDED"
    assert await everything(fresh_database) == before
    assert await deployment.data("mutation { signOut }", token) == {"signOut": True}


@pytest.mark.rule("A9")
async def test_a_code_counts_once(deployment: Deployment) -> None:
    ada = await deployment.person(await deployment.practice())
    secret, recovery = await with_totp(deployment, ada)
    now = code_of(deployment, secret)
    for right in (f"{now[:3]} {now[3:]}", recovery[0], recovery[1].upper().replace("-", "")):
        first, second = await half_in(deployment, ada), await half_in(deployment, ada)
        assert (await deployment.data(VERIFY, first, c=right))["verifyCode"]["viewer"]["pending"] is None
        assert await deployment.code(VERIFY, second, c=right) == "INVALID_INPUT"
        assert (await deployment.data(WHO, second))["viewer"]["pending"] == "FACTOR"
        assert await deployment.code(VERIFY, first, c=right) == "CONFLICT"  # it waits for nothing
    assert (await deployment.data(HAS, ada.token))["secondFactors"]["recoveryCodes"] == 8
    token = await half_in(deployment, ada)
    # An earlier code than the one that was used last is worth nothing, though its half minute is not over.
    for wrong in (
        code_of(deployment, secret, -1),
        code_of(deployment, secret, 7),
        "",
        "00 00",
        "no such code",
        "\u0661" * 6,
    ):
        assert await deployment.code(VERIFY, token, c=wrong) in {"INVALID_INPUT", "SIGN_IN_LOCKED"}


@pytest.mark.rule("A5")
@pytest.mark.rule("A9")
async def test_wrong_codes_lock_and_not_the_owner_s_own_device(
    deployment: Deployment, fresh_database: Database
) -> None:
    ada = await deployment.person(await deployment.practice())
    secret, _ = await with_totp(deployment, ada)
    token = await half_in(deployment, ada)
    phone = (await deployment.data(VERIFY, token, c=code_of(deployment, secret)))["verifyCode"]["deviceToken"]
    await deployment.platform.clock.move(timedelta(minutes=2))
    stranger = await half_in(deployment, ada)  # knows the password
    assert [await deployment.code(VERIFY, stranger, c="123456") for _ in range(6)] == [
        *["INVALID_INPUT"] * 5, "SIGN_IN_LOCKED",
    ]  # fmt: skip
    before = await everything(fresh_database)
    good = code_of(deployment, secret, 1)
    assert await deployment.code(VERIFY, stranger, c=good) == "SIGN_IN_LOCKED"
    assert await everything(fresh_database) == before  # the code is not lost to its owner
    own = await half_in(deployment, ada, phone)
    done = (await deployment.data(VERIFY, own, c=good, d=phone))["verifyCode"]
    assert done["viewer"]["pending"] is None
    again = await half_in(deployment, ada, done["deviceToken"])
    assert await deployment.code(VERIFY, again, c=good, d=done["deviceToken"]) == "INVALID_INPUT"  # it counted once


@pytest.mark.rule("A9")
@pytest.mark.promise("A7")
async def test_changing_factors_takes_the_password_and_a_short_one_can_not_stand_alone(
    deployment: Deployment, fresh_database: Database
) -> None:
    ada = await deployment.person(await deployment.practice())
    assert await deployment.code(CHANGE, ada.token, c=PASSWORD, n="zu9#kelp") == "PASSWORD_REFUSED"
    await with_totp(deployment, ada)
    before = await everything(fresh_database)
    for query in (BEGIN_TOTP, REMOVE_TOTP, RENEW, BEGIN_PASSKEY):
        assert await deployment.code(query, ada.token, p="wrong") == "INVALID_INPUT"
    assert await deployment.code(BEGIN_TOTP, ada.token, p=PASSWORD) == "CONFLICT"
    assert await everything(fresh_database) == before
    renewed = (await deployment.data(RENEW, ada.token, p=PASSWORD))["renewRecoveryCodes"]
    assert len(renewed) == 10
    assert await deployment.code(CHANGE, ada.token, c=PASSWORD, n="zu9#kel") == "PASSWORD_REFUSED"
    assert await deployment.data(CHANGE, ada.token, c=PASSWORD, n="zu9#kelp") == {"changePassword": True}
    assert await deployment.code(REMOVE_TOTP, ada.token, p="zu9#kelp") == "PASSWORD_REFUSED"
    assert await deployment.data(CHANGE, ada.token, c="zu9#kelp", n=OTHER_PASSWORD) == {"changePassword": True}
    assert await deployment.data(REMOVE_TOTP, ada.token, p=OTHER_PASSWORD) == {"removeTotp": True}
    assert await deployment.code(REMOVE_TOTP, ada.token, p=OTHER_PASSWORD) == "NOT_FOUND"
    assert (await deployment.data(HAS, ada.token))["secondFactors"] == {
        "totp": False, "recoveryCodes": 0, "passkeys": [],
    }  # fmt: skip
    signed_in = await deployment.data(SIGN_IN, e=ada.email, p=OTHER_PASSWORD)
    assert signed_in["signIn"]["viewer"]["pending"] is None


@pytest.mark.rule("A9")
async def test_a_practice_can_demand_a_second_factor_of_everybody(
    deployment: Deployment, fresh_database: Database
) -> None:
    practice = await deployment.practice()
    owner, ada = await deployment.person(practice, Role.OWNER), await deployment.person(practice)
    elsewhere = await deployment.person(await deployment.practice("Abbey"), name="Ben")
    await with_totp(deployment, owner)
    assert await deployment.code(DEMAND, ada.token, on=True) == "FORBIDDEN"
    async with deployment.socket(ada.token) as socket, deployment.socket(owner.token) as own:
        await deployment.data(DEMAND, owner.token, on=True)
        assert await socket.closed() == (4403, "Session changed")
        key = await own.subscribe("{ practice { name } }")
        assert (await own.next(key))["practice"] == {"name": "Bay View"}
    viewer = (await deployment.data(WHO, ada.token))["viewer"]
    assert (viewer["pending"], viewer["member"]) == ("SET_UP", None)
    body = await deployment.ask("{ practice { name } }", ada.token)
    facts = body["errors"][0]["extensions"]
    assert (facts["code"], facts["pending"]) == ("SECOND_FACTOR_NEEDED", "set_up")
    assert await deployment.code(VERIFY, ada.token, c="123456") == "CONFLICT"
    secret = (await deployment.data(BEGIN_TOTP, ada.token, p=PASSWORD))["beginTotp"]["secret"]
    assert await deployment.code("{ practice { name } }", ada.token) == "SECOND_FACTOR_NEEDED"
    await deployment.data(CONFIRM_TOTP, ada.token, c=code_of(deployment, secret))
    assert (await deployment.data("{ practice { name } }", ada.token))["practice"] == {"name": "Bay View"}
    assert (await deployment.data("{ practice { name } }", elsewhere.token))["practice"] == {"name": "Abbey"}
    await half_in(deployment, ada)
    await deployment.data(DEMAND, owner.token, on=False)
    await half_in(deployment, ada)  # whoever has one goes on showing it


@pytest.mark.rule("A9")
async def test_a_passkey_signs_in_by_itself(deployment: Deployment, fresh_database: Database) -> None:
    practice = await deployment.practice()
    ada, ben = await deployment.person(practice), await deployment.person(practice, name="Ben")
    key = Authenticator()
    assert len(await add_passkey(deployment, ada.token, PASSWORD, key)) == 10
    assert (await deployment.data(HAS, ada.token))["secondFactors"]["passkeys"][0]["name"] == "My phone"
    asked = (await deployment.data(ASK_PASSKEY))["beginPasskeySignIn"]
    options = json.loads(asked["options"])
    assert (options["rpId"], options["allowCredentials"], options["userVerification"]) == (
        "clinic.example", [], "required",
    )  # fmt: skip
    answer = key.get(asked["options"])
    signed_in = (await deployment.data(SIGN_IN_PASSKEY, i=asked["id"], c=answer))["signInWithPasskey"]
    assert signed_in["viewer"] == {"role": "PRACTITIONER", "pending": None, "member": {"id": ada.id}}
    assert (await deployment.data(HAS, signed_in["token"]))["secondFactors"]["passkeys"][0]["lastUsedAt"]
    before = await everything(fresh_database)
    assert await deployment.code(SIGN_IN_PASSKEY, i=asked["id"], c=answer) == "UNAUTHENTICATED"  # replayed
    for odd in ("", "{}", "[]", '{"id": "x", "rawId": "x", "response": {}, "type": "public-key"}', "\u2603" * 500):
        asked = (await deployment.data(ASK_PASSKEY))["beginPasskeySignIn"]
        assert await deployment.code(SIGN_IN_PASSKEY, i=asked["id"], c=odd) == "UNAUTHENTICATED"
    assert await deployment.code(SIGN_IN_PASSKEY, i="nothing", c="{}") == "NOT_FOUND"
    assert await everything(fresh_database) == before
    # It is nobody else's second factor, and two accounts don't share it.
    asked = (await deployment.data(BEGIN_PASSKEY, ben.token, p=PASSWORD))["beginPasskey"]
    again = key.create(asked["options"])
    assert await deployment.code(ADD_PASSKEY, ben.token, i=asked["id"], c=again, n="Mine too") == "CONFLICT"
    assert await everything(fresh_database) == before


@pytest.mark.rule("A9")
@pytest.mark.parametrize("fault", ["origin", "unverified", "copied", "late", "other challenge"])
async def test_a_passkey_that_proves_something_else_is_refused(
    deployment: Deployment, fresh_database: Database, fault: str
) -> None:
    ada = await deployment.person(await deployment.practice())
    key = Authenticator()
    await add_passkey(deployment, ada.token, PASSWORD, key)
    asked = (await deployment.data(ASK_PASSKEY))["beginPasskeySignIn"]
    if fault == "copied":  # another authenticator with the same key has counted further
        key.count = 5
        answer = key.get(asked["options"])
        await deployment.data(SIGN_IN_PASSKEY, i=asked["id"], c=answer)
        asked = (await deployment.data(ASK_PASSKEY))["beginPasskeySignIn"]
        key.count = 4
    if fault == "origin":
        key.origin = "https://clinic.example.evil.example"
    if fault == "unverified":
        key.flags = 0x01
    if fault == "late":
        await deployment.platform.clock.move(timedelta(minutes=6))
    options = asked["options"]
    if fault == "other challenge":
        options = (await deployment.data(ASK_PASSKEY))["beginPasskeySignIn"]["options"]
    before = await everything(fresh_database)
    assert await deployment.code(SIGN_IN_PASSKEY, i=asked["id"], c=key.get(options)) == "UNAUTHENTICATED"
    assert await everything(fresh_database) == before


@pytest.mark.rule("A9")
@pytest.mark.parametrize("fault", ["origin", "unverified", "other's challenge"])
async def test_a_new_passkey_that_is_not_as_asked_for_is_not_added(
    deployment: Deployment, fresh_database: Database, fault: str
) -> None:
    practice = await deployment.practice()
    ada, ben = await deployment.person(practice), await deployment.person(practice, name="Ben")
    key = Authenticator("https://evil.example" if fault == "origin" else URL, verifies=fault != "unverified")
    asker = ben if fault == "other's challenge" else ada
    asked = (await deployment.data(BEGIN_PASSKEY, asker.token, p=PASSWORD))["beginPasskey"]
    before = await everything(fresh_database)
    answer = key.create(asked["options"])
    assert await deployment.code(ADD_PASSKEY, ada.token, i=asked["id"], c=answer, n="Key") == "INVALID_INPUT"
    assert await everything(fresh_database) == before


@pytest.mark.rule("A9")
async def test_a_passkey_is_the_second_factor_beside_a_password_and_can_be_taken_away(
    deployment: Deployment,
) -> None:
    practice = await deployment.practice()
    ada, ben = await deployment.person(practice), await deployment.person(practice, name="Ben")
    key, of_ben = Authenticator(), Authenticator()
    await add_passkey(deployment, ada.token, PASSWORD, key)
    await add_passkey(deployment, ben.token, PASSWORD, of_ben)
    token = await half_in(deployment, ada)
    asked = (await deployment.data(ASK_FACTOR, token))["beginPasskeyFactor"]
    assert len(json.loads(asked["options"])["allowCredentials"]) == 1
    wrong = of_ben.get(asked["options"])
    assert await deployment.code(VERIFY_PASSKEY, token, i=asked["id"], c=wrong) == "UNAUTHENTICATED"
    asked = (await deployment.data(ASK_FACTOR, token))["beginPasskeyFactor"]
    done = await deployment.data(VERIFY_PASSKEY, token, i=asked["id"], c=key.get(asked["options"]))
    assert done["verifyPasskey"]["viewer"] == {"pending": None, "member": {"id": ada.id}}
    mine = (await deployment.data(HAS, token))["secondFactors"]["passkeys"][0]["id"]
    assert await deployment.code(REMOVE_PASSKEY, ben.token, i=mine, p=PASSWORD) == "NOT_FOUND"
    assert await deployment.data(REMOVE_PASSKEY, token, i=mine, p=PASSWORD) == {"removePasskey": True}
    assert (await deployment.data(SIGN_IN, e=ada.email, p=PASSWORD))["signIn"]["viewer"]["pending"] is None


@pytest.mark.rule("A9")
async def test_without_a_public_address_there_are_no_passkeys(fresh_database: Database) -> None:
    with cheap_hashes():
        async with served(fresh_database, secret_key=SECRET_KEY) as deployment:
            ada = await deployment.person(await deployment.practice())
            assert await deployment.code(BEGIN_PASSKEY, ada.token, p=PASSWORD) == "SWITCHED_OFF"
            assert await deployment.code(ASK_PASSKEY) == "SWITCHED_OFF"


@pytest.mark.rule("A9")
async def test_secrets_are_sealed_by_a_key_of_the_deployment_s_own(fresh_database: Database, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with cheap_hashes():
        async with served(fresh_database, data=kept) as deployment:
            ada = await deployment.person(await deployment.practice())
            await give_cheap_password(ada, PASSWORD)
            assert not kept.exists()
            secret, recovery = await with_totp(deployment, ada)
            assert (kept / KEY_FILE).stat().st_mode & 0o777 == 0o600
        async with served(fresh_database, data=kept) as deployment:  # the next start finds it
            token = await half_in(deployment, ada)
            assert await deployment.data(VERIFY, token, c=code_of(deployment, secret))
        shutil.rmtree(kept)
        async with served(fresh_database, secret_key=SECRET_KEY) as deployment:
            token = await half_in(deployment, ada)
            code = code_of(deployment, secret, 1)
            assert await deployment.code(VERIFY, token, c=code) == "SECRET_KEY_WRONG"
            assert (await deployment.data(VERIFY, token, c=recovery[0]))["verifyCode"]["viewer"]["pending"] is None
