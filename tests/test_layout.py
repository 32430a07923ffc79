"""The layout holds: for the repository each rule answers nothing, for a broken tree exactly what is broken there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contract import layout_rules
from contract.layout_rules import RULES, Rule

ROOT = Path(__file__).parents[1]
BROKEN = ROOT / "tests" / "contract" / "fixtures" / "broken_layout"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_repository_keeps(rule: Rule) -> None:
    assert rule(ROOT) == []


def test_import_graphql_from_the_repository_root_is_graphql_core() -> None:
    code = "import graphql; print(graphql.__file__); from graphql import parse"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "site-packages" in shown.stdout


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The broken tree, with what cannot be kept in the repository: the very things that must not be tracked."""
    tree = tmp_path / "tree"
    shutil.copytree(BROKEN, tree)
    registry = "py" + "pi"
    tree.joinpath("requirements.lock").write_text(
        f"--index-url https://{registry}.example.org/simple\nlitestar==2.25\n"
    )
    tree.joinpath("docs").mkdir()
    tree.joinpath("docs", "start.md").write_text(f"Then go to `{tree.resolve()}/core`.\n")
    long = ['"""Far too much in one module."""', *(f"LINE_{number} = {number}" for number in range(400))]
    tree.joinpath("core", "bedside_core", "everything.py").write_text("\n".join(long) + "\n")
    marker = "TO" + "DO"
    stub = f'"""Not yet there."""\n\n# {marker}: write it\ndef later():\n    raise Not{"Implemented"}Error\n'
    tree.joinpath("graphql", "bedside_graphql", "later.py").write_text(stub)
    return tree


FAULTS: dict[Rule, list[str]] = {
    layout_rules.no_module_in_a_source_root: [
        "graphql/__init__.py stands directly in a source root",
        "plugins/helpers.py stands directly in a source root",
    ],
    layout_rules.each_source_root_holds_one_package: [
        "core holds ['bedside_core', 'bedside_extra'], not bedside_core alone",
        "plugins/billing holds no package, not bedside_billing alone",
    ],
    layout_rules.no_tests_below_graphql: [
        "graphql/bedside_graphql/test_schema.py: tests of GraphQL belong in tests/schema",
        "tests/graphql: tests of GraphQL belong in tests/schema",
    ],
    layout_rules.plugins_have_one_shape: [
        "plugins/billing/README.md is missing",
        "plugins/billing/bedside_billing/plugin.py is missing",
        "plugins/billing/bedside_billing/py.typed is missing",
        "plugins/chat/bedside_chat/service.py is missing",
        "plugins/chat/bedside_chat/piccolo_app.py is missing",
        "plugins/chat/bedside_chat/migrations/__init__.py is missing",
    ],
    layout_rules.each_package_is_typed: ["core/bedside_extra/py.typed is missing"],
    layout_rules.each_module_says_what_it_is_for: [
        "core/bedside_core/nameless.py has no docstring that begins with a sentence",
        "core/bedside_core/wordy.py has no docstring that begins with a sentence",
    ],
    layout_rules.no_module_is_too_long: ["core/bedside_core/everything.py has 401 lines"],
    layout_rules.nothing_is_unfinished: [
        "graphql/bedside_graphql/later.py:3: TO" + "DO",
        "graphql/bedside_graphql/later.py:5: Not" + "ImplementedError",
    ],
    layout_rules.no_registry_host: ["requirements.lock:1: https://py" + "pi.example.org"],
}


@pytest.mark.parametrize("rule", FAULTS, ids=lambda rule: rule.__name__)
def test_a_broken_tree_is_told_by(rule: Rule, broken: Path) -> None:
    assert rule(broken) == FAULTS[rule]


def test_a_path_of_this_machine_is_told(broken: Path) -> None:
    assert layout_rules.no_path_of_this_machine(broken) == [f"docs/start.md:1: {broken.resolve()}"]


def test_every_rule_is_seen_to_fail() -> None:
    assert {*RULES} == {*FAULTS, layout_rules.no_path_of_this_machine}
