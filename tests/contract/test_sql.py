"""An SQL injection would get past row-level security (docs/adr/0002): nothing here builds a statement from a value."""

from __future__ import annotations

from pathlib import Path

from contract.sql_rules import faults

REPOSITORY = Path(__file__).parents[2]
BROKEN = Path(__file__).parent / "fixtures" / "broken_sql"


def test_no_statement_is_built_from_values() -> None:
    assert list(faults(REPOSITORY)) == []


def test_each_way_to_build_one_is_found_and_nothing_else() -> None:
    lines = (BROKEN / "plugins/ward/service.py").read_text(encoding="utf-8").splitlines()
    breaches = [number for number, line in enumerate(lines, 1) if line.endswith("# breach")]
    assert len(breaches) == 10
    assert sorted(int(fault.split(":")[1]) for fault in faults(BROKEN)) == breaches
