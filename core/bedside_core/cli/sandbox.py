"""`bedside sandbox`: the practice that front-end teams and partners try things with."""

from __future__ import annotations

import click
from rich_click import RichGroup

from bedside_core import sandbox as sandboxes
from bedside_core.cli.common import new_password, with_platform


@click.group(cls=RichGroup)
def sandbox() -> None:
    """Make the sandbox practice, or put it back as it was. Nothing that it sends leaves the house."""


@sandbox.command()
@click.option("--owner", "email", required=True, metavar="EMAIL", help="E-mail address of its owner.")
@click.option("--first-name", required=True, help="The owner's first name.")
@click.option("--last-name", required=True, help="The owner's last name.")
def create(email: str, first_name: str, last_name: str) -> None:
    """Make the sandbox with its owner, who can sign in at once, and sample people and patients.

    The owner's password is asked for, or read as one line from standard input where that is no terminal.
    """
    owner = sandboxes.SandboxOwner(
        email=email, password=new_password(f"Password of {email}"), first_name=first_name, last_name=last_name
    )
    made = with_platform(lambda platform: sandboxes.create(platform, owner))
    click.echo(f"The sandbox ({made.id}) is there, and its owner {email.strip()} can sign in.")


@sandbox.command()
def reset() -> None:
    """Take away what was made in the sandbox and put the sample patients back; people, keys and settings stay."""
    made = with_platform(sandboxes.reset)
    click.echo(f"The sandbox ({made}) is as it was at first.")
