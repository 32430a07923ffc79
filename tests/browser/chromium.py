"""The system's Chromium, driven by Playwright, with every request and complaint it made."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import Page, async_playwright

from rulebook import needs

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""Chromium as root, on a machine that reaches nothing."""


@dataclass
class Visit:
    """A page and what happened on it.

    Args:
        page: Playwright's page.
        hosts: hosts that were asked for anything.
        complaints: console errors and uncaught exceptions.
    """

    page: Page
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)


@asynccontextmanager
async def visit(address: str, locale: str = "en-US") -> AsyncGenerator[Visit, None]:
    """Open a page in a fresh Chromium."""
    program = needs("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        page = await browser.new_page(viewport={"width": 1280, "height": 800}, locale=locale)
        visit = Visit(page)
        page.on("request", lambda request: visit.hosts.add(urlsplit(request.url).netloc))
        page.on("websocket", lambda opened: visit.hosts.add(urlsplit(opened.url).netloc))
        page.on("console", lambda message: visit.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        await page.goto(address)
        yield visit
        await browser.close()
