"""A link in a mail can be looked at for ever and used once, by one of many, until it expires or a newer one is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from accounts_stage import rows
from core_stage import assembled_with

from bedside_core.accounts import Link, LinkOver
from bedside_core.auth import NOBODY
from bedside_core.database import DB, acting, unit
from bedside_core.platform import Platform
from bedside_core.testing import Database, statements

LASTS = timedelta(days=21)


@pytest_asyncio.fixture
async def platform(fresh_database: Database) -> AsyncGenerator[Platform, None]:
    async with assembled_with(fresh_database, support_contact="help@clinic.example") as running:
        yield running


async def issue(platform: Platform, purpose: str = "core.try", subject: object = None) -> str:
    with acting(NOBODY):
        async with unit() as work:
            return await platform.links.issue(work, purpose, subject or uuid4(), lasts=LASTS)  # pyright: ignore[reportArgumentType]


async def consume(platform: Platform, secret: str, purpose: str = "core.try") -> Link:
    with acting(NOBODY):
        async with unit() as work:
            return await platform.links.consume(work, purpose, secret)


async def state(platform: Platform, secret: str, purpose: str = "core.try") -> str:
    try:
        return (await platform.links.look(purpose, secret)).state
    except LinkOver as over:
        assert over.detail["support"] == "help@clinic.example"
        assert "help@clinic.example" in str(over.way_on)
        return over.detail["state"]


@pytest.mark.promise("A6")
async def test_a_secret_has_256_bits_and_is_stored_as_its_hash(platform: Platform, fresh_database: Database) -> None:
    secrets = {await issue(platform) for _ in range(50)}
    assert len(secrets) == 50
    assert {len(secret) for secret in secrets} == {43}
    stored = await rows(fresh_database, "SELECT link::text AS whole FROM link")
    assert not [row for row in stored for secret in secrets if secret in row["whole"]]
    with pytest.raises(Exception, match="permission denied"):
        await DB.fetch("SELECT * FROM link")


@pytest.mark.rule("A7")
async def test_looking_changes_nothing_and_one_of_many_that_come_at_once_uses_the_link(platform: Platform) -> None:
    subject = uuid4()
    secret = await issue(platform, subject=subject)
    for _ in range(5):
        with statements() as ran:
            assert (await platform.links.look("core.try", secret)).subject == subject
        assert len(ran) == 1
    done = await asyncio.gather(*(consume(platform, secret) for _ in range(12)), return_exceptions=True)
    assert [link.subject for link in done if isinstance(link, Link)] == [subject]
    assert [over.detail["state"] for over in done if isinstance(over, LinkOver)] == ["consumed"] * 11
    assert await state(platform, secret) == "consumed"


@pytest.mark.rule("A7")
async def test_a_link_is_unused_where_what_it_was_used_for_is_undone(platform: Platform) -> None:
    secret = await issue(platform)
    with acting(NOBODY), pytest.raises(ValueError, match="undone"):
        async with unit() as work:
            await platform.links.consume(work, "core.try", secret)
            raise ValueError("undone")
    assert await state(platform, secret) == "open"


@pytest.mark.rule("A2")
async def test_a_newer_link_voids_the_older_one_and_time_ends_it(platform: Platform) -> None:
    subject = uuid4()
    old, other = await issue(platform, subject=subject), await issue(platform)
    new = await issue(platform, subject=subject)
    elsewhere = await issue(platform, "core.other", subject)
    assert [await state(platform, each) for each in (old, new, other)] == ["voided", "open", "open"]
    with pytest.raises(LinkOver):
        await consume(platform, old)
    await platform.clock.move(LASTS - timedelta(minutes=1))
    assert await state(platform, new) == "open"
    await platform.clock.move(timedelta(minutes=2))
    assert await state(platform, new) == "expired"
    with pytest.raises(LinkOver):
        await consume(platform, new)
    newest = await platform.links.newest("core.try", [subject, uuid4()])
    assert [(link.subject, link.state) for link in newest.values()] == [(subject, "expired")]
    assert await state(platform, elsewhere, "core.other") == "expired"


async def test_those_who_issue_at_once_leave_one_link_open(platform: Platform) -> None:
    subject = uuid4()
    secrets = await asyncio.gather(*(issue(platform, subject=subject) for _ in range(8)))
    assert sorted([await state(platform, secret) for secret in secrets]) == ["open", *["voided"] * 7]


async def test_what_was_called_off_and_what_is_no_secret_lead_nowhere(platform: Platform) -> None:
    subject = uuid4()
    secret = await issue(platform, subject=subject)
    with acting(NOBODY):
        async with unit() as work:
            assert await platform.links.void(work, "core.try", subject)
            assert not await platform.links.void(work, "core.try", subject)
    assert await state(platform, secret) == "voided"
    for strange in ("", "x", "\0", secret[:-1], secret * 100, "é" * 43):
        assert await state(platform, strange) == "unknown"
    fresh = await issue(platform, subject=subject)
    assert await state(platform, fresh, "core.other") == "unknown"
