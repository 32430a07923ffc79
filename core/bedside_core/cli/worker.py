"""`bedside worker`: background jobs apart from the server."""

from __future__ import annotations

import click
from rich_click import RichCommand

from bedside_core.boot import assembled
from bedside_core.cli import logs
from bedside_core.cli.common import ended, refuse_demo
from bedside_core.config import Config
from bedside_core.serving import Stop, run


@click.command(cls=RichCommand)
def worker() -> None:
    """Run background jobs alone, for deployments that keep them apart with BEDSIDE_WORKER=false.

    Any number of workers may run. On SIGTERM and Ctrl-C running jobs are let end; those that don't are run again later.
    """
    config = Config()
    refuse_demo(config)
    logs.configure()

    async def work(stop: Stop) -> None:
        async with assembled(config, worker=True):
            click.echo("Bedside runs background jobs.")
            await stop.wait()

    ended(lambda: run(work))
