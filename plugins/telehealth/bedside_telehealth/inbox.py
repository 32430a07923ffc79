"""What telehealth tells people's inboxes of: the sessions they take part in, as they are now (T12, T15, C16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import Actor
from bedside_telehealth.api import Session
from bedside_telehealth.service import TelehealthService

if TYPE_CHECKING:
    from bedside_core.api import Platform


class SessionInbox:
    """Loads what the inbox shows of sessions.

    Args:
        platform: access, and who reads sessions.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def present(self, actor: Actor, session_ids: Sequence[UUID]) -> Mapping[UUID, Session]:
        """Return those of the sessions that the actor takes part in, as they are now, whatever the plan (L5)."""
        await self._platform.access.require(actor, "telehealth.read")
        return await self._platform.service(TelehealthService).sessions_by_id(actor, session_ids)
