"""`bedside migrate`: makes the roles and brings the tables of an external database up to date."""

from __future__ import annotations

import asyncio

import click
from rich_click import RichCommand

from bedside_core.boot import NotReady, migrate_all
from bedside_core.cli import logs
from bedside_core.config import Config
from bedside_core.database import prepare_roles
from bedside_core.plugins import Plugins, Status


@click.command(cls=RichCommand)
def migrate() -> None:
    """Bring the tables of BEDSIDE_DATABASE_URL up to date, as the role of BEDSIDE_DATABASE_OWNER_URL.

    Core's migrations come first, then each active plugin's; each app's happen wholly or not at all. Roles that are
    missing are made, or the SQL for somebody who may is shown. Several at once do no harm.
    """
    logs.configure()
    config = Config()
    if config.database_url is None and config.database_owner_url is None:
        raise NotReady(
            f"no external database is configured. The private server in {config.data} is brought up to date at each "
            "start; for an external one set BEDSIDE_DATABASE_URL and BEDSIDE_DATABASE_OWNER_URL"
        )
    if config.database_owner_url is None:
        raise NotReady("BEDSIDE_DATABASE_OWNER_URL is not set: only the role that owns the tables can migrate them")
    if config.database_url is None:
        raise NotReady("BEDSIDE_DATABASE_URL is not set: it names the role that Bedside runs as, which gets its rights")
    asyncio.run(_migrate(config, config.database_owner_url, config.database_url))


async def _migrate(config: Config, owner_dsn: str, dsn: str) -> None:
    plugins = Plugins(config.plugins, hook_seconds=config.hook_seconds, strict=config.strict)
    await prepare_roles(owner_dsn, dsn)
    applied = await migrate_all(owner_dsn, plugins)
    names = [name for names in applied.values() for name in names]
    for name in names:
        click.echo(f"applied {name}")
    click.echo(f"{len(names)} migrations were applied." if names else "Everything is up to date.")
    failed = [report for report in plugins.report() if report.status is Status.FAILED]
    for report in failed:
        click.echo(f"The plugin {report.name} is disabled: {report.reason}", err=True)
    if failed:
        click.get_current_context().exit(1)
