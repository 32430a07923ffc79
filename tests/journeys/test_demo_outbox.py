"""The demo's outbox: everything that would be sent is on a page, with links to click."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from deployment import Deployment, served
from notify_stage import PUBLIC_URL, WARD, until

from bedside_core.auth import Role
from bedside_core.database import acting, unit
from bedside_core.notify import Fact, Recipient
from bedside_core.plugins import installed
from bedside_core.testing import Database


@pytest_asyncio.fixture
async def demo(fresh_database: Database) -> AsyncGenerator[Deployment]:
    sources = {**installed(), "ward": WARD}
    given = {"plugins": ("graphql", "ward"), "demo": True, "testing": False, "worker": True, "public_url": None}
    async with served(fresh_database, sources=sources, **given) as deployment:
        deployment.platform.notify.address = deployment.url
        yield deployment


@pytest.mark.rule("A7")
async def test_an_invitation_is_on_the_page_and_its_link_can_be_clicked(demo: Deployment) -> None:
    practice = await demo.practice(tier=None)
    person = await demo.person(practice, Role.OWNER)
    assert (await demo.http.get("/demo/outbox.json")).json() == []
    with acting(practice.id):
        async with unit() as work:
            await demo.platform.notify.send(
                work,
                "ward.invitation",
                to=Recipient.address(practice_id=practice.id, email="new@example.org"),
                data={Fact.LINK: "/join#abc-DEF_1"},
            )
    tried = 'mutation { tryNotifications(clientId: "1") }'
    await demo.data(tried, person.token)

    async def all_there() -> bool:
        return len((await demo.http.get("/demo/outbox.json")).json()) == 2

    await until(all_there, "both letters")
    letters = {letter["to"]: letter for letter in (await demo.http.get("/demo/outbox.json")).json()}
    first, second = letters["new@example.org"], letters[person.email]
    assert (first["channel"], first["practice"]) == ("email", "Bay View")
    assert first["links"] == [f"{demo.url}/join#abc-DEF_1"]
    assert second["subject"] == "A trial from Bay View"
    assert PUBLIC_URL not in first["text"]
    page = await demo.http.get("/demo/outbox")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; base-uri 'none'")
    assert sorted(re.findall(r'<a href="(http[^"]+)" rel="noreferrer">', page.text)) == [
        f"{demo.url}/", f"{demo.url}/join#abc-DEF_1",
    ]  # fmt: skip
    assert "<script" not in page.text
    assert len((await demo.http.get("/demo/outbox.json", params={"first": 1})).json()) == 1


async def test_what_people_write_brings_no_markup_onto_the_page(demo: Deployment) -> None:
    practice = await demo.practice('<b>Bay</b> & "View"', tier=None)
    with acting(practice.id):
        async with unit() as work:
            await demo.platform.notify.send(
                work, "ward.alarm", to=Recipient.address(practice_id=practice.id, email="a<b@example.org")
            )

    async def there() -> bool:
        return len((await demo.http.get("/demo/outbox.json")).json()) == 1

    await until(there, "the letter")
    text = (await demo.http.get("/demo/outbox")).text
    assert "<b>" not in text
    assert "a&lt;b@example.org" in text


async def test_only_names_of_this_machine_see_it(demo: Deployment) -> None:
    for path in ("/demo/outbox", "/demo/outbox.json"):
        assert (await demo.http.get(path, headers={"host": "rebound.example"})).status_code == 421


async def test_outside_of_the_demo_there_is_no_outbox(fresh_database: Database) -> None:
    async with served(fresh_database, plugins=("graphql",)) as deployment:
        for path in ("/demo/outbox", "/demo/outbox.json"):
            assert (await deployment.http.get(path)).status_code == 404
