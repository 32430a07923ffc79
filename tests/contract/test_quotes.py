"""What a document quotes from a file stands in that file, word for word.

A fenced block whose first line names a file after the language is a quotation of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.layout_rules import tracked_files

ROOT = Path(__file__).parents[2]
QUOTATION = re.compile(r"^```[a-z]+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def quotations(document: str) -> Iterator[tuple[str, str]]:
    """File and quoted text of each quotation in a document."""
    yield from ((name, text) for name, text in QUOTATION.findall(document))


def misquoted(document: str, root: Path) -> list[str]:
    """The quotations that don't stand in the file that they name: the file with the first line of each."""
    faults: list[str] = []
    for name, text in quotations(document):
        path = root / name
        if not path.is_file() or f"\n{text}" not in f"\n{path.read_text(encoding='utf-8')}":
            faults.append(f"{name}: {text.splitlines()[0].strip()}")
    return faults


def quoting() -> list[Path]:
    """The documents with a quotation."""
    found = [path for path in tracked_files(ROOT) if path.suffix == ".md" and "fixtures" not in path.parts]
    return [path for path in found if QUOTATION.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("document", quoting(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_quotation_stands_in_its_file(document: Path) -> None:
    assert misquoted(document.read_text(encoding="utf-8"), ROOT) == []


def test_the_tutorial_quotes_every_part_of_the_plugin_but_its_declarations() -> None:
    document = (ROOT / "docs" / "writing-a-plugin.md").read_text(encoding="utf-8")
    quoted = {Path(name).name for name, _ in quotations(document) if name.startswith("examples/bedside-vitals/")}
    assert quoted == {
        "pyproject.toml", "plugin.py", "service.py", "schema.py", "settings.py", "jobs.py", "routes.py",
        "vitals_2026_11_24t00_00_initial.py",
    }  # fmt: skip


def test_a_misquotation_is_told(tmp_path: Path) -> None:
    (tmp_path / "tea.py").write_text("def tea() -> str:\n    return 'green'\n\n\nCUPS = 2\n", encoding="utf-8")
    document = (
        "```python tea.py\ndef tea() -> str:\n    return 'green'\n```\n"
        "```python tea.py\ndef tea() -> str:\n    return 'black'\n```\n"
        "```python tea.py\n    return 'green'\n```\n"
        "```python tea.py\nreturn 'green'\n```\n"
        "```python tea.py\nCUPS = 2\n```\n"
        "```python coffee.py\nCUPS = 2\n```\n"
        "```python\nnothing quoted\n```\n"
    )
    assert misquoted(document, tmp_path) == [
        "tea.py: def tea() -> str:",
        "tea.py: return 'green'",
        "coffee.py: CUPS = 2",
    ]
