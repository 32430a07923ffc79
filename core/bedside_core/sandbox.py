"""The sandbox: a practice for front-end teams and partners to try things, from which nothing leaves the house (G8).

Its letters go to the outbox whatever the deployment sends with, its API keys show by their beginning what they are, and
a reset takes away what was made in it and puts the sample patients back.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.access import Permission
from bedside_core.auth import Actor, Role, policy
from bedside_core.database import DB, acting, unit
from bedside_core.database.driver import asyncpg
from bedside_core.demo.cast import PRACTICES
from bedside_core.ids import uuid7
from bedside_core.notify.channels.outbox import Kept
from bedside_core.paging import Page, key_of, page_of, page_size
from bedside_core.people import Practice, checks

if TYPE_CHECKING:
    from bedside_core.platform import Platform

NAME = "Sandbox"
ZONE = "America/New_York"
KEPT = frozenset(
    {
        "connection", "file_object", "member", "notification_box", "notification_preference", "notification_text",
        "person_word", "push_subscription", "setting", "webhook_endpoint",
    }
)  # fmt: skip
"""Core's tables that a reset leaves: people and settings, positions that only grow, and what follows by itself."""

_SAMPLE = PRACTICES[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SandboxOwner:
    """Who owns the sandbox. Nobody is invited to it by mail, for none leaves it.

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


PERMISSIONS = (
    Permission(key="sandbox.outbox", doc="Read what the sandbox would have sent.", roles=frozenset({Role.OWNER})),
    Permission(
        key="sandbox.reset",
        doc="Take away what was made in the sandbox, and put the sample patients back.",
        roles=frozenset({Role.OWNER}),
    ),
)

_FOREIGN_KEYS = """
SELECT child.relname AS child, parent.relname AS parent
FROM pg_constraint c JOIN pg_class child ON child.oid = c.conrelid JOIN pg_class parent ON parent.oid = c.confrelid
WHERE c.contype = 'f' AND child.oid <> parent.oid
"""


async def create(platform: Platform, owner: SandboxOwner) -> Practice:
    """Make the deployment's sandbox with its owner and sample people and patients; all of it or nothing.

    Nobody knows the sample members' passwords: they are there to be seen and written to.

    Raises:
        errors.Conflict: there is one already, or an account with the owner's address.
        errors.InvalidInput: something of the owner can't be used.
    """
    if await DB.fetchval("SELECT sandbox_id()") is not None:
        raise errors.Conflict("This deployment has a sandbox.", way_on="Reset it with `bedside sandbox reset`.")
    people, practice_id = platform.people, uuid7()
    email = checks.email(owner.email, ("email",))
    first, last = checks.name(owner.first_name, ("first_name",)), checks.name(owner.last_name, ("last_name",))
    policy.check(owner.password, (email, first, last), field="password")
    try:
        with acting(practice_id):
            async with unit():
                practice = await people.create_practice(NAME, zone=ZONE, practice_id=practice_id)
                await DB.fetchval("SELECT sandbox_make($1)", practice_id)
                account = await people.create_account(email, owner.password)
                await people.create_member(practice_id, account, first_name=first, last_name=last, role=Role.OWNER)
                await _sample_members(platform, practice_id)
                await _sample_patients(platform, practice_id)
                audit.did("sandbox.create", kind="practice", target=practice_id)
    except asyncpg.UniqueViolationError:
        raise errors.Conflict(f"There is an account with the address {email} already.", field=("email",)) from None
    return practice


async def reset(platform: Platform, practice_id: UUID | None = None) -> UUID:
    """Take away what was made in the sandbox and put the sample patients back, in one transaction.

    Its people, keys, applications, webhooks, settings, plan and audit trail stay.

    Args:
        platform: whose sandbox.
        practice_id: the practice that asks; by default whichever is the sandbox.

    Returns:
        The sandbox's id.

    Raises:
        errors.Forbidden: it is no sandbox.
        errors.NotFound: there is none.
    """
    sandbox: UUID | None = await DB.fetchval("SELECT sandbox_id()")
    if practice_id is not None and practice_id != sandbox:
        raise errors.Forbidden("This is for the deployment's sandbox alone.")
    if sandbox is None:
        raise errors.NotFound("This deployment has no sandbox.", way_on="Make it with `bedside sandbox create`.")
    kept = KEPT.union(*(manifest.kept_tables for manifest in platform.plugins.manifests.values()))
    with acting(sandbox):
        async with unit() as work:
            await DB.execute("SELECT sandbox_empty($1, $2)", sandbox, await _emptied(kept))
            await _sample_patients(platform, sandbox)
            audit.did("sandbox.reset", kind="practice", target=sandbox)
            await work.enqueue("core.remove_bytes", {})
    return sandbox


async def letters(actor: Actor, *, first: int | None, after: str | None) -> Page[Kept]:
    """Return what the sandbox would have sent, the newest first.

    Raises:
        errors.Forbidden: the actor's practice is no sandbox.
    """
    practice_id, _ = actor.in_practice()
    size, key = page_size(first), key_of(after, datetime, UUID)
    if not await DB.fetchval("SELECT practice_sandbox($1)", practice_id):
        raise errors.Forbidden("This is for the deployment's sandbox alone.")
    rows = await DB.fetch("SELECT * FROM sandbox_outbox($1, $2, $3, $4)", practice_id, size + 1, *(key or (None, None)))
    kept = [Kept(**dict(row)) for row in rows]
    return page_of(kept, size, lambda item: (item.sent_at.isoformat(), str(item.id)), after=after)


async def _sample_members(platform: Platform, practice_id: UUID) -> None:
    for member in _SAMPLE.members:
        if member.role is Role.OWNER:
            continue
        email = f"{member.email.partition('@')[0]}@sandbox.example"  # no mail arrives there (RFC 2606)
        account = await platform.people.create_account(email, secrets.token_urlsafe(32))
        await platform.people.create_member(
            practice_id, account, first_name=member.first_name, last_name=member.last_name, role=member.role
        )


async def _sample_patients(platform: Platform, practice_id: UUID) -> None:
    for patient in _SAMPLE.patients:
        await platform.people.create_patient(practice_id, dataclasses.replace(patient))


async def _emptied(kept: Collection[str]) -> Sequence[str]:
    """Return the tables that a reset empties, what refers to others first."""
    rows = await DB.fetch(
        "SELECT tablename FROM pg_policies WHERE schemaname = 'public' AND policyname = 'practice' ORDER BY 1"
    )
    tables = {row["tablename"] for row in rows if not row["tablename"].startswith("audit")} - set(kept)
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(sorted(tables), ()))
    for row in await DB.fetch(_FOREIGN_KEYS):
        if row["child"] in tables and row["parent"] in tables:
            order.add(row["parent"], row["child"])
    return list(order.static_order())
