"""The log is structured and holds nothing of anybody: requests, sockets, jobs that fail, mails that are refused."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_stage import logging_as_before
from watch_stage import WORD, watched

from bedside_core.cli import logs
from bedside_core.testing import Database

pytestmark = pytest.mark.timeout(300)  # several servers are started, each beside everything else

ADDRESS = re.compile(r"@|\b\d{1,3}(\.\d{1,3}){3}\b|\+1\d{10}")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """All that a process of ours would log, as `bedside serve` sets it up, at every level."""
    stream = io.StringIO()
    with logging_as_before():
        logs.configure(level=logging.DEBUG, stream=stream)
        yield stream


@pytest.mark.promise("A2")
@pytest.mark.rule("N4")
async def test_whatever_people_jobs_and_mail_servers_do_no_word_of_it_is_logged(
    fresh_database: Database, tmp_path: Path, lines: io.StringIO
) -> None:
    async with watched(fresh_database, data=tmp_path) as here:
        await here.everything()
    text = lines.getvalue()
    said = [json.loads(line) for line in text.splitlines()]  # each line is an object
    events = {line["event"] for line in said}
    assert {"request", "job held", "notification refused"} <= events
    for word in (WORD, "fever", here.owner.email, here.owner.token, str(here.patient.id)):
        assert word.lower() not in text.lower()
    assert [line for line in said if ADDRESS.search(json.dumps({**line, "timestamp": ""}))] == []
    assert {line["route"] for line in said if line["event"] == "request"} >= {"/graphql", "/files/{file_id}", ""}
    assert [set(line) for line in said if "timestamp" not in line or "level" not in line] == []
