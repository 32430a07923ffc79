"""The sign-ins of the demo as they are listed: who they are, and on which plan their practice is now."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.access import PlanTiers
from bedside_core.auth import Role
from bedside_core.demo.cast import OPERATOR, PASSWORD, PRACTICES
from bedside_core.platform import Platform


@dataclass(frozen=True, kw_only=True)
class DemoAccount:
    """A sign-in of the demo.

    Args:
        email: the user name.
        password: the password.
        practice: the practice's name; None for the operator.
        tier: the practice's own tier now; None for the operator, and where there are no plans.
        role: what the person is.
    """

    email: str
    password: str
    practice: str | None
    tier: str | None
    role: str


async def accounts(platform: Platform) -> list[DemoAccount]:
    """Return every sign-in of the demo, the operator's last."""
    tiers = await _tiers(platform)
    portal = platform.plugins.active("portal")
    listed = [
        DemoAccount(email=email, password=PASSWORD, practice=practice.name, tier=tiers.get(practice.name), role=role)
        for practice in PRACTICES
        for email, role in (
            *((member.email, member.role) for member in practice.members),
            *([(practice.portal, Role.PATIENT)] if portal else []),
        )
    ]
    return [*listed, DemoAccount(email=OPERATOR, password=PASSWORD, practice=None, tier=None, role=Role.OPERATOR)]


async def _tiers(platform: Platform) -> dict[str, str]:
    """Return practice's name -> its tier now."""
    if not platform.provides(PlanTiers):
        return {}
    plans, found = platform.service(PlanTiers), dict[str, str]()
    for practice_id in await platform.people.practice_ids():
        practice = await platform.people.practice(practice_id)
        if practice is not None:
            found[practice.name] = await plans.tier(practice_id)
    return found
