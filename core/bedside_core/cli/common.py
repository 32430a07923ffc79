"""What several commands share: which configuration they refuse, and how a process that was told to stop ends."""

from __future__ import annotations

from collections.abc import Callable

import click

from bedside_core.boot import NotReady
from bedside_core.config import Config
from bedside_core.demo.folder import is_demo
from bedside_core.serving import Stopped


def refuse_demo(config: Config) -> None:
    """Keep what everybody knows the passwords of, and a clock that moves, away from deployments.

    Raises:
        NotReady: the demo's configuration or folder.
    """
    if config.demo:
        raise NotReady("BEDSIDE_DEMO is set, with which anybody could move the clock: it is for `bedside demo` alone")
    if config.testing:
        click.echo("BEDSIDE_TESTING is set, with which the database can move the clock: not for deployments", err=True)
    if config.database_url is None and is_demo(config.data):
        raise NotReady(f"{config.data} is the demo's folder, whose passwords everybody knows: set BEDSIDE_DATA")


def ended(work: Callable[[], None]) -> None:
    """Run a command's work; one that was told to stop before it was ready ends as a shell expects of a signal."""
    try:
        work()
    except Stopped as stopped:
        click.get_current_context().exit(128 + stopped.number)
