"""How a process of ours logs: lines for people on a terminal, else JSON; never contents of requests or exceptions."""

from __future__ import annotations

import logging
import os
import sys
from types import TracebackType
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

FORBIDDEN = frozenset(
    {"authorization", "body", "cookie", "cookies", "document", "headers", "password", "query", "token", "variables"}
)
"""Names under which nothing is logged, whoever asks for it."""

FRAMES = 8
"""How many places of an exception's way are told, from where it was raised outwards."""


def configure(*, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's logs to one place.

    Args:
        level: the lowest level that is shown; of other people's libraries warnings only.
        stream: by default the standard error stream.
    """
    out = stream or sys.stderr
    terminal = out.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_contents,
        without_message,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=True) if terminal else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("bedside").setLevel(level)
    logging.getLogger("bedside_core").setLevel(level)


def without_contents(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Drop what must never be logged, for the case that somebody tries."""
    return {name: value for name, value in event.items() if name.lower() not in FORBIDDEN}


def without_message(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Put kind and places of an exception in place of its text, which may quote a patient's data."""
    raised = event.pop("exc_info", None)
    if not raised:
        return event
    error = _error(raised)
    if error is None:
        return event
    event["error"] = type(error).__name__
    event["frames"] = _places(error.__traceback__)[-FRAMES:]
    if os.environ.get("BEDSIDE_DEBUG"):
        event["message"] = str(error)
    return event


def _error(raised: Any) -> BaseException | None:
    if isinstance(raised, BaseException):
        return raised
    if isinstance(raised, tuple):
        return cast("tuple[Any, BaseException | None, Any]", raised)[1]
    return sys.exc_info()[1]


def _places(trace: TracebackType | None) -> list[str]:
    places: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return places
