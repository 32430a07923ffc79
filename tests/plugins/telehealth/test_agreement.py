"""What was fetched before and what is told since agree with what is fetched afresh, whoever looks (promise D7)."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from accounts_stage import WIDE
from deployment import Bearer
from plugins.telehealth.consulting import ADMIT, CHANGE, JOIN, LEAVE, REMOVE, ROLE, SEND_BACK, Consulting

from rulebook import size

FIELDS = "id name role place listed"
FRESH = f"""query($i: ID!) {{ videoSession(id: $i) {{ name access cursor
  participants(first: 100) {{ nodes {{ {FIELDS} }} }} }} }}"""
FOLLOW = f"""subscription($i: ID!, $a: String) {{ videoSessionEvents(sessionId: $i, after: $a) {{ __typename
  ... on VideoSessionChanged {{ cursor session {{ name access }} }}
  ... on VideoSessionOver {{ cursor session {{ name access }} }}
  ... on VideoParticipantChanged {{ cursor participant {{ {FIELDS} }} }}
  ... on VideoParticipantGone {{ cursor participantId }} }} }}"""
LAST = "The last one"


@pytest.fixture(autouse=True)
def wide_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """More is asked here than a person asks."""
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)


class State:
    """What a client knows of a session, kept by its events."""

    def __init__(self, fetched: dict[str, Any]) -> None:
        self.cursor = fetched["cursor"]
        self.session = {"name": fetched["name"], "access": fetched["access"]}
        self.people = {each["id"]: each for each in fetched["participants"]["nodes"]}

    def hear(self, event: dict[str, Any]) -> None:
        """Take in what was told."""
        self.cursor = event["cursor"]
        if "session" in event:
            self.session = event["session"]
        elif "participant" in event:
            self.people[event["participant"]["id"]] = event["participant"]
        else:
            self.people.pop(event["participantId"], None)


async def fetched(house: Consulting, session_id: str, by: Bearer) -> dict[str, Any]:
    return (await house.deployment.data(FRESH, by.token, i=session_id))["videoSession"]


@pytest.mark.promise("D7")
@pytest.mark.rule("C16")
@pytest.mark.rule("T15")
@pytest.mark.timeout(300)
async def test_events_and_what_is_fetched_agree(house: Consulting) -> None:
    await house.waiting_room()
    made = await house.create(participants=[{"personId": house.colleague.id}, {"personId": house.patient.id}])
    id, choose = made["id"], random.Random(7)
    watching = {house.host.member.name, house.colleague.member.name}
    visitors = [await house.visitor(id, f"Vic {number}") for number in range(3)]
    outside = [house.patient, *visitors]

    async def try_(document: str, token: str, **given: Any) -> None:
        await house.deployment.ask(document, token, i=id, **given)  # refusals change nothing

    async def anybody() -> str:
        people = (await fetched(house, id, house.host))["participants"]["nodes"]
        return choose.choice([each["id"] for each in people if each["name"] not in watching])

    acts: list[Callable[[], Awaitable[None]]] = [
        lambda: try_(JOIN, choose.choice([*outside, house.owner]).token),
        lambda: try_(JOIN, choose.choice(outside).token),
        lambda: try_(LEAVE, choose.choice([*outside, house.owner]).token),
        lambda: try_(ADMIT, house.host.token),
        lambda: _of(try_, SEND_BACK, anybody),
        lambda: _of(try_, ROLE, anybody, r="VIEWER"),
        lambda: _of(try_, REMOVE, anybody) if choose.random() < 0.2 else try_(ADMIT, house.host.token),
        lambda: try_(CHANGE, house.host.token, p={"name": f"Round {choose.randrange(9)}"}),
    ]

    async def _of(run: Any, document: str, who: Callable[[], Awaitable[str]], **given: Any) -> None:
        await run(document, house.host.token, p=await who(), **given)

    for person in (house.host, house.colleague):
        await house.join(id, person)
    viewers = (house.host, house.colleague)
    states = [State(await fetched(house, id, viewer)) for viewer in viewers]
    for _ in range(size(3, 12)):
        for _ in range(12):
            await choose.choice(acts)()
        last = f"{LAST} {choose.random()}"
        await house.deployment.data(CHANGE, house.host.token, i=id, p={"name": last})
        for viewer, state in zip(viewers, states, strict=True):
            async with house.deployment.socket(viewer.token) as socket:
                key = await socket.subscribe(FOLLOW, i=id, a=state.cursor)
                while state.session["name"] != last:
                    state.hear((await socket.next(key))["videoSessionEvents"])
            now = State(await fetched(house, id, viewer))
            assert (state.session, state.people) == (now.session, now.people)
