"""The guide's page on chat holds: its operations run as they are printed, in the order in which it tells of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, parse, print_ast
from plugins.chat.ward import Ward

GUIDE = Path(__file__).parents[3] / "docs" / "graphql-guide" / "chat.md"


def operations() -> dict[str, str]:
    """Name -> operation, of all in the page."""
    text = GUIDE.read_text(encoding="utf-8")
    return {
        node.name.value: print_ast(node)
        for block in re.findall(r"^```graphql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for node in parse(block).definitions
        if isinstance(node, OperationDefinitionNode) and node.name is not None
    }


@pytest.mark.rule("C16")
@pytest.mark.rule("C10")
async def test_its_operations_run_as_printed(ward: Ward) -> None:
    printed, data, conversation = operations(), ward.deployment.data, ward.conversation
    assert set(printed) == {"Inbox", "List", "Open", "Follow", "Seen", "Send", "Acknowledge"}
    async with ward.deployment.socket(ward.ben.token) as socket, ward.deployment.socket(ward.ben.token) as other:
        inbox = await socket.subscribe(printed["Inbox"])
        assert (await socket.next(inbox))["inbox"]["__typename"] == "InboxOpened"
        listed = await data(printed["List"], ward.ben.token)
        assert [node["id"] for node in listed["conversations"]["nodes"]] == [conversation]
        opened = (await data(printed["Open"], ward.ben.token, id=conversation))["conversation"]
        assert (opened["messages"]["nodes"], opened["composer"]["text"]["open"]) == ([], True)
        follow = await other.subscribe(printed["Follow"], id=conversation, after=opened["cursor"])

        given = {"id": conversation, "body": "The fridge is warm", "urgent": True, "clientId": "m-1"}
        sent = (await data(printed["Send"], ward.ada.token, **given))["sendMessage"]
        changed = (await socket.next(inbox))["inbox"]
        assert (changed["conversation"]["unread"], changed["conversation"]["urgent"]) == (1, 1)
        event = (await other.next(follow))["conversationEvents"]
        assert (event["added"], event["message"]["id"]) == (True, sent["id"])

        seen = await data(printed["Seen"], ward.ben.token, id=conversation, upTo=sent["cursor"])
        assert seen["markConversationRead"] == {"id": conversation, "unread": 0, "urgent": 1}
        event = (await other.next(follow))["conversationEvents"]
        assert event["participant"]["readUpTo"] == sent["cursor"]
        done = await data(printed["Acknowledge"], ward.ben.token, message=sent["id"])
        [acknowledgement] = done["acknowledgeMessage"]["acknowledgements"]
        assert acknowledgement["acknowledgedAt"] is not None
        event = (await other.next(follow))["conversationEvents"]
        assert (event["added"], event["message"]["acknowledgements"]) == (False, [acknowledgement])

    async with ward.deployment.socket(ward.ben.token) as socket:  # after a break: what has changed, once, as it is now
        inbox = await socket.subscribe(printed["Inbox"], after=changed["cursor"])
        again = (await socket.next(inbox))["inbox"]
        assert (again["__typename"], again["conversation"]["urgent"]) == ("ConversationInboxChanged", 0)
