"""What every test of the house shares: the rule book's markers, quick logs, and a place for the audit's anchor."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import structlog
from cli_stage import logging_as_before

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


@pytest.fixture(autouse=True)
def quiet_logs_again() -> Iterator[None]:
    """Whatever a test does to the process's logging ends with it."""
    with logging_as_before():
        yield
