"""Following an invitation to the portal in a real browser: date of birth, password, Terms; then signing in."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from browser.chromium import visit
from deployment import APPS
from playwright.async_api import expect
from plugins.portal.desk import OWN, PASSWORD, opened

from bedside_core.testing import Database


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest.mark.needs("chromium")
@pytest.mark.rule("S9")
@pytest.mark.rule("A7")
@pytest.mark.promise("G3")
async def test_a_patient_follows_an_invitation_in_a_browser(fresh_database: Database) -> None:
    async with opened(fresh_database, public_url=None) as desk:
        _, secret = await desk.invited()
        async with visit(f"{desk.deployment.url}/portal/register#{secret}") as seen:
            page = seen.page
            await expect(page.get_by_text(f"{desk.practice.name} invites you")).to_be_visible()
            await page.get_by_label("Date of birth").fill("1980-02-04")
            await page.get_by_role("button", name="Continue").click()
            await expect(page.get_by_role("alert")).to_contain_text("4 attempts are left")
            await page.get_by_label("Date of birth").fill("1980-02-03")
            await page.get_by_role("button", name="Continue").click()
            await expect(page.get_by_label("E-mail address", exact=True)).to_have_value(str(desk.patient.email))
            await expect(page.get_by_role("alert")).to_be_hidden()
            await page.get_by_label("Choose a password").fill("too short")
            for number, answer in enumerate(("Ashford", "Hale", "Momo"), start=1):
                await page.get_by_label(f"Answer {number}").fill(answer)
            await page.get_by_label("I have read the Terms of Use").check()
            await page.get_by_role("button", name="Register").click()
            await expect(page.get_by_role("alert")).to_contain_text("shorter than 15")
            await page.get_by_label("Choose a password").fill(PASSWORD)
            await page.get_by_role("button", name="Register").click()
            await expect(page.get_by_text(f"can sign in as {desk.patient.email}")).to_be_visible()
            assert await page.evaluate("() => localStorage.length + sessionStorage.length") == 0
            assert seen.hosts == {urlsplit(desk.deployment.url).netloc}
            assert seen.complaints == []
        token = await desk.deployment.sign_in(str(desk.patient.email), PASSWORD)
        assert (await desk.deployment.data(OWN, token))["ownRecord"]["id"] == str(desk.patient.id)
        async with visit(f"{desk.deployment.url}/portal/register#{secret}") as seen:
            await expect(seen.page.get_by_role("alert")).to_contain_text("used already")
            await expect(seen.page.get_by_role("button")).to_have_count(0)


@pytest.mark.needs("chromium")
@pytest.mark.rule("S11")
@pytest.mark.rule("A15")
async def test_a_guardian_with_an_account_gives_its_password_alone(fresh_database: Database) -> None:
    async with opened(fresh_database, public_url=None) as desk:
        held = await desk.deployment.held(desk.practice)
        _, secret = await desk.guarded(desk.patient, held.email)
        async with visit(f"{desk.deployment.url}/portal/register#{secret}") as seen:
            page = seen.page
            await expect(page.get_by_text("act for somebody")).to_be_visible()
            await page.get_by_label("Date of birth").fill("1980-02-03")
            await page.get_by_role("button", name="Continue").click()
            await expect(page.get_by_text("Security questions")).to_be_hidden()
            await page.get_by_label("The password of your account").fill("a tall glass of water")
            await page.get_by_role("button", name="Register").click()
            await expect(page.get_by_text(f"can sign in as {held.email}")).to_be_visible()
            assert seen.complaints == []
        assert (await desk.account())["state"] == "ACTIVE"


@pytest.mark.needs("chromium")
@pytest.mark.rule("S9")
@pytest.mark.rule("A6")
async def test_who_was_invited_by_sms_follows_a_link_to_the_address_they_choose(fresh_database: Database) -> None:
    async with opened(fresh_database, public_url=None) as desk:
        _, secret = await desk.invited(channel="SMS")
        async with visit(f"{desk.deployment.url}/portal/register#{secret}") as seen:
            page = seen.page
            await page.get_by_label("Date of birth").fill("1980-02-03")
            await page.get_by_role("button", name="Continue").click()
            await page.get_by_label("Your e-mail address").fill("pat@home.example")
            await page.get_by_role("button", name="Send the link").click()
            await expect(page.get_by_text("Look into your mail")).to_be_visible()
            await expect(page.get_by_role("button", name="Register")).to_be_hidden()
            assert seen.complaints == []
        mailed = await desk.secret("pat@home.example")
        async with visit(f"{desk.deployment.url}/portal/register#{mailed}") as seen:
            page = seen.page
            await page.get_by_label("Date of birth").fill("1980-02-03")
            await page.get_by_role("button", name="Continue").click()
            await expect(page.get_by_label("E-mail address", exact=True)).to_have_value("pat@home.example")
            await page.get_by_label("Choose a password").fill(PASSWORD)
            for number, answer in enumerate(("Ashford", "Hale", "Momo"), start=1):
                await page.get_by_label(f"Answer {number}").fill(answer)
            await page.get_by_label("I have read the Terms of Use").check()
            await page.get_by_role("button", name="Register").click()
            await expect(page.get_by_text("can sign in as pat@home.example")).to_be_visible()
            assert seen.complaints == []
        assert (await desk.account())["state"] == "ACTIVE"
