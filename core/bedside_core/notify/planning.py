"""Turns due notifications into deliveries: who is reached where, what is switched off, what quiet hours hold back."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bedside_core.database import DB, Row, Work, unit
from bedside_core.ids import uuid7
from bedside_core.jobs.declared import JobRun
from bedside_core.notify.channels import STOPPED
from bedside_core.notify.kinds import DEPLOYMENT, Channel, Language, NotificationKind
from bedside_core.notify.optouts import opted_out
from bedside_core.notify.preferences import NONE, Preferences, preferences, switched_off
from bedside_core.notify.quiet import quiet_until
from bedside_core.notify.reach import PatientReach, Reached
from bedside_core.notify.service import Notify
from bedside_core.notify.settings import NotificationSettings
from bedside_core.notify.shown import show

BATCH = 50
RUN_SECONDS = 60.0
"""After this long a job leaves the rest to the next, well before the worker would end it."""
_STRANGE = timedelta(hours=1)
"""How long a notification waits whose kind no active plugin declares."""

_DUE = """
SELECT n.id, n.kind, n.recipient, n.recipient_id, n.address, n.facts, n.items, n.created_at,
    s.items AS shown, s.read_at, notification_in_sandbox(n.id) AS sandbox
FROM notification n LEFT JOIN notification_shown s ON s.practice_id = n.practice_id AND s.notification_id = n.id
WHERE n.state = 'waiting' AND n.due_at <= $1
ORDER BY n.recipient_id, n.id LIMIT $2 FOR UPDATE OF n SKIP LOCKED
"""


@dataclass(kw_only=True)
class _Plan:
    """What becomes of one notification."""

    state: str = "planned"
    due_at: datetime | None = None
    deliveries: list[tuple[Channel, str, str, str | None]] = field(default_factory=list[Any])
    """Channel, address, state and reason."""


@dataclass(frozen=True, kw_only=True)
class _Circumstances:
    """What is known of the recipients of a batch."""

    notify: Notify
    settings: NotificationSettings
    zone: str
    addresses: Mapping[UUID, Row]
    chosen: Mapping[UUID, Preferences]
    languages: Mapping[UUID, Language]
    browsers: Mapping[UUID, Sequence[UUID]]
    stopped: Collection[str]
    reached: Mapping[UUID, Sequence[Reached]]
    """Of patients: where else who acts for them is told (S11)."""

    def language(self, row: Row) -> Language:
        """Return the language to write in."""
        usual = Language.SPANISH if self.settings.spanish else Language.ENGLISH
        if row["recipient_id"] is None:
            return Language(row["address"].get("language") or usual)
        chosen = self.chosen.get(row["recipient_id"], NONE).language
        return chosen or self.languages.get(row["recipient_id"], usual)


async def plan(run: JobRun) -> None:
    """Plan what is due of a practice, or of the deployment."""
    until = time.monotonic() + RUN_SECONDS
    while time.monotonic() < until and await _batch(run):
        pass


async def _batch(run: JobRun) -> bool:
    """Plan some and tell whether there may be more."""
    notify, now = run.platform.notify, run.platform.clock.now()
    async with unit() as work:
        rows = await DB.fetch(_DUE, now, BATCH)
        if not rows:
            return False
        known = await _circumstances(run, rows)
        channels: set[Channel] = set()
        for row in rows:
            kind = notify.kinds.get(row["kind"])
            made = await _planned(work, run, kind, row, known, now) if kind else _Plan(due_at=now + _STRANGE)
            await _write(run.practice_id, row, made, known, now, forget=kind is not None and kind.secret)
            channels.update(channel for channel, _, state, _ in made.deliveries if state == "waiting")
        async with DB.connection() as connection:
            for channel in sorted(channels):
                job = f"core.notify_{channel}"
                await run.platform.jobs.enqueue(
                    connection, job, {}, run.practice_id, same_key=f"{job}:{run.practice_id}"
                )
    return len(rows) == BATCH


async def _planned(
    work: Work, run: JobRun, kind: NotificationKind, row: Row, known: _Circumstances, now: datetime
) -> _Plan:
    person: UUID | None = row["recipient_id"]
    if row["read_at"] is not None and row["shown"] == row["items"]:
        return _Plan(state="cancelled")  # seen in the application while quiet hours held the rest
    plan = _Plan()
    in_app = Channel.IN_APP in kind.channels and person is not None and row["recipient"] in {"member", "patient"}
    if in_app and row["shown"] != row["items"]:
        await show(work, run.practice_id, person, row, now)
        if row["shown"] is None:
            plan.deliveries.append((Channel.IN_APP, "", "delivered", None))
    outward = [channel for channel in kind.channels if channel is not Channel.IN_APP]
    chosen = known.chosen.get(person, NONE) if person else NONE
    if outward and not kind.urgent and chosen.quiet_from is not None and chosen.quiet_until is not None:
        ends = quiet_until(now, chosen.zone or known.zone, chosen.quiet_from, chosen.quiet_until)
        if ends is not None:
            plan.state, plan.due_at = "waiting", ends
            return plan
    for channel in outward:
        plan.deliveries += _ways(kind, channel, row, chosen, known)
    for channel in kind.instead:
        if any(state in {"waiting", "switched_off"} for _, _, state, _ in plan.deliveries):
            break
        plan.deliveries += _ways(kind, channel, row, chosen, known)
    return plan


def _ways(
    kind: NotificationKind, channel: Channel, row: Row, chosen: Preferences, known: _Circumstances
) -> list[tuple[Channel, str, str, str | None]]:
    """Return the deliveries on one channel, or the one that says why there is none."""
    person: UUID | None = row["recipient_id"]
    where: Any = row["address"] if person is None else known.addresses.get(person, {})
    others = known.reached.get(person, ()) if person and not kind.secret else ()
    emails = _distinct(where.get("email"), *(other.email for other in others))
    addresses = emails if channel is Channel.EMAIL else _distinct(where.get("phone"), *(each.phone for each in others))
    if channel is Channel.PUSH:
        addresses = [str(browser) for browser in known.browsers.get(person, ())] if person else []
    if not known.notify.possible(channel) and not row["sandbox"]:
        return [(channel, addresses[0] if addresses else "", "impossible", "not configured in this deployment")]
    if not addresses:
        return [(channel, "", "impossible", "no address")]
    off = {name for name, on in ((Channel.SMS, known.settings.sms), (Channel.VOICE, known.settings.voice)) if not on}
    by = switched_off(kind, channel, chosen, off, has_email=bool(emails))
    stopped = known.stopped if channel is Channel.SMS and not row["sandbox"] else ()
    return [
        (channel, address, "impossible", STOPPED)
        if address in stopped
        else (channel, address, "switched_off" if by else "waiting", by)
        for address in addresses
    ]


def _distinct(*addresses: str | None) -> list[str]:
    """Return addresses once each, however they are spelled."""
    found: dict[str, str] = {}
    for address in addresses:
        if address:
            found.setdefault(address.lower(), address)
    return list(found.values())


async def _circumstances(run: JobRun, rows: Sequence[Row]) -> _Circumstances:
    """Look up what a batch needs, in a fixed number of statements."""
    persons: dict[str, list[UUID]] = {}
    for row in rows:
        if row["recipient_id"] is not None:
            persons.setdefault(row["recipient"], []).append(row["recipient_id"])
    every = [person for ids in persons.values() for person in ids]
    addresses = {
        found["id"]: found
        for kind, ids in persons.items()
        for found in await DB.fetch("SELECT * FROM notify_addresses($1, $2)", kind, ids)
    }
    languages = await DB.fetch(
        "SELECT id, notify_account_language(id) AS language FROM unnest($1::uuid[]) AS id", persons.get("account", [])
    )
    browsers: dict[UUID, list[UUID]] = {}
    for found in await DB.fetch("SELECT id, person_id FROM push_subscription WHERE person_id = ANY($1)", every):
        browsers.setdefault(found["person_id"], []).append(found["id"])
    patients = persons.get("patient", [])
    reached: Mapping[UUID, Sequence[Reached]] = {}
    if patients and run.platform.provides(PatientReach):
        reached = await run.platform.service(PatientReach).reach(patients)
    places: list[Any] = [*addresses.values(), *(row["address"] for row in rows if row["recipient_id"] is None)]
    phones = {place["phone"] for place in places if place.get("phone")}
    phones |= {one.phone for several in reached.values() for one in several if one.phone}
    practice = await run.platform.people.practice(run.practice_id) if run.practice_id != DEPLOYMENT else None
    return _Circumstances(
        notify=run.platform.notify,
        settings=await run.platform.settings.read(NotificationSettings),
        zone=practice.zone if practice else "UTC",
        addresses=addresses,
        chosen=await preferences(every),
        languages={row["id"]: Language(row["language"]) for row in languages if row["language"]},
        browsers=browsers,
        stopped=await opted_out(sorted(phones)),
        reached=reached,
    )


async def _write(
    practice_id: UUID, row: Row, made: _Plan, known: _Circumstances, now: datetime, *, forget: bool
) -> None:
    state = "waiting" if made.due_at is not None else made.state
    forget = forget and state != "waiting" and not any(each[2] == "waiting" for each in made.deliveries)
    await DB.execute(
        """UPDATE notification SET state = $2, due_at = coalesce($3, due_at),
            facts = CASE WHEN $4 THEN '{}' ELSE facts END,
            item_facts = CASE WHEN $4 THEN '{}' ELSE item_facts END WHERE id = $1""",
        row["id"],
        state,
        made.due_at,
        forget,
    )
    chosen = known.chosen.get(row["recipient_id"], NONE)
    for channel, address, outcome, reason in made.deliveries:
        delivery_id, done = uuid7(), outcome != "waiting"
        await DB.execute(
            """INSERT INTO notification_delivery (id, practice_id, notification_id, channel, address, language, zone,
                state, reason, attempts, created_at, due_at, ended_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12)""",
            delivery_id,
            practice_id,
            row["id"],
            channel,
            address,
            known.language(row),
            chosen.zone or known.zone,
            outcome,
            reason,
            1 if outcome == "delivered" else 0,
            now,
            now if done else None,
        )
        if outcome == "delivered":
            await DB.execute(
                """INSERT INTO notification_attempt (practice_id, delivery_id, number, began_at, ended_at, outcome)
                VALUES ($1, $2, 1, $3, $3, 'sent')""",
                practice_id,
                delivery_id,
                now,
            )
