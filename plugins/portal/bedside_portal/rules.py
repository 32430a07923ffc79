"""The portal's own rules about the target of an action, which `access` asks wherever the action is asked for (L3)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, Refusal, Rule

if TYPE_CHECKING:
    from bedside_core.api import Platform


async def may_be_held(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Refuse what is no patient of the acting practice, as if there were none (promise A1)."""
    if target is None or await DB.fetchval("SELECT true FROM patient WHERE id = $1 AND merged_into IS NULL", target):
        return None
    return Refusal(rule=Rule.MEMBERSHIP, message="There is no patient with this id that you may see.")
