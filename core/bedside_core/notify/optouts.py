"""Numbers that have written STOP: no SMS is sent to them until the opt-out is taken back (N5).

Twilio keeps the list by which it refuses (error 21610), and takes a number off once START is written from it. We are
not told of that, so a number is tried again when its owner asks for SMS anew, or somebody at the desk knows that START
was written. If it was not, Twilio refuses again and that is noted again.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from bedside_core import audit
from bedside_core.database import DB, unit
from bedside_core.people import People, checks

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_LONGEST_NUMBER = 100


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


async def take_back(people: People, phone: str) -> bool:
    """Forget the opt-out of a number, as the desk was told to, and tell whether there was one.

    Args:
        people: where patients are.
        phone: the number, of a patient, a guardian or a contact: as it stands in the delivery log, or as it is dialled
            in the practice's first region.

    Raises:
        errors.InvalidInput: this is no number.
    """
    # With its country's code it may be of a region that the practice takes no more.
    number = "+" + "".join(filter(str.isdecimal, phone[:_LONGEST_NUMBER]))
    if not (phone.strip().startswith("+") and _E164.fullmatch(number)):
        number = checks.phone(phone, await people.regions(), ("phone",))
    async with unit():
        gone = await DB.fetchrow("DELETE FROM notification_opt_out WHERE address = $1 RETURNING person_id", number)
        if gone is not None:
            patients = await DB.fetch("SELECT id FROM patient WHERE phone = $1 ORDER BY id", number)
            theirs = [row["id"] for row in patients]
            audit.did("notifications.opt_in", kind="person", target=gone["person_id"], patients=theirs)
    return gone is not None
