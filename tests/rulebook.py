"""Ties tests to the numbers of docs/rules.md and docs/promises.md, and says which of them have no passing test.

As a pytest plugin (named in tests/conftest.py) it

- refuses a `rule("…")` or `promise("…")` marker whose number the documents don't know,
- skips a test marked `needs("chromium")` aloud where that tool is absent, or fails it where `BEDSIDE_REQUIRE` names it,
- runs tests marked `full` only at full size (`BEDSIDE_FULL=1`, which `make promises` sets),
- writes what passed to the file given by `--rulebook=FILE` (`make test` does).

As a script, `python tests/rulebook.py FILE` prints the numbers without a passing test; `make rules` calls it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar, cast

import pytest

ROOT = Path(__file__).parents[1]
KINDS = {"rule": "rules", "promise": "promises"}
# "- C13 Sending is idempotent …" in the one document, "| D1 | kill -9 … | … |" in the other.
ENTRY = re.compile(r"^(?:- ([A-Z]\d+)\s+|\| ([A-Z]\d+) \| )(.+?)(?: \|.*)?$", re.MULTILINE)
# What a tool's program may be called; a name not listed here is looked up as it stands.
PROGRAMS = {"chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")}

CLAIM = "claim"
Claim = Mapping[str, list[str]]

Size = TypeVar("Size", int, float)


def entries(kind: str, docs: Path = ROOT / "docs") -> dict[str, str]:
    """The numbers of `docs/<kind>.md` ("rules" or "promises") with the first words of each, in the document's order."""
    text = (docs / f"{kind}.md").read_text(encoding="utf-8")
    return {plain or row: words for plain, row, words in ENTRY.findall(text)}


def full_size() -> bool:
    """Whether this run is `make promises`: full sizes and figures instead of reduced sizes with deadlines only."""
    return os.environ.get("BEDSIDE_FULL", "") not in {"", "0"}


def size(reduced: Size, full: Size) -> Size:
    """The first under `make test`, the second under `make promises`."""
    return full if full_size() else reduced


def needs(tool: str) -> str:
    """The path of the tool's program; where there is none the running test is skipped, or fails if it was required."""
    found = next((path for program in PROGRAMS.get(tool, (tool,)) if (path := shutil.which(program))), None)
    if found is not None:
        return found
    if tool in re.split(r"[,\s]+", os.environ.get("BEDSIDE_REQUIRE", "")):
        raise pytest.fail.Exception(f"{tool} is not installed, and BEDSIDE_REQUIRE asks for it", pytrace=False)
    raise pytest.skip.Exception(f"needs {tool}, which is not installed here")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rulebook", metavar="FILE", help="write which rules and promises had a passing test to FILE")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder(), "bedside-rulebook-recorder")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for tool in marker.args:
            needs(tool)


class Recorder:
    """Follows one run: whose markers each test carries, and how each test ended."""

    def __init__(self) -> None:
        self.claims: dict[str, Claim] = {}
        self.passed: set[str] = set()
        self.failed: set[str] = set()
        self.absent: Counter[str] = Counter()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        known = {marker: entries(kind).keys() for marker, kind in KINDS.items()}
        unknown: list[str] = []
        for item in items:
            claim = {
                marker: sorted({str(number) for mark in item.iter_markers(marker) for number in mark.args})
                for marker in KINDS
            }
            # With the report it reaches the process that gathers what several ran.
            item.user_properties.append((CLAIM, claim))
            for marker, numbers in claim.items():
                unknown += [f"{item.nodeid}: {marker} {number}" for number in numbers if number not in known[marker]]
        if unknown:
            raise pytest.UsageError("numbers that docs/rules.md or docs/promises.md don't know:\n" + "\n".join(unknown))
        if not full_size() and (left_out := [item for item in items if item.get_closest_marker("full")]):
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.claims[report.nodeid] = cast("Claim", dict(report.user_properties).get(CLAIM, {}))
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passed.add(report.nodeid)
        elif report.skipped and isinstance(report.longrepr, tuple):
            self.absent[str(report.longrepr[2]).removeprefix("Skipped: ")] += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.absent:
            terminalreporter.section("not shown here")
            for reason, count in self.absent.most_common():
                terminalreporter.line(f"{count} x {reason}")

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        # A run that was cut short would make rules look as if nothing showed them.
        ran = exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
        gathers = not hasattr(session.config, "workerinput")
        if ran and gathers and (target := session.config.getoption("--rulebook")):
            path = Path(str(target))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(self.record(), indent=1) + "\n", encoding="utf-8")

    def record(self) -> dict[str, dict[str, list[str]]]:
        """Per marker the numbers that are held: at least one test of theirs passed and none failed."""
        return {
            marker: {
                "held": sorted(self._numbers(marker, self.passed) - self._numbers(marker, self.failed)),
                "broken": sorted(self._numbers(marker, self.failed)),
            }
            for marker in KINDS
        }

    def _numbers(self, marker: str, tests: set[str]) -> set[str]:
        return {number for test in tests for number in self.claims.get(test, {}).get(marker, ())}


def report(record: Path) -> Iterator[str]:
    """The lines that `make rules` prints from a record that a run of the tests wrote."""
    found = json.loads(record.read_text(encoding="utf-8"))
    for marker, kind in KINDS.items():
        known, held, broken = entries(kind), set(found[marker]["held"]), set(found[marker]["broken"])
        yield f"{kind}: {len(held)} of {len(known)} have a passing test"
        for number, words in known.items():
            if number not in held:
                yield f"  {number:<4} {'FAILS ' if number in broken else ''}{words[:96]}"


if __name__ == "__main__":
    if not Path(sys.argv[1]).is_file():
        sys.exit("No run of the tests came to its end, so there is nothing to list; `make test` shows why.")
    print("\n".join(report(Path(sys.argv[1]))))
