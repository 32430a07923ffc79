"""Codes of a second factor: of none that nobody has confirmed, and used up only by what they are good for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from accounts_stage import (
    BEGIN_TOTP,
    CONFIRM_TOTP,
    SECRET_KEY,
    SIGN_IN,
    VERIFY,
    WIDE,
    Authenticator,
    add_passkey,
    everything,
)
from deployment import PASSWORD
from onboarding_stage import NEW_PASSWORD, RESET, RESET_LOOK, House, code_of, house
from pyotp.totp import TOTP

from bedside_core.testing import Database

HAS = "{ secondFactors { totp recoveryCodes passkeys { name } } }"
ANOTHER = "purple otters juggling seven moons"


@pytest_asyncio.fixture
async def place(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    async with house(fresh_database, secret_key=SECRET_KEY) as running:
        running.deployment.http.headers["host"] = "localhost"
        yield running


def now(place: House, secret: str) -> str:
    return TOTP(secret).at(place.deployment.platform.clock.now())


async def begun(place: House, token: str, password: str = PASSWORD) -> str:
    """Begin to set an application up; returns its secret."""
    return (await place.data(BEGIN_TOTP, token, p=password))["beginTotp"]["secret"]


async def half_in(place: House, email: str, password: str = PASSWORD) -> str:
    signed_in = (await place.data(SIGN_IN, e=email, p=password))["signIn"]
    assert signed_in["viewer"]["pending"] == "FACTOR"
    return signed_in["token"]


async def has(place: House, token: str) -> dict[str, Any]:
    return (await place.data(HAS, token))["secondFactors"]


@pytest.mark.rule("A9")
async def test_an_application_that_nobody_has_confirmed_is_no_factor(place: House) -> None:
    ada = await place.deployment.person(place.practice)
    planted = await begun(place, ada.token)
    await add_passkey(place.deployment, ada.token, PASSWORD, Authenticator())
    assert await place.rows("SELECT account_id FROM totp") == []  # nor does it come to count later
    assert await place.code(CONFIRM_TOTP, ada.token, c=now(place, planted)) == "INVALID_INPUT"
    late = await begun(place, ada.token)  # beside the passkey, and not confirmed either
    waiting = await half_in(place, ada.email)
    before = await everything(place.database)
    for secret in (planted, late):
        assert await place.code(VERIFY, waiting, c=now(place, secret)) == "INVALID_INPUT"
    assert await everything(place.database) == before
    assert (await has(place, ada.token))["totp"] is False
    await place.data(CONFIRM_TOTP, ada.token, c=now(place, late))
    assert (await has(place, ada.token))["totp"] is True


@pytest.mark.rule("A4")
@pytest.mark.rule("A9")
async def test_an_application_that_nobody_has_confirmed_stands_in_for_no_question(place: House) -> None:
    token = await place.registered("ada@example.org")
    planted = await begun(place, token, NEW_PASSWORD)
    link = await place.reset_link("ada@example.org")
    assert (await place.data(RESET_LOOK, s=link))["passwordReset"]["factor"] is False
    before = await everything(place.database)
    body = await place.ask(RESET, s=link, p=ANOTHER, a=None, c=now(place, planted), k=None)
    assert code_of(body) == "INVALID_INPUT"
    assert await everything(place.database) == before
    assert (await place.data(RESET_LOOK, s=link))["passwordReset"]["factor"] is False  # and the link is good


@pytest.mark.rule("A9")
@pytest.mark.rule("A14")
async def test_a_first_code_that_a_lock_refuses_switches_nothing_on(place: House) -> None:
    ada = await place.deployment.person(place.practice)
    secret = await begun(place, ada.token)
    assert [await place.code(CONFIRM_TOTP, ada.token, c="000000") for _ in range(6)][-1] == "SIGN_IN_LOCKED"
    before = await everything(place.database)
    assert await place.code(CONFIRM_TOTP, ada.token, c=now(place, secret)) == "SIGN_IN_LOCKED"
    assert await everything(place.database) == before
    assert await has(place, ada.token) == {"totp": False, "recoveryCodes": 0, "passkeys": []}
    assert await place.trail("factors.add") == []
    await place.pass_time(minutes=16)
    made = await place.data(CONFIRM_TOTP, ada.token, c=now(place, secret))
    assert len(made["confirmTotp"]["recoveryCodes"]) == 10
    assert len(await place.trail("factors.add")) == 1


@pytest.mark.rule("A9")
async def test_codes_that_a_lock_refuses_are_good_when_it_is_over(place: House) -> None:
    token = await place.registered("ada@example.org")
    secret = await begun(place, token, NEW_PASSWORD)
    recovery = (await place.data(CONFIRM_TOTP, token, c=now(place, secret)))["confirmTotp"]["recoveryCodes"]
    link = await place.reset_link("ada@example.org")
    waiting = await half_in(place, "ada@example.org", NEW_PASSWORD)
    assert [await place.code(VERIFY, waiting, c="123456") for _ in range(6)][-1] == "SIGN_IN_LOCKED"

    async def reset(code: str) -> dict[str, Any]:
        return await place.ask(RESET, s=link, p=ANOTHER, a=None, c=code, k=None)

    assert [code_of(await reset("no such code")) for _ in range(6)][-1] == "SIGN_IN_LOCKED"
    before = await everything(place.database)
    for code in recovery:
        assert await place.code(VERIFY, waiting, c=code) == "SIGN_IN_LOCKED"
        assert code_of(await reset(code)) == "SIGN_IN_LOCKED"
    assert await everything(place.database) == before
    await place.pass_time(minutes=16)
    assert (await place.data(VERIFY, waiting, c=recovery[0]))["verifyCode"]["viewer"]["pending"] is None
    for used in (recovery[0], recovery[0].upper()):  # once, whatever it was good for
        assert code_of(await reset(used)) == "INVALID_INPUT"
    assert (await reset(recovery[1]))["data"] == {"resetPassword": True}
    waiting = await half_in(place, "ada@example.org", ANOTHER)
    assert await place.code(VERIFY, waiting, c=recovery[1]) == "INVALID_INPUT"
    await place.data(VERIFY, waiting, c=recovery[2])
    assert (await has(place, waiting))["recoveryCodes"] == 7


@pytest.mark.rule("A9")
async def test_of_many_who_show_one_code_at_once_one_gets_in(place: House) -> None:
    ada = await place.deployment.person(place.practice)
    secret = await begun(place, ada.token)
    recovery = (await place.data(CONFIRM_TOTP, ada.token, c=now(place, secret)))["confirmTotp"]["recoveryCodes"]
    await place.pass_time(minutes=2)
    for recovers in (False, True):
        waiting = [await half_in(place, ada.email) for _ in range(5)]
        code = recovery[0] if recovers else now(place, secret)
        bodies = await asyncio.gather(*(place.ask(VERIFY, token, c=code) for token in waiting))
        assert sorted("in" if "errors" not in body else code_of(body) for body in bodies) == [
            *["INVALID_INPUT"] * 4, "in",
        ]  # fmt: skip
        await place.pass_time(minutes=2)
