"""`bedside practice`: the practices of the deployment, from the first owner to the end."""

from __future__ import annotations

import secrets
from uuid import UUID

import click
from rich_click import RichGroup

from bedside_core.accounts.model import NewInvitation
from bedside_core.auth import Role
from bedside_core.cli.common import with_platform
from bedside_core.database import acting
from bedside_core.founding import found_practice
from bedside_core.notify.kinds import Channel, Language
from bedside_core.platform import Platform
from bedside_core.records import leaving


@click.group(cls=RichGroup)
def practice() -> None:
    """Make practices, and erase those that leave. `bedside plan` puts them on their plans."""


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


@practice.command()
@click.argument("practice_id", type=click.UUID, metavar="ID")
@click.option("--name", required=True, help="The practice's name, typed in.")
@click.option("--not-exported", is_flag=True, help="Though no export of it was made in the last month.")
def erase(practice_id: UUID, name: str, not_exported: bool) -> None:
    """Have the practice ID erased for good in thirty days: every row and file.

    Its owners are told, and they and `bedside practice keep` can call it off until then. A worker does it.
    """

    async def ask(platform: Platform) -> leaving.Erasure:
        with acting(practice_id):
            return await leaving.ask(platform, practice_id, name, None, exported=not not_exported)

    asked = with_platform(ask)
    click.echo(f"The practice {practice_id} is erased on {asked.due_at:%Y-%m-%d at %H:%M %Z}, unless it is called off.")


@practice.command()
@click.argument("practice_id", type=click.UUID, metavar="ID")
def keep(practice_id: UUID) -> None:
    """Call the erasure of the practice ID off."""

    async def call_off(platform: Platform) -> bool:
        with acting(practice_id):
            return await leaving.cancel(platform, practice_id)

    click.echo("It is called off." if with_platform(call_off) else "There was nothing to call off.")
