"""Traces by OpenTelemetry: which request, operation, statement and job took how long, and nothing of what they held.

Off unless `BEDSIDE_TRACES_URL` is set; then the extra `tracing` has to be installed. A span names the route, the kind
and fields of an operation, a statement's verb and table, a job. No document, variable, parameter, header, address, text
of an exception or id of a person gets into one.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from typing import Any, Protocol

Attribute = str | int | float | bool | tuple[str, ...]


class TracingMissing(RuntimeError):
    """Traces are configured, and the extra `tracing` is not installed."""


class Span(Protocol):
    """What a block's span may be told."""

    def set_attribute(self, key: str, value: Any) -> None:
        """Add something to the span."""
        ...


class _Nothing:
    """The span of what is not traced."""

    def set_attribute(self, key: str, value: Any) -> None:
        """Do nothing."""


_NOTHING = nullcontext(_Nothing())
_tracer: Any = None

_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN)\s+(?:ONLY\s+)?([a-z_][a-z0-9_]*)")
"""Statements are written with words of SQL in capitals (tests/contract/test_sql.py: none is built from values)."""


def span(
    name: str, attributes: Mapping[str, Attribute] | None = None, *, server: bool = False
) -> AbstractContextManager[Span]:
    """Return the span of a block; nothing where traces are off.

    Args:
        name: what the block does: words of the code, nothing that somebody sent.
        attributes: the same.
        server: whether it answers somebody outside.
    """
    return _NOTHING if _tracer is None else _span(name, attributes, server)


def statement(query: str) -> AbstractContextManager[Span]:
    """Return the span of an SQL statement, which tells its verb and first table."""
    if _tracer is None:
        return _NOTHING
    verb = query.lstrip()[:12].split(None, 1)[0].upper() if query.strip() else ""
    verb = verb if verb.isalpha() else ""
    table = _TABLE.search(query)
    attributes = {"db.system.name": "postgresql", "db.operation.name": verb}
    if table:
        attributes["db.collection.name"] = table[1]
    return _span(f"{verb} {table[1]}" if table else verb or "SQL", attributes, False)


@contextmanager
def _span(name: str, attributes: Mapping[str, Attribute] | None, server: bool) -> Generator[Span]:
    from opentelemetry.trace import SpanKind, Status, StatusCode

    kind = SpanKind.SERVER if server else SpanKind.INTERNAL
    # Exceptions are not recorded: their texts may quote a patient's data.
    with _tracer.start_as_current_span(
        name, kind=kind, attributes=dict(attributes or {}), record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(Status(StatusCode.ERROR))
            raise


@contextmanager
def tracing(url: str | None, *, share: float = 1.0, exporter: Any = None) -> Generator[None]:
    """Trace during the block.

    Args:
        url: where spans are sent, by OTLP over HTTP, e.g. http://127.0.0.1:4318/v1/traces; None sends none.
        share: which part of the traces is kept, from 0 to 1.
        exporter: takes the spans in place of `url`, for tests.

    Raises:
        TracingMissing: the extra is not installed.
    """
    global _tracer
    if url is None and exporter is None:
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as error:
        raise TracingMissing("BEDSIDE_TRACES_URL is set: install bedside[tracing]") from error
    resource = Resource({"service.name": "bedside", "service.version": version("bedside")})
    provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(share)))
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    else:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    before, _tracer = _tracer, provider.get_tracer("bedside")
    try:
        yield
    finally:
        _tracer = before
        provider.shutdown()
