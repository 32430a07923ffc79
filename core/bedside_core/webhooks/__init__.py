"""Webhooks: partners are told of a practice's events, ids only, signed and retried (G6)."""

from __future__ import annotations

from bedside_core.access import LEADERS, Permission
from bedside_core.auth import Role
from bedside_core.webhooks.declared import PublicEvent
from bedside_core.webhooks.model import Delivery, DeliveryState, Endpoint, message_id
from bedside_core.webhooks.service import Webhooks

__all__ = ["PERMISSIONS", "Delivery", "DeliveryState", "Endpoint", "PublicEvent", "Webhooks", "message_id"]

PERMISSIONS = (
    Permission(key="webhooks.read", doc="See the practice's webhooks and what was delivered.", roles=LEADERS),
    Permission(
        key="webhooks.change",
        doc="Register webhooks, change and delete them, rotate their secrets, replay deliveries.",
        roles=frozenset({Role.OWNER}),
    ),
)
