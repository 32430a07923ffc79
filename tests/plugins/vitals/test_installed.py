"""Installed and enabled it is there; otherwise nothing of it is: no field, no table, no route, no job."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployment import APPS, Deployment, served
from vitals_stage import ENABLED

from bedside_core.checks import check_plugin
from bedside_core.config import FIRST_PARTY
from bedside_core.database import DB
from bedside_core.plugins import installed
from bedside_core.testing import Database

EXAMPLE = Path(__file__).parents[3] / "examples" / "bedside-vitals"


async def tables() -> set[str]:
    return {row["relname"] for row in await DB.fetch("SELECT relname FROM pg_class WHERE relname LIKE 'vitals%'")}


async def sdl(deployment: Deployment) -> str:
    return (await deployment.http.get("/graphql/schema.graphql")).text


class TestEnabled:
    """With its name in BEDSIDE_PLUGINS and its migrations run."""

    async def test_everything_of_it_is_there(self, fresh_database: Database) -> None:
        async with served(fresh_database, plugins=ENABLED) as deployment:
            text = await sdl(deployment)
            for part in ("recordVitals(", "vitalsRecorded(", "updateVitalsSettings(", "type VitalsDay", "vitals("):
                assert part in text
            assert {"vitals", "vitals_stream", "vitals_daily"} <= await tables()
            assert "vitals.summarise_days" in deployment.platform.jobs.entries
            assert (await deployment.http.get("/vitals/export.csv")).status_code == 401
            ada = await deployment.person(await deployment.practice())
            shown = (await deployment.data("{ plugins { name title version status reason } }", ada.token))["plugins"]
            assert {
                "name": "vitals",
                "title": "Vitals",
                "version": "0.1.0",
                "status": "ACTIVE",
                "reason": None,
            } in shown
            features = (await deployment.data("{ practice { features { key tier } } }", ada.token))["practice"]
            assert {"key": "vitals", "tier": "enhanced"} in features["features"]


class TestNotEnabled:
    """Without either."""

    @pytest.fixture
    def database_apps(self) -> tuple[str, ...]:
        return APPS

    async def test_nothing_of_it_is_there(self, fresh_database: Database) -> None:
        without = {name: source for name, source in installed().items() if name != "vitals"}
        async with served(fresh_database, sources=without, strict=True) as deployment:
            uninstalled = await sdl(deployment)
            assert "vitals" not in {report.name for report in deployment.platform.plugins.report()}
        async with served(fresh_database, plugins=FIRST_PARTY) as deployment:
            assert await sdl(deployment) == uninstalled
            assert "itals" not in uninstalled
            assert await tables() == set()
            assert [name for name in deployment.platform.jobs.entries if name.startswith("vitals")] == []
            assert (await deployment.http.get("/vitals/export.csv")).status_code == 404
            ada = await deployment.person(await deployment.practice())
            [told] = [
                plugin
                for plugin in (await deployment.data("{ plugins { name status reason } }", ada.token))["plugins"]
                if plugin["name"] == "vitals"
            ]
            assert told == {"name": "vitals", "status": "DISABLED", "reason": "not named in BEDSIDE_PLUGINS"}
            body = await deployment.ask("{ patients { nodes { vitals { nodes { id } } } } }", ada.token)
            assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
            features = (await deployment.data("{ practice { features { key } } }", ada.token))["practice"]["features"]
            assert {"key": "vitals"} not in features


def imports(folder: Path) -> Iterator[str]:
    """The modules that a folder's modules import."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or ""


def test_it_imports_nothing_of_bedside_but_the_two_apis() -> None:
    ours = {name for name in imports(EXAMPLE / "bedside_vitals") if name.startswith("bedside")}
    assert {name for name in ours if not name.startswith("bedside_vitals")} == {
        "bedside_core.api",
        "bedside_graphql.api",
    }


def test_the_check_for_authors_finds_nothing_wrong() -> None:
    assert check_plugin(EXAMPLE) == []
