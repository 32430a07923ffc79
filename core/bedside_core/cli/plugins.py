"""`bedside plugins`: how the plugins fare, and what is wrong with one."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich_click import RichGroup

if TYPE_CHECKING:
    from bedside_core.plugins import PluginReport

_COLOURS = {"ACTIVE": "green", "DISABLED": "bright_black", "FAILED": "red"}


@click.group(cls=RichGroup, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of name, title, version, status and reason.")
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> None:
    """Show the plugins that are installed or enabled, with their status and, where one fails, the reason.

    Exits with 1 when one that is enabled is not active. No database is needed, so a plugin whose migrations or start
    fails shows as active here; /health/ready knows.
    """
    if ctx.invoked_subcommand is not None:
        return
    from bedside_core.boot import outlined
    from bedside_core.checks import rehearse
    from bedside_core.cli import logs
    from bedside_core.config import Config

    logs.configure(level=logging.CRITICAL)
    config = Config().model_copy(update={"strict": False})  # all reasons, not the first
    platform = outlined(config)
    rehearse(platform)
    reports = platform.plugins.report()
    if as_json:
        click.echo(json.dumps([asdict(report) for report in reports], indent=2))
    else:
        _show(reports)
    if any(report.status == "FAILED" for report in reports):
        ctx.exit(1)


def _show(reports: Sequence[PluginReport]) -> None:
    width = max((len(report.name) for report in reports), default=0)
    for report in reports:
        status = click.style(f"{report.status:8}", fg=_COLOURS[report.status])
        installed = f"{report.title} {report.version}" if report.version else None
        told = ": ".join(filter(None, [installed, report.reason]))
        click.echo(f"{status}  {report.name:{width}}  {told}")


@plugins.command()
@click.argument("path", type=click.Path(path_type=Path))
def check(path: Path) -> None:
    """Check a plugin: the folder of its pyproject.toml, its package or module, or a dotted name.

    Prints each fault and exits with 1 if there is one. The plugin is imported and its hooks are called, in a process
    of their own and without a database.
    """
    from bedside_core.checks import check_plugin

    faults = check_plugin(path if path.exists() else os.fspath(path))
    for fault in faults:
        click.echo(fault)
    if faults:
        click.get_current_context().exit(1)
    click.echo(f"{path} is in order.")
