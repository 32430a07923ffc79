"""Hands deliveries over to their channels: each at least once, one at a time, with growing pauses (N5).

A delivery is claimed before it is sent and written down after it. Where the worker ends in between, the claim runs out
and the next worker sends it again, as the same letter: one duplicate at most, for a process has one letter of a channel
under way at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from bedside_core import errors
from bedside_core.database import DB, Row
from bedside_core.jobs.declared import JobRun
from bedside_core.notify import optouts
from bedside_core.notify.attachments import CalendarAttachments, CalendarFile
from bedside_core.notify.channels import Letter, OptedOut, Permanent, Receipt, Temporary
from bedside_core.notify.channels.outbox import Outbox
from bedside_core.notify.kinds import DEPLOYMENT, Channel, Language, NotificationKind, Recipient
from bedside_core.notify.planning import RUN_SECONDS
from bedside_core.notify.service import Notify
from bedside_core.notify.wording import Wording, said, wording
from bedside_core.watching.figures import Figures

if TYPE_CHECKING:
    from bedside_core.platform import Platform

log = structlog.get_logger("bedside.notify")

FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=15)
LONGEST_OUTAGE_PAUSE = timedelta(minutes=2)
"""While a whole channel is away, two letters of a practice try it this often at least."""
SLOW_SECONDS = 2.0
"""After a push that took longer the other practices' turn comes: browsers name servers of anybody's choice."""
FILE_ATTEMPTS = 3
"""The attempt at which a mail goes without a calendar file that still can't be made."""
PATIENCE = timedelta(hours=48)
"""How long something is tried."""

# The lease counts real time, as a heartbeat does: a clock that is moved must not hand out what is under way.
# What was tried least goes first, so that a letter which nobody takes is never in the way of the others.
_CLAIM = """
WITH next AS (
    SELECT d.id, d.attempts FROM notification_delivery d
    WHERE d.channel = $1 AND d.state = 'waiting' AND d.due_at <= $2
        AND (d.claimed_until IS NULL OR d.claimed_until < clock_timestamp())
    ORDER BY d.attempts, d.due_at, d.id LIMIT 1 FOR UPDATE SKIP LOCKED
), broken AS (
    UPDATE notification_attempt a SET outcome = 'interrupted', ended_at = $2, reason = 'the worker ended'
    FROM next WHERE a.delivery_id = next.id AND a.ended_at IS NULL
), taken AS (
    UPDATE notification_delivery d
    SET attempts = d.attempts + 1, claimed_until = clock_timestamp() + $3
    FROM next WHERE d.id = next.id RETURNING d.*
), noted AS (
    INSERT INTO notification_attempt (practice_id, delivery_id, number, began_at)
    SELECT practice_id, id, attempts, $2 FROM taken
)
SELECT taken.*, n.kind, n.facts, n.recipient, n.recipient_id, n.same_key,
    notification_in_sandbox(n.id) AS sandbox, $1 = 'sms' AND EXISTS (
    SELECT FROM notification_opt_out o WHERE o.address = taken.address) AS stopped
FROM taken JOIN notification n ON n.id = taken.notification_id
"""

_ENDED = """
WITH noted AS (
    UPDATE notification_attempt SET ended_at = $3, outcome = $4, reason = $6 WHERE delivery_id = $1 AND number = $2
), ended AS (
    UPDATE notification_delivery d SET ended_at = $3, claimed_until = NULL,
        state = CASE WHEN d.state IN ('delivered', 'failed') THEN d.state ELSE $5 END,
        reason = CASE WHEN d.state IN ('delivered', 'failed') THEN d.reason ELSE $6 END,
        provider_id = coalesce($7, d.provider_id)
    WHERE d.id = $1 AND d.attempts = $2 RETURNING d.notification_id
)
UPDATE notification n SET facts = '{}', item_facts = '{}' FROM ended
WHERE $8 AND n.id = ended.notification_id AND NOT EXISTS (
    SELECT FROM notification_delivery o WHERE o.notification_id = n.id AND o.state = 'waiting' AND o.id <> $1)
"""

_LATER = """
WITH noted AS (
    UPDATE notification_attempt SET ended_at = $3, outcome = 'temporary', reason = $4
    WHERE delivery_id = $1 AND number = $2
)
UPDATE notification_delivery SET claimed_until = NULL, due_at = $5, reason = $4
WHERE id = $1 AND attempts = $2 AND state = 'waiting'
"""


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """What one run of a job sends with."""

    notify: Notify
    figures: Figures
    attachments: CalendarAttachments | None
    channel: Channel
    practice_id: UUID
    practice: str
    wording: Mapping[tuple[str, Language], Wording]


def pause(attempt: int, spread: int = 0) -> timedelta:
    """Return how long a letter waits after its nth attempt has failed: it doubles, up to a quarter of an hour.

    Args:
        attempt: the number of the attempt that failed, from 1.
        spread: any number; letters with different ones don't come back all at once.
    """
    return min(FIRST_PAUSE * 2 ** min(attempt - 1, 20), LONGEST_PAUSE) * (1 + spread % 8 / 32)


async def deliver(run: JobRun, channel: Channel) -> None:
    """Send what is due of a practice on one channel."""
    notify = run.platform.notify
    practice = await run.platform.people.practice(run.practice_id) if run.practice_id != DEPLOYMENT else None
    desk = _Desk(
        notify=notify,
        figures=run.platform.figures,
        attachments=_attachments(run.platform) if channel is Channel.EMAIL else None,
        channel=channel,
        practice_id=run.practice_id,
        practice=practice.name if practice else "Bedside",
        wording=await wording(),
    )
    # A push that comes twice replaces the first, so that no practice has to wait for another's.
    turns = asyncio.Lock() if channel is Channel.PUSH else notify.turns[channel]
    until, doubted = time.monotonic() + RUN_SECONDS, False
    while time.monotonic() < until:
        async with turns:
            began = time.monotonic()
            row = await DB.fetchrow(_CLAIM, channel, notify.clock.now(), timedelta(seconds=3 * notify.send_seconds))
            if row is None:
                return
            went = await _attempt(desk, row)
        if not went and doubted:
            await _away(desk, row)
            return
        if channel is Channel.PUSH and time.monotonic() - began > SLOW_SECONDS:
            return
        doubted = not went


async def _attempt(desk: _Desk, row: Row) -> bool:
    """Send a claimed letter and write down what came of it.

    Returns:
        False where it failed as if the whole channel were away. That may be the letter's own doing, such as a server
        that hangs up over it: the channel is away only if the next one fails like that, too.
    """
    notify = desk.notify
    kind = notify.kinds.get(row["kind"])
    try:
        if kind is None or (desk.channel not in notify.ways and not row["sandbox"]):
            raise Permanent("not configured in this deployment")
        if row["stopped"]:  # since it was planned
            raise OptedOut
        receipt = await _sent(desk, kind, row)
    except Permanent as failure:
        if isinstance(failure, OptedOut):
            await optouts.remember(row["id"], notify.clock.now())
        await _ended(desk, kind, row, "permanent", "failed", str(failure))
        log.warning("notification refused", channel=desk.channel, delivery=str(row["id"]), attempt=row["attempts"])
    except Temporary as failure:
        await _put_off(desk, kind, row, failure)
        return not failure.channel
    except Exception as error:  # nobody has foreseen it; without an end here the letter would come up at once, for ever
        log.warning("a letter failed", channel=desk.channel, delivery=str(row["id"]), failure=type(error).__name__)
        await _put_off(desk, kind, row, Temporary(f"unexpected: {type(error).__name__}"))
    else:
        await _ended(desk, kind, row, "sent", "sent", None, receipt)
    return True


async def _sent(desk: _Desk, kind: NotificationKind, row: Row) -> Receipt:
    """Send a letter, within a time that is shorter than its claim."""
    language = Language(row["language"])
    facts = desk.notify.told(row["facts"], desk.practice, row["zone"])
    letter = Letter(
        id=row["id"],
        practice_id=row["practice_id"],
        practice=desk.practice,
        address=row["address"],
        content=said(kind, desk.channel, desk.wording.get((kind.key, language), {}), facts, language=language),
        language=language,
        written_at=row["created_at"],
        calendar=await _calendar(desk, kind, row, language),
    )
    try:
        async with asyncio.timeout(2 * desk.notify.send_seconds):
            # What the sandbox sends stays in the house, whatever the deployment sends with (G8).
            outbox = Outbox(desk.channel, desk.notify.clock)
            return await (outbox if row["sandbox"] else desk.notify.ways[desk.channel]).send(letter)
    except TimeoutError as error:
        raise Temporary("no answer in time", channel=True) from error


def _attachments(platform: Platform) -> CalendarAttachments | None:
    return platform.service(CalendarAttachments) if platform.provides(CalendarAttachments) else None


async def _calendar(desk: _Desk, kind: NotificationKind, row: Row, language: Language) -> CalendarFile | None:
    """Return the calendar file of a mail, as what it is about stands now (S8); None where it can't be made.

    Raises:
        Temporary: it can't be made at present. After a few attempts the mail goes without: it matters more.
    """
    if desk.attachments is None or not kind.calendar:
        return None
    to = Recipient(kind=row["recipient"], practice_id=row["practice_id"], id=row["recipient_id"])
    try:
        async with asyncio.timeout(desk.notify.send_seconds):
            return await desk.attachments.calendar(to, row["same_key"], address=row["address"], language=language)
    except Exception as error:
        why = "was not ready in time" if isinstance(error, TimeoutError) else f"failed: {type(error).__name__}"
        if row["attempts"] < FILE_ATTEMPTS or isinstance(error, errors.Unavailable):
            raise Temporary(f"the calendar file {why}") from error
        log.warning("a letter goes without its calendar file", delivery=str(row["id"]), failure=type(error).__name__)
        return None


async def _ended(
    desk: _Desk,
    kind: NotificationKind | None,
    row: Row,
    outcome: str,
    state: str,
    reason: str | None,
    receipt: Receipt | None = None,
) -> None:
    desk.figures.letter(desk.channel, outcome)
    await DB.execute(
        _ENDED,
        row["id"],
        row["attempts"],
        desk.notify.clock.now(),
        outcome,
        state,
        reason,
        receipt.provider_id if receipt else None,
        kind is not None and kind.secret,
    )


async def _put_off(desk: _Desk, kind: NotificationKind | None, row: Row, failure: Temporary) -> None:
    """Have a letter tried later, until patience ends."""
    now, reason = desk.notify.clock.now(), str(failure)
    if now - row["created_at"] > PATIENCE:
        await _ended(desk, kind, row, "temporary", "failed", f"given up: {reason}")
        return
    desk.figures.letter(desk.channel, "temporary")
    wait = pause(row["attempts"], row["id"].int)
    if failure.channel:
        wait = min(wait, LONGEST_OUTAGE_PAUSE)
    await DB.execute(_LATER, row["id"], row["attempts"], now, reason, now + wait)


async def _away(desk: _Desk, row: Row) -> None:
    """Have all that is due on a channel wait, after a second letter in a row has found it away."""
    now = desk.notify.clock.now()
    log.warning("a channel is away", channel=desk.channel, practice=str(desk.practice_id), attempt=row["attempts"])
    await DB.execute(
        """UPDATE notification_delivery SET due_at = $3
        WHERE channel = $1 AND state = 'waiting' AND due_at <= $2
            AND (claimed_until IS NULL OR claimed_until < clock_timestamp())""",
        desk.channel,
        now,
        now + min(pause(row["attempts"], row["id"].int), LONGEST_OUTAGE_PAUSE),
    )
