"""What chat tells people's inboxes of, and the badges that agree with it on all of their devices (C10, C16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.api import Conversation
from bedside_chat.kinds import ConversationKind
from bedside_chat.rows import CONVERSATIONS, conversation_of
from bedside_core.api import DB, Actor, audit

if TYPE_CHECKING:
    from bedside_core.api import Platform

CONVERSATION_KIND = "chat.conversation"
"""The kind of thing that a conversation is in an inbox."""

_BADGES = """
SELECT c.kind, sum(CASE WHEN c.messages > p.read_number THEN c.messages - p.read_number
        - (SELECT count(*) FROM message d WHERE d.conversation_id = c.id AND d.deleted_at IS NOT NULL
            AND d.number > p.read_number) ELSE 0 END)::bigint AS unread,
    coalesce(sum(u.open), 0)::bigint AS urgent
FROM participant p JOIN conversation c ON c.id = p.conversation_id
LEFT JOIN (
    SELECT conversation_id, count(*) AS open FROM urgent_recipient
    WHERE person_id = $1 AND acknowledged_at IS NULL GROUP BY conversation_id
) u ON u.conversation_id = c.id
WHERE p.person_id = $1 AND p.left_at IS NULL GROUP BY c.kind
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


class ChatInbox:
    """Loads what the inbox shows of chat.

    Args:
        platform: access.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def present(self, actor: Actor, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Conversation]:
        """Return those of the conversations that the actor takes part in, as they are now, whatever the plan (L5)."""
        _, person_id = actor.as_person()
        await self._platform.access.require(actor, "chat.read")
        rows = await DB.fetch(f"{CONVERSATIONS} AND c.id = ANY($2)", person_id, list(conversation_ids))
        audit.saw(row["subject_id"] for row in rows if row["kind"] == "patient")
        return {row["id"]: conversation_of(row) for row in rows}

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
