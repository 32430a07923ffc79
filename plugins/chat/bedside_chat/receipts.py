"""Who sees that members are there and what they have read: members, and others where the practice lets them (C14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.settings import ChatSettings
from bedside_core.api import Actor

if TYPE_CHECKING:
    from bedside_core.api import Platform

TOLD = "CASE WHEN changed = receipt_at THEN told_at ELSE changed END"
"""Position of the last change of a participant or message that is told to whoever sees no receipts of members."""


async def sees_members(platform: Platform, actor: Actor) -> bool:
    """Tell whether somebody sees which members are there, who is typing, and what members have read."""
    return actor.member_id is not None or (await platform.settings.read(ChatSettings)).presence_for_patients


@dataclass(frozen=True)
class Receipts:
    """Tells of conversations whether an actor sees there what members have read; asked once for an operation.

    Args:
        platform: settings.
        actor: who would see it.
    """

    platform: Platform = field(compare=False)
    actor: Actor

    async def __call__(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, bool]:
        """Return whether they see it, by conversation."""
        return dict.fromkeys(conversation_ids, await sees_members(self.platform, self.actor))
