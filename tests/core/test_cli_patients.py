"""Patients imported by the operator's command."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cli_stage import logging_as_before
from click.testing import CliRunner, Result

from bedside_core import cli
from bedside_core.testing import Database

HEADER = "mrn;Nachname;first name;dob;sex;e-mail\n"
GOOD = "7;Abel;Ruth;03.02.1950;f;ruth@example.org\n"


def rows(database: Database, sql: str) -> list[Any]:
    async def ask() -> list[Any]:
        owner = await asyncpg.connect(database.owner_dsn)
        try:
            return [tuple(row) for row in await owner.fetch(sql)]
        finally:
            await owner.close()

    return asyncio.run(ask())


@pytest.mark.rule("P5")
@pytest.mark.rule("A14")
def test_patients_are_imported_by_command_all_or_none(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("BEDSIDE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BEDSIDE_DATABASE_URL", fresh_database.dsn)
    monkeypatch.setenv("BEDSIDE_PLUGINS", "graphql")

    def bedside(*arguments: str, typed: str = "") -> Result:
        with logging_as_before():
            return CliRunner().invoke(cli.bedside, arguments, input=typed)

    founding = ("--zone", "UTC", "--owner", "olga@example.org", "--first-name", "Olga", "--last-name", "Moss")
    made = bedside("practice", "create", "Bay View", *founding)
    assert made.exit_code == 0, made.output
    [(practice,)] = rows(fresh_database, "SELECT id::text FROM practice")
    file = tmp_path / "patients.csv"
    told = ("--practice", practice, "--dates", "day-first", "--column", "Nachname=last-name")

    file.write_text(HEADER + GOOD + "8;Bell;Ben;1950-02-30;m;ben@example.org\n")
    refused = bedside("patients", "import", str(file), *told)
    assert refused.exit_code == 1
    assert "line 3, date of birth: DATE_FORMAT: This is no day written as DD/MM/YYYY or YYYY-MM-DD.\n" in refused.stderr
    assert "bedside: 1 row is refused, so nothing was imported." in refused.stderr
    assert rows(fresh_database, "SELECT * FROM patient") == []

    dry = bedside("patients", "import", str(file), *told, "--dry-run", "--skip-refused")
    assert (dry.exit_code, dry.stdout) == (0, "1 patients would be imported, 1 rows refused.\n")
    assert rows(fresh_database, "SELECT * FROM patient") == []
    assert "Checking" in dry.stderr

    done = bedside("patients", "import", str(file), *told, "--skip-refused")
    assert (done.exit_code, done.stdout) == (0, "1 patients imported, 1 rows refused.\n")
    assert rows(fresh_database, "SELECT first_name, date_of_birth::text, mrn FROM patient") == [
        ("Ruth", "1950-02-03", "7")
    ]
    assert rows(
        fresh_database,
        """SELECT operator, via, detail->>'command', cardinality(patients) FROM audit_entry
        WHERE action = 'patients.import'""",
    ) == [(True, "command", "bedside patients import", 1)]

    lost = bedside("patients", "import", str(file), "--practice", "0199aaaa-0000-7000-8000-000000000000")
    assert (lost.exit_code, lost.stderr.splitlines()[-1]) == (1, "bedside: There is no practice with this id.")
    odd = bedside("patients", "import", str(file), "--practice", practice, "--column", "Nachname=name")
    assert odd.exit_code == 2
