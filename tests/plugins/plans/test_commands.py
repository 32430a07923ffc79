"""`bedside plan …`: the operator's commands on a database of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest
from audit_stage import trail
from click.testing import CliRunner, Result
from plans_stage import Cafe, opened, sources

from bedside_core.api import assembled
from bedside_core.config import Config
from bedside_core.live import LocalBus
from bedside_core.testing import Database
from bedside_plans import commands
from bedside_plans.catalogue import LIMITS, TIERS

STARTER, _, PREMIUM = TIERS

Run = Callable[..., Result]


def within(database: Database, act: Callable[[Cafe], Coroutine[Any, Any, Any]]) -> Any:
    """Do something on the database in between commands."""

    async def run() -> Any:
        async with opened(database) as cafe:
            return await act(cafe)

    return asyncio.run(run())


@pytest.fixture
def bedside(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`bedside plan`, with the stage's plugins."""
    monkeypatch.setenv("BEDSIDE_DATABASE_URL", fresh_database.dsn)
    monkeypatch.setenv("BEDSIDE_PLUGINS", "graphql,plans,cafe")
    monkeypatch.setenv("BEDSIDE_STRICT", "true")

    def staged(config: Config) -> Any:
        return assembled(config, sources=sources([]), bus=LocalBus())

    monkeypatch.setattr(commands, "assembled", staged)
    within(fresh_database, lambda cafe: cafe.practice("Eastside"))
    return lambda *arguments: CliRunner().invoke(commands.plan, [*arguments])


def shown(result: Result) -> dict[str, Any]:
    """What a command printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def on(plan: dict[str, Any]) -> set[str]:
    return {key for key, feature in plan["features"].items() if feature["enabled"]}


@pytest.mark.rule("L6")
def test_set_puts_a_practice_on_a_tier_and_show_shows_it(bedside: Run) -> None:
    before = shown(bedside("show", "Eastside"))
    assert (before["tier"], before["trial"], on(before)) == ("starter", None, {"parking", "tea"})
    after = shown(bedside("set", "Eastside", "premium"))
    assert (after["tier"], on(after)) == ("premium", {"parking", "tea", "cake", "band"})
    assert after["features"]["band"] == {"enabled": True, "reason": "included", "tier": "premium"}
    assert after["limits"] == LIMITS[PREMIUM]
    assert shown(bedside("show", before["practice"])) == after


@pytest.mark.rule("A14")
@pytest.mark.rule("A15")
def test_what_a_command_changes_is_the_operator_s_act_in_the_practice_s_audit_trail(
    bedside: Run, fresh_database: Database
) -> None:
    practice = UUID(shown(bedside("set", "Eastside", "premium"))["practice"])
    shown(bedside("override", "Eastside", "tea", "off"))
    bedside("set", "Eastside", "gold")
    bedside("show", "Eastside")
    entries = within(fresh_database, lambda cafe: trail(practice, past=1))
    assert [(entry.action, entry.operator, entry.via, entry.account_id) for entry in entries] == [
        ("plans.change", True, "command", None)
    ] * 2
    assert [entry.detail for entry in entries] == [
        {"command": "plan set", "changed": ["tier"]},
        {"command": "plan override", "changed": ["override:tea"]},
    ]


@pytest.mark.rule("L6")
def test_a_trial_ends_where_the_command_says(bedside: Run) -> None:
    tried = shown(bedside("set", "Eastside", "enhanced", "--trial-until", "2099-01-31"))
    assert tried["tier"] == "starter"
    assert tried["trial"] == {"tier": "enhanced", "endsAt": "2099-01-31T00:00:00+00:00"}
    assert tried["features"]["cake"]["reason"] == "trial"


@pytest.mark.rule("L6")
def test_overrides_add_ons_and_limits_are_set_and_taken_back(bedside: Run) -> None:
    bedside("override", "Eastside", "tea", "off")
    bedside("add-on", "Eastside", "band", "on", "--until", "2099-01-31T09:30:00-05:00")
    plan = shown(bedside("limit", "Eastside", "storage_gb", "unlimited"))
    assert on(plan) == {"parking", "band"}
    assert plan["limits"] == {**LIMITS[STARTER], "storage_gb": None}
    assert [(item["kind"], item["key"]) for item in plan["items"]] == [
        ("add_on", "band"),
        ("limit", "storage_gb"),
        ("override", "tea"),
    ]
    assert plan["items"][0]["endsAt"] == "2099-01-31T14:30:00+00:00"
    assert shown(bedside("limit", "Eastside", "storage_gb", "12"))["limits"]["storage_gb"] == 12
    bedside("override", "Eastside", "tea", "none")
    bedside("add-on", "Eastside", "band", "none")
    plan = shown(bedside("limit", "Eastside", "storage_gb", "none"))
    assert (on(plan), plan["items"], plan["limits"]) == ({"parking", "tea"}, [], LIMITS[STARTER])


@pytest.mark.rule("L5")
def test_preview_tells_and_changes_nothing(bedside: Run) -> None:
    before = shown(bedside("set", "Eastside", "premium"))
    preview = shown(bedside("preview", "Eastside", "starter"))
    assert (preview["lost"], preview["gained"]) == (["band", "cake"], [])
    assert preview["limits"] == {
        key: {"before": LIMITS[PREMIUM][key], "after": LIMITS[STARTER][key]} for key in LIMITS[STARTER]
    }
    assert shown(bedside("show", "Eastside")) == before


def test_a_name_that_several_practices_have_is_not_guessed(bedside: Run, fresh_database: Database) -> None:
    within(fresh_database, lambda cafe: cafe.practice("Eastside"))
    result = bedside("set", "Eastside", "premium")
    assert result.exit_code == 1
    assert "several practices are called 'Eastside'" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "Westside"), "no practice is called 'Westside': Eastside"),
        (("override", "Eastside", "choir", "on"), "No plugin declares this feature. Features are: band, cake,"),
        (("limit", "Eastside", "storage_gb", "-1"), "No such option"),
        (("limit", "Eastside", "storage_gb", "lots"), "a number, `unlimited` or `none`"),
        (("set", "Eastside", "gold"), "'gold' is not one of"),
        (("set", "Eastside", "premium", "--trial-until", "2001-01-31"), "This lies in the past."),
        (("set", "Eastside", "premium", "--trial-until", "soon"), "neither a day"),
        (("set", "Eastside", "premium", "--trial-until", "2099-01-31T09:30"), "an instant needs its offset"),
        (("set", "Eastside", "starter", "--trial-until", "2099-01-31"), "a trial is of a higher tier"),
    ],
)
def test_what_cant_be_is_said_and_changes_nothing(bedside: Run, arguments: tuple[str, ...], said: str) -> None:
    before = shown(bedside("show", "Eastside"))
    result = bedside(*arguments)
    assert result.exit_code in {1, 2}
    assert said in result.output
    assert shown(bedside("show", "Eastside")) == before


def test_where_plans_is_not_active_the_command_says_why(bedside: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEDSIDE_PLUGINS", "graphql,cafe")
    result = bedside("show", "Eastside")
    assert result.exit_code == 1
    assert "the plugin plans is not active: not named in BEDSIDE_PLUGINS" in result.output
