"""The owner's known device gets in at a deployment's default budgets, and stays one device in a browser."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from accounts_stage import (
    ADD_PASSKEY,
    BEGIN_PASSKEY,
    BEGIN_TOTP,
    CHANGE,
    CONFIRM_TOTP,
    OTHER_PASSWORD,
    SECRET_KEY,
    SIGN_IN,
    URL,
    VERIFY,
    WIDE,
    Authenticator,
    cheap_hashes,
    rows,
)
from deployment import APPS, PASSWORD, Deployment, served
from onboarding_stage import ASK, code_of
from pyotp.totp import TOTP

from bedside_core.auth import COOKIE, DEVICE_COOKIE
from bedside_core.origins import CSRF_HEADER
from bedside_core.testing import Database

AWAY, HOME = "203.0.113.7", "198.51.100.9"
IN_BROWSER = """mutation($e: String!, $p: String!) { signIn(email: $e, password: $p, cookie: true) {
    token deviceToken viewer { pending } } }"""


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def deployment(fresh_database: Database) -> AsyncGenerator[Deployment, None]:
    with cheap_hashes():
        async with served(fresh_database, secret_key=SECRET_KEY, public_url=URL) as running:
            running.http.headers["host"] = "localhost"
            yield running


async def from_(
    deployment: Deployment, address: str, query: str, token: str | None = None, **variables: Any
) -> dict[str, Any]:
    """Ask from a network address, as the proxy on this machine tells it."""
    headers = {"x-forwarded-for": address} | ({"authorization": f"Bearer {token}"} if token else {})
    answer = await deployment.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    return answer.json()


def outcome(body: dict[str, Any]) -> str:
    return code_of(body) if "errors" in body else "in"


@pytest.mark.rule("A5")
@pytest.mark.promise("A5")
async def test_nobody_uses_up_what_the_owner_s_known_device_may_try(deployment: Deployment) -> None:
    ada = await deployment.person(await deployment.practice())
    phone = (await deployment.data(SIGN_IN, e=ada.email, p=PASSWORD))["signIn"]["deviceToken"]
    # Strangers of many addresses use up what one user name may try in a minute, and ask for mails besides.
    for number in range(90):
        if outcome(await from_(deployment, f"203.0.113.{number}", SIGN_IN, e=ada.email, p="no")) == "RATE_LIMITED":
            break
    else:
        raise AssertionError("90 within a minute, or two")
    assert outcome(await from_(deployment, AWAY, SIGN_IN, e=ada.email, p="no", d="nobody's")) == "RATE_LIMITED"
    assert outcome(await from_(deployment, HOME, SIGN_IN, e=ada.email, p=PASSWORD)) == "RATE_LIMITED"
    body = await from_(deployment, HOME, SIGN_IN, e=f" {ada.email.upper()}", p=PASSWORD, d=phone)
    assert body["data"]["signIn"]["viewer"]["member"] == {"id": ada.id}
    assert outcome(await from_(deployment, HOME, ASK, e=ada.email)) == "in"
    # The device has a budget too, and nobody else's.
    phone = body["data"]["signIn"]["deviceToken"]
    ended = [
        outcome(await from_(deployment, f"198.51.100.{n}", SIGN_IN, e=ada.email, p="no", d=phone)) for n in range(90)
    ]
    assert ended[5] == "SIGN_IN_LOCKED"
    assert "RATE_LIMITED" in ended


@pytest.mark.rule("A5")
@pytest.mark.rule("A9")
async def test_who_has_the_password_does_not_use_up_the_owner_s_codes(deployment: Deployment) -> None:
    ada = await deployment.person(await deployment.practice())
    secret = (await deployment.data(BEGIN_TOTP, ada.token, p=PASSWORD))["beginTotp"]["secret"]
    clock = deployment.platform.clock
    made = (await deployment.data(CONFIRM_TOTP, ada.token, c=TOTP(secret).at(clock.now())))["confirmTotp"]
    thief = (await deployment.data(SIGN_IN, e=ada.email, p=PASSWORD))["signIn"]["token"]
    own = (await deployment.data(SIGN_IN, e=ada.email, p=PASSWORD, d=made["deviceToken"]))["signIn"]["token"]
    for number in range(90):
        if outcome(await from_(deployment, f"203.0.113.{number}", VERIFY, thief, c="000000")) == "RATE_LIMITED":
            break
    else:
        raise AssertionError("90 within a minute, or two")
    code = made["recoveryCodes"][0]
    assert outcome(await from_(deployment, HOME, VERIFY, thief, c=code)) == "RATE_LIMITED"
    assert outcome(await from_(deployment, HOME, VERIFY, own, c=code, d=made["deviceToken"])) == "in"


@pytest.mark.rule("A4")
@pytest.mark.rule("A5")
async def test_asking_for_a_new_password_takes_nothing_from_signing_in(deployment: Deployment) -> None:
    ada = await deployment.person(await deployment.practice())
    for number in range(90):
        if outcome(await from_(deployment, f"203.0.113.{number}", ASK, e=ada.email)) == "RATE_LIMITED":
            break
    else:
        raise AssertionError("90 within a minute, or two")
    assert outcome(await from_(deployment, HOME, SIGN_IN, e=ada.email, p=PASSWORD)) == "in"


class Browser:
    """A browser of our own origin, with what cookies it was given."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.jar: dict[str, str] = {}

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = await self.deployment.http.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={CSRF_HEADER: "1", "cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items())},
        )
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            self.jar[name] = rest.partition(";")[0]
        return answer.json()

    async def data(self, query: str, **variables: Any) -> Any:
        body = await self.ask(query, **variables)
        assert "errors" not in body, body["errors"]
        [value] = body["data"].values()
        return value


@pytest.mark.rule("A5")
@pytest.mark.rule("A9")
@pytest.mark.parametrize("kind", ["application", "passkey"])
async def test_a_browser_that_adds_a_factor_stays_the_known_device_that_it_was(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    with cheap_hashes():
        async with served(fresh_database, secret_key=SECRET_KEY, public_url=URL) as deployment:
            deployment.http.headers["host"] = "localhost"
            ada = await deployment.person(await deployment.practice())
            browser = Browser(deployment)
            await browser.ask(IN_BROWSER, e=ada.email, p=PASSWORD)
            assert set(browser.jar) == {COOKIE, DEVICE_COOKIE}
            before = browser.jar[DEVICE_COOKIE]
            if kind == "application":
                secret = (await browser.data(BEGIN_TOTP, p=PASSWORD))["secret"]
                added = await browser.data(CONFIRM_TOTP, c=TOTP(secret).at(deployment.platform.clock.now()))
            else:
                asked = await browser.data(BEGIN_PASSKEY, p=PASSWORD)
                add = ADD_PASSKEY.replace("recoveryCodes", "recoveryCodes deviceToken")
                answer = Authenticator().create(asked["options"])
                added = await browser.data(add, i=asked["id"], c=answer, n="My phone")
            assert (len(added["recoveryCodes"]), added["deviceToken"]) == (10, None)  # the page gets no token
            assert browser.jar[DEVICE_COOKIE] != before
            assert len(await rows(fresh_database, "SELECT 1 FROM device")) == 1
            await browser.data(CHANGE, c=PASSWORD, n=OTHER_PASSWORD)
            for _ in range(7):
                await deployment.ask(SIGN_IN, e=ada.email, p="no")
            assert outcome(await deployment.ask(SIGN_IN, e=ada.email, p=OTHER_PASSWORD)) == "SIGN_IN_LOCKED"
            assert (await browser.data(IN_BROWSER, e=ada.email, p=OTHER_PASSWORD))["viewer"]["pending"] == "FACTOR"
