"""Notifications in the application: followed live, read once, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from notify_stage import LOG, Ward, until
from notify_stage import ward as ward_

from bedside_core.notify import Fact
from bedside_core.testing import Database

FOLLOW = "subscription($a: String) { notifications(after: $a) { id kind title text link readAt cursor } }"
LIST = """query($u: Boolean!, $first: Int, $after: String) { notifications(unread: $u, first: $first, after: $after) {
    nodes { id text readAt } pageInfo { hasNextPage endCursor } } }"""
READ = "mutation($i: ID!) { markNotificationRead(id: $i) { id readAt } }"
TRY = "mutation($c: String!) { tryNotifications(clientId: $c) }"


@pytest_asyncio.fixture
async def ward(fresh_database: Database) -> AsyncGenerator[Ward]:
    async with ward_(fresh_database) as ward:
        yield ward


@pytest.mark.rule("N1")
async def test_they_come_live_and_are_read_on_every_device(ward: Ward) -> None:
    async with ward.deployment.socket(ward.ada.token) as phone, ward.deployment.socket(ward.ada.token) as desk:
        streams = [(socket, await socket.subscribe(FOLLOW)) for socket in (phone, desk)]
        live = ward.deployment.platform.live
        await until(lambda: live.readers("notifications") == 2, "both to follow")
        made = str(await ward.send("ward.alarm"))
        for socket, key in streams:
            shown = (await socket.next(key))["notifications"]
            assert (shown["id"], shown["kind"], shown["readAt"]) == (made, "ward.alarm", None)
            assert shown["text"] == "You are needed at Bay View"
        data = await ward.deployment.data(READ, ward.ada.token, i=made)
        at = data["markNotificationRead"]["readAt"]
        assert at is not None
        for socket, key in streams:
            assert (await socket.next(key))["notifications"]["readAt"] == at
        again = await ward.deployment.data(READ, ward.ada.token, i=made)
        assert again["markNotificationRead"]["readAt"] == at
    async with ward.deployment.socket(ward.ada.token) as later:
        key = await later.subscribe(FOLLOW, a=shown["cursor"])
        replayed = (await later.next(key))["notifications"]
        assert (replayed["id"], replayed["readAt"]) == (made, at)


async def test_they_are_paged_newest_first_and_unread_ones_apart(ward: Ward) -> None:
    made = [str(await ward.send("ward.alarm")) for _ in range(3)]

    async def listed(unread: bool = False) -> list[str]:
        data = await ward.deployment.data(LIST, ward.ada.token, u=unread, first=10)
        return [node["id"] for node in data["notifications"]["nodes"]]

    async def all_shown() -> bool:
        return len(await listed()) == 3

    await until(all_shown, "all three")
    assert await listed() == made[::-1]
    await ward.deployment.data(READ, ward.ada.token, i=made[1])
    assert await listed(unread=True) == [made[2], made[0]]
    assert await listed() == made[::-1]
    page = (await ward.deployment.data(LIST, ward.ada.token, u=False, first=2))["notifications"]
    assert page["pageInfo"]["hasNextPage"] is True
    rest = await ward.deployment.data(LIST, ward.ada.token, u=False, first=2, after=page["pageInfo"]["endCursor"])
    assert [node["id"] for node in rest["notifications"]["nodes"]] == made[:1]


@pytest.mark.rule("N3")
@pytest.mark.promise("N3")
async def test_what_is_deleted_later_is_shown_no_more(ward: Ward) -> None:
    async def texts() -> list[str]:
        data = await ward.deployment.data(LIST, ward.ada.token, u=False, first=10)
        return [node["text"] for node in data["notifications"]["nodes"]]

    async with ward.deployment.socket(ward.ada.token) as phone:
        key = await phone.subscribe(FOLLOW)
        await until(lambda: ward.deployment.platform.live.readers("notifications") == 1, "the phone to follow")
        for item, sender in (("a", "Ana"), ("b", "Bob")):
            facts = {Fact.SENDER: sender, Fact.LINK: "/chat/1"}
            await ward.send("ward.message", key="talk", item=item, data=facts)
        await ward.pass_time(seconds=130)
        assert (await phone.next(key))["notifications"]["text"] == "A message from Bob at Bay View"
        await ward.settled()
        assert await ward.cancel("ward.message", "talk", item="b") == 0
        assert (await phone.next(key))["notifications"]["text"] == "A message from Ana at Bay View"
        assert await texts() == ["A message from Ana at Bay View"]
        assert await ward.cancel("ward.message", "talk", item="a") == 1
        assert await texts() == []


@pytest.mark.promise("A1")
async def test_others_notifications_and_the_log_are_not_for_everybody(ward: Ward) -> None:
    made = str(await ward.send("ward.alarm"))
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    data = await ward.deployment.data(LIST, ward.owner.token, u=False)
    assert data["notifications"]["nodes"] == []
    assert await ward.deployment.code(READ, ward.owner.token, i=made) == "NOT_FOUND"
    assert await ward.deployment.code(LOG, ward.ada.token) == "FORBIDDEN"
    assert await ward.deployment.code(LOG, None) == "UNAUTHENTICATED"
    data = await ward.deployment.data(LIST, ward.ada.token, u=True)
    assert [node["id"] for node in data["notifications"]["nodes"]] == [made]  # still unread


async def test_a_cursor_from_the_future_is_refused(ward: Ward) -> None:
    from bedside_core.paging import cursor_of

    async with ward.deployment.socket(ward.ada.token) as socket:
        assert await socket.error(await socket.subscribe(FOLLOW, a=cursor_of(7))) == "INVALID_INPUT"


@pytest.mark.rule("G9")
async def test_who_leads_can_try_what_arrives_and_a_retry_sends_no_second(ward: Ward) -> None:
    first = await ward.deployment.data(TRY, ward.owner.token, c="try-1")
    again = await ward.deployment.data(TRY, ward.owner.token, c="try-1")
    assert first == again
    assert await ward.deployment.code(TRY, ward.ada.token, c="try-2") == "FORBIDDEN"
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    await ward.settled()
    assert ward.mail.to(ward.owner.email)[0].subject == "A trial from Bay View"
    assert {entry["channel"]: entry["state"] for entry in await ward.log()} == {
        "IN_APP": "delivered", "EMAIL": "sent", "SMS": "impossible", "VOICE": "impossible", "PUSH": "impossible",
    }  # fmt: skip
