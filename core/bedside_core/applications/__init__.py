"""Applications of other origins and devices: registered, consented to, and signed in by code with PKCE (G1)."""

from __future__ import annotations

from datetime import timedelta

from bedside_core.access import LEADERS, OPERATOR, Permission
from bedside_core.applications.grants import ACCESS_LASTS, Grants, Tokens
from bedside_core.applications.model import Application
from bedside_core.applications.protocol import Fault
from bedside_core.applications.registry import NewApplication, Registry, registered_origin
from bedside_core.auth import Auth, Role
from bedside_core.clock import Clock
from bedside_core.config import Config

__all__ = [
    "ACCESS_LASTS",
    "PERMISSIONS",
    "Application",
    "Applications",
    "Fault",
    "NewApplication",
    "Tokens",
    "registered_origin",
]

PERMISSIONS = (
    Permission(
        key="applications.read",
        doc="See the applications that people may sign in with from other origins and devices.",
        roles=LEADERS | OPERATOR,
    ),
    Permission(
        key="applications.change",
        doc="Register such applications and take them away.",
        roles=frozenset({Role.OWNER}) | OPERATOR,
    ),
)


class Applications:
    """The registry, and the grants that come of consent.

    Args:
        config: for how long a sign-in in an application lasts.
        clock: the product's time.
        auth: tells who a token stands for.
    """

    def __init__(self, config: Config, clock: Clock, auth: Auth) -> None:
        self.registry = Registry(clock)
        self.grants = Grants(clock, timedelta(days=config.application_days), self.registry, auth)
