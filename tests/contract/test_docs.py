"""The documents agree with the code and with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from bedside_core.config import Config
from bedside_graphql.config import GraphQLConfig
from contract.layout_rules import tracked_files

ROOT = Path(__file__).parents[2]
# A link to a file of the repository, with or without a heading; not one to another host or within the page.
LINK = re.compile(r"\[[^\]]*\]\((?![a-z]+:|#)([^)#\s]+)[^)]*\)")
OPERATIONS = re.compile(r"^```graphql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_FOR_DEPLOYMENTS = {"demo", "testing"}


def documents() -> list[Path]:
    return [path for path in tracked_files(ROOT) if path.suffix == ".md" and "fixtures" not in path.parts]


def in_words(default: object) -> str:
    """A variable's default as it would be written into the environment."""
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`" if default not in {None, ""} else ""


def test_operations_lists_every_variable_with_its_default_and_meaning() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `BEDSIDE_.*$", text, re.MULTILINE)
    assert listed == [
        f"| `{prefix}{name.upper()}` | {in_words(field.default)} | {field.description} |"
        for prefix, settings in (("BEDSIDE_", Config), ("BEDSIDE_GRAPHQL_", GraphQLConfig))
        for name, field in settings.model_fields.items()
        if name not in NOT_FOR_DEPLOYMENTS
    ]
    assert "(../plugins/plans/README.md)" in text  # the plugin's own document holds its own variables


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_files_of_the_repository_lead_somewhere(document: Path) -> None:
    targets = LINK.findall(document.read_text(encoding="utf-8"))
    assert [target for target in targets if not document.parent.joinpath(target).exists()] == []


def test_operations_in_documents_fit_the_schema() -> None:
    schema = build_schema((ROOT / "graphql" / "schema.graphql").read_text(encoding="utf-8"), assume_valid=True)
    found = {
        (str(document.relative_to(ROOT)), operations)
        for document in documents()
        for operations in OPERATIONS.findall(document.read_text(encoding="utf-8"))
        if "bedside-vitals" not in document.parts  # a partner's plugin, whose own tests run its example
    }
    assert len(found) >= 15
    assert {where: faults for where, text in found if (faults := validate(schema, parse(text)))} == {}


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    decisions = sorted(path for path in (ROOT / "docs" / "adr").glob("0*.md"))
    assert [path.name[:4] for path in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    listed = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        number, title = text.splitlines()[0].removeprefix("# ").split(" ", 1)
        assert f"| [{number}]({path.name}) | {title} |" in listed
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "What would change our mind"]


def test_every_changelog_fragment_is_of_a_known_kind() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        kinds = {kind["directory"] for kind in tomllib.load(file)["tool"]["towncrier"]["type"]}
    fragments = [path.name for path in (ROOT / "changelog.d").glob("*.md") if path.name != "README.md"]
    assert [name for name in fragments if name.split(".")[1] not in kinds] == []
    readme = (ROOT / "changelog.d" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)) == kinds
