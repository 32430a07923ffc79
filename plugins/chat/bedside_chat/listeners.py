"""What chat does when something has happened elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bedside_chat.api import MessageSent
from bedside_chat.guest_links import GuestLinks
from bedside_chat.nearby import Nearby
from bedside_chat.service import ChatService
from bedside_core.api import MemberJoined
from bedside_portal.api import PortalAccountChanged, PortalState

if TYPE_CHECKING:
    from bedside_core.api import Platform


def message_sent(platform: Platform) -> Callable[[MessageSent], Awaitable[None]]:
    """Return the listener by which who has sent a message is typing it no more (C14)."""

    async def sent(event: MessageSent) -> None:
        platform.service(Nearby).sent(event.conversation_id, event.sender_id)

    return sent


def member_joined(platform: Platform) -> Callable[[MemberJoined], Awaitable[None]]:
    """Return the listener by which a new member joins the practice's team conversation (C1)."""

    async def joined(event: MemberJoined) -> None:
        await platform.service(ChatService).join_team(event.practice_id, event.member_id)

    return joined


def portal_account_changed(platform: Platform) -> Callable[[PortalAccountChanged], Awaitable[None]]:
    """Return the listener by which links are over of a patient who signs in to the portal, or may not (C3, C6)."""

    async def changed(event: PortalAccountChanged) -> None:
        if event.state == PortalState.ACTIVE:
            await GuestLinks(platform).all_over(event.patient_id)
        elif event.state == PortalState.SUSPENDED:
            await GuestLinks(platform).suspended(event.patient_id)

    return changed
