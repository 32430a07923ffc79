"""Who is sent a link and who is not: whatever the sender is called, members of connected practices, and groups."""

from __future__ import annotations


import pytest
from plugins.chat.hall import ADD
from plugins.chat.lobby import SEND, SEND_LINK, Lobby, client_id

PROFILE = "mutation($p: ProfilePatch!) { updateProfile(patch: $p) { firstName } }"
GROUP = """mutation($p: [ID!], $c: String!) { createGroup(name: "Ward", personIds: $p, clientId: $c) {
    id participants { id } } }"""
OUTSIDERS = "mutation($o: Boolean!) { updateChatSettings(patch: { outsidersInGroups: $o }) { outsidersInGroups } }"


@pytest.mark.rule("C6", "N4")
@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("A" * 100, "B" * 100, f"{'A' * 100} {'B' * 19}"),
        ("A" * 60, "B" * 62, f"{'A' * 60} {'B' * 59}"),
        ("A\u200db", "Moss", "Ab Moss"),
    ],
)
async def test_whatever_a_member_is_called_their_links_are_sent(lobby: Lobby, first: str, last: str, told: str) -> None:
    await lobby.data(OUTSIDERS, lobby.olga, o=True)
    await lobby.data(PROFILE, p={"firstName": first, "lastName": last})
    conversation, contact, secret = await lobby.external("one@example.org")
    await lobby.data(SEND_LINK, i=conversation, p=contact)
    await lobby.secret("one@example.org", 2)
    await lobby.patient()
    two, three = await lobby.contact("two@example.org"), await lobby.contact("three@example.org")
    group = await lobby.data(GROUP, p=[two], c=client_id())
    await lobby.data(ADD, i=group["id"], p=[three])
    await lobby.data(SEND, i=group["id"], b="Hello", c=client_id())
    for address in ("two@example.org", "three@example.org"):
        await lobby.secret(address)
        assert f"{told} of {lobby.practice.name}" in lobby.letters(address)[0].replace("=\n", "")
    assert secret
