"""What several commands share: the configuration they refuse, how they are told to stop, passwords, people."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from bedside_core import audit
from bedside_core.boot import NotReady, assembled
from bedside_core.cli import logs
from bedside_core.config import Config
from bedside_core.demo.folder import is_demo
from bedside_core.platform import Platform
from bedside_core.serving import Stopped

T = TypeVar("T")


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


def new_password(prompt: str) -> str:
    """Ask for a password twice, or read it as one line from a standard input that is no terminal; never from argv.

    Args:
        prompt: what is asked.
    """
    if sys.stdin.isatty():
        return click.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True)
    return sys.stdin.readline().rstrip("\r\n")


def with_platform(act: Callable[[Platform], Awaitable[T]]) -> T:
    """Do something with the deployment that the environment configures, whether or not it serves now.

    Args:
        act: what is done.

    Raises:
        NotReady: the configuration is the demo's, or the database is not fit.
    """
    config = Config()
    refuse_demo(config)
    logs.configure(level=logging.WARNING)

    async def run() -> T:
        command = click.get_current_context().command_path
        async with (
            assembled(config) as platform,
            audit.operation(via=audit.Via.COMMAND, detail={"command": command}, operator=True),
        ):
            return await act(platform)

    return asyncio.run(run())
