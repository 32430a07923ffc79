"""A practice that leaves, by the operator's commands."""

from __future__ import annotations

import asyncio
import os

import asyncpg
import pytest
from cli_stage import logging_as_before
from click.testing import CliRunner, Result

from bedside_core import cli
from bedside_core.testing import Database


def test_the_operator_asks_by_name_and_calls_it_off(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BEDSIDE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BEDSIDE_DATABASE_URL", fresh_database.dsn)
    monkeypatch.setenv("BEDSIDE_PLUGINS", "graphql")

    def bedside(*arguments: str, typed: str = "") -> Result:
        with logging_as_before():
            return CliRunner().invoke(cli.bedside, arguments, input=typed)

    async def rows(sql: str) -> list[asyncpg.Record]:
        owner = await asyncpg.connect(fresh_database.owner_dsn)
        try:
            return await owner.fetch(sql)
        finally:
            await owner.close()

    founding = ("--zone", "UTC", "--owner", "olga@example.org", "--first-name", "Olga", "--last-name", "Moss")
    made = bedside("practice", "create", "Bay View", *founding)
    assert made.exit_code == 0, made.output
    [practice] = asyncio.run(rows("SELECT id::text FROM practice"))
    id = practice["id"]
    for arguments, told in [
        (("--name", "Bay Vue", "--not-exported"), "This is not the practice's name."),
        (("--name", "Bay View"), "The practice was not exported in the last month."),
    ]:
        refused = bedside("practice", "erase", id, *arguments)
        assert refused.exit_code == 1
        assert told in refused.stderr
    assert asyncio.run(rows("SELECT FROM practice_erasure")) == []
    assert bedside("practice", "keep", id).stdout == "There was nothing to call off.\n"
    asked = bedside("practice", "erase", id, "--name", "Bay View", "--not-exported")
    assert asked.exit_code == 0, asked.output
    assert asked.stdout.startswith(f"The practice {id} is erased on ")
    assert bedside("practice", "keep", id).stdout == "It is called off.\n"
    found = asyncio.run(
        rows("SELECT action, operator FROM audit_entry WHERE action IN ('practice.erase', 'practice.stay')")
    )
    assert sorted(tuple(entry) for entry in found) == [("practice.erase", True), ("practice.stay", True)]
