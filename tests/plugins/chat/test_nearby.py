"""Typing and presence over real sockets: shown to those who take part, gone by itself, and nowhere stored (C14)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from deployment import Person, Socket
from plugins.chat.test_inbox import ALLOW, GROUP, LEAVE, REMOVE, WITH_PATIENT
from plugins.chat.test_live import set_tier
from plugins.chat.ward import SEND, Ward

from bedside_chat import nearby
from bedside_core.access import Tier
from bedside_core.auth import Role

TYPE = "mutation($i: ID!, $on: Boolean! = true) { setTyping(conversationId: $i, on: $on) }"
TYPING = "subscription($i: ID!) { typing(conversationId: $i) { participants { id name } } }"
PRESENCE = "subscription($i: ID!) { presence(conversationId: $i) { participant { id } presence } }"
WHO = "query($i: ID!) { conversation(id: $i) { participants { nodes { id presence } } } }"
SHOW = "mutation($on: Boolean!) { updateChatSettings(patch: { presenceForPatients: $on }) { presenceForPatients } }"


@asynccontextmanager
async def following(
    ward: Ward, token: str, query: str, conversation: str = ""
) -> AsyncGenerator[tuple[Socket, str], None]:
    """Follow what passes in a conversation."""
    async with ward.deployment.socket(token) as socket:
        yield socket, await socket.subscribe(query, i=conversation or ward.conversation)


async def typing(socket: Socket, key: str) -> list[str]:
    """Return the ids of those who are typing, out of the next event."""
    return [each["id"] for each in (await socket.next(key))["typing"]["participants"]]


async def present(ward: Ward, token: str, conversation: str = "") -> dict[str, str | None]:
    """Return how those who take part are shown."""
    data = await ward.deployment.data(WHO, token, i=conversation or ward.conversation)
    return {each["id"]: each["presence"] for each in data["conversation"]["participants"]["nodes"]}


async def presence(socket: Socket, key: str) -> tuple[str, str]:
    """Return who has come or gone, out of the next event."""
    event = (await socket.next(key))["presence"]
    return event["participant"]["id"], event["presence"]


@pytest.mark.rule("C14")
async def test_the_other_sees_that_one_is_typing_until_one_stops_or_sends(ward: Ward) -> None:
    data = ward.deployment.data
    async with (
        following(ward, ward.ben.token, TYPING) as (ben, his),
        following(ward, ward.ada.token, TYPING) as (ada, mine),
    ):
        assert await typing(ben, his) == await typing(ada, mine) == []
        for _ in range(5):  # as at each key
            assert await data(TYPE, ward.ada.token, i=ward.conversation) == {"setTyping": True}
        assert await typing(ben, his) == [ward.ada.id]
        await data(TYPE, ward.ada.token, i=ward.conversation, on=False)
        assert await typing(ben, his) == []
        await data(TYPE, ward.ben.token, i=ward.conversation)
        assert await typing(ada, mine) == [ward.ben.id]  # of oneself nothing
        await ward.send("done", "m-1", ward.ben)
        assert await typing(ada, mine) == []
    unread = await data("{ chatBadges { kind unread } }", ward.ada.token)
    assert {"kind": "DIRECT", "unread": 1} in unread["chatBadges"]  # whoever follows and types has not read (N3)


@pytest.mark.rule("C14")
async def test_typing_lapses_by_itself_and_nothing_of_it_is_left(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearby, "TYPING_SECONDS", 1.5)
    async with following(ward, ward.ben.token, TYPING) as (ben, his):
        assert await typing(ben, his) == []
        await ward.deployment.data(TYPE, ward.ada.token, i=ward.conversation)
        assert await typing(ben, his) == [ward.ada.id]
        assert await typing(ben, his) == []
    known = ward.deployment.platform.service(nearby.Nearby)
    await ward.until(lambda: not known._typing and not known._bells)


@pytest.mark.rule("C14")
async def test_saying_it_at_each_key_tells_the_others_once_in_two_seconds(ward: Ward) -> None:
    told: list[object] = []
    live = ward.deployment.platform.live
    signal: Callable[..., None] = live.signal
    live.signal = lambda topic, about: (told.append(topic[0]), signal(topic, about))[1]  # type: ignore[method-assign]
    for number in range(20):
        await ward.deployment.data(TYPE, ward.ada.token, i=ward.conversation, on=number % 2 == 0)
    assert 1 <= told.count(nearby.TYPING) <= 10
    assert told.count(nearby.STOPPED) <= told.count(nearby.TYPING)


@pytest.mark.rule("C14")
@pytest.mark.promise("A2")
async def test_who_takes_no_part_neither_types_nor_sees_it(ward: Ward) -> None:
    owner = await ward.deployment.person(ward.practice, Role.OWNER)
    eve = await ward.deployment.person(await ward.deployment.practice("Hill"))
    for person in (owner, eve):
        for query in (TYPING, PRESENCE):
            async with following(ward, person.token, query) as (socket, key):
                assert await socket.error(key) == "NOT_FOUND"
        assert await ward.deployment.code(TYPE, person.token, i=ward.conversation) == "NOT_FOUND"
    known: Any = ward.deployment.platform.service(nearby.Nearby)
    assert known._typing == {}


@pytest.mark.rule("C9")
@pytest.mark.promise("A4")
@pytest.mark.parametrize("query", [TYPING, PRESENCE])
async def test_leaving_removal_and_a_lost_plan_end_what_passes(ward: Ward, query: str) -> None:
    deployment = ward.deployment
    carl = await deployment.person(ward.practice, name="Carl")
    made = await deployment.data(GROUP, ward.ada.token, n="Round", p=[ward.ben.id, carl.id], c="g")
    group = made["createGroup"]["id"]

    async def begun(socket: Socket, key: str) -> None:
        for _ in range(1 if query == TYPING else 2):
            await socket.next(key)

    async with following(ward, ward.ben.token, query, group) as (ben, his):
        await begun(ben, his)
        await deployment.data(LEAVE, ward.ben.token, i=group)
        assert await ben.error(his) == "NOT_FOUND"
    async with following(ward, carl.token, query, group) as (socket, key):
        await socket.next(key)
        await deployment.data(REMOVE, ward.ada.token, i=group, p=carl.id)
        await _ended(socket, key, "NOT_FOUND")
    async with following(ward, ward.ada.token, query) as (ada, mine):
        await ada.next(mine)
        await set_tier(ward, Tier.STARTER)
        await _ended(ada, mine, "FEATURE_NOT_IN_PLAN")
    assert await deployment.code(TYPE, ward.ada.token, i=ward.conversation) == "FEATURE_NOT_IN_PLAN"


async def _ended(socket: Socket, key: str, code: str) -> None:
    """Wait until an operation ends with a code; what passed before it may come first."""
    while (message := await socket.receive())["type"] == "next":
        pass
    assert (message["id"], message["type"]) == (key, "error"), message
    assert message["payload"][0]["extensions"]["code"] == code


async def _with_patient(ward: Ward) -> tuple[Person, Any, str]:
    owner = await ward.deployment.person(ward.practice, Role.OWNER, "Olga")
    await ward.deployment.data(ALLOW, owner.token)
    pat = await ward.deployment.held(ward.practice)
    made = await ward.deployment.data(WITH_PATIENT, ward.ada.token, p=pat.id, c="s")
    return owner, pat, made["startPatientConversation"]["id"]


@pytest.mark.rule("C14")
async def test_patients_see_neither_unless_the_practice_lets_them(ward: Ward) -> None:
    deployment, data = ward.deployment, ward.deployment.data
    owner, pat, conversation = await _with_patient(ward)
    async with (
        following(ward, pat.token, TYPING, conversation) as (phone, theirs),
        following(ward, ward.ada.token, TYPING, conversation) as (ada, mine),
    ):
        assert await typing(phone, theirs) == await typing(ada, mine) == []
        await data(TYPE, ward.ada.token, i=conversation)
        await data(TYPE, pat.token, i=conversation)
        assert await typing(ada, mine) == [pat.id]  # members see that a patient writes
        assert await present(ward, ward.ada.token, conversation) == {ward.ada.id: "ONLINE", pat.id: "ONLINE"}
        assert await present(ward, pat.token, conversation) == {ward.ada.id: None, pat.id: None}
        await data(SHOW, owner.token, on=True)
        await data(SEND, ward.ada.token, i=conversation, b="one", c="m-1")
        await data(SEND, pat.token, i=conversation, b="two", c="m-2")
        assert await typing(ada, mine) == []
        assert (await present(ward, pat.token, conversation))[ward.ada.id] == "ONLINE"
    async with (
        following(ward, pat.token, TYPING, conversation) as (phone, theirs),
        following(ward, pat.token, PRESENCE, conversation) as (other, whose),
    ):
        assert (await presence(other, whose))[0] == ward.ada.id
        await typing(phone, theirs)
        await deployment.data(TYPE, ward.ada.token, i=conversation)
        await _until(lambda: typing(phone, theirs), [ward.ada.id])


async def _until(look: Callable[[], Any], wanted: object) -> None:
    while await look() != wanted:
        pass


@pytest.mark.rule("C14")
async def test_who_comes_and_goes_is_told_and_shown(ward: Ward) -> None:
    ward.deployment.platform.presence._linger = 0.05
    async with following(ward, ward.ben.token, PRESENCE) as (ben, his):
        assert await presence(ben, his) == (ward.ada.id, "AWAY")
        assert await present(ward, ward.ben.token) == {ward.ada.id: "AWAY", ward.ben.id: "ONLINE"}
        async with ward.deployment.socket(ward.ada.token):
            async with ward.deployment.socket(ward.ada.token):
                assert await presence(ben, his) == (ward.ada.id, "ONLINE")
            assert (await present(ward, ward.ben.token))[ward.ada.id] == "ONLINE"  # another tab is open still
        assert await presence(ben, his) == (ward.ada.id, "AWAY")
    assert (await present(ward, ward.ben.token))[ward.ada.id] == "AWAY"


@pytest.mark.promise("D8")
async def test_nothing_is_left_of_what_passes_when_the_sockets_are_gone(ward: Ward) -> None:
    platform = ward.deployment.platform
    platform.presence._linger = 0.05
    async with following(ward, ward.ben.token, PRESENCE) as (ben, his), following(ward, ward.ada.token, TYPING) as two:
        await ben.next(his)
        await two[0].next(two[1])
    known = platform.service(nearby.Nearby)
    await ward.until(lambda: platform.live.attached == platform.live.readers("clock") and not known._bells)
    await ward.until(lambda: not platform.presence._sockets and not platform.presence._lingering)
    assert not platform.presence._watchers
