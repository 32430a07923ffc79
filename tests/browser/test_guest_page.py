"""The page to which a guest's link leads, in a real browser: read, write, send a photo, follow live, leave (C6)."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser.chromium import visit
from deployment import APPS
from files_stage import photo
from playwright.async_api import expect
from plugins.chat.lobby import READ, REVOKE_LINK, SEND, client_id, opened

from bedside_core.testing import Database


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest.mark.needs("chromium")
@pytest.mark.rule("C6")
@pytest.mark.rule("A7")
@pytest.mark.promise("G3")
async def test_a_contact_writes_sends_a_photo_and_leaves_in_a_browser(fresh_database: Database, tmp_path: Path) -> None:
    async with opened(fresh_database, tmp_path, public_url=None) as lobby:
        conversation, _, secret = await lobby.external()
        await lobby.data(SEND, i=conversation, b="<b>How is it?</b>", c=client_id())
        async with visit(f"{lobby.deployment.url}/chat/guest#{secret}") as seen:
            page = seen.page
            await page.set_viewport_size({"width": 360, "height": 640})
            await expect(page.get_by_text("<b>How is it?</b>")).to_be_visible()
            await expect(page.get_by_text(f"With {lobby.ada.member.name}")).to_be_visible()
            await expect(page.get_by_text(lobby.practice.name)).to_be_visible()
            await page.get_by_label("Message").fill("Better")
            await page.get_by_role("button", name="Send").click()
            await expect(page.get_by_role("listitem").filter(has_text="Better")).to_be_visible()
            await expect(page.get_by_label("Message")).to_have_value("")
            files = [{"name": "wound.jpg", "mimeType": "image/jpeg", "buffer": photo()}]
            await page.get_by_label("Photos or documents").set_input_files(files)  # type: ignore[arg-type]
            await page.get_by_role("button", name="Send").click()
            await expect(page.locator("#messages img")).to_be_visible()
            await lobby.data(SEND, i=conversation, b="**Live**", c=client_id())
            await expect(page.locator("strong", has_text="Live")).to_be_in_viewport()
            await page.get_by_role("button", name="Español").click()
            await expect(page.get_by_role("button", name="Enviar")).to_be_visible()
            assert await page.evaluate("() => document.documentElement.scrollWidth") <= 360
            assert await page.evaluate("() => localStorage.length + sessionStorage.length") == 0
            await page.get_by_role("button", name="Salir de la conversación").click()
            await page.get_by_role("button", name="Salir", exact=True).click()
            await expect(page.get_by_text("Ha salido de la conversación.")).to_be_visible()
            await expect(page.get_by_role("listitem")).to_have_count(0)
            assert seen.hosts - {""} == {
                urlsplit(lobby.deployment.url).netloc
            }  # photos are shown out of memory, from no host
            assert seen.complaints == []
        nodes = (await lobby.data(READ, i=conversation))["messages"]["nodes"]
        assert [node["body"] for node in nodes] == ["<b>How is it?</b>", "Better", "", "**Live**"]
        assert [each["name"] for each in nodes[2]["attachments"]] == ["wound.jpg"]


@pytest.mark.needs("chromium")
@pytest.mark.rule("C2")
@pytest.mark.rule("C6")
async def test_a_patient_gives_the_date_of_birth_first_and_is_told_when_the_link_is_over(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with opened(fresh_database, tmp_path, public_url=None) as lobby:
        conversation, patient, secret = await lobby.patient()
        await lobby.data(SEND, i=conversation, b="How is it?", c=client_id())
        async with visit(f"{lobby.deployment.url}/chat/guest#{secret}") as seen:
            page = seen.page
            await page.get_by_label("When were you born?").fill("1980-02-04")
            await page.get_by_role("button", name="Continue").click()
            await expect(page.get_by_role("alert")).to_contain_text("Attempts left: 4")
            await page.get_by_label("When were you born?").fill("1980-02-03")
            await page.get_by_role("button", name="Continue").click()
            await expect(page.get_by_text("How is it?")).to_be_visible()
            await lobby.data(REVOKE_LINK, i=conversation, p=patient)
            await expect(page.get_by_role("alert")).to_contain_text("Your access has ended", timeout=30_000)
            await expect(page.get_by_text("How is it?")).to_be_hidden()
        async with visit(f"{lobby.deployment.url}/chat/guest#{secret}") as seen:
            await expect(seen.page.get_by_role("alert")).to_contain_text("leads nowhere any more")
