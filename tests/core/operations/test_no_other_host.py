"""Nothing asks another host: no page, and not the server itself unless it is told of one (promise G3)."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from watch_stage import watched

from bedside_core.testing import Database

pytestmark = pytest.mark.timeout(300)  # several servers are started, each beside everything else

_asked: list[str] | None = None
"""Hosts that this process looks up or connects to, while they are noted."""


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _asked is None or event not in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        return
    where = arguments[1] if event != "socket.getaddrinfo" else arguments[0]
    if isinstance(where, tuple):
        where = where[0]
    if isinstance(where, str | bytes):
        _asked.append(where.decode() if isinstance(where, bytes) else where)


def _here(where: str) -> bool:
    return where in {"127.0.0.1", "::1", "localhost", ""} or where.startswith(("/", "\0"))


@pytest.mark.promise("G3")
async def test_the_server_asks_no_other_host_whatever_is_done(fresh_database: Database, tmp_path: Path) -> None:
    global _asked
    sys.addaudithook(_note)
    _asked = []
    try:
        async with watched(fresh_database, data=tmp_path) as here:
            await here.everything()
        asked = set(_asked)
    finally:
        _asked = None
    assert "127.0.0.1" in asked, "nothing was noted"
    assert {where for where in asked if not _here(where)} == set()


@pytest.mark.promise("G3")
async def test_every_page_has_the_headers_of_the_house_and_leads_nowhere_else(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with watched(fresh_database, data=tmp_path) as here:
        entrance = here.deployment.app._inner  # pyright: ignore[reportPrivateUsage]
        assert entrance is not None
        app: Any = entrance._app  # pyright: ignore[reportPrivateUsage]
        assert isinstance(app, Litestar)
        paths = sorted({route.path for route in app.routes if "{" not in route.path})
        assert {"/", "/graphiql", "/graphql", "/health/live", "/health/ready", "/metrics"} <= set(paths)
        for path in (*paths, "/nothing", "/web/nothing", "/files/nothing"):
            answer = await here.deployment.http.get(path)
            headers = answer.headers
            assert headers["strict-transport-security"] == "max-age=31536000", path
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["referrer-policy"] == "no-referrer", path
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            assert "unsafe" not in policy, path
            assert "http" not in policy, path
            if headers.get("content-type", "").startswith("text/html"):
                assert re.findall(r"""(?:src|href|action)=["']?(?:https?:)?//""", answer.text) == [], path
                assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", answer.text) == [], path
