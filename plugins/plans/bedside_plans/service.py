"""Reads and changes plans, and answers for them as Entitlements; the only writer of its tables."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from bedside_core.api import (
    DB,
    PRACTICE_STREAM,
    Access,
    FeatureState,
    InvalidInput,
    NotFound,
    Platform,
    Row,
    Tier,
    Topic,
    acting,
    audit,
    follow,
    forget,
    unit,
    uuid7,
)
from bedside_plans.api import Difference, ItemKind, Limit, Plan, PlanChanged, PlanItem, Trial
from bedside_plans.catalogue import TIERS, Catalogue, catalogue_of, ended, with_item, without
from bedside_plans.settings import LARGEST_AMOUNT, Mapped


class PlanService:
    """Provides `Plans` and core's `Entitlements` and `PlanTiers`.

    Args:
        platform: its declared features, clock and live streams.
        mapped: what the operator's configuration says.
    """

    def __init__(self, platform: Platform, mapped: Mapped) -> None:
        self._platform = platform
        self._mapped = mapped
        self._made: tuple[Access, Catalogue] | None = None

    @property
    def catalogue(self) -> Catalogue:
        """What each tier has, of the features of the plugins that are active now."""
        access = self._platform.access
        if self._made is None or self._made[0] is not access:
            self._made = access, catalogue_of(access.features.values(), self._mapped)
        return self._made[1]

    # -- Entitlements: asked at each operation, one statement each -------------------------------------------------

    async def states(self, practice_id: UUID) -> Mapping[str, FeatureState]:
        """Return every declared feature's state for a practice, as of now."""
        plan = await self.plan(practice_id)
        return self.catalogue.states(plan, self._platform.clock.now())

    async def limit(self, practice_id: UUID, key: str) -> int | None:
        """Return a practice's limit by its key (L6); None is no limit, as it is for a key that no tier has."""
        if key not in self.catalogue.limits[Tier.STARTER]:
            return None
        plan = await self.plan(practice_id)
        return self.catalogue.limits_of(plan, self._platform.clock.now())[key].amount

    # -- Plans: reads ---------------------------------------------------------------------------------------------

    async def plan(self, practice_id: UUID) -> Plan:
        """Return what is stored of a practice's plan."""
        return _plan(practice_id, await DB.fetch("SELECT * FROM plan_of($1)", practice_id))

    async def tier(self, practice_id: UUID) -> Tier:
        """Return a practice's own tier, whatever it tries meanwhile."""
        return (await self.plan(practice_id)).tier

    async def limits(self, practice_id: UUID) -> Sequence[Limit]:
        """Return the practice's limits in force, by key."""
        found = self.catalogue.limits_of(await self.plan(practice_id), self._platform.clock.now())
        return [found[key] for key in sorted(found)]

    async def preview(self, practice_id: UUID, tier: Tier) -> Difference:
        """Return what `change_plan` to a tier would mean now (L5)."""
        plan = await self.plan(practice_id)
        return self.catalogue.difference(plan, replace(plan, tier=tier, trial=None), self._platform.clock.now())

    async def changes(self, practice_id: UUID) -> AsyncGenerator[int, None]:
        """Yield at once, and again after each change of the practice's plan or rights, how many there have been."""

        async def read(cursor: int) -> Sequence[tuple[int, int]]:
            rows = await DB.fetch("SELECT * FROM practice_positions($1)", [practice_id])
            return [(row["position"], row["position"]) for row in rows if row["position"] > cursor]

        topic = Topic(PRACTICE_STREAM, practice_id)
        async with aclosing(follow(self._platform.live, topic, read, -1)) as positions:
            async for position in positions:
                yield position

    # -- Plans: changes -------------------------------------------------------------------------------------------

    async def change_plan(
        self, practice_id: UUID, tier: Tier, *, trial_until: datetime | None = None, by: UUID | None = None
    ) -> Plan:
        """Put a practice on a tier, which ends a trial; or, with `trial_until`, let it try a higher tier until then.

        Raises:
            NotFound: there is no such practice.
            InvalidInput: the trial's end has passed, or its tier is not higher than the practice's own.
        """
        if trial_until is None:
            return await self._change(practice_id, lambda plan: replace(plan, tier=tier, trial=None), by)
        self._check_end(trial_until, "trialUntil")
        trial = Trial(tier=tier, ends_at=trial_until)

        def try_out(plan: Plan) -> Plan:
            if TIERS.index(tier) <= TIERS.index(plan.tier):
                raise InvalidInput(
                    f"The practice is on {plan.tier} already; a trial is of a higher tier.", field=("tier",)
                )
            return replace(plan, trial=trial)

        return await self._change(practice_id, try_out, by)

    async def set_item(self, practice_id: UUID, item: PlanItem, *, by: UUID | None = None) -> Plan:
        """Set an override, add-on or limit, in place of one with the same kind and key.

        Raises:
            NotFound: there is no such practice.
            InvalidInput: no plugin declares the feature, no tier has the limit, the amount is negative or too large,
                or the end has passed.
        """
        self._check_key(item.kind, item.key)
        if item.ends_at is not None:
            self._check_end(item.ends_at, "endsAt")
        if item.amount is not None and not 0 <= item.amount <= LARGEST_AMOUNT:
            raise InvalidInput(f"An amount is from 0 to {LARGEST_AMOUNT}.", field=("amount",))
        return await self._change(practice_id, lambda plan: with_item(plan, item), by)

    async def remove_item(self, practice_id: UUID, kind: ItemKind, key: str, *, by: UUID | None = None) -> Plan:
        """Take an override, add-on or limit back; nothing happens where there is none, whatever the key.

        Raises:
            NotFound: there is no such practice.
        """
        return await self._change(practice_id, lambda plan: without(plan, kind, key), by)

    async def tell_ended(self, practice_id: UUID) -> bool:
        """Tell people of what has ended by itself in a plan since they were last told; return whether anything had."""
        if not ended(await self.plan(practice_id), self._platform.clock.now()):
            return False
        await self._change(practice_id, lambda plan: plan, None)
        return True

    def _check_key(self, kind: ItemKind, key: str) -> None:
        if kind is ItemKind.LIMIT:
            if key not in self.catalogue.limits[Tier.STARTER]:
                known = ", ".join(sorted(self.catalogue.limits[Tier.STARTER]))
                raise InvalidInput("There is no such limit.", way_on=f"Limits are: {known}.", field=("key",))
        elif key not in self.catalogue.tiers:
            known = ", ".join(sorted(self.catalogue.tiers))
            raise InvalidInput("No plugin declares this feature.", way_on=f"Features are: {known}.", field=("feature",))

    def _check_end(self, end: datetime, field: str) -> None:
        if end <= self._platform.clock.now():
            raise InvalidInput("This lies in the past.", field=(field,))

    async def _change(self, practice_id: UUID, alter: Callable[[Plan], Plan], by: UUID | None) -> Plan:
        """Store an altered plan and tell everybody, unless all is as it was and nothing has ended meanwhile."""
        with acting(practice_id):
            async with unit() as work:
                # Locks the practice's row, so that changes of one plan come one after the other.
                position = await DB.fetchval("SELECT practice_changed($1)", practice_id)
                if position is None:
                    raise NotFound("There is no practice with this id.", field=("practiceId",))
                before, now = await self.plan(practice_id), self._platform.clock.now()
                after = alter(before)
                if after == before and not ended(before, now):
                    return before
                after = replace(after, changed_at=now)
                await _store(before, after, now)
                audit.did(
                    "plans.change", kind="practice", target=practice_id, detail={"changed": _changed(before, after)}
                )
                change = self.catalogue.difference(before, after, now, since=before.changed_at)
                work.publish(Topic(PRACTICE_STREAM, practice_id), position)
                work.emit(
                    PlanChanged(practice_id=practice_id, tier=after.tier, gained=change.gained, lost=change.lost, by=by)
                )
        forget(practice_id)
        return after


def _changed(before: Plan, after: Plan) -> list[str]:
    """Return the names of a plan's parts that differ, for the audit trail."""
    parts = [name for name in ("tier", "trial") if getattr(before, name) != getattr(after, name)]
    return parts + sorted({f"{item.kind}:{item.key}" for item in set(before.items) ^ set(after.items)})


def _plan(practice_id: UUID, rows: Sequence[Row]) -> Plan:
    if not rows:
        return Plan(practice_id=practice_id)
    head = rows[0]
    items = [
        PlanItem(
            kind=ItemKind(row["kind"]),
            key=row["key"],
            enabled=row["enabled"],
            amount=row["amount"],
            ends_at=row["ends_at"],
        )
        for row in rows
        if row["kind"] is not None
    ]
    return Plan(
        practice_id=practice_id,
        tier=Tier(head["tier"]),
        trial=Trial(tier=Tier(head["trial_tier"]), ends_at=head["trial_ends_at"]) if head["trial_tier"] else None,
        items=tuple(sorted(items, key=lambda item: (item.kind, item.key))),
        changed_at=head["changed_at"],
    )


async def _store(before: Plan, after: Plan, now: datetime) -> None:
    """Write what differs; the plan's own row in any case, for it says when people were last told."""
    await DB.execute(
        """INSERT INTO plan (practice_id, tier, trial_tier, trial_ends_at, changed_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (practice_id) DO UPDATE SET tier = EXCLUDED.tier, trial_tier = EXCLUDED.trial_tier,
            trial_ends_at = EXCLUDED.trial_ends_at, changed_at = EXCLUDED.changed_at""",
        after.practice_id,
        after.tier,
        after.trial.tier if after.trial else None,
        after.trial.ends_at if after.trial else None,
        now,
    )
    kept = {(item.kind, item.key) for item in after.items}
    for item in before.items:
        if (item.kind, item.key) not in kept:
            await DB.execute("DELETE FROM plan_item WHERE kind = $1 AND key = $2", item.kind, item.key)
    for item in after.items:
        if item not in before.items:
            await DB.execute(
                """INSERT INTO plan_item (id, practice_id, kind, key, enabled, amount, ends_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                ON CONFLICT (practice_id, kind, key) DO UPDATE SET enabled = EXCLUDED.enabled,
                    amount = EXCLUDED.amount, ends_at = EXCLUDED.ends_at""",
                uuid7(),
                after.practice_id,
                item.kind,
                item.key,
                item.enabled,
                item.amount,
                item.ends_at,
            )
