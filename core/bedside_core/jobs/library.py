"""pgqueuer as it is used here: under names that no environment variable changes, and giving up no job."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import structlog
from pgqueuer import AsyncpgPoolDriver, Queries, QueueManager
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.domain.settings import DBSettings
from pgqueuer.models import Job as Row
from pgqueuer.models import TracebackRecord
from pgqueuer.ports.driver import NotifyCallback
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

log = structlog.get_logger("bedside.jobs")


class _Fixed(DBSettings):
    """pgqueuer's names by default. It reads variables as common as CHANNEL and FUNCTION; the migrated tables don't."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *args: Any, **others: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


NAMES = _Fixed()


def install_sql() -> str:
    """Return the SQL that makes the tables of the installed release."""
    return QueryBuilderEnvironment(NAMES).build_install_query()


class _Driver(AsyncpgPoolDriver):
    """pgqueuer's driver, except that it sends nothing to the channel before it listens there.

    pgqueuer asks itself over the channel whether it hears, from the moment on when it begins to listen. A question that
    is sent before PostgreSQL and asyncpg know of the listener is lost, and the worker would take itself for deaf.
    """

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        self._listens = asyncio.Event()

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        await super().add_listener(channel, callback)
        self._listens.set()

    async def notify(self, channel: str, payload: str) -> None:
        await self._listens.wait()
        await super().notify(channel, payload)


class _Queries(Queries):
    """pgqueuer's queries, except that a job whose retry can't be written is not given up.

    pgqueuer would hold it. Left as it is, its heartbeat ends and a worker takes it over, as from one that was killed.
    """

    async def retry_job(self, job: Row, delay: timedelta, traceback_record: TracebackRecord | None) -> None:
        try:
            await super().retry_job(job, delay, traceback_record)
        except Exception as error:
            log.warning("retry not written", job=job.entrypoint, failure=type(error).__name__)


def manager_on(pool: Any) -> QueueManager:
    """Return what picks up jobs, over a pool of connections as the queue's role."""
    queries = _Queries(
        _Driver(pool),
        qbe=QueryBuilderEnvironment(NAMES),
        qbq=QueryQueueBuilder(NAMES),
        qbs=QuerySchedulerBuilder(NAMES),
    )
    return QueueManager(queries, channel=NAMES.channel)
