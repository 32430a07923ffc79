"""Ways round the plan and round a link's reach that are none (L2, L3, C6)."""

from __future__ import annotations

import pytest
from plugins.chat.lobby import LEAVE, READ, SEND, Lobby, client_id

from bedside_core.access import Tier
from bedside_plans.service import PlanService

GROUP = """mutation($p: [ID!], $c: String!) { createGroup(name: "Ward", personIds: $p, clientId: $c) { id } }"""
ADD = "mutation($i: ID!, $p: [ID!]!) { addParticipants(conversationId: $i, personIds: $p) { id } }"
REMOVE = "mutation($i: ID!, $p: ID!) { removeParticipant(conversationId: $i, personId: $p) { id } }"
RENAME = 'mutation($i: ID!) { changeGroup(conversationId: $i, name: "Other") { id } }'
OUTSIDERS = "mutation { updateChatSettings(patch: { outsidersInGroups: true }) { outsidersInGroups } }"
COMPOSER = "query($i: ID!) { conversation(id: $i) { composer { text { open code } files { open code } } } }"
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


@pytest.mark.rule("L2", "L9")
async def test_members_who_are_alone_in_a_contacts_conversation_write_there_with_team_chat_only(lobby: Lobby) -> None:
    ben = await lobby.deployment.person(lobby.practice, name="Ben")
    conversation, contact, first = await lobby.external()
    guest = await lobby.entered(first)
    await set_tier(lobby, Tier.ENHANCED)
    await lobby.data(ADD, i=conversation, p=[ben.id])
    await lobby.data(SEND, i=conversation, b="to the contact", c=client_id())
    await lobby.data(LEAVE, guest, i=conversation)
    shut = {"open": False, "code": "FEATURE_NOT_IN_PLAN"}
    assert (await lobby.data(COMPOSER, i=conversation))["composer"] == {"text": shut, "files": shut}
    assert await lobby.code(SEND, i=conversation, b="to the team", c=client_id()) == "FEATURE_NOT_IN_PLAN"
    assert await lobby.read(conversation) == ["to the contact"]
    send = "mutation($i: ID!, $p: ID!) { sendGuestLink(conversationId: $i, personId: $p) { id } }"
    await lobby.data(send, i=conversation, p=contact)
    await lobby.data(SEND, i=conversation, b="to the contact again", c=client_id())
    await set_tier(lobby, Tier.PREMIUM)
    await lobby.data(LEAVE, await lobby.entered(await lobby.secret("cora@example.org", 2)), i=conversation)
    await lobby.data(SEND, i=conversation, b="to the team", c=client_id())


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
