"""Chat's own rules about the target of an action, which `access` asks wherever the action is asked for (L3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, InvalidInput, NotFound, Problem, Refusal, Rule

if TYPE_CHECKING:
    from bedside_core.api import Platform


@dataclass(frozen=True, kw_only=True)
class NotWithMember(Refusal):
    """A refusal of the other person, told with the input that named them.

    Args:
        kind: the problem that the caller gets.
    """

    kind: type[Problem]

    @property
    def code(self) -> str:
        """The published error code of this refusal."""
        return self.kind.code

    def problem(self) -> Problem:
        """Return the refusal as the error that a caller gets."""
        return self.kind(self.message, field=("memberId",))


async def may_take_part(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't act on a conversation: none of theirs, told as if there were none (promise A1)."""
    if target is None:
        return None
    found = await DB.fetchval(
        "SELECT true FROM participant WHERE conversation_id = $1 AND person_id = $2", target, actor.person_id
    )
    if found:
        return None
    return Refusal(rule=Rule.MEMBERSHIP, message="There is no conversation with this id that you may see.")


async def may_start_with(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't start a conversation with a person: no other member of the practice (C1, C5)."""
    if target is None:
        return None
    if target == actor.person_id:
        message = "A conversation needs somebody else."
        return NotWithMember(rule=Rule.MEMBERSHIP, kind=InvalidInput, message=message)
    if target in await platform.people.members_by_id([target]):
        return None
    message = "There is no member with this id that you may see."
    return NotWithMember(rule=Rule.MEMBERSHIP, kind=NotFound, message=message)
