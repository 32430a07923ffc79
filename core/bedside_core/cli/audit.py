"""`bedside audit …`: whether the audit trail is what was entered."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import click
from rich_click import RichGroup

from bedside_core.audit import DEPLOYMENT
from bedside_core.audit.anchor import Anchor
from bedside_core.audit.verify import Verdict
from bedside_core.audit.verify import verify as verdicts
from bedside_core.cli import logs
from bedside_core.config import Config
from bedside_core.database import DB, EmbeddedServer


@click.group(cls=RichGroup)
def audit() -> None:
    """Look at the audit trail."""


@audit.command()
@click.option("--practice", type=click.UUID, metavar="ID", help="This practice's trail alone.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, one object for each trail.")
def verify(practice: UUID | None, as_json: bool) -> None:
    """Follow each practice's chain, compare it with the anchor, and name the first bad entry.

    Exits with 1 where there is one. Entries that wait for their seal are counted, and are no fault. Changes nothing.
    """
    logs.configure(level=logging.CRITICAL)
    found = asyncio.run(_verify(Config(), practice, quietly=as_json))
    if as_json:
        click.echo(json.dumps([_told(verdict) for verdict in found], indent=2))
    if any(verdict.fault for verdict in found):
        click.get_current_context().exit(1)


async def _verify(config: Config, practice: UUID | None, *, quietly: bool) -> list[Verdict]:
    found: list[Verdict] = []
    async with _opened(config):
        async for verdict in verdicts(Anchor(config.anchor), practice):
            found.append(verdict)
            if not quietly:
                click.echo(_line(verdict))
    return found


@asynccontextmanager
async def _opened(config: Config) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        dsn = config.database_url
        if dsn is None:
            server = await EmbeddedServer.start(config.data / "postgres")
            stack.push_async_callback(server.stop)
            dsn = server.application_dsn()
        await DB.open(dsn, max_size=2)
        stack.push_async_callback(DB.close)
        yield


def _line(verdict: Verdict) -> str:
    name = "deployment" if verdict.practice_id == DEPLOYMENT else f"practice {verdict.practice_id}"
    counts = f"{verdict.sealed} sealed, {verdict.anchored} anchored, {verdict.unsealed} waiting"
    if verdict.since is not None:
        counts += f" since {verdict.since.isoformat(timespec='seconds')}"
    if verdict.erased:
        counts += ", erased"
    fault = verdict.fault
    if fault is None:
        return f"{click.style('ok', fg='green')}   {name}: {counts}"
    where = "" if fault.number is None else f" number {fault.number}"
    which = "" if fault.entry_id is None else f" ({fault.entry_id})"
    return f"{click.style('BAD', fg='red')}  {name}: entry{where}{which} {fault.kind}: {fault.message}; {counts}"


def _told(verdict: Verdict) -> dict[str, Any]:
    fault = verdict.fault
    return {
        "practice": str(verdict.practice_id),
        "sealed": verdict.sealed,
        "head": verdict.head.hex(),
        "anchored": verdict.anchored,
        "unsealed": verdict.unsealed,
        "erased": verdict.erased,
        "since": verdict.since.isoformat() if verdict.since else None,
        "fault": None
        if fault is None
        else {
            "kind": fault.kind,
            "number": fault.number,
            "entry": str(fault.entry_id) if fault.entry_id else None,
            "message": fault.message,
        },
    }
