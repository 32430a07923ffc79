"""What is under way while a password is reset, changed or taken away does not outlive it (A4, A9, A10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from accounts_stage import BEGIN_TOTP, CHANGE, CONFIRM_TOTP, SIGN_IN, WIDE
from deployment import DEADLINE_SECONDS, PASSWORD
from onboarding_stage import ANSWERS, NEW_PASSWORD, RESET, RESET_LOOK, House, account_of
from onboarding_stage import house as house_
from pyotp.totp import TOTP

from bedside_core.auth import Role
from bedside_core.auth.proof import Proof
from bedside_core.auth.sessions import Auth
from bedside_core.testing import Database

OTHER = "nineteen copper kettles in the rain"
THIRD = "purple otters juggling seven moons"
ADDRESS = "nia@example.org"
RECOVER = "mutation($m: ID!, $p: String!) { recoverMember(memberId: $m, password: $p) { id } }"
NEW_CODES = "mutation($p: String!) { renewRecoveryCodes(password: $p) }"
ME = "{ viewer { pending member { id } } }"
End = Callable[["House", str], Awaitable[None]]


@pytest_asyncio.fixture
async def house(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House, None]:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    async with house_(fresh_database) as running:
        yield running


async def reset(house: House, token: str) -> None:
    """The owner of the account resets the password by mail."""
    link = await house.reset_link(ADDRESS)
    asked = (await house.data(RESET_LOOK, s=link))["passwordReset"]["question"]["key"]
    answer = next(each["answer"] for each in ANSWERS if each["question"] == asked)
    await house.data(RESET, s=link, p=OTHER, a=answer, c=None, k=None)


async def change(house: House, token: str) -> None:
    """The owner of the account changes the password."""
    await house.data(CHANGE, token, c=NEW_PASSWORD, n=OTHER)


async def recover(house: House, token: str) -> None:
    """The practice's owner takes factors and password away."""
    member = (await house.data(ME, token))["viewer"]["member"]["id"]
    await house.data(RECOVER, house.owner.token, m=member, p=PASSWORD)


async def with_factor(house: House, token: str) -> None:
    secret = (await house.data(BEGIN_TOTP, token, p=NEW_PASSWORD))["beginTotp"]["secret"]
    await house.data(CONFIRM_TOTP, token, c=TOTP(secret).at(house.deployment.platform.clock.now()))


class Held:
    """Holds the first call of something back until it is let go."""

    def __init__(self) -> None:
        self.came, self.go = asyncio.Event(), asyncio.Event()

    async def wait(self) -> None:
        if not self.came.is_set():
            self.came.set()
            async with asyncio.timeout(DEADLINE_SECONDS):
                await self.go.wait()

    async def under_way(self, asking: asyncio.Task[Any]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self.came.wait()
        assert not asking.done()


def hold_proof(monkeypatch: pytest.MonkeyPatch) -> Held:
    """Have whoever has shown the password again wait before anything is done with that."""
    held, by = Held(), Proof.by_password

    async def slow(self: Proof, *given: Any, **named: Any) -> Any:
        account = await by(self, *given, **named)
        await held.wait()
        return account

    monkeypatch.setattr(Proof, "by_password", slow)
    return held


@pytest.mark.rule("A4")
@pytest.mark.rule("A10")
@pytest.mark.parametrize("ends", [reset, recover])
async def test_a_change_of_the_password_under_way_undoes_no_reset_and_no_recovery(
    house: House, monkeypatch: pytest.MonkeyPatch, ends: End
) -> None:
    token = await house.registered(ADDRESS)
    if ends is recover:
        await with_factor(house, token)
    held = hold_proof(monkeypatch)
    asking = asyncio.create_task(house.ask(CHANGE, token, c=NEW_PASSWORD, n=THIRD))
    await held.under_way(asking)
    await ends(house, token)
    held.go.set()
    [error] = (await asking)["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", ["current"])
    [refused] = (await house.ask(SIGN_IN, e=ADDRESS, p=THIRD))["errors"]
    assert refused["extensions"]["code"] == "UNAUTHENTICATED"
    if ends is reset:
        assert (await house.data(SIGN_IN, e=ADDRESS, p=OTHER))["signIn"]["token"]


@pytest.mark.rule("A9")
@pytest.mark.rule("A10")
@pytest.mark.parametrize("document", [NEW_CODES, BEGIN_TOTP])
async def test_what_the_password_was_shown_for_is_not_done_once_it_was_reset(
    house: House, monkeypatch: pytest.MonkeyPatch, document: str
) -> None:
    token = await house.registered(ADDRESS)
    if document == NEW_CODES:
        await with_factor(house, token)
    held = hold_proof(monkeypatch)
    asking = asyncio.create_task(house.ask(document, token, p=NEW_PASSWORD))
    await held.under_way(asking)
    await (recover if document == NEW_CODES else reset)(house, token)
    held.go.set()
    [error] = (await asking)["errors"]
    assert error["extensions"]["code"] == "INVALID_INPUT"


@pytest.mark.rule("A10")
@pytest.mark.parametrize("ends", [reset, change, recover])
async def test_a_sign_in_under_way_outlives_no_password(
    house: House, monkeypatch: pytest.MonkeyPatch, ends: End
) -> None:
    token = await house.registered(ADDRESS)
    if ends is recover:
        await with_factor(house, token)
    held, opened = Held(), Auth._open

    async def slow(self: Auth, *given: Any, **named: Any) -> Any:
        await held.wait()
        return await opened(self, *given, **named)

    monkeypatch.setattr(Auth, "_open", slow)
    asking = asyncio.create_task(house.ask(SIGN_IN, e=ADDRESS, p=NEW_PASSWORD))
    await held.under_way(asking)
    await ends(house, token)
    held.go.set()
    [error] = (await asking)["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.rule("P1")
async def test_whether_somebody_without_a_factor_is_of_another_practice_is_not_told(house: House) -> None:
    away = await house.deployment.practice("Hill View", tier=None)
    both = await house.deployment.person(house.practice, name="Both")
    bare = await house.deployment.person(house.practice, name="Bare")
    account = await account_of(both.email)
    await house.deployment.platform.people.create_member(
        away.id, account, first_name="Lee", last_name="Moss", role=Role.STAFF
    )
    told = []
    for person in (both, bare):
        [error] = (await house.ask(RECOVER, house.owner.token, m=person.id, p=PASSWORD))["errors"]
        told.append((error["message"], error["extensions"]["code"]))
    assert told == [("The account has no second factor.", "CONFLICT")] * 2
