"""What a process logs: JSON lines where nobody sits at a terminal, and never contents."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
import structlog
from cli_stage import logging_as_before

from bedside_core.cli import logs

SECRET = "Agnes Whitlow has a fever"


def logged(act: Any) -> list[dict[str, Any]]:
    """The lines that something logs."""
    out = io.StringIO()
    with logging_as_before():
        logs.configure(stream=out)
        act()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_with_event_level_and_time() -> None:
    [line] = logged(lambda: structlog.get_logger("bedside.x").info("request", status=200))
    assert line["event"] == "request"
    assert line["level"] == "info"
    assert line["status"] == 200
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("name", sorted(logs.FORBIDDEN))
def test_contents_are_left_out_whoever_logs_them(name: str) -> None:
    [line] = logged(lambda: structlog.get_logger().warning("event", **{name: SECRET, name.upper(): SECRET}))
    assert set(line) == {"event", "level", "timestamp"}


def test_an_exception_is_told_by_kind_and_place_and_not_by_its_text() -> None:
    def fail() -> None:
        try:
            raise ValueError(SECRET)
        except ValueError:
            structlog.get_logger().exception("failed")
            logging.getLogger("anything").exception("failed too")

    ours, theirs = logged(fail)
    for line in (ours, theirs):
        assert line["error"] == "ValueError"
        assert line["frames"][-1].startswith("test_logs.py:fail:")
        assert SECRET not in json.dumps(line)


def test_other_peoples_libraries_are_heard_from_warnings_on() -> None:
    def talk() -> None:
        logging.getLogger("uvicorn.error").info("chatter")
        logging.getLogger("uvicorn.error").warning("trouble")

    assert [line["event"] for line in logged(talk)] == ["trouble"]
