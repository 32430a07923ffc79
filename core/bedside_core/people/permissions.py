"""What may be done with practices and people, and by whom by default (A12)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.access import EVERYONE, LEADERS, OPERATOR, Permission, Refusal, Rule
from bedside_core.auth import Actor
from bedside_core.database import DB

if TYPE_CHECKING:
    from bedside_core.platform import Platform


async def _a_patient(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Refuse what is no patient of the acting practice, as if there were none (promise A1)."""
    if target is None or await DB.fetchval("SELECT true FROM patient WHERE id = $1 AND merged_into IS NULL", target):
        return None
    return Refusal(rule=Rule.MEMBERSHIP, message="There is no patient with this id that you may see.")


async def a_member(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Refuse what is no member of the acting practice, as if there were none (promise A1)."""
    if target is None or await DB.fetchval("SELECT true FROM member WHERE id = $1", target):
        return None
    return Refusal(rule=Rule.MEMBERSHIP, message="There is no member with this id that you may see.")


PERMISSIONS = (
    Permission(key="practice.read", doc="See the practice, its members and its plan.", roles=EVERYONE),
    Permission(key="practices.list", doc="List the practices of the deployment.", roles=OPERATOR),
    Permission(key="practices.create", doc="Create practices.", roles=OPERATOR),
    Permission(key="patients.read", doc="Find and see the practice's patients.", roles=EVERYONE),
    Permission(key="patients.create", doc="Create patients.", roles=EVERYONE),
    Permission(key="patients.update", doc="Change patients' data.", roles=EVERYONE, check=_a_patient),
    Permission(key="patients.archive", doc="Archive patients and take them back.", roles=LEADERS, check=_a_patient),
    Permission(key="people.search", doc="Find people by name.", roles=EVERYONE),
    Permission(key="contacts.read", doc="See the practice's external contacts.", roles=EVERYONE),
    Permission(key="contacts.add", doc="Add external contacts.", roles=EVERYONE),
    Permission(key="profile.own", doc="Change one's own profile, and who may see it.", roles=EVERYONE),
    Permission(key="members.read", doc="See the practice's deactivated members too.", roles=LEADERS),
    Permission(key="members.grant", doc="Change members' roles and who may host video.", roles=LEADERS, check=a_member),
    Permission(key="members.deactivate", doc="Deactivate and reactivate members.", roles=LEADERS, check=a_member),
    Permission(key="connections.read", doc="See which practices one's own is connected to.", roles=EVERYONE),
    Permission(key="connections.change", doc="Ask for, accept and end connections of practices.", roles=LEADERS),
)
