"""On which terms patients book with a practitioner: notice, horizon, buffers, said by who keeps their hours (S4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import Actor, Scope, audit, unit
from bedside_scheduling.settings import SchedulingSettings

if TYPE_CHECKING:
    from bedside_core.api import Platform


class BookingTerms:
    """Keeps practitioners' own values of the practice's settings.

    Args:
        platform: access and settings.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def of(self, actor: Actor, member_id: UUID) -> SchedulingSettings:
        """Return the settings in force for a practitioner.

        Raises:
            NotFound: there is no such member in the practice.
        """
        await self._platform.access.require(actor, "scheduling.see_availability", member_id)
        return await self._platform.settings.read(SchedulingSettings, member_id=member_id)

    async def change(self, actor: Actor, member_id: UUID, changes: Mapping[str, int]) -> SchedulingSettings:
        """Give a practitioner values of their own; the others stay.

        Args:
            actor: the practitioner, or an owner, manager or staff member of the practice.
            member_id: whose.
            changes: name of a setting that members may have a value of -> value.

        Raises:
            NotFound: there is no such member in the practice.
            Forbidden: it is another's, and the actor is a practitioner.
            InvalidInput: a value can't be used.
        """
        await self._platform.access.require(actor, "scheduling.availability", member_id)
        async with unit():
            audit.did("scheduling.availability", kind="member", target=member_id, detail={"changed": sorted(changes)})
            return await self._platform.settings.change(
                actor, SchedulingSettings, changes, scope=Scope.MEMBER, member_id=member_id
            )
