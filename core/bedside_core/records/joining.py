"""Joins what core keeps by person, such as notifications, when two records of one patient become one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.database import DB, unit

if TYPE_CHECKING:
    from bedside_core.platform import Platform


async def merge_people(platform: Platform, keep: UUID, merge: UUID) -> None:
    """Join what core keeps by person: preferences are the kept patient's, notifications stand behind theirs."""
    await DB.execute(
        """UPDATE notification n SET recipient_id = $1::uuid, recipient_key = 'patient:' || $1::uuid::text,
            same_key = CASE WHEN n.state = 'waiting' THEN NULL ELSE n.same_key END,
            once_key = CASE WHEN EXISTS (SELECT FROM notification o WHERE o.recipient_key = 'patient:' || $1::uuid::text
                AND o.kind = n.kind AND o.once_key = n.once_key) THEN NULL ELSE n.once_key END
        WHERE n.recipient = 'patient' AND n.recipient_id = $2""",
        keep,
        merge,
    )
    await DB.execute(
        """INSERT INTO notification_box (practice_id, person_id) SELECT practice_id, $1::uuid FROM notification_box
        WHERE person_id = $2 ON CONFLICT DO NOTHING""",
        keep,
        merge,
    )
    await DB.execute(
        """UPDATE notification_shown n SET person_id = $1, "position" = n."position" + b."position"
        FROM notification_box b WHERE b.person_id = $1 AND n.person_id = $2""",
        keep,
        merge,
    )
    await DB.execute(
        """UPDATE notification_box k SET "position" = k."position" + m."position"
        FROM notification_box m WHERE k.person_id = $1 AND m.person_id = $2""",
        keep,
        merge,
    )
    await DB.execute("DELETE FROM notification_box WHERE person_id = $1", merge)
    await DB.execute(
        """UPDATE notification_preference SET person_id = $1 WHERE person_id = $2
            AND NOT EXISTS (SELECT FROM notification_preference WHERE person_id = $1)""",
        keep,
        merge,
    )
    await DB.execute("DELETE FROM notification_preference WHERE person_id = $1", merge)
    await DB.execute(
        """UPDATE patient_setting m SET patient_id = $1 WHERE m.patient_id = $2
            AND NOT EXISTS (SELECT FROM patient_setting k WHERE k.patient_id = $1 AND k.plugin = m.plugin)""",
        keep,
        merge,
    )
    await DB.execute("DELETE FROM patient_setting WHERE patient_id = $1", merge)
    await DB.execute("DELETE FROM push_subscription WHERE person_id = $1", merge)
    # What concerned the merged record concerns the kept one.
    async with unit() as work:
        platform.inbox.merge(work, keep, merge)
    await DB.execute("DELETE FROM person_word WHERE person_id = $1", merge)
    await DB.execute("DELETE FROM retention_due WHERE patient_id = $1", merge)
