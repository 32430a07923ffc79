"""Reminds people of urgent messages until they acknowledge them, and of unread ones where they have set it (N6)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from bedside_chat.notices import UNREAD_EMAIL, UNREAD_SMS, URGENT_REMINDER
from bedside_chat.standing import parted, portal_states
from bedside_chat.telling import facts, recipient
from bedside_core.api import DB, Job, JobRun, PersonKind, Recipient, Row, Work, unit
from bedside_portal.api import PortalState

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
    for batch in (_urgent, _by_email, _by_sms):
        while time.monotonic() < until and await batch(run):
            pass


async def _urgent(run: JobRun) -> bool:
    """Remind some of urgent messages, and tell whether there may be more."""
    async with unit() as work:
        rows = await DB.fetch(
            "SELECT * FROM chat_urgent_due($1, $2, $3, $4)", run.platform.clock.now(), PAUSE, MOST, BATCH
        )
        wanted = [(row, recipient(row["kind"], run.practice_id, row["person_id"])) for row in rows if row["wanted"]]
        await _tell(run, work, URGENT_REMINDER.key, wanted)
    return len(rows) == BATCH


async def _by_email(run: JobRun) -> bool:
    return await _unread(run, "email", UNREAD_EMAIL.key)


async def _by_sms(run: JobRun) -> bool:
    return await _unread(run, "sms", UNREAD_SMS.key)


async def _unread(run: JobRun, channel: str, kind: str) -> bool:
    """Remind some of unread messages, and tell whether there may be more."""
    async with unit() as work:
        rows = await DB.fetch("SELECT * FROM chat_unread_due($1, $2, $3)", run.platform.clock.now(), channel, BATCH)
        people = [(row, recipient(row["kind"], run.practice_id, row["person_id"])) for row in rows]
        await _tell(run, work, kind, people)
    return len(rows) == BATCH


async def _tell(run: JobRun, work: Work, kind: str, wanted: Sequence[tuple[Row, Recipient]]) -> None:
    """Put reminders into the outbox, those of one message together; none where practices have parted (P2).

    Nor are patients reminded of what nobody can read for them: their portal account is suspended, or nobody's (C2).
    """
    told: dict[tuple[UUID, UUID, str | None], list[Recipient]] = {}
    away = await parted([row["conversation_id"] for row, _ in wanted]) if wanted else ()
    patients = [row["person_id"] for row, _ in wanted if row["kind"] == PersonKind.PATIENT]
    states = await portal_states(run.platform, patients)
    for row, to in wanted:
        if (row["conversation_id"], row["person_id"]) in away:
            continue
        if row["kind"] == PersonKind.PATIENT and states.get(row["person_id"]) is not PortalState.ACTIVE:
            continue
        told.setdefault((row["conversation_id"], row["message_id"], row["sender"]), []).append(to)
    for (conversation_id, message_id, sender), people in told.items():
        await run.platform.notify.send_all(
            work,
            kind,
            to=people,
            data=facts(conversation_id, sender),
            key=str(conversation_id),
            item=str(message_id),
        )


# Public, for a reminder is about a message that was sent: what a plan lacks since then stays readable (L5).
JOBS = (
    Job(
        name="reminders",
        function=remind,
        doc="Reminds people of urgent messages that they have not acknowledged, and of unread ones where they set it.",
        schedule="* * * * *",
        public=True,
    ),
)
