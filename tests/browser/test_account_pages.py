"""The pages that links in mails lead to, in a real browser: nothing from elsewhere, no complaint, in two languages."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from accounts_stage import WIDE
from browser.chromium import Visit, visit
from deployment import PASSWORD
from onboarding_stage import NEW_PASSWORD, RESEND, SUPPORT, House, link_in
from onboarding_stage import house as house_
from playwright.async_api import expect

from bedside_core.testing import Database

pytestmark = pytest.mark.needs("chromium")
NEWER = "eleven copper kettles in the rain"


@pytest_asyncio.fixture
async def house(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    async with house_(fresh_database, public_url=None) as running:
        running.deployment.platform.notify.address = running.deployment.url
        yield running


def nothing_strange(seen: Visit, house: House) -> None:
    """No other host was asked, and nothing was complained of, such as a breach of the policy."""
    assert seen.hosts == {urlsplit(house.deployment.url).netloc}
    assert seen.complaints == []


async def fill_registration(seen: Visit, password: str) -> None:
    await seen.page.get_by_label("New password").fill(password)
    for number in (1, 2, 3):
        await seen.page.get_by_label(f"Answer {number}").fill(f"Answer number {number} of mine")


@pytest.mark.rule("A1")
@pytest.mark.rule("A3")
@pytest.mark.rule("A7")
@pytest.mark.promise("G3")
async def test_an_invited_person_reads_the_terms_registers_and_signs_in(house: House) -> None:
    await house.invite("nia@example.org")
    link = link_in(await house.mailed("nia@example.org"))
    async with visit(link) as seen:
        page = seen.page
        await expect(page.get_by_role("heading")).to_have_text("Welcome to Bay View")
        await expect(page.get_by_text(f"{house.owner.member.name} invites you to Bay View.")).to_be_visible()
        async with page.context.expect_page() as opened:
            await page.get_by_role("link", name="Read the Terms of Use").click()
        terms = await opened.value
        await expect(terms.get_by_role("heading")).to_have_text("Terms of Use")
        await expect(terms.get_by_text("Do not use this service for emergencies.")).to_be_visible()
        await terms.close()
        await fill_registration(seen, "short")
        await page.get_by_role("button", name="Register").click()
        await expect(page.get_by_label("I accept the Terms of Use")).to_be_focused()  # the browser insists on it
        await page.get_by_label("I accept the Terms of Use").check()
        await page.get_by_role("button", name="Register").click()
        await expect(page.get_by_role("alert")).to_contain_text("shorter than 15 characters")
        assert await house.rows("SELECT 1 FROM account WHERE email = 'nia@example.org'") == []
        await page.get_by_label("New password").fill(NEW_PASSWORD)
        await page.get_by_role("button", name="Register").click()
        await expect(page.get_by_role("heading")).to_have_text("You are registered")
        assert "#" not in page.url
        kept = await page.evaluate("() => localStorage.length + sessionStorage.length + document.cookie.length")
        assert kept == 0
        nothing_strange(seen, house)
        assert await house.deployment.sign_in("nia@example.org", NEW_PASSWORD)
        await page.goto(link)
        await expect(page.get_by_role("heading")).to_have_text("This link leads nowhere")
        await expect(page.get_by_text("was used already")).to_be_visible()


@pytest.mark.rule("A2")
async def test_a_link_that_expired_names_the_operator_s_contact_and_the_new_one_works_in_spanish(house: House) -> None:
    made = await house.invite("nia@example.org", language="SPANISH")
    old = link_in(await house.mailed("nia@example.org"))
    await house.data(RESEND, house.owner.token, i=made["id"])
    new = link_in(await house.mailed("nia@example.org", 2))
    async with visit(old, "es-US") as seen:
        await expect(seen.page.get_by_text(f"También puede preguntar a {SUPPORT}.")).to_be_visible()
        await seen.page.goto(new)
        await expect(seen.page.get_by_role("heading")).to_have_text("Bienvenido a Bay View")
        await expect(seen.page.get_by_label("Pregunta de seguridad 1")).to_contain_text("¿Cómo se llamaba la calle")
        nothing_strange(seen, house)
        await house.pass_time(days=21)
        await seen.page.reload()
        await expect(seen.page.get_by_text("Este enlace ha caducado.")).to_contain_text(SUPPORT)


@pytest.mark.rule("A15")
async def test_who_has_an_account_signs_in_on_the_page_and_joins(house: House) -> None:
    ben = await house.deployment.person(await house.deployment.practice("Hill View", tier=None), name="Ben")
    await house.invite(ben.email)
    async with visit(link_in(await house.mailed(ben.email))) as seen:
        page = seen.page
        await expect(page.get_by_label("E-mail")).to_have_value(ben.email)
        await page.get_by_label("Password").fill("wrong")
        await page.get_by_role("button", name="Join Bay View").click()
        await expect(page.get_by_role("alert")).to_contain_text("the password is wrong")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Join Bay View").click()
        await expect(page.get_by_role("heading")).to_have_text("You have joined Bay View")
        nothing_strange(seen, house)
    personas = await house.data("{ viewer { personas { practice } } }", ben.token)
    assert {each["practice"] for each in personas["viewer"]["personas"]} == {"Bay View", "Hill View"}


@pytest.mark.rule("A2")
@pytest.mark.rule("A4")
@pytest.mark.promise("G3")
async def test_who_forgot_the_password_asks_for_a_link_and_answers_the_question(house: House) -> None:
    await house.registered("ada@example.org")
    async with visit(f"{house.deployment.url}/reset") as seen:
        page = seen.page
        await expect(page.get_by_role("heading")).to_have_text("Reset Password")
        await expect(page.get_by_text(f"If you can't sign in, ask {SUPPORT}.")).to_be_visible()
        await page.get_by_label("E-mail").fill("ada@example.org")
        await page.get_by_role("button", name="Send the link").click()
        await expect(page.get_by_text("If ada@example.org has an account")).to_be_visible()
        link = link_in(await house.mailed("ada@example.org", 2), "reset")
        await page.goto(link)
        answers = page.locator("#answer")
        await answers.fill("wrong")
        await page.get_by_label("New password").fill(NEWER)
        await page.get_by_role("button", name="Change the password").click()
        await expect(page.get_by_role("alert")).to_have_text("This is not right.")
        asked = await page.locator("label[for=answer]").inner_text()
        key = next(each["key"] for each in (await house.data("{ securityQuestions { key text } }"))["securityQuestions"]
                   if each["text"] == asked)  # fmt: skip
        await answers.fill(f"the {key} of mine")
        await page.get_by_role("button", name="Change the password").click()
        await expect(page.get_by_role("heading")).to_have_text("Your password was changed")
        nothing_strange(seen, house)
    assert await house.deployment.sign_in("ada@example.org", NEWER)


@pytest.mark.rule("A7")
@pytest.mark.rule("A8")
async def test_a_new_address_is_confirmed_by_the_button_and_not_by_opening_the_page(house: House) -> None:
    token = await house.registered("ada@example.org")
    change = "mutation($p: String!, $e: String!) { changeEmail(password: $p, email: $e) }"
    await house.data(change, token, p=NEW_PASSWORD, e="newer@example.org")
    link = link_in(await house.mailed("newer@example.org"), "confirm-email")
    async with visit(link) as seen:
        await expect(seen.page.get_by_role("heading")).to_have_text("Confirm your address")
        assert await house.deployment.sign_in("ada@example.org", NEW_PASSWORD)
        await seen.page.get_by_role("button", name="Confirm").click()
        await expect(seen.page.get_by_role("heading")).to_have_text("Your address is confirmed")
        nothing_strange(seen, house)
    assert await house.deployment.sign_in("newer@example.org", NEW_PASSWORD)


@pytest.mark.promise("G3")
async def test_the_pages_are_under_the_strict_policy_and_load_only_what_is_theirs(house: House) -> None:
    for name in ("sign-in", "register", "reset", "confirm-email", "terms"):
        answer = await house.deployment.http.get(f"/{name}")
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in policy
        assert (answer.headers["referrer-policy"], answer.headers["x-content-type-options"]) == (
            "no-referrer", "nosniff",
        )  # fmt: skip
        assert "<style" not in answer.text
        assert "<script>" not in answer.text
    for strange in ("nothing.js", "register.html", "..%2froutes.py", "%2e%2e%2froutes.py"):
        assert (await house.deployment.http.get(f"/account/{strange}")).status_code == 404
