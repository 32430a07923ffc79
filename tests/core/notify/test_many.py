"""Many are notified, and several kinds taken out, in one statement each."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from notify_stage import Ward, until
from notify_stage import ward as ward_

from bedside_core.database import DB, acting, unit
from bedside_core.ids import uuid7
from bedside_core.notify import Fact, Recipient
from bedside_core.testing import Database, statements

DATA = {Fact.SENDER: "Ben Stone", Fact.LINK: "/chat/1"}
KINDS = ("ward.message", "ward.alarm")


@pytest_asyncio.fixture
async def ward(fresh_database: Database) -> AsyncGenerator[Ward]:
    async with ward_(fresh_database) as ward:
        yield ward


async def send_all(ward: Ward, to: list[Recipient], **options: Any) -> int:
    with acting(ward.practice.id):
        async with unit() as work:
            return await ward.deployment.platform.notify.send_all(work, "ward.message", to=to, data=DATA, **options)


async def cancel_all(ward: Ward, **options: Any) -> int:
    with acting(ward.practice.id):
        async with unit() as work:
            return await ward.deployment.platform.notify.cancel_all(work, KINDS, key="talk", **options)


async def items(ward: Ward) -> dict[str, list[str]]:
    with acting(ward.practice.id):
        rows = await DB.fetch("SELECT kind, items FROM notification WHERE state = 'waiting'")
    return {row["kind"]: row["items"] for row in rows}


@pytest.mark.rule("N3", "N5")
async def test_many_are_notified_in_one_statement_and_who_is_nobody_is_left_out(ward: Ward) -> None:
    other = await ward.deployment.practice("Hill", tier=None)
    eve = await ward.deployment.person(other, name="Eve")
    owner = Recipient.member(ward.owner.member.id, ward.practice.id)
    strange = Recipient.member(eve.member.id, ward.practice.id), Recipient.patient(uuid7(), ward.practice.id)
    people = [ward.to_ada, owner, ward.to_ada, Recipient.member(eve.member.id, other.id), *strange]
    with statements() as ran:
        assert await send_all(ward, people, key="talk", item="1") == 3
    assert sum("notify_" in one for one in ran) == 1
    assert await send_all(ward, [ward.to_ada], key="talk", item="2") == 1
    assert await send_all(ward, []) == 0
    with pytest.raises(ValueError, match="only members and patients"):
        await send_all(ward, [Recipient.address(email="x@example.org")])
    await ward.pass_time(seconds=125)
    await until(lambda: len(ward.mail.mails) == 3, "the mails")
    assert sorted(mail.to for mail in ward.mail.mails) == sorted((ward.ada.email, ward.owner.email, eve.email))
    [mail] = [mail for mail in ward.mail.mails if mail.to == eve.email]
    assert mail.subject == "A message from Ben Stone at Hill"


@pytest.mark.rule("N3")
@pytest.mark.promise("N3")
async def test_what_is_taken_out_of_several_kinds_leaves_what_is_kept(ward: Ward) -> None:
    for item in ("1", "2", "3"):
        await send_all(ward, [ward.to_ada], key="talk", item=item)
    await send_all(ward, [ward.to_ada], key="other", item="1")
    assert await cancel_all(ward, to=ward.to_ada, kept=["2", "3"]) == 0
    assert await cancel_all(ward, items=["2"]) == 0
    assert sorted((await items(ward)).values()) in ([["3"]], [["1"]])
    with acting(ward.practice.id):
        row = await DB.fetchrow("SELECT items, item_facts::text AS facts FROM notification WHERE same_key = 'talk'")
    assert row is not None and row["items"] == ["3"] and '"3"' in row["facts"] and '"2"' not in row["facts"]
    somebody = Recipient.member(ward.owner.member.id, ward.practice.id)
    assert await cancel_all(ward, to=somebody) == 0
    assert await cancel_all(ward, to=ward.to_ada) == 1
    await ward.pass_time(seconds=125)
    await until(lambda: len(ward.mail.mails) == 1, "the mail about the other")
    await ward.settled()
    assert len(ward.mail.mails) == 1


@pytest.mark.rule("N3")
async def test_what_is_shown_goes_with_what_is_taken_out_and_tells_of_the_rest(ward: Ward) -> None:
    shown = "{ notifications { nodes { text } } }"
    for number, name in (("1", "Ben Stone"), ("2", "Cy Young")):
        with acting(ward.practice.id):
            async with unit() as work:
                data = {Fact.SENDER: name, Fact.LINK: "/chat/1"}
                notify = ward.deployment.platform.notify
                await notify.send_all(work, "ward.message", to=[ward.to_ada], data=data, key="talk", item=number)
    await ward.pass_time(seconds=125)
    await ward.settled()
    nodes = (await ward.deployment.data(shown, ward.ada.token))["notifications"]["nodes"]
    assert nodes == [{"text": "A message from Cy Young at Bay View"}]
    await cancel_all(ward, items=["2"])
    nodes = (await ward.deployment.data(shown, ward.ada.token))["notifications"]["nodes"]
    assert nodes == [{"text": "A message from Ben Stone at Bay View"}]
    await cancel_all(ward, to=ward.to_ada)
    assert (await ward.deployment.data(shown, ward.ada.token))["notifications"]["nodes"] == []
