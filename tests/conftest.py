"""What every test of the house shares: the markers of the rule book, and logs that are quick to write."""

from __future__ import annotations

import os

import pytest
import structlog

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
