"""The small model of conversations that chat's random test compares with, and what a client keeps of one."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

FIELDS = """id name description private unread urgent cursor participants { nodes { id readUpTo } }
  messages(first: 100) { nodes { id cursor body urgent deletedAt replyToId sender { id } reactions { emoji personIds }
    acknowledgements { personId acknowledgedAt } } }"""
SEE = f"query($i: ID!) {{ conversation(id: $i) {{ {FIELDS} }} }}"
ONE = "query($i: ID!) { conversation(id: $i) { id } }"
LIST = "{ conversations(first: 100) { nodes { id } } }"
MESSAGE = """id body urgent deletedAt cursor replyToId sender { id } reactions { emoji personIds }
  acknowledgements { personId acknowledgedAt }"""
EVENTS = f"""subscription($i: ID!, $a: String) {{ conversationEvents(conversationId: $i, after: $a) {{
  ... on MessageChanged {{ __typename cursor message {{ {MESSAGE} }} added }}
  ... on ParticipantChanged {{ __typename cursor participant {{ id leftAt readUpTo }} }}
  ... on ConversationChanged {{ __typename cursor conversation {{ name description private }} }} }} }}"""


@dataclass
class Said:
    """A message of the model."""

    id: str
    sender: str
    body: str
    urgent: bool
    reply_to: str | None = None
    deleted: bool = False
    reactions: list[str] = field(default_factory=list[str])
    waiting: dict[str, bool] = field(default_factory=dict[str, bool])


@dataclass
class Talk:
    """A conversation of the model.

    Args:
        id: the conversation.
        kind: what kind it is.
        maker: who started it.
        people: who is in it -> the number of the last message that they have read.
        pair: whom it is between, where there is one of its kind.
        name: a group's.
        private: whether a group is.
        gone: who left it -> the number of its last message then.
        said: its messages.
    """

    id: str
    kind: str
    maker: str
    people: dict[str, int]
    pair: tuple[str, ...] = ()
    name: str | None = None
    private: bool = False
    gone: dict[str, int] = field(default_factory=dict[str, int])
    said: list[Said] = field(default_factory=list[Said])

    def join(self, person: str) -> None:
        """Have somebody join, who has nothing to read yet; who is in it stays as they are."""
        if person not in self.people:
            self.gone.pop(person, None)
            self.people[person] = len(self.said)

    def leave(self, person: str) -> None:
        """Have somebody leave."""
        del self.people[person]
        self.gone[person] = len(self.said)

    def come_back(self, person: str) -> None:
        """Have somebody who left be in it again, with what was said meanwhile to read."""
        if person in self.gone:
            self.people[person] = self.gone.pop(person)

    def seen(self, person: str, hidden: Collection[str]) -> dict[str, Any]:
        """What the person has to see of it, without the receipts of those who are hidden."""
        unread = sum(not each.deleted for each in self.said[self.people[person] :])
        urgent = sum(each.waiting.get(person) is False for each in self.said)
        return {
            "name": self.name, "private": self.private, "unread": unread, "urgent": urgent,
            "people": {each: 0 if each in hidden else read for each, read in self.people.items()},
            "said": [
                (each.id, each.body, each.urgent, each.deleted, each.sender, each.reply_to, tuple(each.reactions),
                 frozenset((who, done and who not in hidden) for who, done in each.waiting.items()))
                for each in self.said
            ],
        }  # fmt: skip


def cursor_of(position: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([position]).encode()).decode().rstrip("=")


def position_of(cursor: str) -> int:
    return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[0]


def _said(node: dict[str, Any]) -> tuple[Any, ...]:
    reactions = [person for each in node["reactions"] for person in each["personIds"]]
    waiting = {each["personId"]: each["acknowledgedAt"] is not None for each in node["acknowledgements"]}
    return (
        node["id"], node["body"], node["urgent"], node["deletedAt"] is not None, node["sender"]["id"],
        node["replyToId"], tuple(reactions), frozenset(waiting.items()),
    )  # fmt: skip


def seen_of(fresh: dict[str, Any]) -> dict[str, Any]:
    numbers = {node["cursor"]: number for number, node in enumerate(fresh["messages"]["nodes"], 1)}
    places: dict[str | None, int] = {None: 0, **numbers}
    return {
        **{name: fresh[name] for name in ("name", "private", "unread", "urgent")},
        "people": {each["id"]: places[each["readUpTo"]] for each in fresh["participants"]["nodes"]},
        "said": [_said(node) for node in fresh["messages"]["nodes"]],
    }


def replica_of(fresh: dict[str, Any]) -> dict[str, Any]:
    return {
        "about": {name: fresh[name] for name in ("name", "description", "private")},
        "people": {each["id"]: each["readUpTo"] for each in fresh["participants"]["nodes"]},
        "said": {node["id"]: _said(node) for node in fresh["messages"]["nodes"]},
    }


def state_of(replica: dict[str, Any]) -> dict[str, Any]:
    # By their ids, which grow: one that has changed since it was sent may be told of after a later one.
    return {**replica, "said": [replica["said"][key] for key in sorted(replica["said"])]}


def apply(replica: dict[str, Any], event: dict[str, Any], hidden: Collection[str]) -> None:
    """Do with an event what a client does, which has no receipts of those who are hidden."""
    match event["__typename"]:
        case "MessageChanged":
            message = event["message"]
            replica["said"][message["id"]] = _said(message)
            sender = message["sender"]["id"]
            if (
                event["added"] and sender in replica["people"] and sender not in hidden
            ):  # who sends has read up to there
                before = replica["people"][sender]
                if before is None or position_of(before) < position_of(message["cursor"]):
                    replica["people"][sender] = message["cursor"]
        case "ParticipantChanged":
            person = event["participant"]
            replica["people"].pop(person["id"], None)
            if person["leftAt"] is None:
                replica["people"][person["id"]] = person["readUpTo"]
        case _:
            replica["about"] = event["conversation"]
