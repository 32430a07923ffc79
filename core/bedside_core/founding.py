"""What a deployment begins with: the operator's account, and practices with their first owners."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from bedside_core import errors
from bedside_core.auth import Role, policy
from bedside_core.database import acting, unit
from bedside_core.database.driver import asyncpg
from bedside_core.ids import uuid7
from bedside_core.people import People, Practice

SHORTEST_PASSWORD = 15
"""Fewest characters of a password that is the only factor (NIST SP 800-63B-4, 3.1.1.2)."""

LONGEST_PASSWORD = 1024
"""Most of them; the policy counts bytes."""

LONGEST_EMAIL = 254
"""Most characters of an address to which mail can be sent (RFC 5321, 4.5.3.1.3)."""

_EMAIL = re.compile(r"[^@\s\0]+@[^@\s\0]+")


@dataclass(frozen=True, kw_only=True)
class FirstOwner:
    """Who can do everything in a new practice.

    Args:
        email: the user name (A4).
        password: the password.
        first_name: the first name.
        last_name: the last name.
    """

    email: str
    password: str
    first_name: str
    last_name: str


async def create_operator(people: People, email: str, password: str) -> UUID:
    """Make an account of the deployment's operator (A15).

    Returns:
        The account's id.

    Raises:
        errors.InvalidInput: it is no e-mail address, or the password may not be chosen.
        errors.Conflict: there is an account with this address.
    """
    _check_account(email, password)
    try:
        return await people.create_account(email, password, operator=True)
    except asyncpg.UniqueViolationError:
        raise _taken(email) from None


async def found_practice(
    people: People,
    name: str,
    *,
    zone: str,
    owner: FirstOwner,
    also: Callable[[UUID], Awaitable[None]] | None = None,
) -> Practice:
    """Make a practice with its first owner, both or neither.

    Args:
        people: makes them.
        name: the practice's name.
        zone: its time zone, by its IANA name.
        owner: gets an account and is the practice's owner.
        also: what else belongs to it, given the practice's id; if it fails nothing is made.

    Raises:
        errors.InvalidInput: something required is missing or can't be used; nothing was made.
        errors.Conflict: there is an account with this address; nothing was made.
    """
    name, first_name, last_name = (
        _required(what, value)
        for what, value in (("name", name), ("first name", owner.first_name), ("last name", owner.last_name))
    )
    if zone not in zoneinfo.available_timezones():
        raise errors.InvalidInput(
            f"There is no time zone {zone!r}.", way_on="Give its IANA name, e.g. America/New_York.", field=("zone",)
        )
    _check_account(owner.email, owner.password, name, first_name, last_name)
    practice_id = uuid7()
    try:
        with acting(practice_id):
            async with unit():
                practice = await people.create_practice(name, zone=zone, practice_id=practice_id)
                account_id = await people.create_account(owner.email, owner.password)
                await people.create_member(
                    practice_id, account_id, first_name=first_name, last_name=last_name, role=Role.OWNER
                )
                if also is not None:
                    await also(practice_id)
    except asyncpg.UniqueViolationError:
        raise _taken(owner.email) from None
    return practice


def _required(what: str, value: str) -> str:
    value = value.strip()
    if not value or "\0" in value:
        raise errors.InvalidInput(f"The {what} is required.", field=(what.replace(" ", "_"),))
    return value


def _check_account(email: str, password: str, *words: str) -> None:
    email = email.strip()
    if len(email) > LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise errors.InvalidInput(f"{email[:LONGEST_EMAIL]!r} is no e-mail address.", field=("email",))
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise errors.InvalidInput(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.",
            way_on="Several words in a row make a good one.",
            field=("password",),
        )
    policy.check(password, (email, *words), field="password")


def _taken(email: str) -> errors.Conflict:
    return errors.Conflict(f"There is an account with the address {email.strip()} already.", field=("email",))
