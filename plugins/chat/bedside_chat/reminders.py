"""Reminds people of urgent messages that they have not acknowledged: every 5 minutes, six times at most (N6, C10)."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import UUID

from bedside_chat.notices import URGENT_REMINDER
from bedside_chat.telling import facts, recipient
from bedside_core.api import DB, Job, JobRun, Recipient, unit

PAUSE = timedelta(minutes=5)
"""How long an urgent message waits for its acknowledgement before its recipient is reminded, and between reminders."""
MOST = 6
"""How often somebody is reminded of one message."""
BATCH = 200
_RUN_SECONDS = 45.0


async def remind(run: JobRun) -> None:
    """Remind the practice's people whom a reminder is due.

    Each is taken up and put into the outbox in one transaction: a process that is killed in between has done neither.
    """
    until = time.monotonic() + _RUN_SECONDS
    while time.monotonic() < until and await _batch(run):
        pass


async def _batch(run: JobRun) -> bool:
    """Remind some, and tell whether there may be more."""
    async with unit() as work:
        rows = await DB.fetch(
            "SELECT * FROM chat_urgent_due($1, $2, $3, $4)", run.platform.clock.now(), PAUSE, MOST, BATCH
        )
        told: dict[tuple[UUID, UUID, str | None], list[Recipient]] = {}
        for row in rows:
            if row["wanted"]:
                about = row["conversation_id"], row["message_id"], row["sender"]
                told.setdefault(about, []).append(recipient(row["kind"], run.practice_id, row["person_id"]))
        for (conversation_id, message_id, sender), to in told.items():
            await run.platform.notify.send_all(
                work,
                URGENT_REMINDER.key,
                to=to,
                data=facts(conversation_id, sender),
                key=str(conversation_id),
                item=str(message_id),
            )
    return len(rows) == BATCH


# Public, for a reminder is about a message that was sent: what a plan lacks since then stays readable (L5).
JOBS = (
    Job(
        name="urgent_reminders",
        function=remind,
        doc="Reminds people of urgent messages that they have not acknowledged.",
        schedule="* * * * *",
        public=True,
    ),
)
