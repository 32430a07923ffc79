"""API keys for front-end teams and partners: named, scoped, expiring, revocable, told once (A13)."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.auth.actor import Actor, Role
from bedside_core.auth.tokens import SESSION_STREAM, token_hash
from bedside_core.clock import Clock
from bedside_core.database import DB, Row, unit
from bedside_core.ids import uuid7
from bedside_core.live import Topic
from bedside_core.paging import Page, key_of, page_of, page_size

if TYPE_CHECKING:
    from bedside_core.access import Access

PREFIX = "bedside_key_"
"""What every key begins with, for people and for programs that look for leaked ones."""
TEST_PREFIX = f"{PREFIX}test_"
"""What the sandbox's keys begin with (G8)."""
LONGEST = timedelta(days=731)
"""The longest time a key may be given."""
_LONGEST_NAME = 100
_MOST_SCOPES = 100


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key, as the practice's leaders see it.

    Args:
        id: the key's.
        member_id: who made it; it ends with them.
        name: what it is for.
        scopes: the permissions it is confined to.
        created_at: when it was made.
        expires_at: when it ends by itself.
        last_used_at: when it was used last, to a minute.
        revoked_at: when it was revoked.
    """

    id: UUID
    member_id: UUID
    name: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def is_for_people(permission: str) -> bool:
    """Tell whether a permission is never a key's or an application's: inviting, granting, keys, one's own account …"""
    part, _, verb = permission.partition(".")
    return verb in {"invite", "grant"} or part in {"account", "applications", "keys", "plans"}


async def key_actor(token: str, now: datetime) -> Actor | None:
    """Return who a key stands for: its maker, confined to its scopes. One statement."""
    row = await DB.fetchrow("SELECT * FROM auth_key($1, $2)", token_hash(token), now)
    if row is None:
        return None
    return Actor(
        account_id=row["account_id"],
        session_id=row["key_id"],
        role=Role(row["role"]),
        practice_id=row["practice_id"],
        member_id=row["member_id"],
        key_id=row["key_id"],
        scopes=frozenset(row["scopes"]),
    )


class Keys:
    """Makes, lists and revokes a practice's keys. Rights are the caller's to have asked (`keys.*`).

    Args:
        clock: the product's time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def create(
        self, access: Access, actor: Actor, *, name: str, scopes: Collection[str], expires_at: datetime, client_id: str
    ) -> tuple[ApiKey, str | None]:
        """Make a key.

        Args:
            access: knows the permissions there are.
            actor: the maker.
            name: what it is for, 1 to 100 characters.
            scopes: permissions that the maker has.
            expires_at: when it ends, two years from now at the latest.
            client_id: a repeated one gives the first key.

        Returns:
            The key, and its token, told this once: None where the client id was used before.

        Raises:
            errors.InvalidInput: no name, a scope that the maker has not or that no key has, or a time out of range.
            errors.Conflict: the client id was used with other content.
        """
        practice_id, member_id = actor.in_practice()
        now, called, wanted = self._clock.now(), name.strip(), sorted(set(scopes))
        if not 1 <= len(called) <= _LONGEST_NAME:
            raise errors.InvalidInput(f"A key has a name of 1 to {_LONGEST_NAME} characters.", field=("name",))
        if not now < expires_at <= now + LONGEST:
            raise errors.InvalidInput("A key ends within two years.", field=("expires_at",))
        if not 1 <= len(wanted) <= _MOST_SCOPES:
            raise errors.InvalidInput(f"A key has 1 to {_MOST_SCOPES} scopes.", field=("scopes",))
        for scope in wanted:
            permission = access.permissions.get(scope)
            if permission is None or is_for_people(scope) or actor.role not in permission.roles:
                raise errors.InvalidInput(
                    f"A key of yours can't have the scope {scope[:100]!r}.",
                    way_on="Take permissions that you have, none of inviting, granting, keys, plans or accounts.",
                    field=("scopes",),
                )
        sandbox = await DB.fetchval("SELECT practice_sandbox($1)", practice_id)
        key_id, token = uuid7(), (TEST_PREFIX if sandbox else PREFIX) + secrets.token_urlsafe(32)
        async with unit():
            made = await DB.fetchval(
                "SELECT api_key_make($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                key_id, practice_id, member_id, client_id, called, wanted, token_hash(token), now, expires_at,
            )  # fmt: skip
            if made:
                audit.did("keys.make", kind="api_key", target=key_id, detail={"scopes": wanted})
        [row] = await DB.fetch("SELECT * FROM api_keys($1, $2, $3, 1, NULL)", practice_id, client_id, member_id)
        key = _key(row)
        if not made and (key.name, list(key.scopes), key.expires_at) != (called, wanted, expires_at):
            raise errors.Conflict("This clientId was used for another key.", field=("client_id",))
        return key, token if made else None

    async def page(self, actor: Actor, *, first: int | None, after: str | None) -> Page[ApiKey]:
        """Return the practice's keys, the newest first, those that have ended too."""
        practice_id, _ = actor.in_practice()
        size, key = page_size(first), key_of(after, UUID)
        rows = await DB.fetch(
            "SELECT * FROM api_keys($1, NULL, NULL, $2, $3)", practice_id, size + 1, *(key or (None,))
        )
        return page_of([_key(row) for row in rows], size, lambda item: (str(item.id),), after=after)

    async def revoke(self, actor: Actor, key_id: UUID) -> None:
        """End a key on every process: HTTP at once, sockets within a second.

        Raises:
            errors.NotFound: the practice has no such key.
        """
        practice_id, _ = actor.in_practice()
        async with unit() as work:
            if not await DB.fetchval("SELECT api_key_revoke($1, $2, $3)", key_id, practice_id, self._clock.now()):
                raise errors.NotFound("There is no key with this id that you may see.")
            work.publish(Topic(SESSION_STREAM, key_id), 1)
            audit.did("keys.revoke", kind="api_key", target=key_id)

    async def still_given(self, actor: Actor) -> bool:
        """Tell whether the key or the application by which an actor once acted is still theirs (A13, G1).

        Whoever acted in our own client may have signed out since: what they began goes on.
        """
        if actor.key_id is None and actor.application_id is None:
            return True
        return await DB.fetchval("SELECT auth_still_given($1, $2)", actor.session_id, self._clock.now())


def _key(row: Row) -> ApiKey:
    return ApiKey(**{name: row[name] for name in ApiKey.__dataclass_fields__})
