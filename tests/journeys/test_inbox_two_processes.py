"""Two devices on two processes: badges agree, and what passes is seen through the other."""

from __future__ import annotations

from typing import Any

import pytest
from deployment import Deployment, Person
from journeys.processes import Site
from plugins.chat.devices import device, state
from plugins.chat.test_inbox import READ
from plugins.chat.test_nearby import PRESENCE, TYPE, TYPING, WHO
from plugins.chat.ward import SEND, START

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def pair(running: Site) -> tuple[Person, Person, str]:
    """Make two people with a conversation."""
    door = running.doors[0]
    practice = await door.practice()
    ada, ben = await door.person(practice, name="Ada"), await door.person(practice, name="Ben")
    return ada, ben, (await door.data(START, ada.token, m=ben.id, c="s"))["startConversation"]["id"]


@pytest.mark.rule("C10")
@pytest.mark.rule("C16")
@pytest.mark.promise("D5")
async def test_badges_agree_on_devices_at_different_processes(two: Site) -> None:
    ada, ben, conversation = await pair(two)
    async with device(two.doors[0], ben.token) as phone, device(two.doors[1], ben.token) as desk:
        sent: list[dict[str, Any]] = []
        for number, door in enumerate((*two.doors, *two.doors)):
            data = await door.data(SEND, ada.token, i=conversation, b=f"m{number}", c=f"c{number}")
            sent.append(data["sendMessage"])
            for each in (phone, desk):
                await each.until(lambda now, number=number: now[1] == {"DIRECT": (number + 1, 0)})
        await two.doors[1].data(READ, ben.token, i=conversation, c=sent[-1]["cursor"])
        for each in (phone, desk):
            fetched = await state(two.doors[0], ben.token)
            assert await each.until(lambda now: now[1] == {}) == fetched


@pytest.mark.rule("C14")
async def test_typing_and_presence_are_seen_through_the_other_process(two: Site) -> None:
    ada, ben, conversation = await pair(two)
    here, there = two.doors
    async with here.socket(ben.token) as socket:
        key = await socket.subscribe(PRESENCE, i=conversation)
        assert (await socket.next(key))["presence"] == {"participant": {"id": ada.id}, "presence": "AWAY"}
        async with there.socket(ada.token):
            assert (await socket.next(key))["presence"] == {"participant": {"id": ada.id}, "presence": "ONLINE"}
            assert await _present(here, ben, conversation) == {ada.id: "ONLINE", ben.id: "ONLINE"}
        assert (await socket.next(key))["presence"] == {"participant": {"id": ada.id}, "presence": "AWAY"}
        await socket.send(id=key, type="complete")
        key = await socket.subscribe(TYPING, i=conversation)
        assert (await socket.next(key))["typing"] == {"participants": []}
        await there.data(TYPE, ada.token, i=conversation)
        [typing] = (await socket.next(key))["typing"]["participants"]
        assert typing["id"] == ada.id
        await there.data(SEND, ada.token, i=conversation, b="done", c="m")
        assert (await socket.next(key))["typing"] == {"participants": []}


async def _present(door: Deployment, person: Person, conversation: str) -> dict[str, str]:
    data = await door.data(WHO, person.token, i=conversation)
    return {each["id"]: each["presence"] for each in data["conversation"]["participants"]["nodes"]}
