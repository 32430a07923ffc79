"""Hands deliveries to receivers: each at least once, with growing pauses, and gives up on receivers that are away (G6).

A delivery is claimed before it is sent and written down after it. Where the worker ends in between, the claim runs out
and it is sent again with the same `webhook-id`, by which receivers know it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from bedside_core import audit
from bedside_core.database import DB, Row, unit
from bedside_core.jobs.declared import Job, JobRun, Wake
from bedside_core.notify.kinds import Fact, Recipient
from bedside_core.webhooks.model import PATIENCE, PAUSES, message_id
from bedside_core.webhooks.sending import GONE, SECONDS, Outcome
from bedside_core.webhooks.signing import signed
from bedside_core.webhooks.standard import DISABLED

log = structlog.get_logger("bedside.webhooks")

RUN_SECONDS = 60.0
"""After this time a run leaves the rest to the next one."""
AT_ONCE = 2
"""Most deliveries of one practice under way at once, to the slow and to the others: that leaves room for others'."""
SLOW_MILLISECONDS = 1000
"""A receiver that takes as long to answer is a slow one, and waits with its like until it was quicker."""
_CLAIM_LASTS = timedelta(seconds=3 * SECONDS)
_KEPT = timedelta(days=30)

# The lease counts real time, as a heartbeat does: a clock that is moved must not hand out what is under way.
_CLAIM = """
UPDATE webhook_delivery d SET attempts = d.attempts + 1, claimed_until = clock_timestamp() + $3
WHERE d.id = (
    SELECT id FROM webhook_delivery
    WHERE endpoint_id = $1 AND state = 'waiting' AND due_at <= $2
        AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
        AND (
            SELECT count(*) FROM webhook_delivery u JOIN webhook_endpoint e ON e.id = u.endpoint_id
            WHERE u.claimed_until > clock_timestamp() AND e.slow = $5
        ) < $4
    ORDER BY due_at, created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING d.*
"""


async def deliver(run: JobRun) -> None:
    """Send what is due to one receiver, until it fails or is slow. The rest then gets a job anew within a second."""
    await _deliver(run, slow=False)


async def deliver_slow(run: JobRun) -> None:
    """Send one thing that is due to a receiver that was slow to answer; more as soon as it is quick again."""
    await _deliver(run, slow=True)


async def _deliver(run: JobRun, *, slow: bool) -> None:
    webhooks, endpoint_id = run.platform.webhooks, UUID(str(run.payload["endpoint"]))
    plain = await webhooks.plain()
    until = time.monotonic() + RUN_SECONDS
    while time.monotonic() < until:
        endpoint = await DB.fetchrow("SELECT * FROM webhook_endpoint WHERE id = $1", endpoint_id)
        if endpoint is None:
            return
        if not endpoint["enabled"]:
            await _give_up(endpoint_id, run.platform.clock.now(), "The webhook was switched off.")
            return
        if endpoint["slow"] != slow:  # since this was enqueued
            return
        now = run.platform.clock.now()
        delivery = await DB.fetchrow(_CLAIM, endpoint_id, now, _CLAIM_LASTS, AT_ONCE, slow)
        if delivery is None:
            return
        body = delivery["body"].encode()
        headers = signed(message_id(delivery["id"]), int(now.timestamp()), body, webhooks.keys(endpoint, now))
        outcome = await webhooks.sender.post(endpoint["url"], body, headers, plain=plain)
        log.info(
            "webhook",
            delivery=str(delivery["id"]),
            attempt=delivery["attempts"],
            status=outcome.status,
            ms=outcome.milliseconds,
        )
        was_slow = outcome.milliseconds >= SLOW_MILLISECONDS
        if was_slow != slow:
            await _turned(endpoint_id, slow=was_slow)
        if not outcome.delivered:
            await _failed(run, delivery, outcome)
            return
        await _delivered(delivery, outcome, run.platform.clock.now())
        if was_slow or slow:
            return


async def _turned(endpoint_id: UUID, *, slow: bool) -> None:
    """Note that a receiver has become slow, or quick again.

    The practice's others are taken for slow with it until they were quick: receivers of one practice are often one
    machine, and would else each hold the quick ones up once.
    """
    await DB.execute(
        """UPDATE webhook_endpoint SET slow = $2 WHERE id IN (
            SELECT id FROM webhook_endpoint WHERE slow <> $2 AND ($2 OR id = $1) ORDER BY id FOR UPDATE
        )""",
        endpoint_id, slow,
    )  # fmt: skip


async def _delivered(delivery: Row, outcome: Outcome, now: datetime) -> None:
    await DB.execute(
        """WITH ended AS (
            UPDATE webhook_delivery SET state = 'delivered', status = $3, reason = NULL, milliseconds = $4,
                ended_at = $5, claimed_until = NULL
            WHERE id = $1 AND attempts = $2 RETURNING endpoint_id
        )
        UPDATE webhook_endpoint e SET failing_since = NULL FROM ended
        WHERE e.id = ended.endpoint_id AND e.failing_since IS NOT NULL""",
        delivery["id"], delivery["attempts"], outcome.status, outcome.milliseconds, now,
    )  # fmt: skip


async def _failed(run: JobRun, delivery: Row, outcome: Outcome) -> None:
    """Put a delivery off, or give it up; and the receiver, where it has failed for long or says that it is gone."""
    number: int = delivery["attempts"]
    now = run.platform.clock.now()
    over = number > len(PAUSES)
    async with unit() as work:
        since: datetime | None = await DB.fetchval(
            """WITH noted AS (
                UPDATE webhook_delivery SET state = $3, status = $4, reason = $5, milliseconds = $6, due_at = $7,
                    ended_at = $8, claimed_until = NULL
                WHERE id = $1 AND attempts = $2 RETURNING endpoint_id
            )
            UPDATE webhook_endpoint e SET failing_since = coalesce(e.failing_since, $9) FROM noted
            WHERE e.id = noted.endpoint_id AND e.enabled RETURNING e.failing_since""",
            delivery["id"], number, "failed" if over else "waiting", outcome.status, outcome.reason,
            outcome.milliseconds, delivery["due_at"] if over else now + PAUSES[number - 1], now if over else None, now,
        )  # fmt: skip
        if since is None or (outcome.status != GONE and now - since < PATIENCE):
            return
        reason = "The receiver says that it is gone." if outcome.status == GONE else "The receiver failed for days."
        await DB.execute(
            "UPDATE webhook_endpoint SET enabled = false, disabled_reason = $2 WHERE id = $1",
            delivery["endpoint_id"], reason,
        )  # fmt: skip
        await _give_up(delivery["endpoint_id"], now, "The webhook was switched off.")
        audit.did("webhooks.disable", kind="webhook", target=delivery["endpoint_id"])
        owners = await DB.fetch("SELECT id FROM member WHERE role = 'owner' AND active ORDER BY id LIMIT 20")
        for owner in owners:
            to = Recipient.member(owner["id"], run.practice_id)
            await run.platform.notify.send(work, DISABLED.key, to=to, data={Fact.TIME: now})


async def _give_up(endpoint_id: UUID, now: datetime, reason: str) -> None:
    await DB.execute(
        """UPDATE webhook_delivery SET state = 'failed', reason = coalesce(reason, $3), ended_at = $2,
            claimed_until = NULL
        WHERE endpoint_id = $1 AND state = 'waiting'""",
        endpoint_id, now, reason,
    )  # fmt: skip


async def forget(run: JobRun) -> None:
    """Forget deliveries that ended a month ago."""
    await DB.execute(
        "DELETE FROM webhook_delivery WHERE state <> 'waiting' AND ended_at < $1", run.platform.clock.now() - _KEPT
    )


async def wake(pool: Any, now: datetime) -> None:
    """Enqueue jobs for what is due by the product's clock, over a connection as the queue's role."""
    await pool.execute("SELECT webhook_wake($1)", now)


JOBS: Sequence[Job] = (
    Job(name="webhook_deliver", function=deliver, doc="Sends what is due to a webhook's receiver.", public=True),
    Job(
        name="webhook_deliver_slow",
        function=deliver_slow,
        doc="Sends what is due to a webhook's receiver that was slow to answer, so that no other waits for it.",
        public=True,
    ),
    Job(
        name="webhook_forget",
        function=forget,
        doc="Forgets webhooks' deliveries that ended a month ago.",
        schedule="41 3 * * *",
        public=True,
    ),
)
WAKES: Sequence[Wake] = (wake,)
