"""`messageAdded` over real sockets: replay, then live, once and in order; ended when plan, session or person go."""

from __future__ import annotations

import pytest
from plugins.chat.ward import SEND, START, Ward

from bedside_core.access import Tier
from bedside_core.auth import Role
from bedside_plans.service import PlanService

FOLLOW = "subscription($i: ID!, $a: String) { messageAdded(conversationId: $i, after: $a) { body cursor } }"

COMPOSER = """query($i: ID!) { conversation(id: $i) {
    composer { text { open code feature } files { open code feature } } } }"""


async def set_tier(ward: Ward, tier: Tier) -> None:
    await ward.deployment.platform.service(PlanService).change_plan(ward.practice.id, tier)


@pytest.mark.rule("C16")
async def test_a_message_reaches_both_and_a_resumed_reader_gets_what_it_missed(ward: Ward) -> None:
    async with ward.deployment.socket(ward.ada.token) as ada:
        async with ward.deployment.socket(ward.ben.token) as ben:
            mine, his = (
                await ada.subscribe(FOLLOW, i=ward.conversation),
                await ben.subscribe(FOLLOW, i=ward.conversation),
            )
            await ward.quiet(2)
            await ward.send("one", "m-1")
            seen = (await ada.next(mine))["messageAdded"]
            assert seen["body"] == "one"
            assert (await ben.next(his))["messageAdded"] == seen
        await ward.send("two", "m-2")
        await ward.send("three", "m-3", ward.ben)
        assert [(await ada.next(mine))["messageAdded"]["body"] for _ in range(2)] == ["two", "three"]
    async with ward.deployment.socket(ward.ben.token) as ben:
        his = await ben.subscribe(FOLLOW, i=ward.conversation, a=seen["cursor"])
        assert [(await ben.next(his))["messageAdded"]["body"] for _ in range(2)] == ["two", "three"]
        await ward.send("four", "m-4")
        assert (await ben.next(his))["messageAdded"]["body"] == "four"


async def test_nothing_is_left_when_the_sockets_are_gone(ward: Ward) -> None:
    live = ward.deployment.platform.live
    async with ward.deployment.socket(ward.ada.token) as ada:
        for _ in range(3):
            await ada.subscribe(FOLLOW, i=ward.conversation)
        await ward.quiet(3)
    await ward.until(lambda: live.readers("conversation") == live.readers("session") == live.readers("practice") == 0)


@pytest.mark.rule("L2")
@pytest.mark.rule("L3")
@pytest.mark.rule("L4")
@pytest.mark.rule("L9")
async def test_a_downgrade_refuses_at_once_and_an_upgrade_lets_in_without_reconnecting(ward: Ward) -> None:
    await ward.send("before", "m-0")
    carl = await ward.deployment.person(ward.practice, name="Carl")
    async with ward.deployment.socket(ward.ben.token) as ben:
        his = await ben.subscribe(FOLLOW, i=ward.conversation)
        await ward.quiet(1)
        await set_tier(ward, Tier.STARTER)
        assert await ben.error(his) == "FEATURE_NOT_IN_PLAN"

        refused = await ward.deployment.ask("{ groups { nodes { id } } practice { name } }", ward.ada.token)
        assert refused["data"] == {"groups": None, "practice": {"name": "Bay View"}}
        [error] = refused["errors"]
        assert (error["path"], error["extensions"]["code"]) == (["groups"], "FEATURE_NOT_IN_PLAN")
        assert error["extensions"]["feature"] == "team_chat"
        locked = await ward.deployment.data(COMPOSER, ward.ada.token, i=ward.conversation)
        closed = {"open": False, "code": "FEATURE_NOT_IN_PLAN", "feature": "team_chat"}
        assert locked["conversation"]["composer"] == {"text": closed, "files": closed}
        code = ward.deployment.code
        assert await code(SEND, ward.ada.token, i=ward.conversation, b="no", c="m-1") == "FEATURE_NOT_IN_PLAN"
        assert await code(START, ward.ada.token, m=carl.id, c="s-2") == "FEATURE_NOT_IN_PLAN"
        his = await ben.subscribe(FOLLOW, i=ward.conversation)
        assert await ben.error(his) == "FEATURE_NOT_IN_PLAN"
        assert await ward.messages() == ["before"]
        assert await ward.count("conversation") == 1

        await set_tier(ward, Tier.PREMIUM)
        his = await ben.subscribe(FOLLOW, i=ward.conversation)
        await ward.quiet(1)
        await ward.send("after", "m-1")
        assert (await ben.next(his))["messageAdded"]["body"] == "after"


@pytest.mark.rule("L5")
async def test_after_a_downgrade_what_was_there_can_be_read(ward: Ward) -> None:
    await ward.send("worth keeping", "m-1")
    await set_tier(ward, Tier.STARTER)
    query = "{ conversations { nodes { id messages { nodes { body } } } } }"
    for person in (ward.ada, ward.ben):
        [kept] = (await ward.deployment.data(query, person.token))["conversations"]["nodes"]
        assert kept == {"id": ward.conversation, "messages": {"nodes": [{"body": "worth keeping"}]}}
    stranger = await ward.deployment.person(ward.practice, Role.OWNER)
    assert (await ward.deployment.data(query, stranger.token))["conversations"]["nodes"] == []


@pytest.mark.rule("A10")
async def test_signing_out_closes_the_sockets_of_that_session(ward: Ward) -> None:
    again = await ward.deployment.sign_in(ward.ada.email)
    async with ward.deployment.socket(ward.ada.token) as first, ward.deployment.socket(again) as second:
        key = await second.subscribe(FOLLOW, i=ward.conversation)
        await ward.quiet(1)
        await ward.deployment.data("mutation { signOut }", ward.ada.token)
        assert await first.closed() == (4403, "Session ended")
        await ward.send("still here", "m-1", ward.ben)
        assert (await second.next(key))["messageAdded"]["body"] == "still here"


async def test_who_is_not_in_a_conversation_can_t_follow_it(ward: Ward) -> None:
    owner = await ward.deployment.person(ward.practice, Role.OWNER)
    async with ward.deployment.socket(owner.token) as socket:
        key = await socket.subscribe(FOLLOW, i=ward.conversation)
        assert await socket.error(key) == "NOT_FOUND"
        key = await socket.subscribe(FOLLOW, i="0199aaaa-0000-7000-8000-000000000000")
        assert await socket.error(key) == "NOT_FOUND"


async def test_somebody_who_left_the_conversation_gets_nothing_more(ward: Ward) -> None:
    async with ward.deployment.socket(ward.ben.token) as ben:
        key = await ben.subscribe(FOLLOW, i=ward.conversation)
        await ward.quiet(1)
        await ward.remove(ward.ben)
        await ward.send("he is gone", "m-1")
        assert await ben.error(key) == "NOT_FOUND"
