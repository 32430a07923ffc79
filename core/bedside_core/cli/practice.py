"""`bedside practice`: the practices of the deployment."""

from __future__ import annotations

import click
from rich_click import RichGroup

from bedside_core.cli.common import new_password, with_people
from bedside_core.founding import FirstOwner, found_practice


@click.group(cls=RichGroup)
def practice() -> None:
    """Make practices. `bedside plan` puts them on their plans."""


@practice.command()
@click.argument("name")
@click.option("--zone", required=True, metavar="ZONE", help="Its time zone by its IANA name, e.g. America/New_York.")
@click.option("--owner", "email", required=True, metavar="EMAIL", help="E-mail address of its first owner.")
@click.option("--first-name", required=True, help="The owner's first name.")
@click.option("--last-name", required=True, help="The owner's last name.")
def create(name: str, zone: str, email: str, first_name: str, last_name: str) -> None:
    """Make a practice called NAME with its first owner, who can sign in at once.

    The owner's password is asked for, or read as one line from standard input where that is no terminal.
    """
    password = new_password(f"Password of {email}")
    owner = FirstOwner(email=email, password=password, first_name=first_name, last_name=last_name)
    made = with_people(lambda people: found_practice(people, name, zone=zone, owner=owner))
    click.echo(f"The practice {made.name} ({made.id}) is there, and its owner {email.strip()} can sign in.")
