"""Ways round the plan and round a link's reach that are none (L2, L3, C6)."""

from __future__ import annotations

import pytest
from plugins.chat.connecting import connect
from plugins.chat.devices import BADGES, device, state
from plugins.chat.lobby import LEAVE, READ, REVOKE_LINK, SEND, SEND_LINK, Lobby, client_id

from bedside_core.access import Tier
from bedside_core.auth import Role
from bedside_plans.service import PlanService

GROUP = """mutation($p: [ID!], $c: String!) { createGroup(name: "Ward", personIds: $p, clientId: $c) { id } }"""
ADD = "mutation($i: ID!, $p: [ID!]!) { addParticipants(conversationId: $i, personIds: $p) { id } }"
REMOVE = "mutation($i: ID!, $p: ID!) { removeParticipant(conversationId: $i, personId: $p) { id } }"
RENAME = 'mutation($i: ID!) { changeGroup(conversationId: $i, name: "Other") { id } }'
OUTSIDERS = "mutation { updateChatSettings(patch: { outsidersInGroups: true }) { outsidersInGroups } }"
COMPOSER = "query($i: ID!) { conversation(id: $i) { composer { text { open code wayOn } files { open code wayOn } } } }"
START = "mutation($m: ID!, $c: String!) { startConversation(memberId: $m, clientId: $c) { id } }"
HEAR = f"""subscription($a: String) {{ inbox(after: $a) {{ ... on ConversationInboxChanged {{ {BADGES} conversation {{
    id unread lastMessage {{ body }} messages(last: 5) {{ nodes {{ body }} }} }} }} }} }}"""
PARTICIPANTS = "SELECT conversation_id, person_id, left_at IS NULL AS here FROM participant ORDER BY 1, 2"


async def set_tier(lobby: Lobby, tier: Tier) -> None:
    await lobby.deployment.platform.service(PlanService).change_plan(lobby.practice.id, tier)


@pytest.mark.rule("L2", "L3", "C7")
async def test_without_team_chat_nobody_is_added_to_a_group_and_it_keeps_its_name_but_people_are_removed(
    lobby: Lobby,
) -> None:
    await lobby.data(OUTSIDERS, lobby.olga)
    ben = await lobby.deployment.person(lobby.practice, name="Ben")
    carl = await lobby.deployment.person(lobby.practice, name="Carl")
    dora = await lobby.contact("dora@example.org")
    group = (await lobby.data(GROUP, p=[ben.id], c=client_id()))["id"]
    for tier in (Tier.STARTER, Tier.ENHANCED):
        await set_tier(lobby, tier)
        before = await lobby.rows(PARTICIPANTS), await lobby.rows("SELECT name FROM conversation")
        for people in ([carl.id], [dora], [carl.id, dora]):
            assert await lobby.code(ADD, i=group, p=people) == "FEATURE_NOT_IN_PLAN"
        assert await lobby.code(RENAME, i=group) == "FEATURE_NOT_IN_PLAN"
        assert (await lobby.rows(PARTICIPANTS), await lobby.rows("SELECT name FROM conversation")) == before
        assert await lobby.rows("SELECT id FROM guest_link") == []
    await lobby.data(REMOVE, i=group, p=ben.id)


@pytest.mark.rule("L2", "L9", "C6")
@pytest.mark.parametrize("tier", [Tier.ENHANCED, Tier.PREMIUM])
@pytest.mark.parametrize("gone", ["left", "revoked", "expired"])
async def test_members_do_not_write_among_themselves_where_a_contact_can_not_be_reached(
    lobby: Lobby, gone: str, tier: Tier
) -> None:
    ben = await lobby.deployment.person(lobby.practice, name="Ben")
    conversation, contact, first = await lobby.external()
    guest = await lobby.entered(first)
    await set_tier(lobby, tier)
    await lobby.data(ADD, i=conversation, p=[ben.id])
    await lobby.data(SEND, i=conversation, b="to the contact", c="first")
    if gone == "left":
        await lobby.data(LEAVE, guest, i=conversation)
    elif gone == "revoked":
        await lobby.data(REVOKE_LINK, i=conversation, p=contact)
    else:
        await lobby.later(days=15)
    before = await lobby.rows(PARTICIPANTS)
    for member in (lobby.ada, ben):
        composer = (await lobby.data(COMPOSER, member, i=conversation))["composer"]
        for part in (composer["text"], composer["files"]):
            told = {"open": False, "code": "NOT_REACHED", "wayOn": "Send them the link again."}
            assert part == told
        assert await lobby.code(SEND, member, i=conversation, b="to nobody", c=client_id()) == "NOT_REACHED"
    await lobby.data(SEND, i=conversation, b="to the contact", c="first")  # a retry is answered
    assert await lobby.read(conversation) == ["to the contact"]
    assert await lobby.rows(PARTICIPANTS) == before
    await lobby.after_the_delay()  # so that what waited has gone, or goes no more
    letters = len(lobby.letters("cora@example.org"))
    await lobby.data(SEND_LINK, i=conversation, p=contact)
    await lobby.data(SEND, i=conversation, b="to the contact again", c=client_id())
    back = await lobby.entered(await lobby.secret("cora@example.org", letters + 1))
    assert await lobby.read(conversation, back) == ["to the contact", "to the contact again"]


@pytest.mark.rule("C6")
@pytest.mark.promise("A2")
async def test_what_a_guest_uploads_by_one_link_is_not_there_for_their_other_one(lobby: Lobby) -> None:
    one, contact, first = await lobby.external("cora@example.org")
    await lobby.data(OUTSIDERS, lobby.olga)
    other = (await lobby.data(GROUP, p=[contact], c=client_id()))["id"]
    here, there = await lobby.entered(first), await lobby.entered(await lobby.secret("cora@example.org", 2))
    upload = await lobby.uploaded(here, b"a note", "note.txt")
    assert (await lobby.get(f"/files/{upload}", there)).status_code == 404
    given = {"b": "", "c": client_id(), "u": [upload]}
    assert await lobby.code(SEND, there, i=other, **given) == "NOT_FOUND"
    assert await lobby.read(other, there) == []
    assert (await lobby.get(f"/files/{upload}", here)).content == b"a note"
    await lobby.data(SEND, here, i=one, **given)
    assert (await lobby.data(READ, here, i=one))["messages"]["nodes"][0]["attachments"][0]["name"] == "note.txt"


@pytest.mark.rule("L3", "L4")
async def test_the_inbox_tells_nothing_of_what_is_said_where_the_plan_lacks_it_and_queries_do(lobby: Lobby) -> None:
    deployment = lobby.deployment
    away = await deployment.practice("Hill")
    ben, eve = await deployment.person(lobby.practice, name="Ben"), await deployment.person(away, Role.OWNER, "Eve")
    await connect(deployment, lobby.olga, eve, away)
    talk = (await lobby.data(START, ben, m=eve.id, c=client_id()))["id"]
    external, _, _ = await lobby.external()
    await lobby.data(ADD, i=external, p=[ben.id])
    async with device(deployment, ben.token) as other, deployment.socket(ben.token) as socket:
        await set_tier(lobby, Tier.ENHANCED)  # Eve's practice has team chat, and writes on
        await other.take()
        key = await socket.subscribe(HEAR, a=other.cursor)
        await lobby.data(SEND, eve, i=talk, b="heard by the inbox", c=client_id())
        event = await other.take()
        assert (event["conversation"]["unread"], event["conversation"]["lastMessage"]) == (1, None)
        assert event["chatBadges"] == [
            {**each, "unread": int(each["kind"] == "DIRECT")} for each in event["chatBadges"]
        ]
        heard = (await socket.receive())["payload"]
        assert heard["data"]["inbox"]["conversation"] == {
            "id": talk, "unread": 1, "lastMessage": None, "messages": None,
        }  # fmt: skip
        assert [error["extensions"]["code"] for error in heard["errors"]] == ["FEATURE_NOT_IN_PLAN"]
        await lobby.data(SEND, i=external, b="to the contact", c=client_id())  # what the plan has is told as ever
        assert (await other.take())["conversation"]["lastMessage"]["body"] == "to the contact"
        assert (await socket.next(key))["inbox"]["conversation"]["messages"]["nodes"] == [{"body": "to the contact"}]
        listed, _ = await state(deployment, ben.token)  # what is there is readable (L5)
        assert listed[talk]["lastMessage"]["body"] == "heard by the inbox"
        await set_tier(lobby, Tier.PREMIUM)
        await other.take()
        await lobby.data(SEND, eve, i=talk, b="told again", c=client_id())
        assert (await other.take())["conversation"]["lastMessage"]["body"] == "told again"
