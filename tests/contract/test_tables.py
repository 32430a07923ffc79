"""Every table is declared with its kind, is what Piccolo thinks it is, and keeps practices apart."""

from __future__ import annotations

import importlib

import asyncpg
import pytest
from deployment import APPS
from piccolo.table import Table

from bedside_core.database import Kind, table_faults
from bedside_core.testing import Database

MODULES = (
    "bedside_core.tables", "bedside_plans.tables", "bedside_chat.tables", "bedside_portal.tables",
    "bedside_scheduling.tables", "bedside_telehealth.tables", "bedside_vitals.tables",
)  # fmt: skip
LIBRARIES = {"migration", "pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics"}


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return (*APPS, "bedside_vitals.piccolo_app")


def declared() -> dict[str, Kind]:
    """Return every declared table with its kind."""
    return {name: kind for module in MODULES for name, kind in importlib.import_module(module).TABLE_KINDS.items()}


def classes() -> dict[str, type[Table]]:
    """Return every table class by its table's name."""
    return {
        value._meta.tablename: value
        for module in MODULES
        for value in vars(importlib.import_module(module)).values()
        if isinstance(value, type) and issubclass(value, Table) and value is not Table
    }


async def rows(database: Database, sql: str) -> list[asyncpg.Record]:
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        return await owner.fetch(sql)
    finally:
        await owner.close()


@pytest.mark.promise("A3")
@pytest.mark.rule("P1")
async def test_every_table_has_a_kind_and_keeps_to_it(fresh_database: Database) -> None:
    owner = await asyncpg.connect(fresh_database.owner_dsn)
    try:
        assert await table_faults(owner, declared()) == []
    finally:
        await owner.close()


async def test_every_table_is_declared_once_as_kind_and_as_class(fresh_database: Database) -> None:
    found = await rows(fresh_database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {row["tablename"] for row in found} - LIBRARIES == set(declared()) == set(classes())


async def test_piccolo_s_columns_are_the_database_s(fresh_database: Database) -> None:
    found = await rows(
        fresh_database,
        "SELECT table_name, column_name, is_nullable FROM information_schema.columns WHERE table_schema = 'public'",
    )
    stored = {(row["table_name"], row["column_name"]): row["is_nullable"] == "YES" for row in found}
    stored = {key: value for key, value in stored.items() if key[0] not in LIBRARIES}
    known = {
        (name, column._meta.name): column._meta.null
        for name, table in classes().items()
        for column in table._meta.columns
    }
    assert known == stored
