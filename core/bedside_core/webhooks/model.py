"""What a webhook and a delivery are, as their practice sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

OVERLAP = timedelta(hours=24)
"""How long the secret before the present one signs too."""
PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""How long a delivery waits after its first, second, … failed attempt; after the last it has failed."""
PATIENCE = timedelta(days=5)
"""A receiver that has taken nothing for so long is told of nothing more."""


class DeliveryState(StrEnum):
    """How a delivery fares."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a practice is told of its events.

    Args:
        id: the endpoint's.
        url: the receiver's.
        types: the types of events it is told of.
        enabled: whether it is told of anything.
        created_at: when it was registered.
        before_until: until when the secret before the present one signs too.
        failing_since: when the first of a row of failures was.
        disabled_reason: why it was switched off by itself.
    """

    id: UUID
    url: str
    types: Sequence[str]
    enabled: bool
    created_at: datetime
    before_until: datetime | None
    failing_since: datetime | None
    disabled_reason: str | None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """An event on its way to a receiver.

    Args:
        id: by which the receiver knows it, whatever the attempt.
        endpoint_id: where it goes.
        type: the event's.
        body: what is sent.
        state: how it fares.
        attempts: how often it was sent.
        status: HTTP status of the last answer.
        reason: why the last attempt failed.
        milliseconds: how long that took.
        created_at: when it happened.
        due_at: when it is tried next, while it waits.
        ended_at: when it was delivered or given up.
    """

    id: UUID
    endpoint_id: UUID
    type: str
    body: str
    state: DeliveryState
    attempts: int
    status: int | None
    reason: str | None
    milliseconds: int | None
    created_at: datetime
    due_at: datetime
    ended_at: datetime | None


def message_id(delivery_id: UUID) -> str:
    """Return a delivery's `webhook-id`."""
    return f"msg_{delivery_id.hex}"
