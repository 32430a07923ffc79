"""`bedside demo`: progress, the address and the sign-ins, or one line of JSON for programs."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console
from rich.status import Status as Spinner
from rich.table import Table
from rich_click import RichCommand

from bedside_core.cli import logs
from bedside_core.cli.common import ended
from bedside_core.client import is_built
from bedside_core.demo.accounts import DemoAccount, accounts
from bedside_core.demo.run import configured, run_demo
from bedside_core.demo.tries import DESK, PATIENT
from bedside_core.platform import Platform
from bedside_core.plugins import Status
from bedside_core.serving import Stop, run


@click.command(cls=RichCommand)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=".demo",
    show_default=True,
    help="Folder for the database; one that the demo has made, or an empty or new one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on, of this machine alone.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--json", "as_json", is_flag=True, help="When ready print one line of JSON, and nothing else.")
def demo(data: Path, host: str, port: int, as_json: bool) -> None:
    """Serve three seeded practices on this machine, one on each tier, with a table of sign-ins.

    It brings its own PostgreSQL. Ctrl-C stops everything; the next start on the same folder finds what there was.
    """
    config = configured(os.environ, data=data, host=host, port=port)
    logs.configure(level=logging.WARNING)
    out = sys.stdout
    progress = _Progress()

    async def ready(platform: Platform, address: str) -> None:
        listed = await accounts(platform)
        progress.done()
        for report in platform.plugins.report():
            if report.status is Status.FAILED:
                click.echo(f"The plugin {report.name} is disabled: {report.reason}", err=True)
        if as_json:
            out.write(json.dumps(_described(address, listed)) + "\n")
        else:
            _show(address, listed, out, schedule=platform.plugins.active("scheduling"))
        out.flush()

    async def work(stop: Stop) -> None:
        try:
            await run_demo(config, stop, step=progress.step, ready=ready)
        finally:
            progress.done()

    # Whatever a library prints, standard output is for the result.
    with contextlib.redirect_stdout(sys.stderr):
        ended(lambda: run(work))


class _Progress:
    """What is being done: one changing line on a terminal, else a line each, on the standard error stream."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._spinner: Spinner | None = None

    def step(self, what: str) -> None:
        """Tell what is done next."""
        if not self._console.is_terminal:
            click.echo(what, err=True)
        elif self._spinner is None:
            self._spinner = self._console.status(what)
            self._spinner.start()
        else:
            self._spinner.update(what)

    def done(self) -> None:
        """Leave the line."""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None


def _described(address: str, listed: Sequence[DemoAccount]) -> dict[str, object]:
    return {
        "url": address,
        "graphql": f"{address}/graphql",
        "ws": f"{address.replace('http', 'ws', 1)}/graphql",
        "accounts": [asdict(account) for account in listed],
    }


def _show(address: str, listed: Sequence[DemoAccount], out: TextIO, *, schedule: bool) -> None:
    table = Table(title="Sign-ins", title_justify="left", show_edge=False)
    for heading in ("E-mail", "Password", "Role"):
        table.add_column(heading, no_wrap=True)
    for (practice, tier), people in groupby(listed, key=lambda account: (account.practice, account.tier)):
        table.add_section()
        shown = f"{practice} ({tier})" if tier else practice
        table.add_row(shown or "The deployment's operator", style="bold")
        for account in people:
            table.add_row(account.email, account.password, account.role)
    console = Console(file=out, highlight=False, soft_wrap=not out.isatty())
    console.print(f"Bedside's demo serves at [bold]{address}[/bold]\n")
    console.print(table)
    explorer = f"{address}/graphiql" if is_built() else "not there: the client is not built (`make install`)"
    console.print(f"\nGraphiQL    {explorer}\nOutbox      {address}/demo/outbox  (mail and text messages stay here)")
    if schedule:
        console.print(f"Schedule    {address}/demo#schedule  (what to ask it, as {DESK} and {PATIENT})")
    console.print(f"This table  {address}/demo\n\nCtrl-C stops everything.")
