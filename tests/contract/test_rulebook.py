"""The rule book ties tests to numbers: unknown ones are refused, and what has no passing test is listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rulebook

ROOT = Path(__file__).parents[2]


def run(folder: Path, tests: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a test file of its own, with the rule book as its plugin; the record is written beside it."""
    folder.joinpath("conftest.py").write_text('pytest_plugins = ["rulebook"]\n')
    folder.joinpath("test_marked.py").write_text(f"import pytest\nfrom rulebook import needs, size\n{tests}")
    folder.joinpath("pytest.ini").write_text("[pytest]\nmarkers =\n    rule\n    promise\n    full\n    needs\n")
    without = {name: value for name, value in os.environ.items() if not name.startswith("BEDSIDE_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rulebook=record.json"],
        cwd=folder,
        env={**without, "PYTHONPATH": str(ROOT / "tests"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_documents_are_read_whole() -> None:
    rules, promises = rulebook.entries("rules"), rulebook.entries("promises")
    assert (len(rules), len(promises)) == (100, 32)
    assert rules["C13"] == "Sending is idempotent: the client's own id makes a retry return the first message."
    assert rules["T16"].startswith("Leaving and coming back")
    assert promises["D5"] == "two server processes, D1 and D2 again"


def test_a_number_is_held_when_its_tests_pass_and_none_fails(tmp_path: Path) -> None:
    shown = run(
        tmp_path,
        """
@pytest.mark.rule("L1", "L2")
def test_passes(): pass

@pytest.mark.rule("L2")
def test_fails(): assert 1 == 2

@pytest.mark.rule("L3")
@pytest.mark.needs("a-tool-that-nobody-has")
def test_is_skipped(): raise RuntimeError

@pytest.mark.promise("D1")
@pytest.mark.full
def test_is_for_the_full_size(): assert size(1, 2) == 2
""",
    )
    assert json.loads(tmp_path.joinpath("record.json").read_text()) == {
        "rule": {"held": ["L1"], "broken": ["L2"]},
        "promise": {"held": [], "broken": []},
    }
    assert "1 x needs a-tool-that-nobody-has, which is not installed here" in shown.stdout
    assert "1 failed, 1 passed, 1 skipped, 1 deselected" in shown.stdout.splitlines()[-1]

    listed = list(rulebook.report(tmp_path / "record.json"))
    assert listed[0] == "rules: 1 of 100 have a passing test"
    assert listed[100] == "promises: 0 of 32 have a passing test"
    assert not any(line.startswith("  L1 ") for line in listed[:100])
    assert "  L2   FAILS Starter: file share with patients." in "\n".join(listed)
    assert "  L3   Gating is the server's" in "\n".join(listed)


def test_the_full_size_is_asked_for_by_a_variable(tmp_path: Path) -> None:
    tests = '@pytest.mark.promise("D1")\n@pytest.mark.full\ndef test_full(): assert size(1, 2) == 2\n'
    shown = run(tmp_path, tests, BEDSIDE_FULL="1")
    assert "1 passed" in shown.stdout.splitlines()[-1]
    assert json.loads(tmp_path.joinpath("record.json").read_text())["promise"]["held"] == ["D1"]


def test_an_absent_tool_that_is_required_fails_the_test(tmp_path: Path) -> None:
    shown = run(tmp_path, 'def test_draws(): needs("a-tool")\n', BEDSIDE_REQUIRE="chromium,a-tool")
    assert "a-tool is not installed, and BEDSIDE_REQUIRE asks for it" in shown.stdout
    assert "1 failed" in shown.stdout.splitlines()[-1]


@pytest.mark.parametrize(("kind", "number"), [("rule", "C99"), ("rule", "D1"), ("promise", "C13")])
def test_an_unknown_number_is_refused_at_collection(tmp_path: Path, kind: str, number: str) -> None:
    shown = run(tmp_path, f'@pytest.mark.{kind}("{number}")\ndef test_claims(): pass\n')
    assert shown.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"test_marked.py::test_claims: {kind} {number}" in shown.stderr
    assert "passed" not in shown.stdout


def test_a_run_that_is_cut_short_leaves_no_record(tmp_path: Path) -> None:
    shown = run(tmp_path, "def test_passes(): pass\ndef test_interrupts(): raise KeyboardInterrupt\n")
    assert shown.returncode == pytest.ExitCode.INTERRUPTED
    assert not tmp_path.joinpath("record.json").exists()

    listed = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "rulebook.py"), str(tmp_path / "record.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 1
    assert listed.stderr.startswith("No run of the tests came to its end")
