"""Writes what a benchmark found into RESULTS.md, between the marks of its section."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown; numbers stand to the right."""
    body = [[_cell(value) for value in row] for row in rows]
    rule = ["---" if index == 0 else "---:" for index in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [list(head), rule, *body])


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def write(name: str, text: str) -> None:
    """Put a section in place of the one with the same name."""
    marks = f"<!-- {name}: written by `python -m benchmarks {name} --write` -->", f"<!-- end of {name} -->"
    section = f"{marks[0]}\n{text.strip()}\n{marks[1]}"
    old = RESULTS.read_text() if RESULTS.exists() else ""
    pattern = re.compile(re.escape(marks[0]) + ".*?" + re.escape(marks[1]), re.DOTALL)
    if pattern.search(old):
        RESULTS.write_text(pattern.sub(lambda _: section, old))
    else:
        RESULTS.write_text(f"{old.rstrip()}\n\n{section}\n".lstrip())
