"""`bedside patients …`: a practice's patients in bulk."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich_click import RichGroup

from bedside_core import errors
from bedside_core.cli.common import with_platform
from bedside_core.database import Work, acting
from bedside_core.imports import Dates, Encoding, Field, Options
from bedside_core.imports.bulk import Outcome, carry_out
from bedside_core.imports.reading import Table
from bedside_core.platform import Platform

_FIELDS = {field.value.replace("_", "-"): field for field in Field}
_DATES = {each.value.replace("_", "-"): each for each in Dates}


@click.group(cls=RichGroup)
def patients() -> None:
    """Import patients."""


def _mapped(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> Mapping[str, str]:
    mapping: dict[str, str] = {}
    for each in given:
        header, equals, field = each.rpartition("=")
        if not equals or field not in _FIELDS:
            raise click.BadParameter(f"{each!r} is not HEADER=FIELD with one of: {', '.join(_FIELDS)}")
        mapping[header] = _FIELDS[field].value
    return mapping


@patients.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--practice", required=True, type=click.UUID, metavar="ID", help="Whose patients they become.")
@click.option("--dry-run", is_flag=True, help="Look at every row and import nothing.")
@click.option("--skip-refused", is_flag=True, help="Import the other rows where some are refused.")
@click.option(
    "--dates", type=click.Choice(list(_DATES)), default="iso", show_default=True, help="How dates are written."
)
@click.option("--encoding", type=click.Choice([each.value for each in Encoding]), help="Told by the file if not given.")
@click.option(
    "--column", "mapping", multiple=True, callback=_mapped, metavar="HEADER=FIELD", help="Which column is what."
)
def import_(
    file: Path,
    practice: UUID,
    dry_run: bool,
    skip_refused: bool,
    dates: str,
    encoding: str | None,
    mapping: Mapping[str, str],
) -> None:
    """Import the patients of FILE, a CSV with a header, with the checks that creating one by one has.

    Refused rows are listed with their line and why. Where there are any, nothing is imported and the command exits with
    1, unless the others are asked for.
    """
    options = Options(
        dry_run=dry_run,
        skip_refused=skip_refused,
        dates=_DATES[dates],
        encoding=Encoding(encoding) if encoding else None,
        mapping=mapping,
    )
    content = file.read_bytes()
    outcome = with_platform(lambda platform: _import(platform, practice, content, options))
    for row in outcome.refused:
        for fault in row.faults:
            where = f", {fault.column.replace('_', ' ')}" if fault.column else ""
            click.echo(f"line {row.line}{where}: {fault.code}: {fault.message}", err=True)
    if outcome.problem is not None:
        way_on = f" {outcome.problem.way_on}" if outcome.problem.way_on else ""
        click.echo(f"bedside: {outcome.problem.message}{way_on}", err=True)
        click.get_current_context().exit(1)
    would = "would be imported" if dry_run else "imported"
    click.echo(f"{outcome.imported} patients {would}, {len(outcome.refused)} rows refused.")


async def _import(platform: Platform, practice_id: UUID, content: bytes, options: Options) -> Outcome:
    if await platform.people.practice(practice_id) is None:
        raise errors.NotFound("There is no practice with this id.")
    found: list[Outcome] = []
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
    )
    with bar:
        task = bar.add_task("Checking", total=None)

        async def progress(table: Table, seen: int, refused: int) -> None:
            done = seen == len(table.rows) and not options.dry_run
            bar.update(task, total=len(table.rows), completed=seen, description="Importing" if done else "Checking")

        async def begin(work: Work) -> bool:
            return True

        async def end(work: Work, outcome: Outcome) -> None:
            found.append(outcome)

        with acting(practice_id):
            await carry_out(platform, practice_id, content, options, progress=progress, begin=begin, end=end)
    return found[-1]
