"""`bedside worker`: background jobs apart from the server."""

from __future__ import annotations

from contextlib import AsyncExitStack

import click
from rich_click import RichCommand

from bedside_core.boot import assembled
from bedside_core.cli import logs
from bedside_core.cli.common import ended, refuse_demo
from bedside_core.config import Config
from bedside_core.serving import Stop, monitored, run


@click.command(cls=RichCommand)
@click.option(
    "--health-port",
    type=click.IntRange(0, 65535),
    help="Answer /health/live, /health/ready and /metrics on this port of BEDSIDE_HOST; 0 takes a free one.",
)
def worker(health_port: int | None) -> None:
    """Run background jobs alone, for deployments that keep them apart with BEDSIDE_WORKER=false.

    Any number of workers may run. On SIGTERM and Ctrl-C running jobs are let end; those that don't are run again later.
    """
    config = Config()
    refuse_demo(config)
    logs.configure()

    async def work(stop: Stop) -> None:
        async with AsyncExitStack() as stack:
            platform = await stack.enter_async_context(assembled(config, worker=True))
            if health_port is None:
                click.echo("Bedside runs background jobs.")
            else:
                address = await stack.enter_async_context(monitored(platform, config.host, health_port))
                click.echo(f"Bedside runs background jobs, and tells of its health at {address}")
            await stop.wait()

    ended(lambda: run(work))
