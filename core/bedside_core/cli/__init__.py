"""The command `bedside`: one module for each group of commands, imported when it is called.

Plugins add commands by the entry-point group `bedside.commands` (name -> click command).
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import click
from rich_click import RichCommand, RichGroup

GROUP = "bedside.commands"
"""The entry-point group of further commands."""

COMMANDS: dict[str, str] = {
    "demo": "Serve three seeded practices on this machine, to look at.",
    "serve": "Serve: GraphQL, sockets, REST, the client, and background jobs.",
    "worker": "Run background jobs alone.",
    "migrate": "Bring the tables of an external database up to date.",
    "doctor": "Look at everything that a deployment needs, and say what is wrong.",
    "backup": "Back up the whole deployment, verify a backup, or restore one.",
    "audit": "Verify that the audit trail is what was entered.",
    "plugins": "Show the plugins with their status, or check one.",
    "operator": "Make an account of the deployment's operator.",
    "account": "Help somebody back in who has lost the second factor.",
    "practice": "Make a practice and invite its first owner, or erase one that leaves.",
    "patients": "Import a practice's patients from a file.",
    "terms": "Publish the Terms of Use.",
    "sandbox": "Make the sandbox practice, or put it back as it was.",
}
"""Core's own commands with their help: each is `bedside_core.cli.<name>:<name>`."""


class Commands(RichGroup):
    """A group that lists its commands without importing them, and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return core's commands, then those of plugins."""
        return [*COMMANDS, *sorted(set(_points()) - set(COMMANDS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return what the list shows of a command."""
        if cmd_name in COMMANDS:
            return RichCommand(name=cmd_name, help=COMMANDS[cmd_name])
        point = _points().get(cmd_name)
        return None if point is None else RichCommand(name=cmd_name, help=_told(point))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command itself, imported now."""
        name, shown, rest = super().resolve_command(ctx, args)
        return name, shown if shown is None or name is None else _imported(name), rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what an operator can mend is told in words, without a traceback."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if os.environ.get("BEDSIDE_DEBUG"):
                raise
            from bedside_core.cli.faults import explained

            message = explained(error)
            if message is None:
                raise
            click.echo(f"bedside: {message}", err=True)
            ctx.exit(1)


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _imported(name: str) -> click.Command:
    if name in COMMANDS:
        return getattr(importlib.import_module(f"bedside_core.cli.{name}"), name)
    from bedside_core.cli import logs

    logs.configure(level=logging.WARNING)
    point = _points()[name]
    try:
        command = point.load()
    except Exception as error:
        if os.environ.get("BEDSIDE_DEBUG"):
            raise
        raise click.ClickException(f"{point.value} can't be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(command, click.Command):
        raise click.ClickException(f"{point.value} is a {type(command).__name__}, not a click command")
    return command


def _told(point: EntryPoint) -> str:
    """Return a command's docstring out of its module's source: to import it would take seconds, and may fail."""
    try:
        spec = importlib.util.find_spec(point.module)
        if spec is None or spec.origin is None:
            return f"can't be loaded: there is no module {point.module}"
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    except Exception as error:
        return f"can't be loaded: {type(error).__name__}: {error}"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == point.attr:
            return ast.get_docstring(node) or ""
    return ""


def _version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"bedside {version('bedside')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
def bedside() -> None:
    """Run Bedside, an open-source practice platform for clinics.

    A deployment is configured by environment variables named BEDSIDE_*; docs/operations.md lists them.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: by default those that the process was given.
    """
    bedside.main(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="bedside")
