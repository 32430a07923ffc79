"""The operator's commands: `bedside plan …` shows and changes a practice's plan (L6)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import click
from rich_click import RichGroup

from bedside_core.api import Config, Platform, Practice, Problem, Tier, assembled, audit
from bedside_plans.api import ItemKind, Plan, PlanItem
from bedside_plans.service import PlanService

TIER = click.Choice([tier.value for tier in Tier])


def when(text: str) -> datetime:
    """Return an instant written with its offset, or the beginning of a day in UTC."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("neither a day (2026-01-31) nor an instant (2026-01-31T09:30:00Z)") from None
    if instant.tzinfo is None:
        if len(text) > len("2026-01-31"):
            raise click.BadParameter("an instant needs its offset, e.g. Z")
        return instant.replace(tzinfo=UTC)
    return instant


UNTIL = click.option("--until", type=when, metavar="WHEN", help="From when on it no longer counts.")

Act = Callable[[PlanService, Platform, UUID], Awaitable[str]]


def _run(practice: str, act: Act) -> None:
    """Assemble the platform, find the practice, act, and print what comes out."""

    async def run() -> str:
        async with assembled(Config()) as platform:
            if not platform.provides(PlanService):
                reason = next((r.reason for r in platform.plugins.report() if r.name == "plans"), "not installed")
                raise click.ClickException(f"the plugin plans is not active: {reason}")
            found = await _practice(platform, practice)
            command = click.get_current_context().command_path
            async with audit.operation(via=audit.Via.COMMAND, detail={"command": command}, operator=True):
                return await act(platform.service(PlanService), platform, found.id)

    try:
        click.echo(asyncio.run(run()))
    except Problem as problem:
        raise click.ClickException(" ".join(filter(None, [problem.message, problem.way_on]))) from problem


async def _practice(platform: Platform, wanted: str) -> Practice:
    """Return a practice by its id or by its whole name."""
    ids = await platform.people.practice_ids()
    practices = [found for each in ids if (found := await platform.people.practice(each)) is not None]
    matching = [each for each in practices if wanted in {str(each.id), each.name}]
    if len(matching) != 1:
        known = ", ".join(f"{each.name} ({each.id})" for each in matching or practices) or "none"
        what = "several practices are" if matching else "no practice is"
        raise click.ClickException(f"{what} called {wanted!r}: {known}")
    return matching[0]


async def _shown(service: PlanService, platform: Platform, practice_id: UUID) -> str:
    """Return a plan as JSON, for people and programs alike."""
    stored, now = await service.plan(practice_id), platform.clock.now()
    states = await service.states(practice_id)
    told = {
        "practice": str(practice_id),
        "tier": stored.tier,
        "trial": _trial(stored, now),
        "features": {
            key: {"enabled": state.enabled, "reason": state.reason, "tier": state.tier}
            for key, state in sorted(states.items())
        },
        "limits": {limit.key: limit.amount for limit in await service.limits(practice_id)},
        "items": [
            {"kind": item.kind, "key": item.key, "endsAt": item.ends_at.isoformat() if item.ends_at else None}
            for item in stored.items
            if item.counts(now)
        ],
    }
    return json.dumps(told, indent=2)


def _trial(stored: Plan, now: datetime) -> dict[str, str] | None:
    if stored.trial is None or stored.trial.ends_at <= now:
        return None
    return {"tier": stored.trial.tier, "endsAt": stored.trial.ends_at.isoformat()}


def _change(practice: str, kind: ItemKind, key: str, item: PlanItem | None) -> None:
    """Set an item, or take it back where there is none, and show the plan."""

    async def act(service: PlanService, platform: Platform, practice_id: UUID) -> str:
        if item is None:
            await service.remove_item(practice_id, kind, key)
        else:
            await service.set_item(practice_id, item)
        return await _shown(service, platform, practice_id)

    _run(practice, act)


@click.group(cls=RichGroup)
def plan() -> None:
    """Show and change a practice's plan. PRACTICE is its id or its whole name."""


@plan.command()
@click.argument("practice")
def show(practice: str) -> None:
    """Show a practice's plan, its features and limits, as JSON."""
    _run(practice, _shown)


@plan.command("set")
@click.argument("practice")
@click.argument("tier", type=TIER)
@click.option(
    "--trial-until", type=when, metavar="WHEN", help="Only try the tier, until then; the practice's own tier stays."
)
def set_tier(practice: str, tier: str, trial_until: datetime | None) -> None:
    """Put a practice on a tier, at once; nothing of what it has made is deleted."""

    async def act(service: PlanService, platform: Platform, practice_id: UUID) -> str:
        await service.change_plan(practice_id, Tier(tier), trial_until=trial_until)
        return await _shown(service, platform, practice_id)

    _run(practice, act)


@plan.command()
@click.argument("practice")
@click.argument("tier", type=TIER)
def preview(practice: str, tier: str) -> None:
    """Show what another tier would give and take, as JSON; changes nothing."""

    async def act(service: PlanService, platform: Platform, practice_id: UUID) -> str:
        change = await service.preview(practice_id, Tier(tier))
        limits = {limit.key: {"before": limit.before, "after": limit.after} for limit in change.limits}
        return json.dumps({"lost": change.lost, "gained": change.gained, "limits": limits}, indent=2)

    _run(practice, act)


@plan.command()
@click.argument("practice")
@click.argument("feature")
@click.argument("state", type=click.Choice(["on", "off", "none"]))
@UNTIL
def override(practice: str, feature: str, state: str, until: datetime | None) -> None:
    """Switch a feature on or off whatever the tier says; `none` takes that back."""
    item = PlanItem(kind=ItemKind.OVERRIDE, key=feature, enabled=state == "on", ends_at=until)
    _change(practice, ItemKind.OVERRIDE, feature, None if state == "none" else item)


@plan.command("add-on")
@click.argument("practice")
@click.argument("feature")
@click.argument("state", type=click.Choice(["on", "none"]))
@UNTIL
def add_on(practice: str, feature: str, state: str, until: datetime | None) -> None:
    """Give a practice a feature besides those of its tier; `none` takes it back."""
    item = PlanItem(kind=ItemKind.ADD_ON, key=feature, ends_at=until)
    _change(practice, ItemKind.ADD_ON, feature, None if state == "none" else item)


@plan.command()
@click.argument("practice")
@click.argument("key")
@click.argument("amount")
@UNTIL
def limit(practice: str, key: str, amount: str, until: datetime | None) -> None:
    """Give a practice a limit of its own: a number, or `unlimited`; `none` takes it back."""
    if not (amount.isdecimal() or amount in {"unlimited", "none"}):
        raise click.BadParameter("a number, `unlimited` or `none`", param_hint="AMOUNT")
    height = int(amount) if amount.isdecimal() else None
    item = PlanItem(kind=ItemKind.LIMIT, key=key, amount=height, ends_at=until)
    _change(practice, ItemKind.LIMIT, key, None if amount == "none" else item)
