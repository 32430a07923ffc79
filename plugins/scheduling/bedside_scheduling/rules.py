"""Scheduling's own rules about who may keep whose availability, and which patients book by themselves (L3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, Refusal, Role, Rule
from bedside_portal.api import PortalRules
from bedside_scheduling.settings import SchedulingSettings

if TYPE_CHECKING:
    from bedside_core.api import Member, Platform

SCHEDULING = "scheduling"
"""The feature of keeping appointments at all."""
TELEHEALTH = "telehealth"
"""The feature of meeting by video, where a plugin declares it."""


async def may_see(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Refuse who is no member of the acting practice, as if there were none (promise A1)."""
    if target is None or await platform.people.members_by_id([target]):
        return None
    return Refusal(rule=Rule.MEMBERSHIP, message="There is no member with this id that you may see.")


async def may_keep(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Let practitioners keep their own availability, and owners, managers and staff anybody's of the practice (A12)."""
    if target is None or target == actor.member_id:
        return None
    if refusal := await may_see(platform, actor, target):
        return refusal
    if actor.role is Role.PRACTITIONER:
        return Refusal(
            rule=Rule.ROLE,
            message="Practitioners keep their own availability only.",
            way_on="Ask them, or an owner, manager or staff member of your practice.",
            permission="scheduling.availability",
        )
    return None


async def may_book(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Let those patients book by themselves whom the portal lets, and of them those whom the schedule lets (S4)."""
    if actor.patient_id is None:
        return None
    # Of a schedule that the practice's plan lacks nobody has a part (L7).
    practice_id, patient_id = actor.as_patient()
    if refusal := await platform.access.lacks(practice_id, SCHEDULING):
        return refusal
    rules = platform.service(PortalRules)
    if refusal := await rules.may_book(patient_id, actor.account_id):
        return refusal
    settings = await platform.settings.read(SchedulingSettings)
    if settings.unseen_patients_book or await _was_seen(actor) or await rules.decided(patient_id):
        return None
    return Refusal(
        rule=Rule.SWITCH,
        message="Your practice makes the first appointment for you.",
        way_on="Call or write to the practice.",
    )


async def require_own(platform: Platform, actor: Actor, action: str) -> None:
    """Require an action and, of a patient, besides that they book by themselves (S4).

    Raises:
        Problem: they may not.
    """
    await platform.access.require(actor, action)
    if actor.patient_id is not None:
        await platform.access.require(actor, "scheduling.self_schedule")


async def hosts(platform: Platform, members: Iterable[Member]) -> frozenset[UUID]:
    """Return those members of the acting practice with whom telehealth is offered (S1, T1).

    They may host video and, where a plugin declares telehealth, the practice's plan has it.
    """
    able = {each.id: each.practice_id for each in members if each.active and each.video_host}
    if TELEHEALTH in platform.access.features:
        for practice_id in set(able.values()):
            if await platform.access.lacks(practice_id, TELEHEALTH):
                return frozenset()
    return frozenset(able)


async def _was_seen(actor: Actor) -> bool:
    return await DB.fetchval(
        """SELECT EXISTS (SELECT FROM appointment_patient p JOIN appointment a ON a.id = p.appointment_id
        WHERE p.patient_id = $1 AND p.cancelled_at IS NULL AND a.state = 'completed')""",
        actor.patient_id,
    )
