"""`bedside schema`: the schema of the enabled plugins, compared with files."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_stage import logging_as_before
from click.testing import CliRunner, Result
from graphql import build_schema

from bedside_core.cli import bedside

ROOT = Path(__file__).parents[2]


def schema(*arguments: str, given: str | None = None, **environment: str) -> Result:
    with logging_as_before():
        return CliRunner().invoke(bedside, ["schema", *arguments], input=given, env=environment)


@pytest.fixture(scope="module")
def printed() -> str:
    result = schema()
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.rule("G7")
def test_it_is_printed_without_a_database(printed: str) -> None:
    built = build_schema(printed)
    assert built.query_type is not None
    assert {"viewer", "practice", "plugins", "conversations", "conversation"} <= set(built.query_type.fields)
    assert built.subscription_type is not None
    assert "messageAdded" in built.subscription_type.fields


def test_a_plugin_that_is_not_enabled_is_not_in_it() -> None:
    assert "startConversation" not in schema(BEDSIDE_PLUGINS="graphql,plans").stdout


def test_half_a_schema_is_no_answer() -> None:
    result = schema(BEDSIDE_PLUGINS="graphql,nowhere")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "bedside: plugin nowhere: enabled, but not installed\n"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"MAX_COST": "1"}, "BEDSIDE_GRAPHQL_MAX_COST: Input should be greater than or equal to 100"),
        (
            {"MAX_COST": "secret", "MAX_DEPTH": "1"},
            "BEDSIDE_GRAPHQL_MAX_DEPTH: Input should be greater than or equal to 3; "
            "BEDSIDE_GRAPHQL_MAX_COST: Input should be a valid integer, unable to parse string as an integer",
        ),
        (
            {"MAX_COST": "50000"},
            "a budget smaller than BEDSIDE_GRAPHQL_MAX_COST would refuse some operations for ever",
        ),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(variables: dict[str, str], told: str) -> None:
    result = schema(**{f"BEDSIDE_GRAPHQL_{name}": value for name, value in variables.items()})
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"bedside: plugin graphql: its configuration can't be used: {told}\n"


@pytest.mark.rule("G7")
def test_the_snapshot_in_the_repository_is_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = schema("--check")
    assert result.exit_code == 0, result.output


@pytest.mark.rule("G7")
def test_a_difference_to_the_snapshot_is_shown_and_fails(printed: str, tmp_path: Path) -> None:
    file = tmp_path / "schema.graphql"
    file.write_text(printed.replace("  viewer: Viewer @", "  viewer: Viewer! @"))
    result = schema("--check", str(file))
    assert result.exit_code == 1
    changed = [line for line in result.stdout.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    assert [line.strip().split(" @")[0] for line in changed] == ["-  viewer: Viewer!", "+  viewer: Viewer"]
    assert schema("--write", str(file)).exit_code == 0
    assert file.read_text() == printed


@pytest.mark.rule("G7")
def test_what_breaks_unannounced_fails(printed: str) -> None:
    older = printed.replace("type Viewer {", "type Viewer {\n  nickname: String\n")
    result = schema("--breaking", "-", given=older)
    assert (result.exit_code, result.stdout) == (1, "Field Viewer.nickname was removed.\n")
    result = schema("--breaking", "-", given=printed)
    assert (result.exit_code, result.stdout) == (0, "Nothing breaks that was not announced.\n")
    assert schema("--changes", "-", given=older).stdout == "breaking: Field Viewer.nickname was removed.\n"


@pytest.mark.rule("G7")
def test_what_breaks_the_last_release_fails_the_build(
    printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = schema("--breaking")
    assert (result.exit_code, result.stdout) == (
        0,
        "There is no graphql/released.graphql: nothing is released yet, so nothing can break.\n",
    )
    released = tmp_path / "graphql" / "released.graphql"
    released.parent.mkdir()
    released.write_text(printed)
    assert schema("--breaking").exit_code == 0
    released.write_text(printed.replace("type Viewer {", "type Viewer {\n  nickname: String\n"))
    result = schema("--breaking")
    assert (result.exit_code, result.stdout) == (1, "Field Viewer.nickname was removed.\n")
    result = schema("--breaking", "elsewhere.graphql")
    assert result.exit_code == 1
    assert "elsewhere.graphql can't be read: No such file or directory" in result.stderr


@pytest.mark.rule("G7")
def test_the_build_runs_it_and_no_release_is_without_its_schema() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.split("\ncheck:")[1].split("\n.PHONY")[0].splitlines()
    assert "\t$(BIN)/bedside schema --breaking" in recipe
    released = "\n## " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert (ROOT / "graphql" / "released.graphql").is_file() is released


def test_what_is_no_schema_is_told() -> None:
    result = schema("--changes", "-", given="no schema")
    assert result.exit_code == 1
    assert "is no schema" in result.stderr


def test_one_comparison_at_a_time() -> None:
    assert schema("--check", "--write").exit_code == 2
