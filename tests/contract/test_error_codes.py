"""Published error codes are documented, once each, as they are in the code."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from contract.error_codes import documented, faults, published

ERRORS = Path(__file__).parents[2] / "docs" / "graphql-guide" / "errors.md"


@pytest.mark.rule("G3")
def test_every_code_is_documented_as_it_is() -> None:
    assert faults(ERRORS) == []


@pytest.mark.rule("G3")
def test_a_code_means_one_thing() -> None:
    assert [code for code, times in Counter(kind.code for kind in published()).items() if times > 1] == []


def test_a_missing_and_a_stale_row_are_both_named(tmp_path: Path) -> None:
    broken = tmp_path / "errors.md"
    rows = documented(ERRORS)
    broken.write_text("\n".join([*rows[1:], "| `NO_SUCH_CODE` | Nothing. | no | 400 |"]))
    assert faults(broken) == [f"missing: {rows[0]}", "stale: | `NO_SUCH_CODE` | Nothing. | no | 400 |"]
