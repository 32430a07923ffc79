"""`bedside terms`: the deployment's Terms of Use."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click
from rich_click import RichGroup

from bedside_core.cli.common import with_platform
from bedside_core.platform import Platform


@click.group(cls=RichGroup)
def terms() -> None:
    """Publish the Terms of Use, which people accept at registration and, when they change, at their next sign-in."""


@terms.command()
@click.argument("english", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("spanish", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def publish(english: Path, spanish: Path) -> None:
    """Publish a new version out of two text files in UTF-8, ENGLISH and SPANISH; the same ones again change nothing."""
    texts = (english.read_text(encoding="utf-8"), spanish.read_text(encoding="utf-8"))
    client_id = hashlib.sha256("\0".join(texts).encode()).hexdigest()

    async def act(platform: Platform) -> None:
        made = await platform.accounts.terms.publish(None, *texts, client_id)
        click.echo(f"Version {made.version} of the Terms of Use is there since {made.published_at:%Y-%m-%d %H:%M} UTC.")

    with_platform(act)
