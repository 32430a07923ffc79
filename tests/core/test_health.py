"""What /health/ready tells anybody who asks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from core_stage import plugin
from deployment import served
from litestar import get

from bedside_core.manifest import Manifest
from bedside_core.plugins import Source
from bedside_core.routes import public_route
from bedside_core.testing import Database

SECRET = "postgresql://bay:hunter2@db.ward.internal/bay: SELECT password_hash FROM account"
"""What drivers and clients put into their errors."""


def raises(*_: object) -> Any:
    raise OSError(SECRET)


def lives(name: str, life: Callable[[], AsyncGenerator[None]]) -> Source:
    return plugin(name, lifespan=asynccontextmanager(life))


async def fails() -> AsyncGenerator[None]:
    raise OSError(SECRET)
    yield


@get("/{hunter2}", guards=[public_route], sync_to_thread=False)
def unservable() -> None:
    """Nothing that Litestar takes."""


def hasty(platform: Any) -> None:
    platform.when_assembled("hasty", raises)


SOURCES = {
    source.name: source
    for source in (
        Source(name="unimportable", load=raises, package="unimportable", version="0"),
        plugin("hooked", jobs=lambda: raises()),
        lives("alive", fails),
        plugin("routed", routes=lambda: [unservable]),
        plugin("hasty", services=hasty),
        plugin("migrating", Manifest(name="migrating", title="M", api=">=1.0,<2", piccolo_app="hunter2")),
        plugin("above", Manifest(name="above", title="A", api=">=1.0,<2", requires=("hooked",))),
    )
}
TOLD = {
    "unimportable": "OSError",
    "hooked": "jobs() raised OSError",
    "alive": "lifespan() raised OSError",
    "routed": "its routes can't be served",
    "hasty": "OSError",
    "migrating": "its migrations can't be read",
    "above": "requires hooked, which failed",
}


@pytest.mark.promise("P1")
async def test_anybody_is_told_why_a_plugin_failed_but_not_what_its_errors_say(fresh_database: Database) -> None:
    async with served(fresh_database, sources=SOURCES, plugins=tuple(SOURCES), strict=False) as deployment:
        answer = await deployment.http.get("/health/ready")
        reports = deployment.platform.plugins.report()
    assert answer.json()["failed"] == TOLD
    for word in ("postgresql", "bay", "hunter2", "db.ward.internal", "SELECT", "account"):
        assert word not in answer.text
    # The author and the operator are told, by `bedside plugins` and in the log.
    assert {report.name for report in reports if "hunter2" in (report.reason or "")} == {*TOLD} - {"above"}
