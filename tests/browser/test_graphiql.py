"""GraphiQL out of our own build, in a real browser: no other host, no complaint, signed in, and live."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser.chromium import Visit, visit
from deployment import APPS, DEADLINE_SECONDS, PASSWORD, served
from playwright.async_api import expect
from plugins.chat.ward import SEND, START

from bedside_core.client import WEB
from bedside_core.testing import Database

LIVE = 'subscription Follow { messageAdded(conversationId: "%s") { body sender { name } } }'


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


async def write(seen: Visit, document: str, name: str) -> None:
    """Replace what the editor shows, and wait until GraphiQL has read the operation's name out of it."""
    await seen.page.locator(".graphiql-query-editor .CodeMirror").click()
    await seen.page.keyboard.press("Control+A")
    await seen.page.keyboard.insert_text(document)
    await expect(seen.page.get_by_role("tab", name=name)).to_be_visible()
    await seen.page.keyboard.press("Control+Enter")


@pytest.mark.needs("chromium")
@pytest.mark.promise("G3")
async def test_a_developer_signs_in_asks_and_follows_live(fresh_database: Database) -> None:
    assert (WEB / "graphiql.html").is_file(), "the client is not built: run `make install`"
    async with served(fresh_database) as deployment:
        practice = await deployment.practice("Northgate Clinic")
        ada, ben = await deployment.person(practice, name="Ada"), await deployment.person(practice, name="Ben")
        started = await deployment.data(START, ada.token, m=ben.id, c="s")
        conversation = started["startConversation"]["id"]
        async with visit(f"{deployment.url}/graphiql") as seen:
            page = seen.page
            await page.get_by_label("E-mail").fill(ada.email)
            await page.get_by_label("Password").fill("wrong")
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.get_by_role("alert")).to_contain_text("wrong")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.get_by_text(f"Signed in as {ada.email}")).to_be_visible()
            answer = page.locator(".result-window .CodeMirror-code")
            await write(seen, "query Who { practice { name } viewer { member { name } } }", "Who")
            await expect(answer).to_contain_text("Northgate Clinic")
            await expect(answer).to_contain_text(ada.member.name)
            await write(seen, LIVE % conversation, "Follow")
            live = deployment.platform.live
            async with asyncio.timeout(DEADLINE_SECONDS):
                while live.readers("conversation") == 0:
                    await page.wait_for_timeout(10)
            await deployment.data(SEND, ben.token, i=conversation, b="Room 2 is free", c="m-1")
            await expect(answer).to_contain_text("Room 2 is free")
            kept = await page.evaluate("() => localStorage.length + sessionStorage.length")
            if picture := os.environ.get("BEDSIDE_PICTURE"):
                await page.screenshot(path=Path(picture))
            assert kept == 0
            assert seen.hosts == {urlsplit(deployment.url).netloc}
            assert [text for text in seen.complaints if "401" not in text] == []
