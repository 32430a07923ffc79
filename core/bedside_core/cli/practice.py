"""`bedside practice`: the practices of the deployment."""

from __future__ import annotations

import secrets

import click
from rich_click import RichGroup

from bedside_core.accounts.model import NewInvitation
from bedside_core.auth import Role
from bedside_core.cli.common import with_platform
from bedside_core.founding import found_practice
from bedside_core.notify.kinds import Channel, Language
from bedside_core.platform import Platform


@click.group(cls=RichGroup)
def practice() -> None:
    """Make practices. `bedside plan` puts them on their plans."""


@practice.command()
@click.argument("name")
@click.option("--zone", required=True, metavar="ZONE", help="Its time zone by its IANA name, e.g. America/New_York.")
@click.option("--owner", "email", required=True, metavar="EMAIL", help="E-mail address of its first owner.")
@click.option("--first-name", required=True, help="The owner's first name.")
@click.option("--last-name", required=True, help="The owner's last name.")
@click.option(
    "--language",
    type=click.Choice([language.value for language in Language]),
    default=Language.ENGLISH.value,
    show_default=True,
    help="Language of the mail.",
)
def create(name: str, zone: str, email: str, first_name: str, last_name: str, language: str) -> None:
    """Make a practice called NAME and invite its first owner by mail, who registers within 21 days.

    Where the deployment has no mail server the link is shown instead, to be handed over.
    """
    owner = NewInvitation(
        email=email, first_name=first_name, last_name=last_name, role=Role.OWNER, language=Language(language)
    )

    async def make(platform: Platform) -> None:
        made, secret = await found_practice(
            platform, None, name, zone=zone, owner=owner, client_id=secrets.token_hex(16)
        )
        click.echo(f"The practice {made.name} ({made.id}) is there.")
        if platform.notify.possible(Channel.EMAIL):
            click.echo(f"Its owner {email.strip()} is invited by mail.")
        else:
            click.echo("There is no mail server (BEDSIDE_SMTP_URL). Hand this link to its owner:")
            click.echo(platform.notify.url(f"/register#{secret}"))

    with_platform(make)
