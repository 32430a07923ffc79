"""What the verbs on people share: the clock, the settings, and making a thing once for a client id (G9)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec

from bedside_core import errors
from bedside_core.auth import Actor
from bedside_core.clock import Clock
from bedside_core.database import DB, Work, unit
from bedside_core.ids import uuid7
from bedside_core.live import Topic
from bedside_core.people.model import PRACTICE_STREAM
from bedside_core.people.settings import PeopleSettings
from bedside_core.settings import Settings

BY_NAME = """($2::text IS NULL OR (last_name, first_name, id) > ($2, $3, $4))
    ORDER BY last_name, first_name, id LIMIT $1"""
"""The end of a statement that reads a page by name: $1 the size, $2 to $4 the key."""


class Base:
    """What the verbs on people are given.

    Args:
        clock: the product's time.
        settings: reads what practices have set.
    """

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings

    async def regions(self) -> tuple[str, ...]:
        """Return the regions of the acting practice's telephone numbers (P4)."""
        return (await self._settings.read(PeopleSettings)).phone_regions

    async def once(
        self,
        actor: Actor,
        action: str,
        client_id: str,
        content: object,
        make: Callable[[UUID, Work], Awaitable[UUID]],
    ) -> UUID:
        """Make something, unless this client id has made it already (G9).

        Args:
            actor: who makes it; a client id counts for one person and action.
            action: what is made.
            client_id: the client's own id of it.
            content: what was asked for; a retry asks for the same.
            make: given a new id and the unit of work, makes it and returns its id, which may be an older one.

        Returns:
            The id of what was made, now or at first.

        Raises:
            errors.Conflict: the client id was used with other content.
        """
        practice_id, person_id = actor.in_practice()
        digest = hashlib.sha256(msgspec.json.encode(content, order="deterministic")).digest()
        key = (practice_id, person_id, action, client_id)
        async with unit() as work:
            # Of two at once the second waits here for the first to be committed, and then finds what it made.
            fresh = await DB.fetchval(
                """INSERT INTO creation (practice_id, person_id, action, client_id, made_id, digest)
                VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING made_id""",
                *key,
                uuid7(),
                digest,
            )
            if fresh is not None:
                made: UUID = await make(fresh, work)
                if made != fresh:
                    await DB.execute(
                        """UPDATE creation SET made_id = $5
                        WHERE practice_id = $1 AND person_id = $2 AND action = $3 AND client_id = $4""",
                        *key,
                        made,
                    )
                return made
            row = await DB.fetchrow(
                """SELECT made_id, digest FROM creation
                WHERE practice_id = $1 AND person_id = $2 AND action = $3 AND client_id = $4""",
                *key,
            )
        if row is None or row["digest"] != digest:
            raise errors.Conflict("This clientId was used with other content.", field=("clientId",))
        return row["made_id"]


async def raise_positions(work: Work, *practice_ids: UUID) -> None:
    """Tell, once the unit is committed, that rights in these practices have changed: open sockets look again."""
    for row in await DB.fetch("SELECT * FROM practices_changed($1)", list(practice_ids)):
        work.publish(Topic(PRACTICE_STREAM, row["id"]), row["position"])


def changes_of(patch: dict[str, Any], before: object) -> dict[str, Any]:
    """Return what of a patch differs from what is there."""
    return {name: value for name, value in patch.items() if getattr(before, name) != value}
