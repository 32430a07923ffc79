"""What chat tells people's inboxes of, and the badges that agree with it on all of their devices (C10, C16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.api import Conversation
from bedside_chat.kinds import WAYS, ConversationKind
from bedside_chat.rows import CONVERSATIONS_BY_ID, OF_PERSON, UNREAD, conversation_of
from bedside_chat.rules import lacks_all
from bedside_core.api import DB, Actor, Refusal, audit

if TYPE_CHECKING:
    from bedside_core.api import Platform

CONVERSATION_KIND = "chat.conversation"
"""The kind of thing that a conversation is in an inbox."""

_BADGES = f"""
SELECT own.kind, sum(own.unread)::bigint AS unread, coalesce(sum(urgent.open), 0)::bigint AS urgent
FROM (SELECT c.id, c.kind, {UNREAD} AS unread {OF_PERSON}) AS own
LEFT JOIN (
    SELECT conversation_id, count(*) AS open FROM urgent_recipient
    WHERE person_id = $1 AND acknowledged_at IS NULL GROUP BY conversation_id
) AS urgent ON urgent.conversation_id = own.id
GROUP BY own.kind
"""


@dataclass(frozen=True, kw_only=True)
class Badge:
    """What stands at one kind of conversation (C10).

    Args:
        kind: the kind.
        unread: messages that the person has not read (orange).
        urgent: urgent messages that they have not acknowledged (red).
    """

    kind: ConversationKind
    unread: int
    urgent: int


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A conversation as the inbox tells of it.

    Args:
        conversation: as it is now, without its last message where `closed` is there.
        closed: why what is said in it is not told live; None where it is (L4).
    """

    conversation: Conversation
    closed: Refusal | None


class ChatInbox:
    """Loads what the inbox shows of chat.

    Args:
        platform: access.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def present(self, actor: Actor, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Shown]:
        """Return those of the conversations that the actor takes part in, as they are now, whatever the plan (L5).

        What is said where the plan has no conversations of that kind is read by queries, and not told live (L4).
        """
        _, person_id = actor.as_person()
        await self._platform.access.require(actor, "chat.read")
        rows = await DB.fetch(CONVERSATIONS_BY_ID, person_id, list(conversation_ids))
        audit.saw(row["subject_id"] for row in rows if row["kind"] == "patient")
        closed = {
            kind: await lacks_all(self._platform, actor, [WAYS[kind].text, WAYS[kind].files])
            for kind in sorted({ConversationKind(row["kind"]) for row in rows})
        }
        shown = [Shown(conversation=found, closed=closed[found.kind]) for found in map(conversation_of, rows)]
        return {
            each.conversation.id: replace(each, conversation=replace(each.conversation, last_message=None))
            if each.closed
            else each
            for each in shown
        }

    async def badges(self, actor: Actor) -> list[Badge]:
        """Return what stands at each kind of conversation, every kind once, in one statement."""
        _, person_id = actor.as_person()
        await self._platform.access.require(actor, "chat.read")
        found = {row["kind"]: row for row in await DB.fetch(_BADGES, person_id)}
        return [
            Badge(kind=kind, unread=found[kind]["unread"], urgent=found[kind]["urgent"])
            if kind in found
            else Badge(kind=kind, unread=0, urgent=0)
            for kind in ConversationKind
        ]
