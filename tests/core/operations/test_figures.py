"""/metrics: for the operator's token alone, true to what happened, and without a word or id of anybody (promise A2)."""

from __future__ import annotations

import re
from pathlib import Path

import asyncpg
import pytest
from deployment import Deployment, served
from notify_stage import until
from prometheus_client.parser import text_string_to_metric_families
from watch_stage import TOKEN, WORD, watched

from bedside_core.testing import Database
from bedside_core.watching import looks

pytestmark = pytest.mark.timeout(300)  # several servers are started, each beside everything else

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{16}")
Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def scraped(deployment: Deployment) -> str:
    answer = await deployment.http.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


def figures(text: str) -> Figures:
    return {
        (sample.name.removeprefix("bedside_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: Figures, name: str, **labels: str) -> float:
    return found.get((name, tuple(sorted(labels.items()))), 0)


async def test_figures_are_for_the_operators_token_alone(fresh_database: Database) -> None:
    async with served(fresh_database, plugins=(), strict=False) as closed:
        assert (await closed.http.get("/metrics", headers={"authorization": "Bearer x"})).status_code == 404
    async with served(fresh_database, plugins=(), metrics_token=TOKEN) as open_:
        for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}, {"cookie": f"session={TOKEN}"}):
            answer = await open_.http.get("/metrics", headers=given)
            assert (answer.status_code, "bedside_" in answer.text) == (401, False)
        assert "bedside_http_requests_total" in await scraped(open_)


@pytest.mark.promise("A2")
async def test_figures_tell_what_happened_without_naming_anybody(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "FRESH_SECONDS", -1)
    monkeypatch.setattr(looks, "LOOKS", {name: (look, -1) for name, (look, _) in looks.LOOKS.items()})
    async with watched(fresh_database, data=tmp_path) as here:
        await here.everything()
        async with here.deployment.socket(here.owner.token):
            text = await scraped(here.deployment)
            found = figures(text)
        assert of(found, "http_requests_total", method="POST", route="/graphql", status="200") >= 4
        assert of(found, "http_requests_total", method="GET", route="none", status="404") == 1
        assert of(found, "http_requests_total", method="OTHER", route="/graphql", status="405") == 1
        assert of(found, "http_requests_total", method="PUT", route="/files/uploads/{file_id}", status="200") == 1
        assert of(found, "graphql_operations_total", kind="query", outcome="ok", code="") >= 3
        assert of(found, "graphql_operations_total", kind="mutation", outcome="ok", code="") == 3
        parse = of(found, "graphql_operations_total", kind="", outcome="refused", code="GRAPHQL_PARSE_FAILED")
        assert parse == 1
        assert of(found, "graphql_operation_seconds_count", kind="query") >= 3
        assert of(found, "sockets") == 1
        assert of(found, "jobs_run_total", job="gloom.fail", outcome="held") == 1
        assert of(found, "jobs", job="gloom.fail", state="failed") == 1
        assert of(found, "faults", plugin="gloom") == 1
        assert of(found, "worker", state="running") == 1
        assert of(found, "pool_limit") == 10
        assert 0 < of(found, "pool_connections") <= 10
        assert of(found, "files", state="attached") == 1
        assert of(found, "file_bytes", state="attached") == len(f"{WORD} has a fever")

        async def sent() -> bool:
            nonlocal found
            text = await scraped(here.deployment)
            assert WORD.lower() not in text.lower()
            found = figures(text)
            return of(found, "notifications_total", channel="email", outcome="sent") >= 1

        await until(sent, "a mail to be counted")
        assert of(found, "notifications_total", channel="email", outcome="permanent") == 1
        assert of(found, "notifications_total", channel="email", outcome="temporary") == 1
        assert {of(found, "figures_ok", what=what) for what in ("jobs", "notifications", "audit", "files")} == {1}
        assert "bedside_audit_seal_lag_seconds" in text
        for said in (WORD, here.owner.email, "example.org", "clinic.example"):
            assert said.lower() not in text.lower()
        named = [label for _, labels in found for _, label in labels if ID.search(label)]
        assert named == []


async def test_what_the_database_cant_tell_is_left_out_and_said_to_be(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "LOOKS", {name: (look, -1) for name, (look, _) in looks.LOOKS.items()})
    async with served(fresh_database, plugins=(), metrics_token=TOKEN) as deployment:
        assert of(figures(await scraped(deployment)), "figures_ok", what="files") == 1
        owner = await asyncpg.connect(fresh_database.owner_dsn)
        await owner.execute("REVOKE EXECUTE ON FUNCTION figures_of_files() FROM bedside_application")
        await owner.close()
        found = figures(await scraped(deployment))
        assert of(found, "figures_ok", what="files") == 0
        assert of(found, "figures_ok", what="jobs") == 1
        assert [name for name, _ in found if name.startswith("file")] == []


async def test_asking_often_costs_the_database_nothing_more(fresh_database: Database) -> None:
    from bedside_core.testing import statements

    async with served(fresh_database, plugins=(), metrics_token=TOKEN) as deployment:
        await scraped(deployment)
        with statements() as ran:
            for _ in range(5):
                await scraped(deployment)
        assert [sql for sql in ran if "figures_of" in sql] == []
