"""What is told live of sessions: what changes in one, one's own place, and the inbox (C16, T12, T15, T16, D7)."""

from __future__ import annotations

from typing import Any

import pytest
from plugins.telehealth.consulting import (
    ADD,
    ADMIT,
    CHANGE,
    END,
    EVENTS,
    LEAVE,
    PLACES,
    REMOVE,
    ROLE,
    Consulting,
    of,
)

INBOX = """subscription { inbox { __typename
  ... on VideoSessionInboxChanged { session { id name waiting own { place } } } } }"""
CURSOR = "query($i: ID!) { videoSession(id: $i) { cursor } }"


def told(event: dict[str, Any]) -> tuple[Any, ...]:
    """Return an event of a session in short."""
    event = event["videoSessionEvents"]
    kind = event["__typename"].removeprefix("Video")
    if kind == "ParticipantChanged":
        who = event["participant"]
        return kind, who["name"], who["role"], who["place"]
    if kind == "ParticipantGone":
        return kind, event["participantId"]
    return kind, event["session"].get("name")


@pytest.mark.rule("C16")
@pytest.mark.promise("D7")
async def test_a_session_is_followed_and_replayed_from_a_cursor(house: Consulting) -> None:
    made = await house.create(participants=[{"personId": house.colleague.id}])
    start = (await house.deployment.data(CURSOR, house.host.token, i=made["id"]))["videoSession"]["cursor"]
    hal, cleo = house.host.member.name, house.colleague.member.name
    async with house.deployment.socket(house.host.token) as socket:
        key = await socket.subscribe(EVENTS, i=made["id"], a=start)
        await house.join(made["id"], house.colleague)
        assert told(await socket.next(key)) == ("ParticipantChanged", cleo, "BROADCASTER", "IN")
        await house.deployment.data(CHANGE, house.host.token, i=made["id"], p={"name": "Evening"})
        assert told(await socket.next(key)) == ("SessionChanged", "Evening")
        await house.join(made["id"], house.host)
        assert told(await socket.next(key)) == ("ParticipantChanged", hal, "CHAIR", "IN")
        await house.deployment.data(LEAVE, house.colleague.token, i=made["id"])
        assert told(await socket.next(key)) == ("ParticipantChanged", cleo, "BROADCASTER", "OUT")
    async with house.deployment.socket(house.host.token) as socket:
        key = await socket.subscribe(EVENTS, i=made["id"], a=start)
        assert [told(await socket.next(key)) for _ in range(3)] == [
            ("SessionChanged", "Evening"),
            ("ParticipantChanged", hal, "CHAIR", "IN"),
            ("ParticipantChanged", cleo, "BROADCASTER", "OUT"),
        ]
        await house.deployment.data(END, house.host.token, i=made["id"])
        assert {told(await socket.next(key))[0] for _ in range(2)} == {"SessionOver", "ParticipantChanged"}
    async with house.deployment.socket(house.host.token) as socket:
        key = await socket.subscribe(EVENTS, i=made["id"], a="bad")
        assert await socket.error(key) == "INVALID_INPUT"


@pytest.mark.rule("T15")
async def test_who_waits_is_told_to_chairs_alone(house: Consulting) -> None:
    await house.waiting_room()
    made = await house.create(participants=[{"personId": house.colleague.id}])
    visitor = await house.visitor(made["id"])
    async with (
        house.deployment.socket(house.host.token) as chair,
        house.deployment.socket(house.colleague.token) as other,
    ):
        start = (await house.deployment.data(CURSOR, house.host.token, i=made["id"]))["videoSession"]["cursor"]
        of_chair = await chair.subscribe(EVENTS, i=made["id"], a=start)
        of_other = await other.subscribe(EVENTS, i=made["id"], a=start)
        await house.join(made["id"], visitor)
        assert told(await chair.next(of_chair)) == ("ParticipantChanged", "Vic Guest", "BROADCASTER", "WAITING")
        await house.join(made["id"], house.host)
        first = told(await other.next(of_other))  # of who waits nothing was told before
        assert first == ("ParticipantChanged", house.host.member.name, "CHAIR", "IN")
        await house.deployment.data(ADMIT, house.host.token, i=made["id"])
        assert told(await other.next(of_other)) == ("ParticipantChanged", "Vic Guest", "BROADCASTER", "IN")
        await house.deployment.data(REMOVE, house.host.token, i=made["id"], p=visitor.id)
        assert told(await other.next(of_other)) == ("ParticipantGone", visitor.id)


@pytest.mark.rule("T15")
async def test_who_waits_is_told_of_nobody_else(house: Consulting) -> None:
    await house.waiting_room()
    made = await house.create(participants=[{"personId": house.colleague.id}])
    other, visitor = await house.visitor(made["id"], "Vic First"), await house.visitor(made["id"])
    await house.join(made["id"], visitor)
    start = (await house.deployment.data(CURSOR, visitor.token, i=made["id"]))["videoSession"]["cursor"]
    async with house.deployment.socket(visitor.token) as socket:
        key = await socket.subscribe(EVENTS, i=made["id"], a=start)
        for person in (other, house.host, house.colleague):
            await house.join(made["id"], person)
        await house.deployment.data(LEAVE, house.colleague.token, i=made["id"])
        await house.deployment.data(CHANGE, house.host.token, i=made["id"], p={"name": "Evening"})
        assert told(await socket.next(key)) == ("SessionChanged", "Evening")  # and of nobody before


@pytest.mark.promise("A4")
@pytest.mark.rule("T10")
async def test_whoever_is_removed_hears_nothing_more(house: Consulting) -> None:
    made = await house.create(participants=[{"personId": house.colleague.id}])
    start = (await house.deployment.data(CURSOR, house.host.token, i=made["id"]))["videoSession"]["cursor"]
    async with house.deployment.socket(house.colleague.token) as socket:
        key = await socket.subscribe(EVENTS, i=made["id"], a=start)
        await house.join(made["id"], house.host)
        await socket.next(key)
        participant = of(made, house.colleague.id)["id"]
        await house.deployment.data(REMOVE, house.host.token, i=made["id"], p=participant)
        assert await socket.error(key) == "NOT_FOUND"
        again = await socket.subscribe(EVENTS, i=made["id"], a=start)
        assert await socket.error(again) == "NOT_FOUND"


@pytest.mark.rule("T15")
@pytest.mark.rule("T16")
async def test_one_follows_one_s_own_place_until_a_newer_tab_takes_it_over(house: Consulting) -> None:
    await house.waiting_room()
    made = await house.create()
    before, visitor = await house.visitor(made["id"], "Vic First"), await house.visitor(made["id"])
    await house.join(made["id"], before)
    seat = (await house.join(made["id"], visitor))["seat"]
    async with house.deployment.socket(visitor.token) as socket:
        key = await socket.subscribe(PLACES, i=made["id"], s=seat)

        async def place() -> tuple[str, str, int]:
            found = (await socket.next(key))["videoPlaceChanged"]
            return found["participant"]["place"], found["participant"]["role"], found["ahead"]

        assert await place() == ("WAITING", "BROADCASTER", 1)
        await house.deployment.data(ADMIT, house.host.token, i=made["id"], p=[before.id])
        assert await place() == ("WAITING", "BROADCASTER", 0)
        await house.deployment.data(ADMIT, house.host.token, i=made["id"])
        assert await place() == ("IN", "BROADCASTER", 0)
        await house.deployment.data(ROLE, house.host.token, i=made["id"], p=visitor.id, r="VIEWER")
        assert await place() == ("IN", "VIEWER", 0)
        await house.join(made["id"], visitor)
        assert await socket.error(key) == "TAKEN_OVER"


@pytest.mark.rule("T12")
@pytest.mark.rule("T15")
async def test_the_inbox_tells_who_is_listed_and_chairs_of_who_waits(house: Consulting) -> None:
    await house.waiting_room()
    made = await house.create()
    visitor = await house.visitor(made["id"])
    async with (
        house.deployment.socket(house.host.token) as chair,
        house.deployment.socket(house.colleague.token) as other,
    ):
        of_chair, of_other = await chair.subscribe(INBOX), await other.subscribe(INBOX)
        for socket, key in ((chair, of_chair), (other, of_other)):
            assert (await socket.next(key))["inbox"]["__typename"] == "InboxOpened"
        await house.deployment.data(ADD, house.host.token, i=made["id"], p=[{"personId": house.colleague.id}])
        event = (await other.next(of_other))["inbox"]
        assert event["session"] == {"id": made["id"], "name": "Round", "waiting": None, "own": {"place": "LISTED"}}
        await house.join(made["id"], visitor)
        event = (await chair.next(of_chair))["inbox"]
        assert (event["__typename"], event["session"]["waiting"]) == ("VideoSessionInboxChanged", 1)
