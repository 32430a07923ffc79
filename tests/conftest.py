"""What every test of the house shares: the rule book's markers, quick logs, schemas that are composed once, and a place
for the audit's anchor."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pytest
import structlog
from cli_stage import logging_as_before

from bedside_graphql.part import GraphQLPart
from bedside_graphql.schema import compose
from bedside_graphql.settings import settings_part

pytest_plugins = ["rulebook"]

# structlog's own way of showing an exception, with every variable of every frame, takes a second each time.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(scope="session", autouse=True)
def audit_anchor(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have what the tests' processes seal anchored in a folder of theirs, and not beside the sources."""
    os.environ["BEDSIDE_AUDIT_ANCHOR"] = str(tmp_path_factory.mktemp("anchor"))


@pytest.fixture(scope="session", autouse=True)
def sessions_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Sessions of pytest that tests start have their folders elsewhere.

    Each closes the folder above its own to everybody else, and so to a PostgreSQL that starts in one beside it.
    """
    tmp_path_factory.getbasetemp()  # this session's is where it always is
    with tempfile.TemporaryDirectory(prefix="bedside-sessions-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DEBUG_TEMPROOT", folder)
        yield


@pytest.fixture(autouse=True)
def quiet_logs_again() -> Iterator[None]:
    """Whatever a test does to the process's logging ends with it."""
    with logging_as_before():
        yield


@pytest.fixture(scope="session", autouse=True)
def composed_once() -> Iterator[None]:
    """Compose a schema once for the same parts, however many deployments have them: 40 % of what starting one costs.

    Parts are the same where their types are, so a plugin that makes types of its own for each deployment has its own.
    """
    schemas = dict[object, Any]()

    def composed(
        parts: Mapping[str, Sequence[GraphQLPart]], fail: Callable[..., None], active: Callable[[str], bool]
    ) -> Any:
        key = tuple((name, tuple(_identity(part) for part in each)) for name, each in parts.items())
        if key not in schemas:
            failed: list[object] = []

            def noted(*told: Any) -> None:
                failed.append(told)
                fail(*told)

            schema = compose(parts, noted, active)
            if failed:
                return schema
            if len(schemas) >= 20:
                schemas.clear()
            schemas[key] = schema
        return schemas[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bedside_graphql.endpoint.compose", composed)
        patch.setattr("bedside_graphql.endpoint.settings_part", lru_cache(64)(settings_part))
        yield


def _identity(part: GraphQLPart) -> object:
    inbox = tuple((kind, shown.event, shown.load) for kind, shown in (part.inbox or {}).items())
    return part.query, part.mutation, part.subscription, part.extend, part.types, inbox


@pytest.fixture(scope="session", autouse=True)
def seldom_collected() -> None:
    """What was imported is no garbage: looking through it again and again takes a tenth of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
