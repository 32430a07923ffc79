"""`bedside backup …`: make, verify and restore backups of the whole deployment."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import click
from rich_click import RichGroup

from bedside_core.backup import create as made
from bedside_core.backup import restore as restored
from bedside_core.backup import verify as verified
from bedside_core.backup import verify_deeply
from bedside_core.backup.keys import passphrase_in
from bedside_core.backup.read import Verified, summary
from bedside_core.cli import logs
from bedside_core.cli.common import refuse_demo
from bedside_core.config import Config

_FOLDER = click.Path(path_type=Path, file_okay=False)
_BACKUP = click.Path(path_type=Path, file_okay=False, exists=True)
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group(cls=RichGroup)
def backup() -> None:
    """Back the whole deployment up, verify a backup, or restore one onto an empty machine."""


@backup.command()
@click.argument("folder", type=_FOLDER)
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Remove the oldest of FOLDER's beyond N.")
@click.option(
    "--passphrase-file", type=_FILE, help="Put the deployment's key in too, sealed with this file's first line."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def create(folder: Path, keep: int | None, passphrase_file: Path | None, as_json: bool) -> None:
    """Make a backup in FOLDER, under a name of its own, while the server runs or not.

    It holds the database, the files and the audit trail's anchor: all that the practices trust you with, unencrypted.
    The deployment's key is left out unless a passphrase is given; configuration is always left out.
    """
    config = Config()
    refuse_demo(config)
    logs.configure(level=logging.WARNING)
    passphrase = passphrase_in(passphrase_file) if passphrase_file else None
    done = asyncio.run(made(config, folder, keep=keep, passphrase=passphrase, tell=_tell))
    if as_json:
        told = {"folder": str(done.folder), "sha256": done.checksum, "removed": done.removed, **summary(done.manifest)}
        click.echo(json.dumps(told))
        return
    click.echo(f"{done.folder}\nSHA-256 of its manifest: {done.checksum}")
    for name in done.removed:
        click.echo(f"removed {name}")
    if done.manifest.key is not None and passphrase is None:
        click.echo(f"The deployment's key (fingerprint {done.manifest.key}) is not in it: keep it apart.")
    if done.manifest.files_lost:
        click.echo(f"{done.manifest.files_lost} files had no bytes in the store.", err=True)


@backup.command()
@click.argument("folder", type=_BACKUP)
@click.option("--deep", is_flag=True, help="Restore the database aside, compare every table, follow the audit trail.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def verify(folder: Path, deep: bool, as_json: bool) -> None:
    """Read the backup FOLDER from end to end, and exit with 1 where it is not what was written. Needs no deployment."""
    logs.configure(level=logging.CRITICAL)
    found = asyncio.run(verify_deeply(folder) if deep else verified(folder))
    if as_json:
        click.echo(json.dumps({"faults": found.faults, "entries": found.entries, **summary(found.manifest)}))
    else:
        _show(found, deep)
    if found.faults:
        click.get_current_context().exit(1)


@backup.command()
@click.argument("folder", type=_BACKUP)
@click.option("--passphrase-file", type=_FILE, help="Opens the deployment's key in the backup.")
def restore(folder: Path, passphrase_file: Path | None) -> None:
    """Restore the backup FOLDER into the deployment that the environment configures, which must be empty.

    The dump is code that runs as the tables' owner: restore only what you have made.
    """
    config = Config()
    refuse_demo(config)
    logs.configure(level=logging.WARNING)
    passphrase = passphrase_in(passphrase_file) if passphrase_file else None
    done = asyncio.run(restored(config, folder, passphrase=passphrase, tell=_tell))
    told = summary(done.manifest)
    click.echo(f"Restored {told['rows']} rows and {told['files']} files of {told['made_at']}.")
    for note in done.notes:
        click.echo(note)


def _tell(what: str) -> None:
    click.echo(f"{what} …", err=True)


def _show(found: Verified, deep: bool) -> None:
    for name, value in summary(found.manifest).items():
        click.echo(f"{name.replace('_', ' ')}: {value}")
    for fault in found.faults:
        click.echo(f"{click.style('BAD', fg='red')}  {fault}")
    if not found.faults:
        what = f"restored aside, {found.entries} audit entries followed" if deep else "every part is what was written"
        click.echo(f"{click.style('ok', fg='green')}   {what}")
