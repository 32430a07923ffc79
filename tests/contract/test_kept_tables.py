"""Whatever holds something of practices or patients is declared by somebody, so that it is exported and merged."""

from __future__ import annotations

import asyncpg
import pytest
from bedside_vitals.records import RECORDS as VITALS
from deployment import APPS

from bedside_chat.records import RECORDS as CHAT
from bedside_core.manifest import Manifest
from bedside_core.records import DataContribution, KeptTable
from bedside_core.records.core import CONTRIBUTION
from bedside_core.testing import Database
from bedside_plans.plugin import MANIFEST as PLANS
from bedside_portal.records import RECORDS as PORTAL
from bedside_scheduling.records import RECORDS as SCHEDULING
from bedside_telehealth.records import RECORDS as TELEHEALTH

PARTS: dict[str, DataContribution | None] = {
    "core": CONTRIBUTION, "chat": CHAT, "plans": PLANS.data, "portal": PORTAL, "scheduling": SCHEDULING,
    "telehealth": TELEHEALTH, "vitals": VITALS,
}  # fmt: skip
BESIDE = {"outbox_letter"}
"""Of the demo and the sandbox alone: letters that nobody gets."""


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return (*APPS, "bedside_vitals.piccolo_app")


def declared() -> dict[str, KeptTable]:
    return {table.name: table for part in PARTS.values() if part for table in part.tables}


async def columns(database: Database) -> dict[str, set[str]]:
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        rows = await owner.fetch(
            """SELECT c.table_name, c.column_name FROM information_schema.columns c
            JOIN pg_tables t ON t.schemaname = c.table_schema AND t.tablename = c.table_name
            WHERE c.table_schema = 'public'"""
        )
    finally:
        await owner.close()
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["table_name"], set()).add(row["column_name"])
    return found


@pytest.mark.rule("A14")
async def test_every_table_of_practices_or_patients_is_declared_by_somebody(fresh_database: Database) -> None:
    found = await columns(fresh_database)
    of_practices = {name for name, names in found.items() if {"practice_id", "patient_id"} & names}
    known = declared()
    assert sorted(of_practices - set(known) - BESIDE) == []
    assert sorted(set(known) - set(found)) == []
    assert (
        sorted(name for name in of_practices - BESIDE if "patient_id" in found[name] and known[name].patient is None)
        == []
    )
    for name, table in known.items():
        assert {*table.hidden, *table.of_others, *([table.moves] if table.moves else [])} <= found[name], name


async def test_nothing_that_lets_somebody_in_is_exported(fresh_database: Database) -> None:
    found, known = await columns(fresh_database), declared()
    secret = {
        (name, column)
        for name, table in known.items()
        if table.exported
        for column in found[name] - set(table.hidden)
        if any(word in column for word in ("hash", "secret", "token", "password"))
    }
    assert secret == {("audit_seal", "hash")}  # of entries, not of secrets


def test_a_table_is_named_once_and_moves_only_where_it_is_about_patients() -> None:
    every = [table.name for part in PARTS.values() if part for table in part.tables]
    assert len(every) == len(set(every))
    with pytest.raises(ValueError, match="named twice"):
        DataContribution(tables=(KeptTable(name="bed", doc="x"), KeptTable(name="bed", doc="x")))
    with pytest.raises(ValueError, match="does not say which rows"):
        DataContribution(tables=(KeptTable(name="bed", doc="x", moves="patient_id"),))
    assert "data" in Manifest.__dataclass_fields__
