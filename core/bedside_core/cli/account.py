"""`bedside account`: the way back for people who can't sign in any more."""

from __future__ import annotations

import click
from rich_click import RichGroup

from bedside_core.cli.common import new_password, with_platform


@click.group(cls=RichGroup)
def account() -> None:
    """Help people back into accounts whose second factor they have lost."""


@account.command()
@click.argument("email")
@click.option(
    "--new-password",
    "give",
    is_flag=True,
    help="Ask for a new password too, to be handed over: for who can't choose one by mail.",
)
def recover(email: str, give: bool) -> None:
    """Take the second factors and recovery codes from the account that signs in with EMAIL, and end its sign-ins.

    Make sure first who asks: by a call to a number that you know, or face to face. The old password counts no more; the
    person chooses a new one by "Reset Password" on the sign-in page. They are told by mail that it happened, and the
    audit trails of their practices tell it too.
    """
    password = new_password(f"New password of {email}") if give else None
    done = with_platform(lambda platform: platform.accounts.recovery.by_operator(email, password)).removed
    had = ["an authenticator application"] * done.totp
    had += [f"{done.passkeys} passkeys" if done.passkeys > 1 else "a passkey"] * (done.passkeys > 0)
    had += [f"{done.codes} recovery codes"] * (done.codes > 0)
    click.echo(f"{email.strip()} is signed out everywhere and has no second factor any more: {', '.join(had)}.")
    click.echo("The password you gave counts." if give else 'A new password is chosen by "Reset Password".')
