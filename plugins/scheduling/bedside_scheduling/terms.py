"""On which terms patients book with a practitioner: notice, horizon, buffers, said by who keeps their hours (S4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from bedside_core.api import Actor, InvalidInput, Scope, audit, unit
from bedside_scheduling.settings import SchedulingSettings

if TYPE_CHECKING:
    from bedside_core.api import Platform


class Terms(NamedTuple):
    """On which terms patients book with a practitioner.

    Args:
        settings: those in force.
        own: the names of those that are the practitioner's own; the others are the practice's.
    """

    settings: SchedulingSettings
    own: frozenset[str]


class BookingTerms:
    """Keeps practitioners' own values of the practice's settings.

    Args:
        platform: access and settings.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def of(self, actor: Actor, member_id: UUID) -> Terms:
        """Return the settings in force for a practitioner, and which are their own, in one statement.

        Raises:
            NotFound: there is no such member in the practice.
        """
        await self._platform.access.require(actor, "scheduling.see_availability", member_id)
        return Terms(*await self._platform.settings.of_member(SchedulingSettings, member_id))

    async def change(
        self, actor: Actor, member_id: UUID, changes: Mapping[str, int], unset: Collection[str] = ()
    ) -> Terms:
        """Give a practitioner values of their own, or take them away; the others stay.

        Args:
            actor: the practitioner, or an owner, manager or staff member of the practice.
            member_id: whose.
            changes: name of a setting that members may have a value of -> value.
            unset: names of those that are to be the practice's again.

        Raises:
            NotFound: there is no such member in the practice.
            Forbidden: it is another's, and the actor is a practitioner.
            InvalidInput: a value can't be used, or one is to be given and taken away.
        """
        if set(changes) & set(unset):
            raise InvalidInput("It is either given or taken away.", field=("unset",))
        await self._platform.access.require(actor, "scheduling.availability", member_id)
        async with unit():
            changed = sorted({*changes, *unset})
            audit.did("scheduling.availability", kind="member", target=member_id, detail={"changed": changed})
            await self._platform.settings.change(
                actor, SchedulingSettings, changes, scope=Scope.MEMBER, member_id=member_id, unset=unset
            )
            return Terms(*await self._platform.settings.of_member(SchedulingSettings, member_id))
