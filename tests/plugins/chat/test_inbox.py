"""The inbox over real sockets: what concerns a person, on all of their devices, without gap or duplicate."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import pytest
import strawberry
from core_stage import plugin
from deployment import DEADLINE_SECONDS, Held, Person, served
from plugins.chat.devices import Device, badges, device, state
from plugins.chat.test_live import set_tier
from plugins.chat.ward import SEND, START, Ward

from bedside_core.access import Tier
from bedside_core.auth import Role
from bedside_core.database import DB, acting, unit
from bedside_core.inbox.jobs import JOBS, KEPT
from bedside_core.jobs.declared import JobRun
from bedside_core.manifest import Manifest
from bedside_core.plugins import installed
from bedside_core.testing import Database, statements
from bedside_graphql.api import GraphQLPart, InboxKind, Info

READ = "mutation($i: ID!, $c: String!) { markConversationRead(conversationId: $i, upTo: $c) { unread } }"
URGENT = """mutation($i: ID!, $b: String!, $c: String!) {
    sendMessage(conversationId: $i, body: $b, clientId: $c, urgent: true) { id cursor } }"""
ACKNOWLEDGE = "mutation($m: ID!) { acknowledgeMessage(messageId: $m) { id } }"
DELETE = "mutation($m: ID!) { deleteMessage(messageId: $m) { id } }"
LEAVE = "mutation($i: ID!) { leaveConversation(conversationId: $i) }"
GROUP = (
    """mutation($n: String!, $p: [ID!], $c: String!) { createGroup(name: $n, personIds: $p, clientId: $c) { id } }"""
)
ADD = "mutation($i: ID!, $p: [ID!]!) { addParticipants(conversationId: $i, personIds: $p) { id } }"
REMOVE = "mutation($i: ID!, $p: ID!) { removeParticipant(conversationId: $i, personId: $p) { id } }"
RENAME = "mutation($i: ID!, $n: String!) { changeGroup(conversationId: $i, name: $n) { id } }"
WITH_PATIENT = """mutation($p: ID!, $c: String!) { startPatientConversation(patientId: $p, clientId: $c) { id } }"""
ALLOW = "mutation { updateChatSettings(patch: { patientsInPortal: true }) { patientsInPortal } }"


async def prune(ward: Ward) -> None:
    """Run the nightly job, as a worker does."""
    [job] = JOBS
    with acting(ward.practice.id):
        await job.function(
            JobRun(platform=ward.deployment.platform, practice_id=ward.practice.id, payload={}, attempt=1)
        )


async def count(table: str, ward: Ward) -> int:
    with acting(ward.practice.id):
        return await DB.fetchval(f"SELECT count(*) FROM {table}")


@pytest.mark.rule("C16")
@pytest.mark.promise("D7")
async def test_who_subscribes_first_and_fetches_then_misses_nothing(ward: Ward) -> None:
    """A message that is sent between the two comes in both, and is one."""
    async with ward.deployment.socket(ward.ben.token) as socket:
        ben = Device(ward.deployment, ward.ben.token, socket)
        ben.key = await socket.subscribe("subscription { inbox { __typename ... on InboxOpened { cursor } } }")
        opened = (await socket.next(ben.key))["inbox"]
        assert opened["__typename"] == "InboxOpened"
        await ward.send("in between", "m-1")
        fetched = await state(ward.deployment, ward.ben.token)
        assert fetched[0][ward.conversation]["unread"] == 1
        assert (await socket.next(ben.key))["inbox"] == {"__typename": "ConversationInboxChanged"}
    async with device(ward.deployment, ward.ben.token, opened["cursor"]) as ben:
        await ben.take()
        assert ben.state[0][ward.conversation] == fetched[0][ward.conversation]
        assert ben.state[1] == fetched[1] == {"DIRECT": (1, 0)}


@pytest.mark.rule("C10")
@pytest.mark.rule("C16")
async def test_two_devices_and_the_server_agree_after_every_act(ward: Ward) -> None:
    deployment, data = ward.deployment, ward.deployment.data
    carl = await deployment.person(ward.practice, name="Carl")
    async with device(deployment, ward.ben.token) as phone, device(deployment, ward.ben.token) as desk:

        async def agree(expected: dict[str, tuple[int, int]]) -> None:
            seen = [await each.until(lambda now: now[1] == expected) for each in (phone, desk)]
            fetched = await state(deployment, ward.ben.token)
            # What else the act has told is on its way: the last word is the server's.
            for each in (phone, desk):
                assert await each.until(lambda now: now == fetched) == fetched
            assert seen[0][1] == seen[1][1] == fetched[1]

        first = await ward.send("one", "m-1")
        await agree({"DIRECT": (1, 0)})
        urgent = (await data(URGENT, ward.ada.token, i=ward.conversation, b="now", c="m-2"))["sendMessage"]
        await agree({"DIRECT": (2, 1)})
        group = (await data(GROUP, ward.ada.token, n="Round", p=[ward.ben.id, carl.id], c="g"))["createGroup"]["id"]
        in_group = await data(SEND, carl.token, i=group, b="all", c="m-3")
        await agree({"DIRECT": (2, 1), "GROUP": (1, 0)})
        await data(READ, ward.ben.token, i=ward.conversation, c=first["cursor"])
        await agree({"DIRECT": (1, 1), "GROUP": (1, 0)})
        await data(ACKNOWLEDGE, ward.ben.token, m=urgent["id"])
        await agree({"DIRECT": (1, 0), "GROUP": (1, 0)})
        await data(DELETE, ward.ada.token, m=urgent["id"])
        await agree({"GROUP": (1, 0)})
        await data(RENAME, ward.ada.token, i=group, n="Rounds")
        for each in (phone, desk):
            await each.until(lambda now: now[0][group]["name"] == "Rounds")
        await data(DELETE, carl.token, m=in_group["sendMessage"]["id"])
        await agree({})
        await ward.send("two", "m-4", ward.ben)  # one's own is read
        await ward.send("three", "m-5")
        await agree({"DIRECT": (1, 0)})
        await data(LEAVE, ward.ben.token, i=ward.conversation)
        await agree({})
        assert phone.seen[-1] == {**desk.seen[-1], "cursor": phone.cursor}
        assert (phone.seen[-1]["__typename"], phone.seen[-1]["id"]) == ("InboxItemRemoved", ward.conversation)
        await ward.send("come back", "m-6")  # a direct one does (C9)
        await agree({"DIRECT": (1, 0)})
        await data(REMOVE, ward.ada.token, i=group, p=ward.ben.id)
        for each in (phone, desk):
            await each.until(lambda now: group not in now[0])
        await data(ADD, ward.ada.token, i=group, p=[ward.ben.id])
        await agree({"DIRECT": (1, 0)})
        assert group in phone.state[0]
        cursors = [event["cursor"] for event in phone.seen]
        assert len(set(cursors)) == len(cursors)


@pytest.mark.rule("C16")
@pytest.mark.promise("D2")
async def test_after_a_break_each_thing_comes_once_as_it_is_now(ward: Ward) -> None:
    deployment = ward.deployment
    carl = await deployment.person(ward.practice, name="Carl")
    async with device(deployment, ward.ben.token) as ben:
        await ward.send("one", "m-1")
        await ben.take()
        cursor = ben.cursor
    for number in range(5):
        await ward.send(f"missed {number}", f"n-{number}")
    other = (await deployment.data(START, carl.token, m=ward.ben.id, c="s"))["startConversation"]["id"]
    await deployment.data(SEND, carl.token, i=other, b="hello", c="h")
    fetched = await state(deployment, ward.ben.token)
    with statements() as ran:
        async with device(deployment, ward.ben.token, cursor) as ben:
            await ben.take()
            await ben.take()
    assert sum("sum(own.unread)" in sql for sql in ran) == 1  # counted once for what is told together
    assert badges(ben.seen[0]["chatBadges"]) == badges(ben.seen[1]["chatBadges"]) == fetched[1]
    async with device(deployment, ward.ben.token, cursor) as ben:
        ben.state = fetched
        first, second = await ben.take(), await ben.take()
        assert [(each["conversation"]["id"], each["conversation"]["unread"]) for each in (first, second)] == [
            (ward.conversation, 6),
            (other, 1),
        ]
        await ward.send("live again", "m-9")
        assert (await ben.take())["conversation"]["lastMessage"]["body"] == "live again"
        assert ben.state == await state(deployment, ward.ben.token)


@pytest.mark.rule("C16")
async def test_who_was_away_too_long_is_told_to_reload_and_goes_on(ward: Ward) -> None:
    deployment = ward.deployment
    async with device(deployment, ward.ben.token) as ben:
        await ward.send("one", "m-1")
        await ben.take()
        old, conversation = ben.cursor, ward.conversation
    await ward.send("two", "m-2")
    deployment.platform.clock.now, now = lambda: now() + KEPT + timedelta(minutes=1), deployment.platform.clock.now  # type: ignore[method-assign]
    await prune(ward)
    assert await count("inbox_item", ward) == 0
    async with device(deployment, ward.ben.token, old) as ben:
        gap = await ben.take()
        assert gap["__typename"] == "InboxGap"
        assert ben.state[0][conversation]["unread"] == 2
        await ward.send("three", "m-3")
        assert (await ben.take())["conversation"]["unread"] == 3
    # The gap's cursor leads on without a further one.
    async with device(deployment, ward.ben.token, gap["cursor"]) as ben:
        assert (await ben.take())["__typename"] == "ConversationInboxChanged"
    await prune(ward)
    assert await count("inbox_item", ward) == 2  # Ada's and Ben's: what has changed since stays


async def test_another_person_s_cursor_and_one_that_is_none(ward: Ward) -> None:
    deployment = ward.deployment
    await ward.send("one", "m-1")
    async with device(deployment, ward.ada.token) as ada, deployment.socket(ward.ben.token) as socket:
        ben = Device(deployment, ward.ben.token, socket)
        await ben.begin(ada.cursor)
        assert (await ben.take())["__typename"] == "InboxGap"
        assert ben.state == await state(deployment, ward.ben.token)
    async with deployment.socket(ward.ben.token) as socket:
        key = await socket.subscribe('subscription { inbox(after: "nonsense") { __typename } }')
        assert await socket.error(key) == "INVALID_INPUT"


@pytest.mark.rule("L4")
@pytest.mark.rule("L5")
async def test_a_change_of_plan_comes_and_the_inbox_goes_on(ward: Ward) -> None:
    async with device(ward.deployment, ward.ben.token) as ben:
        await set_tier(ward, Tier.STARTER)
        event = await ben.take()
        features = {each["key"]: each["enabled"] for each in event["practice"]["features"]}
        assert (event["__typename"], event["practice"]["name"]) == ("PracticeChanged", "Bay View")
        assert (features["team_chat"], features["file_share"]) == (False, True)
        read = await ward.deployment.data("{ chatBadges { kind unread urgent } }", ward.ben.token)
        assert badges(read["chatBadges"]) == {}
        await ward.deployment.data(LEAVE, ward.ben.token, i=ward.conversation)
        assert (await ben.take())["__typename"] == "InboxItemRemoved"


async def _held(ward: Ward) -> tuple[Held, Person]:
    owner = await ward.deployment.person(ward.practice, Role.OWNER, "Olga")
    await ward.deployment.data(ALLOW, owner.token)
    return await ward.deployment.held(ward.practice), owner


@pytest.mark.rule("C16")
@pytest.mark.rule("S10")
async def test_a_patient_in_the_portal_follows_theirs(ward: Ward) -> None:
    deployment = ward.deployment
    pat, _ = await _held(ward)
    async with device(deployment, pat.token) as phone, device(deployment, ward.ben.token) as ben:
        started = await deployment.data(WITH_PATIENT, ward.ada.token, p=pat.id, c="s")
        conversation = started["startPatientConversation"]["id"]
        await deployment.data(SEND, ward.ada.token, i=conversation, b="How are you?", c="m-1")
        assert (await phone.until(lambda now: now[1] == {"PATIENT": (1, 0)}))[0][conversation]["unread"] == 1
        await set_tier(ward, Tier.ENHANCED)
        event = await phone.take()
        assert (event["__typename"], event["practice"]) == ("PracticeChanged", None)
        assert (await ben.take())["__typename"] == "PracticeChanged"  # of the patient's nothing
        assert [each["__typename"] for each in ben.seen] == ["InboxOpened", "PracticeChanged"]


async def test_who_is_nobody_of_a_practice_has_no_inbox(ward: Ward) -> None:
    for token in (await ward.deployment.operator(), None):
        async with ward.deployment.socket(token) as socket:
            key = await socket.subscribe("subscription { inbox { __typename } }")
            assert await socket.error(key) == ("FORBIDDEN" if token else "UNAUTHENTICATED")


@pytest.mark.promise("D8")
async def test_nothing_is_left_of_inboxes_whose_sockets_are_gone(ward: Ward) -> None:
    live = ward.deployment.platform.live
    async with device(ward.deployment, ward.ada.token), device(ward.deployment, ward.ben.token):
        assert live.readers("inbox") == 2
    await ward.until(lambda: live.readers("inbox") == live.readers("practice") == live.readers("session") == 0)


async def test_each_act_tells_all_inboxes_in_one_statement_however_many_people(ward: Ward) -> None:
    deployment, costs = ward.deployment, []
    group = (await deployment.data(GROUP, ward.ada.token, n="Round", c="g"))["createGroup"]["id"]
    for people in (2, 9):
        ids = [(await deployment.person(ward.practice, name="P")).id for _ in range(people)]
        await deployment.data(ADD, ward.ada.token, i=group, p=ids)
        with statements() as ran:
            await deployment.data(SEND, ward.ada.token, i=group, b="hello", c=f"m-{people}")
        assert sum("inbox_tell" in sql for sql in ran) == 1
        costs.append(len(ran))
    assert costs[0] == costs[1]
    with acting(ward.practice.id):
        told = await DB.fetchval("SELECT count(*) FROM inbox_item WHERE subject_id = $1", UUID(group))
    assert told == 1 + 2 + 9


async def test_units_that_tell_the_same_people_at_once_never_wait_in_a_circle(ward: Ward) -> None:
    """Each tells in another order, and twice: the inboxes are locked at the end, in the order of ids."""
    inbox = ward.deployment.platform.inbox
    people = [ward.ada.member.id, ward.ben.member.id, (await ward.deployment.person(ward.practice)).member.id]

    async def tell(number: int) -> None:
        order = people if number % 2 else people[::-1]
        with acting(ward.practice.id, people[0]):
            async with unit() as work:
                for person in order:
                    inbox.tell(work, f"chat.kind{number % 3}", UUID(int=number), [person])
                    await DB.fetchval("SELECT 1")

    before = await ward.count("inbox_item")
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*(tell(number) for number in range(40)))
    with acting(ward.practice.id):
        rows = await DB.fetch(
            'SELECT person_id, array_agg("position" ORDER BY "position") AS places FROM inbox_item GROUP BY 1'
        )
    assert await ward.count("inbox_item") == before + 120
    assert all(len(set(row["places"])) == len(row["places"]) for row in rows)


@strawberry.type(description="A bed was made.")
class BedMade:
    """A bed."""

    cursor: str = strawberry.field(description="Where it stands.")
    bed: str = strawberry.field(description="Which.")


async def _beds(info: Info, cursors: Mapping[UUID, str]) -> Mapping[UUID, BedMade]:
    if UUID(int=13) in cursors:
        raise RuntimeError("a plugin that fails")
    return {key: BedMade(cursor=cursors[key], bed=str(key.int)) for key in cursors if key.int < 100}


BEDS = plugin(
    "beds",
    Manifest(name="beds", title="Beds", api=">=1.0,<2", requires=("graphql",)),
    graphql=lambda platform: GraphQLPart(inbox={"beds.bed": InboxKind(event=BedMade, load=_beds)}),
)


async def test_another_plugin_s_things_come_in_the_same_stream(fresh_database: Database) -> None:
    sources = {**installed(), "beds": BEDS}
    follow = """subscription { inbox { __typename ... on BedMade { bed } ... on InboxItemRemoved { kind id } } }"""
    async with served(fresh_database, sources=sources, plugins=("graphql", "beds"), strict=True) as deployment:
        practice = await deployment.practice(tier=None)
        ada = await deployment.person(practice)
        async with deployment.socket(ada.token) as socket:
            key = await socket.subscribe(follow)
            seen = [(await socket.next(key))["inbox"]]
            with acting(practice.id, ada.member.id):
                async with unit() as work:
                    for number in (7, 200):
                        deployment.platform.inbox.tell(work, "beds.bed", UUID(int=number), [ada.member.id])
                    deployment.platform.inbox.tell(work, "nobody.s", UUID(int=1), [ada.member.id])
                seen += [(await socket.next(key))["inbox"] for _ in range(2)]
                async with unit() as work:
                    deployment.platform.inbox.tell(work, "beds.bed", UUID(int=13), [ada.member.id])
            seen.append((await socket.next(key))["inbox"])
    assert seen == [
        {"__typename": "InboxOpened"},
        {"__typename": "BedMade", "bed": "7"},
        {"__typename": "InboxItemRemoved", "kind": "beds.bed", "id": str(UUID(int=200))},
        {"__typename": "InboxGap"},  # what a plugin fails to load is told as a reason to reload
    ]
