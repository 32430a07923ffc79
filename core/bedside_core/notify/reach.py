"""Where who acts for a patient is reached, beside the addresses in the patient's record, and when that ends (S11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from bedside_core.database import DB
from bedside_core.notify.kinds import Recipient


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Where somebody is reached who acts for a patient.

    Args:
        email: an address; None for none.
        phone: a number, E.164; None for none.
    """

    email: str | None = None
    phone: str | None = None


class PatientReach(Protocol):
    """Tells where letters to patients go besides the addresses in their records; provided by the plugin that knows."""

    async def reach(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Reached]]:
        """Return it for patients of the acting practice, in one statement; who has nobody more is left out."""
        ...


async def told_no_more(to: Recipient, reached: Sequence[Reached], account_id: UUID | None, now: datetime) -> None:
    """Send to addresses and browsers no more of what is still on its way to somebody, within the present unit.

    Args:
        to: for whom it is.
        reached: the addresses.
        account_id: whose browsers; None is everybody's.
        now: the product's time.
    """
    addresses = [each.lower() for one in reached for each in (one.email, one.phone) if each]
    await DB.execute(
        """WITH gone AS (
            DELETE FROM push_subscription WHERE person_id = $2
                AND ($4::uuid IS NULL OR account_id IS NULL OR account_id = $4) RETURNING id::text
        )
        UPDATE notification_delivery d SET state = 'cancelled', ended_at = $5, reason = 'acts for them no more'
        FROM notification n WHERE n.id = d.notification_id AND n.recipient_key = $1 AND d.state = 'waiting'
            AND (lower(d.address) = ANY($3) OR d.address IN (SELECT id FROM gone))""",
        to.key,
        to.id,
        addresses,
        account_id,
        now,
    )
