"""`bedside doctor`: the findings as lines, or as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import asdict

import click
from rich_click import RichCommand

from bedside_core.cli import logs
from bedside_core.config import Config
from bedside_core.doctor import examine
from bedside_core.findings import Finding, State

_COLOURS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}


@click.command(cls=RichCommand)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of name, state, message and way_on.")
def doctor(as_json: bool) -> None:
    """Look at everything that a deployment needs, and say what is wrong and what to do.

    Exits with 1 when something fails. Changes nothing.
    """
    logs.configure(level=logging.CRITICAL)
    findings = asyncio.run(_examine(Config(), as_json))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    if any(finding.state is State.FAIL for finding in findings):
        click.get_current_context().exit(1)


async def _examine(config: Config, quietly: bool) -> list[Finding]:
    findings: list[Finding] = []
    async for finding in examine(config):
        findings.append(finding)
        if not quietly:
            state = click.style(f"{finding.state:4}", fg=_COLOURS[finding.state])
            click.echo(f"{state}  {finding.name}: {finding.message}{f'. {finding.way_on}' if finding.way_on else ''}")
    return findings
