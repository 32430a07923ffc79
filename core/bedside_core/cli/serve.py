"""`bedside serve`: the server as the environment configures it."""

from __future__ import annotations

import click
from rich_click import RichCommand

from bedside_core.app import create_app
from bedside_core.cli import logs
from bedside_core.cli.common import ended, refuse_demo
from bedside_core.config import Config
from bedside_core.platform import Platform
from bedside_core.plugins import Status
from bedside_core.serving import Stop, run
from bedside_core.serving import serve as served


@click.command(cls=RichCommand)
@click.option("--host", help="Address to listen on, in place of BEDSIDE_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port in place of BEDSIDE_PORT; 0 takes a free one.")
def serve(host: str | None, port: int | None) -> None:
    """Serve: GraphQL, sockets, REST, the client, and background jobs unless BEDSIDE_WORKER=false.

    SIGTERM and Ctrl-C close sockets with a reason and let requests end, within ten seconds.
    """
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    config = Config.model_validate({**Config().model_dump(), **given})
    refuse_demo(config)
    logs.configure()

    async def work(stop: Stop) -> None:
        await served(create_app(config), config, stop, ready=_ready)

    ended(lambda: run(work))


async def _ready(platform: Platform, address: str) -> None:
    click.echo(f"Bedside serves at {address}")
    for report in platform.plugins.report():
        if report.status is Status.FAILED:
            click.echo(f"The plugin {report.name} is disabled: {report.reason}", err=True)
