"""The sign-in page in a real browser: what a sign-in takes, as whom, and the way back to where somebody came from."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import pytest_asyncio
from accounts_stage import BEGIN_TOTP, CONFIRM_TOTP, DEMAND, SECRET_KEY, SESSIONS, WIDE
from applications_stage import Client, registered
from browser.chromium import Visit, visit
from deployment import PASSWORD, Person
from onboarding_stage import SUPPORT, House, account_of
from onboarding_stage import house as house_
from playwright.async_api import Page, Route, expect
from pyotp.totp import TOTP

from bedside_core.auth import Role
from bedside_core.testing import Database

pytestmark = pytest.mark.needs("chromium")
CALLBACK = "https://app.example/callback"


@pytest_asyncio.fixture
async def house(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    async with house_(fresh_database, public_url=None, secret_key=SECRET_KEY) as running:
        await agreed(running, running.owner)
        yield running


async def agreed(house: House, person: Person) -> Person:
    """Have somebody accept the Terms of Use, as registration does."""
    await house.data("mutation { acceptTerms(version: 1) }", person.token)
    return person


def nothing_strange(seen: Visit, house: House) -> None:
    """No other host was asked, and nothing was complained of, such as a breach of the policy."""
    assert seen.hosts <= {urlsplit(house.deployment.url).netloc, "app.example"}
    assert seen.complaints == []


async def type_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Give user name and password."""
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def answered(page: Page) -> dict[str, list[str]]:
    """What the application was told at its address, which is nowhere on this machine."""
    await page.wait_for_url(f"{CALLBACK}?*")
    return parse_qs(urlsplit(page.url).query)


async def serve_callback(page: Page) -> None:
    async def callback(route: Route) -> None:
        await route.fulfill(body="<p>The application.</p>", content_type="text/html")

    await page.route(f"{CALLBACK}*", callback)


@pytest.mark.rule("A2")
@pytest.mark.rule("A4")
@pytest.mark.rule("G1")
@pytest.mark.promise("G3")
async def test_an_application_s_request_leads_to_the_sign_in_and_back(house: House) -> None:
    client = Client(house.deployment, await registered(house.deployment, house.owner.token))
    asked = "&".join(f"{name}={quote(value)}" for name, value in client.asked().items())
    async with visit(f"{house.deployment.url}/sign-in") as seen:
        page = seen.page
        await serve_callback(page)
        await expect(page.get_by_role("heading")).to_have_text("Sign in")
        await expect(page.get_by_text(f"If you can't sign in, ask {SUPPORT}.")).to_be_visible()
        await page.goto(f"{house.deployment.url}/oauth/authorize?{asked}")
        assert urlsplit(page.url).path == "/sign-in"
        await type_in(page, house.owner.email, "wrong")
        await expect(page.get_by_role("alert").first).to_have_text("The e-mail address or the password is wrong.")
        await type_in(page, house.owner.email)
        await expect(page.get_by_role("heading")).to_have_text("Front Desk asks to act for you")
        await page.get_by_role("button", name="Allow").click()
        told = await answered(page)
        assert (told["state"], told["iss"]) == (["s p&c"], [house.deployment.url])
        tokens = await client.exchange(told["code"][0])
        assert tokens.status_code == 200
        # Scripts can read neither the session nor the device; who is signed in is told, and can leave.
        await page.goto(f"{house.deployment.url}/sign-in")
        await expect(page.get_by_role("heading")).to_have_text("You are signed in")
        await expect(page.get_by_text("of Bay View.")).to_be_visible()
        assert await page.evaluate("() => localStorage.length + sessionStorage.length + document.cookie.length") == 0
        kept = {cookie.get("name"): cookie for cookie in await page.context.cookies()}
        assert set(kept) == {"__Host-bedside", "__Host-bedside-device"}
        assert all(cookie.get("httpOnly") and cookie.get("secure") for cookie in kept.values())
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading")).to_have_text("Sign in")
        nothing_strange(seen, house)


@pytest.mark.rule("A9")
@pytest.mark.rule("A15")
async def test_a_code_is_asked_for_and_whoever_acts_for_several_chooses(house: House) -> None:
    ada = await agreed(house, await house.deployment.person(house.practice, name="Ada"))
    hill = await house.deployment.practice("Hill View", tier=None)
    await house.deployment.platform.people.create_member(
        hill.id, await account_of(ada.email), first_name="Ada", last_name="Hill", role=Role.STAFF
    )
    secret = (await house.data(BEGIN_TOTP, ada.token, p=PASSWORD))["beginTotp"]["secret"]
    clock = house.deployment.platform.clock
    code = TOTP(secret).at(clock.now())
    recovery = (await house.data(CONFIRM_TOTP, ada.token, c=code))["confirmTotp"]["recoveryCodes"][0]
    async with visit(f"{house.deployment.url}/sign-in?return=%2Fterms", "es-US") as seen:
        page = seen.page
        await page.get_by_label("Correo").fill(ada.email)
        await page.get_by_label("Contraseña").fill(PASSWORD)
        await page.get_by_role("button", name="Iniciar sesión", exact=True).click()
        await expect(page.get_by_role("heading")).to_have_text("Segundo factor")
        await page.reload()  # what is lacking is asked for again
        for given in ("000000", recovery):
            await page.get_by_label("Código de su segundo factor").fill(given)
            await page.get_by_role("button", name="Continuar").click()
            if given != recovery:
                await expect(page.get_by_role("alert").first).to_have_text("No es correcto.")
        await expect(page.get_by_role("heading")).to_have_text("¿Por quién actúa?")
        assert urlsplit(page.url).path == "/sign-in"
        await page.get_by_role("button", name="Ada Hill, Hill View").click()
        await page.wait_for_url("**/terms")
        await page.goto(f"{house.deployment.url}/sign-in")
        await expect(page.get_by_text("Actúa como Ada Hill de Hill View.")).to_be_visible()
        nothing_strange(seen, house)


@pytest.mark.rule("A3")
@pytest.mark.rule("A9")
async def test_a_factor_that_is_demanded_is_set_up_and_new_terms_are_accepted(house: House) -> None:
    ada = await house.deployment.person(house.practice, name="Ada")
    publish = """mutation { publishTerms(english: "Be kind to each other, always.", spanish: "Sean amables siempre.",
        clientId: "t") { version } }"""
    await house.data(publish, await house.deployment.operator())
    await house.data(DEMAND, house.owner.token, on=True)
    async with visit(f"{house.deployment.url}/sign-in?return=%2Fhealth%2Flive") as seen:
        page = seen.page
        await type_in(page, ada.email)
        await expect(page.get_by_role("heading")).to_have_text("Set up a second factor")
        secret = await page.locator("#key").inner_text()
        await page.get_by_label("Code that the application shows").fill("000000")
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("alert").first).to_have_text("This is not right.")
        code = TOTP(secret).at(house.deployment.platform.clock.now())
        await page.get_by_label("Code that the application shows").fill(code)
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("heading")).to_have_text("Keep these recovery codes")
        assert len((await page.locator("#codes").inner_text()).split()) == 10
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("heading")).to_have_text("Terms of Use")
        await expect(page.get_by_text("Be kind to each other, always.")).to_be_visible()
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_label("I accept the Terms of Use (version 2).")).to_be_focused()
        assert urlsplit(page.url).path == "/sign-in"
        await page.get_by_label("I accept the Terms of Use (version 2).").check()
        await page.get_by_role("button", name="Continue").click()
        await page.wait_for_url("**/health/live")
        nothing_strange(seen, house)
    [accepted] = await house.rows("SELECT version FROM terms_acceptance WHERE version = 2")
    assert accepted["version"] == 2


@pytest.mark.rule("A4")
@pytest.mark.rule("A7")
@pytest.mark.parametrize(
    "elsewhere", ["//evil.example/", "https://evil.example/", "/%5Cevil.example", "/%09/evil.example"]
)
async def test_nobody_is_led_elsewhere_and_a_forgotten_password_is_one_click_away(house: House, elsewhere: str) -> None:
    async with visit(f"{house.deployment.url}/sign-in?return={elsewhere}") as seen:
        page = seen.page
        assert "Sign in" not in await page.content()  # refused by the server
        await page.goto(f"{house.deployment.url}/sign-in")
        await page.get_by_role("link", name="Reset Password").click()
        await expect(page.get_by_role("heading")).to_have_text("Reset Password")
        # And by the page, should anything have put it there.
        await page.goto(f"{house.deployment.url}/sign-in")
        await expect(page.get_by_role("heading")).to_have_text("Sign in")
        await page.evaluate("to => history.replaceState(null, '', `/sign-in?return=${to}`)", elsewhere)
        await page.evaluate("() => import(`/account/sign-in.js?again`)")
        sessions = len((await house.data(SESSIONS, house.owner.token))["sessions"])
        assert sessions == 1  # opening it has changed nothing
        await type_in(page, house.owner.email)
        await expect(page.get_by_role("heading")).to_have_text("You are signed in")
        assert urlsplit(page.url).netloc == urlsplit(house.deployment.url).netloc
        assert seen.hosts == {urlsplit(house.deployment.url).netloc}


@pytest.mark.rule("A9")
async def test_a_passkey_signs_in(house: House) -> None:
    url = house.deployment.url.replace("127.0.0.1", "localhost")
    house.deployment.platform.auth.passkeys._url = urlsplit(url)  # where browsers reach it: the port is known by now
    ada = await agreed(house, await house.deployment.person(house.practice, name="Ada"))
    async with visit(f"{url}/sign-in") as seen:
        page = seen.page
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
                   "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
        await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        await page.get_by_role("button", name="Sign in with a passkey").click()
        await expect(page.get_by_text("No passkey was used.")).to_be_visible()
        await type_in(page, ada.email)
        await expect(page.get_by_role("heading")).to_have_text("You are signed in")
        await page.evaluate(
            """async password => {
                const ask = async (query, variables) => (await (await fetch("/graphql", {
                    method: "POST", headers: {"content-type": "application/json"},
                    body: JSON.stringify({query, variables}) })).json()).data;
                const {id, options} = (await ask(
                    "mutation($p: String!) { beginPasskey(password: $p) { id options } }", {p: password})).beginPasskey;
                const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(options));
                const made = JSON.stringify((await navigator.credentials.create({publicKey})).toJSON());
                await ask(`mutation($i: ID!, $c: String!) {
                    addPasskey(challengeId: $i, credential: $c, name: "Mine") { recoveryCodes } }`, {i: id, c: made});
            }""",
            PASSWORD,
        )
        await page.get_by_role("button", name="Sign out").click()
        await type_in(page, ada.email)
        await expect(page.get_by_role("heading")).to_have_text("Second factor")
        await page.get_by_role("button", name="Use a passkey").click()
        await expect(page.get_by_role("heading")).to_have_text("You are signed in")
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("button", name="Sign in with a passkey").click()
        await expect(page.get_by_role("heading")).to_have_text("You are signed in")
        await expect(page.get_by_text("You act as Ada")).to_be_visible()
