"""What every test of the house shares: the markers of the rule book, and logs that are quick to write."""

from __future__ import annotations

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
