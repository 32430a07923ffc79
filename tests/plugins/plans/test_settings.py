"""What an operator maps: features to tiers, and limits, out of the environment and a file (L7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bedside_core.access import Feature, Tier
from bedside_plans.catalogue import LIMITS, TIERS, catalogue_of, checked
from bedside_plans.settings import BadPlans, Mapped, configured

DECLARED = [
    Feature(key="group_sessions", title="Group sessions", doc="More than two.", tier=None),
    Feature(key="team_chat", title="Team chat", doc="Write with one's team.", tier=Tier.PREMIUM),
]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEDSIDE_PLANS_FEATURES", raising=False)
    monkeypatch.delenv("BEDSIDE_PLANS_CATALOGUE", raising=False)


def given_catalogue(monkeypatch: pytest.MonkeyPatch, folder: Path, content: object, name: str = "plans.json") -> Path:
    """Write a catalogue and name it in the environment."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    monkeypatch.setenv("BEDSIDE_PLANS_CATALOGUE", str(path))
    return path


@pytest.mark.rule("L7")
def test_without_configuration_features_keep_the_tiers_that_plugins_declare() -> None:
    catalogue = catalogue_of(DECLARED, configured())
    assert catalogue.tiers == {"group_sessions": None, "team_chat": Tier.PREMIUM}
    assert catalogue.limits == LIMITS


@pytest.mark.rule("L7")
def test_the_variable_maps_any_declared_feature_to_a_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEDSIDE_PLANS_FEATURES", '{"group_sessions": "enhanced", "team_chat": "starter"}')
    mapped = configured()
    assert checked(DECLARED, mapped) == []
    assert catalogue_of(DECLARED, mapped).tiers == {"group_sessions": Tier.ENHANCED, "team_chat": Tier.STARTER}


@pytest.mark.rule("L7")
@pytest.mark.parametrize("kind", ["json", "toml"])
def test_a_file_maps_features_and_limits_and_the_variable_counts_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    limits: dict[str, dict[str, Any]] = {
        "starter": {"storage_gb": 1, "notes": 3},
        "enhanced": {"notes": 30},
        "premium": {"storage_gb": "unlimited", "notes": "unlimited"},
    }
    content = {"features": {"group_sessions": "premium", "team_chat": "enhanced"}, "limits": limits}
    toml = "\n".join(
        [
            "[features]",
            *(f'{key} = "{tier}"' for key, tier in content["features"].items()),
            *(
                line
                for tier, pairs in limits.items()
                for line in (f"[limits.{tier}]", *(f"{key} = {json.dumps(value)}" for key, value in pairs.items()))
            ),
        ]
    )
    given_catalogue(monkeypatch, tmp_path, toml if kind == "toml" else content, f"plans.{kind}")
    monkeypatch.setenv("BEDSIDE_PLANS_FEATURES", '{"group_sessions": "enhanced"}')
    catalogue = catalogue_of(DECLARED, configured())
    assert catalogue.tiers == {"group_sessions": Tier.ENHANCED, "team_chat": Tier.ENHANCED}
    assert {tier: catalogue.limits[tier]["storage_gb"] for tier in TIERS} == {
        Tier.STARTER: 1,
        Tier.ENHANCED: LIMITS[Tier.ENHANCED]["storage_gb"],
        Tier.PREMIUM: None,
    }
    assert [catalogue.limits[tier]["notes"] for tier in TIERS] == [3, 30, None]
    assert [catalogue.limits[tier]["session_people"] for tier in TIERS] == [
        LIMITS[tier]["session_people"] for tier in TIERS
    ]


@pytest.mark.rule("L7")
def test_a_mapped_feature_that_nobody_declares_is_refused_by_name() -> None:
    mapped = Mapped(features={"group_sesions": Tier.PREMIUM})
    with pytest.raises(BadPlans) as refused:
        checked(DECLARED, mapped)
    assert str(refused.value) == (
        "no plugin named in BEDSIDE_PLUGINS declares the feature group_sesions; declared are: group_sessions, team_chat"
    )


def test_it_is_let_pass_and_left_out_where_a_plugin_that_might_declare_it_has_failed() -> None:
    mapped = Mapped(features={"partners_own": Tier.PREMIUM, "team_chat": Tier.STARTER})
    assert checked(DECLARED, mapped, lenient=True) == ["partners_own"]
    assert catalogue_of(DECLARED, mapped).tiers == {"group_sessions": None, "team_chat": Tier.STARTER}


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"starter": {"storage_gb": 500}}, "the limit storage_gb is lower for enhanced than for starter"),
        ({"starter": {"storage_gb": "unlimited"}}, "the limit storage_gb is lower for enhanced than for starter"),
        ({"premium": {"notes": 5}}, "the limit notes is missing for starter, enhanced"),
    ],
)
def test_limits_that_cant_be_right_are_refused(limits: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadPlans, match=f"^{reason}$"):
        checked(DECLARED, Mapped.model_validate({"limits": limits}))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("team_chat=premium", "BEDSIDE_PLANS_FEATURES is not a JSON object"),
        (
            '{"team_chat": "gold"}',
            "BEDSIDE_PLANS_FEATURES: team_chat: Input should be 'starter', 'enhanced' or 'premium'",
        ),
        ('["team_chat"]', "BEDSIDE_PLANS_FEATURES: Input should be a valid dictionary"),
    ],
)
def test_a_variable_that_cant_be_read_says_so(monkeypatch: pytest.MonkeyPatch, value: str, reason: str) -> None:
    monkeypatch.setenv("BEDSIDE_PLANS_FEATURES", value)
    with pytest.raises(BadPlans) as refused:
        configured()
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ({"feature": {}}, "feature: Extra inputs are not permitted"),
        ({"limits": {"gold": {}}}, "limits: gold.[key]: Input should be 'starter', 'enhanced' or 'premium'"),
        ({"limits": {"starter": {"storage_gb": -1}}}, "Input should be greater than or equal to 0"),
        ({"limits": {"starter": {"storage_gb": "ten"}}}, "Input should be 'unlimited'"),
        ({"limits": {"starter": {"storage_gb": 2**31}}}, "Input should be less than or equal to 2147483647"),
        ({"features": {"Team Chat": "premium"}}, "String should match pattern"),
    ],
)
def test_a_file_that_cant_be_right_is_refused_naming_the_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: object, reason: str
) -> None:
    path = given_catalogue(monkeypatch, tmp_path, content)
    with pytest.raises(BadPlans) as refused:
        configured()
    assert str(path) in str(refused.value)
    assert reason in str(refused.value)


def test_a_file_that_is_not_there_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "absent.toml"
    monkeypatch.setenv("BEDSIDE_PLANS_CATALOGUE", str(path))
    with pytest.raises(BadPlans) as refused:
        configured()
    assert str(refused.value) == f"BEDSIDE_PLANS_CATALOGUE: {path} can't be read: FileNotFoundError"
