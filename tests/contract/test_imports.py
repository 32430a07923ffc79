"""The import contracts of pyproject.toml hold, and each catches the breach it is there for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "contract" / "fixtures" / "broken_imports"

LAYERS = "core <- graphql <- plugins, and plugins see each other's api alone"
CORE = "core speaks no GraphQL and knows no plugin"
GRAPHQL = "graphql knows no plugin"
API_ALONE = "plugins see core and graphql through their api alone"
INSIDE = "inside a plugin"

# The folder laid over the small house -> the contract that breaks, and the import it names.
BREACHES = {
    "core_imports_strawberry": (CORE, "bedside_core.breach -> strawberry"),
    "core_imports_graphql_core": (CORE, "bedside_core.breach -> graphql"),
    "core_imports_bedside_graphql": (CORE, "bedside_core.breach -> bedside_graphql.api"),
    "core_imports_a_plugin": (CORE, "bedside_core.breach -> bedside_chat.api"),
    "graphql_imports_a_plugin": (GRAPHQL, "bedside_graphql.breach -> bedside_plans.api"),
    "a_plugin_imports_core_internals": (API_ALONE, "bedside_chat.breach -> bedside_core.access"),
    "a_plugin_imports_graphql_internals": (API_ALONE, "bedside_chat.breach -> bedside_graphql.gate"),
    "a_plugin_imports_anothers_service": (LAYERS, "bedside_chat.breach -> bedside_plans.service"),
    "a_service_imports_its_schema": (INSIDE, "bedside_portal.service -> bedside_portal.schema"),
    "an_api_imports_its_service": (INSIDE, "bedside_portal.helpers -> bedside_portal.tables"),
}


def lint(folder: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter in the folder with the repository's own contracts; the path says where its packages lie."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(program), "--no-logo", "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def broken_contracts(shown: str) -> set[str]:
    return {*re.findall(r"^(.+) BROKEN\b", shown, re.MULTILINE)}


def test_the_repository_keeps_every_contract() -> None:
    linted = lint(ROOT)
    assert broken_contracts(linted.stdout) == set()
    assert "Contracts: 5 kept, 0 broken." in linted.stdout
    assert linted.returncode == 0


def test_the_small_house_keeps_every_contract() -> None:
    house = FIXTURES / "house"
    linted = lint(house, house)
    assert "Contracts: 5 kept, 0 broken." in linted.stdout, linted.stdout
    assert linted.returncode == 0


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_caught_and_named(breach: str, tmp_path: Path) -> None:
    contract, named = BREACHES[breach]
    house = shutil.copytree(FIXTURES / "house", tmp_path / "house")
    shutil.copytree(FIXTURES / breach, house, dirs_exist_ok=True)
    linted = lint(house, house)
    assert linted.returncode == 1
    assert contract in broken_contracts(linted.stdout)
    assert named in linted.stdout


def test_every_breach_kept_here_is_tried() -> None:
    assert {path.name for path in FIXTURES.iterdir()} == {*BREACHES, "house"}
