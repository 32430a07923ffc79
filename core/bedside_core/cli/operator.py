"""`bedside operator`: the accounts of those who run the deployment."""

from __future__ import annotations

import click
from rich_click import RichGroup

from bedside_core.cli.common import new_password, with_platform
from bedside_core.founding import create_operator


@click.group(cls=RichGroup)
def operator() -> None:
    """Make accounts of the deployment's operator, who sets plans and sees no patient's data."""


@operator.command()
@click.argument("email")
def create(email: str) -> None:
    """Make an operator's account, which signs in with EMAIL.

    The password is asked for, or read as one line from standard input where that is no terminal.
    """
    password = new_password(f"Password of {email}")
    with_platform(lambda platform: create_operator(platform.people, email, password))
    click.echo(f"The operator {email.strip()} can sign in.")
