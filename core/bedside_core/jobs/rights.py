"""Asks, when a job does what somebody has asked for earlier, whether they may now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.auth import Actor

if TYPE_CHECKING:
    from bedside_core.platform import Platform


async def still_may(platform: Platform, actor: Actor, permission: str, target: UUID | None = None) -> bool:
    """Tell whether a member who asked for something has the right to it still, in the role that they have now.

    What was asked for by a key or in an application ends with it.

    Args:
        platform: sign-ins, people and access.
        actor: who asked, as they were then; the acting practice is theirs.
        permission: what for.
        target: what about.
    """
    person_id = actor.in_practice()[1]
    member = (await platform.people.members_by_id([person_id])).get(person_id)
    if member is None or not member.active or not await platform.auth.keys.still_given(actor):
        return False
    return await platform.access.why_not(replace(actor, role=member.role), permission, target) is None
