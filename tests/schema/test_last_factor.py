"""The last second factor of an account: what goes with it, and that no short password is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from accounts_stage import (
    BEGIN_TOTP,
    CHANGE,
    CONFIRM_TOTP,
    DEMAND,
    SECRET_KEY,
    SIGN_IN,
    URL,
    VERIFY,
    WHO,
    WIDE,
    Authenticator,
    add_passkey,
    cheap_hashes,
    everything,
)
from deployment import APPS, PASSWORD, Deployment, Person, served
from onboarding_stage import code_of
from pyotp.totp import TOTP

from bedside_core.auth import Role, sessions
from bedside_core.auth.factors import Factors, SecondFactors
from bedside_core.auth.passwords import hash_password
from bedside_core.auth.proof import Account, Proof
from bedside_core.testing import Database

HAS = "{ secondFactors { totp recoveryCodes passkeys { id } } }"
REMOVE_TOTP = "mutation($p: String!) { removeTotp(password: $p) }"
REMOVE_PASSKEY = "mutation($i: ID!, $p: String!) { removePasskey(id: $i, password: $p) }"
SHORT = "zu9#kelp"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def deployment(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Deployment, None]:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    with cheap_hashes():
        async with served(fresh_database, secret_key=SECRET_KEY, public_url=URL) as running:
            running.http.headers["host"] = "localhost"
            yield running


async def with_totp(deployment: Deployment, person: Person) -> list[str]:
    """Set an application up; returns recovery codes."""
    secret = (await deployment.data(BEGIN_TOTP, person.token, p=PASSWORD))["beginTotp"]["secret"]
    code = TOTP(secret).at(deployment.platform.clock.now())
    return (await deployment.data(CONFIRM_TOTP, person.token, c=code))["confirmTotp"]["recoveryCodes"]


async def has(deployment: Deployment, token: str) -> dict[str, Any]:
    return (await deployment.data(HAS, token))["secondFactors"]


def result(body: dict[str, Any]) -> str:
    return code_of(body) if "errors" in body else "done"


@pytest.mark.rule("A9")
async def test_who_takes_the_last_factor_away_waits_for_another_where_one_is_demanded(deployment: Deployment) -> None:
    practice = await deployment.practice()
    owner = await deployment.person(practice, Role.OWNER)
    recovery = await with_totp(deployment, owner)
    elsewhere = (await deployment.data(SIGN_IN, e=owner.email, p=PASSWORD))["signIn"]["token"]
    await deployment.data(VERIFY, elsewhere, c=recovery[0])
    await deployment.data(DEMAND, owner.token, on=True)
    async with deployment.socket(owner.token) as socket, deployment.socket(elsewhere) as other:
        assert await deployment.data(REMOVE_TOTP, owner.token, p=PASSWORD) == {"removeTotp": True}
        assert await socket.closed() == (4403, "Session changed")
        assert await other.closed() == (4403, "Session changed")
    for token in (owner.token, elsewhere):
        viewer = (await deployment.data(WHO, token))["viewer"]
        assert (viewer["pending"], viewer["member"]) == ("SET_UP", None)
        assert await deployment.code("{ practice { name } }", token) == "SECOND_FACTOR_NEEDED"
        assert await deployment.code(DEMAND, token, on=False) == "SECOND_FACTOR_NEEDED"
    await with_totp(deployment, owner)  # a new application in place of the old one
    assert (await deployment.data("{ practice { name } }", owner.token))["practice"] == {"name": "Bay View"}
    assert await deployment.code("{ practice { name } }", elsewhere) == "SECOND_FACTOR_NEEDED"
    # With one of two nothing ends.
    await add_passkey(deployment, owner.token, PASSWORD, Authenticator())
    await deployment.data(REMOVE_TOTP, owner.token, p=PASSWORD)
    assert (await deployment.data("{ practice { name } }", owner.token))["practice"] == {"name": "Bay View"}


@pytest.mark.rule("A9")
@pytest.mark.promise("A7")
async def test_of_two_who_take_the_last_two_factors_away_at_once_one_does(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await deployment.person(await deployment.practice())
    await with_totp(deployment, ada)
    await add_passkey(deployment, ada.token, PASSWORD, Authenticator())
    await deployment.data(CHANGE, ada.token, c=PASSWORD, n=SHORT)
    [passkey] = (await has(deployment, ada.token))["passkeys"]
    looked, both, of = 0, asyncio.Event(), Factors.of

    async def slow(self: Factors, account_id: UUID) -> SecondFactors:
        """Have who looks first go on when the second has looked too, if that is let in at all."""
        nonlocal looked
        there, looked = await of(self, account_id), looked + 1
        if looked > 1:
            both.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(both.wait(), 0.5)
        return there

    monkeypatch.setattr(Factors, "of", slow)
    bodies = await asyncio.gather(
        deployment.ask(REMOVE_TOTP, ada.token, p=SHORT),
        deployment.ask(REMOVE_PASSKEY, ada.token, i=passkey["id"], p=SHORT),
    )
    monkeypatch.undo()
    assert sorted(map(result, bodies)) == ["PASSWORD_REFUSED", "done"]
    left = await has(deployment, ada.token)
    assert left["totp"] + len(left["passkeys"]) == 1
    assert (await deployment.data(SIGN_IN, e=ada.email, p=SHORT))["signIn"]["viewer"]["pending"] == "FACTOR"


@pytest.mark.rule("A9")
@pytest.mark.promise("A7")
async def test_a_short_password_is_not_chosen_while_the_last_factor_goes(
    deployment: Deployment, fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await deployment.person(await deployment.practice())
    await with_totp(deployment, ada)
    hashing, removed, hashed = asyncio.Event(), asyncio.Event(), hash_password

    async def slow(password: str) -> str:
        hashing.set()
        await asyncio.wait_for(removed.wait(), 30)
        return await hashed(password)

    monkeypatch.setattr(sessions, "hash_password", slow)
    changing = asyncio.create_task(deployment.ask(CHANGE, ada.token, c=PASSWORD, n=SHORT))
    await asyncio.wait_for(hashing.wait(), 30)
    assert await deployment.data(REMOVE_TOTP, ada.token, p=PASSWORD) == {"removeTotp": True}
    before = await everything(fresh_database)
    removed.set()
    assert result(await changing) == "PASSWORD_REFUSED"
    assert await everything(fresh_database) == before


@pytest.mark.rule("A9")
@pytest.mark.promise("A7")
async def test_the_last_factor_does_not_go_while_a_short_password_is_chosen(
    deployment: Deployment, fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await deployment.person(await deployment.practice())
    await with_totp(deployment, ada)
    compared, changed, by_password = asyncio.Event(), asyncio.Event(), Proof.by_password

    async def slow(self: Proof, *given: Any, field: str = "password") -> Account:
        account = await by_password(self, *given, field=field)
        if field == "password":
            compared.set()
            await asyncio.wait_for(changed.wait(), 30)
        return account

    monkeypatch.setattr(Proof, "by_password", slow)
    removing = asyncio.create_task(deployment.ask(REMOVE_TOTP, ada.token, p=PASSWORD))
    await asyncio.wait_for(compared.wait(), 30)
    assert await deployment.data(CHANGE, ada.token, c=PASSWORD, n=SHORT) == {"changePassword": True}
    before = await everything(fresh_database)
    changed.set()
    assert result(await removing) == "INVALID_INPUT"
    assert await everything(fresh_database) == before
