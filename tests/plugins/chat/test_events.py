"""`conversationEvents`: every kind of change, once and in its present state, also for those who resume (C16, D7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from deployment import Socket
from plugins.chat.hall import (
    ACKNOWLEDGE,
    ADD,
    CHANGE,
    DELETE,
    JOIN,
    LEAVE,
    MARK,
    REACT,
    REMOVE,
    URGENT,
    group,
    said,
)
from plugins.chat.ward import Ward

from bedside_core.paging import key_of
from bedside_core.testing import statements

MESSAGE = """id cursor body deletedAt reactions { emoji personIds } acknowledgements { personId acknowledgedAt }
    sender { id }"""
EVENTS = f"""subscription($i: ID!, $a: String) {{ conversationEvents(conversationId: $i, after: $a) {{
    __typename
    ... on MessageChanged {{ cursor added message {{ {MESSAGE} }} }}
    ... on ParticipantChanged {{ cursor participant {{ id leftAt readUpTo }} }}
    ... on ConversationChanged {{ cursor conversation {{ id name description private }} }} }} }}"""
STATE = f"""query($i: ID!) {{ conversation(id: $i) {{ cursor name description private
    participants {{ nodes {{ id readUpTo }} }}
    messages(first: 100) {{ nodes {{ {MESSAGE} }} }} }} }}"""


async def event(socket: Socket, key: str) -> dict[str, Any]:
    return (await socket.next(key))["conversationEvents"]


async def state(ward: Ward, conversation: str) -> dict[str, Any]:
    return (await ward.deployment.data(STATE, ward.ada.token, i=conversation))["conversation"]


def _at(cursor: str) -> tuple[int, ...]:
    """Return the position in a cursor."""
    return key_of(cursor, int) or (0,)


class Model:
    """What a client knows: what it has fetched, and what events have changed since (promise D7)."""

    def __init__(self, fetched: dict[str, Any]) -> None:
        self.cursor = fetched["cursor"]
        self.facts = {name: fetched[name] for name in ("name", "description", "private")}
        self.people = {each["id"]: each["readUpTo"] for each in fetched["participants"]["nodes"]}
        self.messages = {each["id"]: each for each in fetched["messages"]["nodes"]}

    def apply(self, change: dict[str, Any]) -> None:
        self.cursor = change["cursor"]
        match change["__typename"]:
            case "MessageChanged":
                assert change["added"] == (change["message"]["id"] not in self.messages)
                message = change["message"]
                self.messages[message["id"]] = message
                if change["added"] and message["sender"]["id"] in self.people:  # who sends has read up to there
                    self.read(message["sender"]["id"], message["cursor"])
            case "ParticipantChanged":
                person = change["participant"]
                if person["leftAt"]:
                    self.people.pop(person["id"], None)
                else:
                    self.people.setdefault(person["id"], None)
                    self.read(person["id"], person["readUpTo"])
            case _:
                self.facts = {name: change["conversation"][name] for name in self.facts}

    def read(self, person_id: str, cursor: str | None) -> None:
        """Note how far somebody has read, which never goes back."""
        known = self.people[person_id]
        if cursor is not None and (known is None or _at(cursor) > _at(known)):
            self.people[person_id] = cursor

    def same(self, other: Model) -> bool:
        return (self.facts, self.people, self.messages) == (other.facts, other.people, other.messages)


async def steps(ward: Ward, round_: str) -> list[tuple[str, Callable[[], Awaitable[Any]]]]:
    """Every kind of change in a group, each with the type of event that tells of it."""
    deployment, ada, ben = ward.deployment, ward.ada.token, ward.ben.token
    carl = await deployment.person(ward.practice, name="Carl")
    sent: dict[str, Any] = {}

    async def urgent() -> None:
        sent.update((await deployment.data(URGENT, ada, i=round_, b="now", c="u-1"))["sendMessage"])

    async def plain() -> None:
        sent["plain"] = await said(ward, round_, "two", "p-1")

    return [
        ("MessageChanged", urgent),
        ("MessageChanged", lambda: deployment.data(ACKNOWLEDGE, ben, m=sent["id"])),
        ("MessageChanged", lambda: deployment.data(REACT, ben, m=sent["id"], e="👍")),
        ("MessageChanged", lambda: deployment.data(REACT, ben, m=sent["id"], e="👍", on=False)),
        ("MessageChanged", plain),
        ("ParticipantChanged", lambda: deployment.data(MARK, ben, i=round_, u=sent["plain"]["cursor"])),
        ("MessageChanged", lambda: deployment.data(DELETE, ada, m=sent["id"])),
        ("ParticipantChanged", lambda: deployment.data(ADD, ada, i=round_, p=[carl.id])),
        ("ParticipantChanged", lambda: deployment.data(LEAVE, carl.token, i=round_)),
        ("ParticipantChanged", lambda: deployment.data(JOIN, carl.token, i=round_)),
        ("ParticipantChanged", lambda: deployment.data(REMOVE, ada, i=round_, p=carl.id)),
        ("ConversationChanged", lambda: deployment.data(CHANGE, ada, i=round_, n="Late", d="Handover", s=True)),
    ]


@pytest.mark.rule("C16")
@pytest.mark.promise("D7")
async def test_each_kind_of_change_comes_live_and_state_plus_events_is_the_state(ward: Ward) -> None:
    round_ = await group(ward, ward.ben)
    model = Model(await state(ward, round_))
    async with ward.deployment.socket(ward.ada.token) as ada:
        key = await ada.subscribe(EVENTS, i=round_, a=model.cursor)
        await ward.quiet(1)
        for kind, step in await steps(ward, round_):
            await step()
            change = await event(ada, key)
            assert change["__typename"] == kind
            model.apply(change)
            fetched = Model(await state(ward, round_))
            assert model.same(fetched), (model.__dict__, fetched.__dict__)
            assert model.cursor == fetched.cursor


@pytest.mark.rule("C16")
@pytest.mark.promise("D7")
async def test_who_resumes_after_all_of_it_gets_each_thing_once_as_it_is_now(ward: Ward) -> None:
    round_ = await group(ward, ward.ben)
    whole = [Model(await state(ward, round_))]
    for _, step in await steps(ward, round_):
        await step()
        whole.append(Model(await state(ward, round_)))
    end = whole[-1]
    for model in whole[:-1]:  # from every state on the way
        async with ward.deployment.socket(ward.ada.token) as ada:
            key = await ada.subscribe(EVENTS, i=round_, a=model.cursor)
            seen: list[object] = []
            while model.cursor != end.cursor:
                change = await event(ada, key)
                what = change.get("message") or change.get("participant") or change.get("conversation")
                assert what is not None
                seen.append(what["id"])
                model.apply(change)
            assert model.same(end), (model.__dict__, end.__dict__)
            assert len(set(seen)) == len(seen)


@pytest.mark.rule("C16")
@pytest.mark.promise("D7")
async def test_an_old_message_that_has_changed_is_new_to_who_resumes_over_several_pages(ward: Ward) -> None:
    model = Model(await state(ward, ward.conversation))
    first = await ward.send("the first", "first")
    for number in range(105):
        await ward.send(f"m{number}", f"m-{number}")
    await ward.deployment.data(REACT, ward.ben.token, m=first["id"], e="👍")
    async with ward.deployment.socket(ward.ada.token) as ada:
        key = await ada.subscribe(EVENTS, i=ward.conversation, a=model.cursor)
        changes = [await event(ada, key) for _ in range(106)]
        assert [each["added"] for each in changes] == [True] * 106
        assert (changes[-1]["message"]["id"], len({each["message"]["id"] for each in changes})) == (first["id"], 106)
        await ward.deployment.data(REACT, ward.ben.token, m=first["id"], e="❤️")
        assert (await event(ada, key))["added"] is False
        for change in changes:
            model.apply(change)
        assert len(model.messages) == 106


@pytest.mark.rule("C9")
@pytest.mark.rule("C16")
async def test_somebody_who_comes_back_with_a_message_is_told_of(ward: Ward) -> None:
    await ward.deployment.data(LEAVE, ward.ben.token, i=ward.conversation)
    async with ward.deployment.socket(ward.ada.token) as ada:
        key = await ada.subscribe(EVENTS, i=ward.conversation)
        await ward.quiet(1)
        await ward.send("come back", "m-1")
        first, second = await event(ada, key), await event(ada, key)
        assert (first["__typename"], first["message"]["body"]) == ("MessageChanged", "come back")
        assert (second["participant"]["id"], second["participant"]["leftAt"]) == (ward.ben.id, None)


async def test_an_event_costs_a_known_number_of_statements(ward: Ward) -> None:
    async with ward.deployment.socket(ward.ada.token) as ada:
        key = await ada.subscribe(EVENTS, i=ward.conversation)
        await ward.quiet(1)
        costs = []
        for number in range(3):
            with statements() as ran:
                await ward.send(f"m{number}", f"m-{number}")
                assert (await event(ada, key))["message"]["body"] == f"m{number}"
            costs.append(len(ran))
        assert max(costs) <= 24, costs
