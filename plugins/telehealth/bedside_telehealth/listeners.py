"""What telehealth does when something has happened elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bedside_core.api import ConnectionEnded, MemberDeactivated
from bedside_telehealth.service import TelehealthService

if TYPE_CHECKING:
    from bedside_core.api import Platform


def connection_ended(platform: Platform) -> Callable[[ConnectionEnded], Awaitable[None]]:
    """Return the listener by which sessions end that practices shared who are connected no longer (P2)."""

    async def ended(event: ConnectionEnded) -> None:
        await platform.service(TelehealthService).part(event.other_practice_id)

    return ended


def member_deactivated(platform: Platform) -> Callable[[MemberDeactivated], Awaitable[None]]:
    """Return the listener by which members who are deactivated leave the sessions they are in (A10)."""

    async def deactivated(event: MemberDeactivated) -> None:
        await platform.service(TelehealthService).deactivated(event.practice_id, event.member_id)

    return deactivated
