"""The delivery log: what was sent to whom on which channel, each attempt, and what became of it (N1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bedside_core import audit
from bedside_core.auth import Actor
from bedside_core.database import DB, Row
from bedside_core.paging import Page, key_of, page_of, page_size


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt at a delivery; without an end it is under way, or its worker ended."""

    number: int
    began_at: datetime
    ended_at: datetime | None
    outcome: str | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A notification on its way to one address."""

    id: UUID
    kind: str
    recipient: str
    recipient_id: UUID | None
    channel: str
    address: str
    state: str
    reason: str | None
    created_at: datetime
    due_at: datetime
    ended_at: datetime | None


async def deliveries(
    actor: Actor, *, recipient_id: UUID | None, first: int | None, after: str | None
) -> Page[Delivery]:
    """Return the deliveries of the actor's practice, the newest first.

    Args:
        actor: whose practice.
        recipient_id: of this member or patient alone.
        first: how many.
        after: cursor.
    """
    actor.in_practice()
    size, key = page_size(first), key_of(after, UUID)
    rows = await DB.fetch(
        """SELECT d.id, n.kind, n.recipient, n.recipient_id, d.channel, d.address, d.state, d.reason, d.created_at,
            d.due_at, d.ended_at
        FROM notification_delivery d JOIN notification n ON n.practice_id = d.practice_id AND n.id = d.notification_id
        WHERE ($2::uuid IS NULL OR d.id < $2) AND ($3::uuid IS NULL OR n.recipient_id = $3)
        ORDER BY d.id DESC LIMIT $1""",
        size + 1,
        key[0] if key else None,
        recipient_id,
    )
    page = page_of([_delivery(row) for row in rows], size, lambda item: (str(item.id),), after=after)
    # A patient's address is data of theirs (A14).
    audit.saw({item.recipient_id for item in page.items if item.recipient == "patient" and item.recipient_id})
    return page


async def attempts(delivery_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Attempt]]:
    """Return the attempts at deliveries of the acting practice, in one statement."""
    found: dict[UUID, list[Attempt]] = {}
    rows = await DB.fetch(
        """SELECT delivery_id, number, began_at, ended_at, outcome, reason FROM notification_attempt
        WHERE delivery_id = ANY($1) ORDER BY delivery_id, number""",
        list(delivery_ids),
    )
    for row in rows:
        attempt = Attempt(**{name: row[name] for name in Attempt.__dataclass_fields__})
        found.setdefault(row["delivery_id"], []).append(attempt)
    return found


def _delivery(row: Row) -> Delivery:
    return Delivery(
        **{name: row[name] for name in Delivery.__dataclass_fields__ if name != "address"}, address=_address(row)
    )


def _address(row: Row) -> str:
    """Return an address as it may be shown: members decide themselves who sees theirs (A8), so here nobody does."""
    address: str = row["address"]
    if row["channel"] == "push":  # a subscription's id is of no use to anybody
        return ""
    if row["recipient"] != "member" or not address:
        return address
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}…{at}{domain}" if at else f"…{address[-2:]}"
