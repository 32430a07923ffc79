"""Traces: off unless wanted, and then of what took how long, without a word that anybody sent (promise A2)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from deployment import served
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from watch_stage import WORD, watched

from bedside_core.boot import assembled
from bedside_core.config import Config
from bedside_core.testing import Database
from bedside_core.watching import span, tracing
from bedside_core.watching.tracing import TracingMissing

pytestmark = pytest.mark.timeout(300)  # several servers are started, each beside everything else


@pytest.mark.promise("A2")
async def test_spans_tell_what_was_done_and_nothing_of_what_was_said(fresh_database: Database, tmp_path: Path) -> None:
    exporter = InMemorySpanExporter()
    with tracing(None, exporter=exporter):
        async with watched(fresh_database, data=tmp_path) as here:
            await here.everything()
    spans = exporter.get_finished_spans()
    names = {each.name for each in spans}
    assert {"HTTP", "GraphQL query", "GraphQL mutation", "job gloom.fail", "job core.notify_email"} <= names
    said = "\n".join(each.to_json() for each in spans)
    for word in (WORD, WORD.upper(), "fever", here.owner.email, here.owner.token, str(here.patient.id), "127.0.0.1"):
        assert word not in said
    assert [each.name for each in spans if each.events] == []  # exceptions would bring their texts

    [operation] = [
        each
        for each in spans
        if each.name == "GraphQL query" and (each.attributes or {}).get("bedside.fields") == ("search",)
    ]
    by_id = {each.context.span_id: each for each in spans if each.context}
    above = parents(operation, by_id)
    assert [each.name for each in above] == ["HTTP"]
    assert dict(above[0].attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/graphql",
        "http.response.status_code": 200,
    }
    below = [each for each in spans if operation in parents(each, by_id)]
    assert [each.name for each in below if (each.attributes or {}).get("db.system.name") != "postgresql"] == []
    assert {key for each in below for key in (each.attributes or {})} <= {
        "db.system.name", "db.operation.name", "db.collection.name",
    }  # fmt: skip
    [failed] = [each for each in spans if each.name == "job gloom.fail"]
    assert failed.status.is_ok


def parents(each: ReadableSpan, by_id: dict[int, ReadableSpan]) -> list[ReadableSpan]:
    found: list[ReadableSpan] = []
    while each.parent is not None and each.parent.span_id in by_id:
        each = by_id[each.parent.span_id]
        found.append(each)
    return found


async def test_an_exception_marks_its_span_by_its_kind_alone() -> None:
    exporter = InMemorySpanExporter()
    with tracing(None, exporter=exporter), pytest.raises(ValueError, match=WORD), span("work"):
        raise ValueError(WORD)
    [only] = exporter.get_finished_spans()
    assert (only.attributes or {})["error.type"] == "ValueError"
    assert not only.status.is_ok
    assert WORD not in only.to_json()


async def test_nothing_is_traced_unless_wanted(fresh_database: Database) -> None:
    async with served(fresh_database, plugins=()) as deployment:
        await deployment.http.get("/health/ready")
        assert span("work") is span("other work")  # the one that does nothing


async def test_traces_without_the_extra_are_refused_in_words(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    config = Config(database_url=fresh_database.dsn, plugins=(), traces_url="http://127.0.0.1:4318/v1/traces")
    with pytest.raises(TracingMissing, match=r"install bedside\[tracing\]"):
        async with assembled(config):
            raise AssertionError
