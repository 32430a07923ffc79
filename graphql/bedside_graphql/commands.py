"""`bedside schema`: prints the schema of the enabled plugins, and compares it with other versions (G7)."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
from rich_click import RichCommand

if TYPE_CHECKING:
    from graphql import GraphQLSchema

SNAPSHOT = "graphql/schema.graphql"
"""The reviewed schema, in the repository."""

RELEASED = "graphql/released.graphql"
"""The schema of the last release, which clients know; absent until there is one."""


@click.command(cls=RichCommand)
@click.option(
    "--check",
    "checked",
    is_flag=False,
    flag_value=SNAPSHOT,
    metavar="[FILE]",
    help=f"Show the difference to a file, {SNAPSHOT} if none is named, and exit with 1 if there is one.",
)
@click.option(
    "--write",
    "written",
    is_flag=False,
    flag_value=SNAPSHOT,
    metavar="[FILE]",
    help=f"Write it to a file, {SNAPSHOT} if none is named.",
)
@click.option(
    "--breaking",
    is_flag=False,
    flag_value=RELEASED,
    metavar="[OLD]",
    help="Say what rule G7 forbids, compared with an older schema (- is standard input), and exit with 1 if anything; "
    f"{RELEASED} if none is named.",
)
@click.option(
    "--changes",
    type=click.File(encoding="utf-8"),
    metavar="OLD",
    help="List all changes since an older schema, for the changelog.",
)
def schema(checked: str | None, written: str | None, breaking: str | None, changes: TextIO | None) -> None:
    """Print the GraphQL schema of the enabled plugins (SDL). Needs no database."""
    if sum(option is not None for option in (checked, written, breaking, changes)) > 1:
        raise click.UsageError("one of --check, --write, --breaking and --changes at a time")
    sdl = _composed()
    if written is not None:
        Path(written).write_text(sdl, encoding="utf-8")
        click.echo(f"{written} is written.")
    elif checked is not None:
        _check(Path(checked), sdl)
    elif breaking is not None:
        _forbid(breaking, sdl)
    elif changes is not None:
        from bedside_graphql import evolution

        for line in evolution.changes(_built(changes.read(), changes.name), _built(sdl, "the schema")):
            click.echo(line)
    else:
        click.echo(sdl, nl=False)


def _composed() -> str:
    """Return the schema's text, or fail with the plugin that does not fit: half a schema would be no answer."""
    import logging

    from bedside_core.boot import outlined
    from bedside_core.cli import logs
    from bedside_core.config import Config
    from bedside_graphql.endpoint import composed

    logs.configure(level=logging.CRITICAL)
    return composed(outlined(Config().model_copy(update={"strict": True}))).as_str().rstrip() + "\n"


def _check(file: Path, sdl: str) -> None:
    known = file.read_text(encoding="utf-8") if file.is_file() else ""
    if known == sdl:
        click.echo(f"{file} is the schema of the enabled plugins.")
        return
    for line in difflib.unified_diff(
        known.splitlines(), sdl.splitlines(), str(file), "the enabled plugins", lineterm=""
    ):
        click.echo(line)
    click.echo(f"{file} is not the schema of the enabled plugins: review, then `bedside schema --write`.", err=True)
    click.get_current_context().exit(1)


def _forbid(old: str, sdl: str) -> None:
    if old == RELEASED and not Path(old).exists():
        click.echo(f"There is no {RELEASED}: nothing is released yet, so nothing can break.")
        return
    from bedside_core.clock import Clock
    from bedside_graphql import evolution

    today = Clock().now().date()
    try:
        with click.open_file(old, encoding="utf-8") as file:
            before = _built(file.read(), old)
    except OSError as error:
        raise click.ClickException(f"{old} can't be read: {error.strerror}") from error
    told = evolution.faults(before, _built(sdl, "the schema"), today)
    for line in told:
        click.echo(line)
    if told:
        click.get_current_context().exit(1)
    click.echo("Nothing breaks that was not announced.")


def _built(sdl: str, name: str) -> GraphQLSchema:
    from graphql import GraphQLError, build_schema

    try:
        return build_schema(sdl)
    except (GraphQLError, TypeError) as error:
        raise click.ClickException(f"{name} is no schema: {error}") from error
