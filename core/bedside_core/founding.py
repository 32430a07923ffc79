"""What a deployment begins with: the operator's account, and practices whose first owners are invited (A1, A15)."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import errors
from bedside_core.accounts.model import NewInvitation
from bedside_core.auth import Actor, policy
from bedside_core.database import acting, unit
from bedside_core.database.driver import asyncpg
from bedside_core.ids import uuid7
from bedside_core.people import People, Practice, checks

if TYPE_CHECKING:
    from bedside_core.platform import Platform


async def create_operator(people: People, email: str, password: str) -> UUID:
    """Make an account of the deployment's operator (A15).

    Returns:
        The account's id.

    Raises:
        errors.InvalidInput: it is no e-mail address, or the password may not be chosen.
        errors.Conflict: there is an account with this address.
    """
    tidy = checks.email(email, ("email",))
    policy.check(password, (tidy,), field="password")
    try:
        return await people.create_account(tidy, password, operator=True)
    except asyncpg.UniqueViolationError:
        raise errors.Conflict(f"There is an account with the address {tidy} already.", field=("email",)) from None


async def found_practice(
    platform: Platform, actor: Actor | None, name: str, *, zone: str, owner: NewInvitation | None, client_id: str
) -> tuple[Practice, str | None]:
    """Make a practice and invite its first owner, both or neither; a retry makes no other (G9).

    Args:
        platform: its people and invitations.
        actor: the operator; None is a command on the machine.
        name: the practice's name.
        zone: its time zone, by its IANA name.
        owner: who is to be its first owner; None where they are invited later.
        client_id: the operator's own id of it.

    Returns:
        The practice, and the secret of the owner's link where it was made now, for who has no mail server yet.

    Raises:
        errors.Forbidden: the actor is not the operator.
        errors.InvalidInput: something required is missing or can't be used; nothing was made.
        errors.Conflict: the client id was used with other content.
    """
    given = owner.checked("owner") if owner is not None else None
    tidy = checks.name(name, ("name",))
    if zone not in zoneinfo.available_timezones():
        raise errors.InvalidInput(
            f"There is no time zone {zone!r}.", way_on="Give its IANA name, e.g. America/New_York.", field=("zone",)
        )
    practice_id = uuid7()
    invitations, secret = platform.accounts.invitations, None
    with acting(practice_id):
        async with unit():
            if actor is None:
                made = await platform.people.create_practice(tidy, zone=zone, practice_id=practice_id)
            else:
                made = await platform.people.create_practice_once(actor, tidy, zone, client_id, practice_id=practice_id)
            if given is not None and made.id == practice_id:
                _, secret = await invitations.invite_first_owner(actor, made.id, given, client_id)
    if given is not None and made.id != practice_id:
        await invitations.invite_first_owner(actor, made.id, given, client_id)
    return made, secret
