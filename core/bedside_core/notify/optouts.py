"""Numbers that have written STOP: no SMS is sent to them until the opt-out is taken back (N5).

Twilio keeps the list by which it refuses (error 21610), and takes a number off once START is written from it. We are
not told of that, so a number is tried again when its owner asks for SMS anew, or somebody at the desk knows that START
was written. If it was not, Twilio refuses again and that is noted again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.database import DB, unit
from bedside_core.people import People


async def remember(delivery_id: UUID, now: datetime) -> None:
    """Note that the number which a delivery of the acting practice went to has written STOP."""
    await DB.execute(
        """INSERT INTO notification_opt_out (practice_id, address, person_id, since)
        SELECT d.practice_id, d.address, n.recipient_id, $2 FROM notification_delivery d
        JOIN notification n ON n.practice_id = d.practice_id AND n.id = d.notification_id
        WHERE d.id = $1 AND d.channel = 'sms' ON CONFLICT DO NOTHING""",
        delivery_id, now,
    )  # fmt: skip


async def opted_out(numbers: Collection[str]) -> frozenset[str]:
    """Return those of these numbers to which the acting practice may send no SMS."""
    rows = await DB.fetch("SELECT address FROM notification_opt_out WHERE address = ANY($1)", list(numbers))
    return frozenset(row["address"] for row in rows)


async def opted_in(person_id: UUID) -> None:
    """Forget the opt-out of a member's or patient's number, since they ask for SMS."""
    await DB.execute(
        """DELETE FROM notification_opt_out WHERE address IN (
            SELECT phone FROM notify_addresses('member', ARRAY[$1::uuid])
            UNION SELECT phone FROM notify_addresses('patient', ARRAY[$1::uuid]))""",
        person_id,
    )  # fmt: skip


async def take_back(people: People, patient_id: UUID) -> bool:
    """Forget the opt-out of a patient's number, as the desk was told to, and tell whether there was one.

    Args:
        people: where patients are.
        patient_id: of the acting practice.

    Raises:
        errors.NotFound: the practice has no such patient.
    """
    patient = (await people.patients_by_id([patient_id])).get(patient_id)
    if patient is None:
        raise errors.NotFound("Your practice has no such patient.")
    async with unit():
        gone = await DB.fetchval("DELETE FROM notification_opt_out WHERE address = $1 RETURNING true", patient.phone)
        if gone:
            audit.did("notifications.opt_in", kind="patient", target=patient.id, patients=[patient.id])
    return bool(gone)
