"""Chat's own rules about the target of an action, which `access` asks wherever the action is asked for (L3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.api import Message
from bedside_chat.kinds import FILE_SHARE, PATIENT_MESSAGES, WAYS, only_key
from bedside_chat.rows import MISSING
from bedside_chat.settings import ChatSettings
from bedside_chat.standing import Standing, composers, not_connected, reaches, standings
from bedside_core.api import DB, Actor, Conflict, InvalidInput, NotFound, Problem, Refusal, Role, Rule, Tier, acting

if TYPE_CHECKING:
    from bedside_core.api import Platform

PRACTITIONERS = frozenset({Role.PRACTITIONER, Role.OWNER})
"""Whom patients can start a conversation with: an owner may be a solo practitioner (A12)."""


@dataclass(frozen=True, kw_only=True)
class NotWith(Refusal):
    """A refusal of the other person, told with the input that named them.

    Args:
        kind: the problem that the caller gets.
        field: the input.
    """

    kind: type[Problem]
    field: str = "memberId"

    @property
    def code(self) -> str:
        """The published error code of this refusal."""
        return self.kind.code

    def problem(self) -> Problem:
        """Return the refusal as the error that a caller gets."""
        return self.kind(self.message, way_on=self.way_on, field=(self.field,))


def not_there() -> Refusal:
    """Return the refusal of a conversation that is none of the actor's, told as if there were none (promise A1)."""
    return Refusal(rule=Rule.MEMBERSHIP, message=MISSING)


async def standing_of(platform: Platform, actor: Actor, conversation_id: UUID) -> Standing | None:
    """Return where the actor stands in a conversation; None where they take no part."""
    return (await standings(platform, actor, [conversation_id])).get(conversation_id)


async def may_take_part(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't act on a conversation: none of theirs."""
    if target is None:
        return None
    if not reaches(actor, target):
        return not_there()
    found = await DB.fetchval(
        "SELECT true FROM participant WHERE conversation_id = $1 AND person_id = $2 AND left_at IS NULL",
        target,
        actor.person_id,
    )
    return None if found else not_there()


async def may_export(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't export a conversation: none of theirs, nor as an owner of their practice's (C15)."""
    refusal = await may_take_part(platform, actor, target)
    if refusal is None or actor.role is not Role.OWNER:
        return refusal
    owned = await DB.fetchval(
        "SELECT true FROM conversation WHERE id = $1 AND practice_id = $2", target, actor.practice_id
    )
    return None if owned else refusal


async def may_follow(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't follow a conversation live: none of theirs, read only (P2), or not in the plan (L4)."""
    if target is None:
        return None
    standing = await standing_of(platform, actor, target)
    if standing is None:
        return not_there()
    if not standing.open:
        return not_connected()
    return await lacks_all(platform, actor, [standing.way.text, standing.way.files])


async def may_send_text(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't write in a conversation (C2, C3, L2, L9, P2)."""
    if target is None:
        return await lacks_all(platform, actor, [way.text for way in WAYS.values()])
    standing = await standing_of(platform, actor, target)
    return not_there() if standing is None else (await composers(platform, actor, [standing]))[target].text


async def may_send_files(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't share files in a conversation (C2, L2, L9, P2)."""
    if target is None:
        return await lacks_all(platform, actor, [way.files for way in WAYS.values()])
    standing = await standing_of(platform, actor, target)
    return not_there() if standing is None else (await composers(platform, actor, [standing]))[target].files


async def may_delete(platform: Platform, actor: Actor, message: Message) -> Refusal | None:
    """Return why somebody can't delete a message or a file of it: neither theirs nor for them to moderate (C11).

    Patients and guests delete what they wrote only where the practice allows it; members of a practice that is
    connected no longer, nothing (P2). That is asked as their own practice, for files are deleted as the owning one.
    """
    if message.practice_id != actor.practice_id:
        with acting(actor.practice_id, actor.person_id):
            standing = await standing_of(platform, actor, message.conversation_id)
        if standing is not None and not standing.open:
            return not_connected()
    if message.sender_id == actor.person_id:
        allowed = actor.member_id is not None or (await platform.settings.read(ChatSettings)).patients_delete
    else:
        refusal = await platform.access.why_not(actor, "chat.moderate")
        allowed = refusal is None and message.practice_id == actor.practice_id
    if allowed:
        return None
    return Refusal(
        rule=Rule.ROLE,
        message="This message is not yours to delete.",
        way_on="Ask somebody of the practice who may moderate.",
    )


async def may_start_with(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't start a direct conversation with a member: of no practice that they see (C1, C5)."""
    if target is None:
        return None
    if target == actor.person_id:
        return NotWith(rule=Rule.MEMBERSHIP, kind=InvalidInput, message="A conversation needs somebody else.")
    listed = (await platform.people.directory([target])).get(target)
    if listed is not None and listed.member.active:
        return None
    return NotWith(rule=Rule.MEMBERSHIP, kind=NotFound, message="There is no member with this id that you may see.")


async def may_start_with_patient(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why a member can't start a conversation with a patient: none of the practice's, or no plan for it (L2)."""
    if target is None:
        return None
    if target not in await platform.people.patients_by_id([target]):
        message = "There is no patient with this id that you may see."
        return NotWith(rule=Rule.MEMBERSHIP, kind=NotFound, message=message, field="patientId")
    return await lacks_outside(platform, actor)


async def may_start_with_contact(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why a member can't start a conversation with a contact: none of the practice's, or no plan for it (L9)."""
    if target is None:
        return None
    if target not in await platform.people.contacts_by_id([target]):
        message = "There is no contact with this id that you may see."
        return NotWith(rule=Rule.MEMBERSHIP, kind=NotFound, message=message, field="contactId")
    return await lacks_outside(platform, actor)


async def may_start_with_practitioner(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why a patient can't start a conversation with a practitioner: none here, or not available (C4)."""
    if target is None:
        return None
    member = (await platform.people.members_by_id([target])).get(target)
    if member is None or not member.active or member.role not in PRACTITIONERS:
        message = "There is no practitioner with this id that you may see."
        return NotWith(rule=Rule.MEMBERSHIP, kind=NotFound, message=message)
    if refusal := await lacks_outside(platform, actor):
        return refusal
    if actor.patient_id is not None and await DB.fetchval(
        "SELECT true FROM conversation WHERE only_key = $1", only_key(target, actor.patient_id)
    ):
        return None  # one that there is goes on (C4)
    if (await platform.settings.read(ChatSettings, member_id=target)).available_for_patients:
        return None
    return Refusal(
        rule=Rule.AVAILABILITY,
        message="This practitioner takes no new conversations from patients.",
        way_on="Write to another practitioner, or call the practice.",
    )


async def lacks_outside(platform: Platform, actor: Actor) -> Refusal | None:
    """Return why the actor's practice can't have conversations with patients and contacts: neither files nor text."""
    return await lacks_all(platform, actor, [FILE_SHARE, PATIENT_MESSAGES])


async def lacks_all(platform: Platform, actor: Actor, features: Iterable[str]) -> Refusal | None:
    """Return why the actor's practice has none of several features: the refusal of the one that costs least."""
    if actor.practice_id is None:
        return None
    refusals: list[Refusal] = []
    for feature in dict.fromkeys(features):
        refusal = await platform.access.lacks(actor.practice_id, feature)
        if refusal is None:
            return None
        refusals.append(refusal)
    tiers = [tier.value for tier in Tier]
    return min(refusals, key=lambda each: tiers.index(each.tier) if each.tier in tiers else len(tiers))


class LastMember(Conflict):
    """Nobody of the practice would be left in a conversation with somebody outside."""

    code = "LAST_MEMBER"
    meaning = (
        "Nobody of the practice would be left in this conversation with a patient or contact; leave it with "
        "`lastMemberConfirmed: true` (C9). A new message brings it back."
    )
