"""Notifications in the application: shown, followed live, and marked as read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from bedside_core import errors
from bedside_core.auth import Actor
from bedside_core.database import DB, Row, Work, unit
from bedside_core.live import Topic, follow
from bedside_core.notify.kinds import Channel, Language
from bedside_core.notify.preferences import NONE, preferences
from bedside_core.notify.settings import NotificationSettings
from bedside_core.notify.wording import said, wording
from bedside_core.paging import Page, key_of, page_of, page_size

if TYPE_CHECKING:
    from bedside_core.platform import Platform

STREAM = "notifications"
"""Kind of live stream of a person's notifications; the position grows with each, and with each that is read."""

_REPLAY = 100
_MOVED = """
WITH box AS (
    INSERT INTO notification_box AS b (practice_id, person_id, "position") VALUES ($1, $2, 1)
    ON CONFLICT (practice_id, person_id) DO UPDATE SET "position" = b."position" + 1 RETURNING b."position"
)
"""
_SHOWN = 'SELECT notification_id, "position", kind, facts, shown_at, read_at FROM notification_shown'
_MINE = f"{_SHOWN} WHERE notification_id = $1 AND person_id = $2 AND kind = ANY($3)"


@dataclass(frozen=True, kw_only=True)
class Notification:
    """A notification as it is shown to its recipient."""

    id: UUID
    position: int
    kind: str
    title: str
    text: str
    link: str | None
    shown_at: datetime
    read_at: datetime | None


async def positions(person_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """Return how far people's notifications have come, across practices."""
    rows = await DB.fetch("SELECT * FROM notify_positions($1)", list(person_ids))
    return {row["id"]: row["position"] for row in rows}


async def show(work: Work, practice_id: UUID, person_id: UUID | None, row: Row, now: datetime) -> None:
    """Show a notification to a person, or again when something was added to it."""
    if person_id is None:
        return
    position = await DB.fetchval(
        f"""{_MOVED} INSERT INTO notification_shown
            (practice_id, notification_id, person_id, "position", kind, facts, items, shown_at)
        SELECT $1, $3, $2, "position", $4, $5, $6, $7 FROM box
        ON CONFLICT (practice_id, notification_id) DO UPDATE SET "position" = excluded."position",
            facts = excluded.facts, items = excluded.items, shown_at = excluded.shown_at, read_at = NULL
        RETURNING "position" """,
        practice_id,
        person_id,
        row["id"],
        row["kind"],
        msgspec.json.encode(row["facts"]).decode(),
        row["items"],
        now,
    )
    work.publish(Topic(STREAM, person_id), position)


class Shown:
    """Reads a person's notifications.

    Args:
        platform: clock, people, settings and live streams.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def page(self, actor: Actor, *, unread: bool, first: int | None, after: str | None) -> Page[Notification]:
        """Return the actor's notifications, the newest first."""
        _, person_id = actor.as_person()
        size, key = page_size(first), key_of(after, UUID)
        rows = await DB.fetch(
            f"""{_SHOWN} WHERE person_id = $1 AND ($2::uuid IS NULL OR notification_id < $2)
                AND (NOT $3 OR read_at IS NULL) AND kind = ANY($5) ORDER BY notification_id DESC LIMIT $4""",
            person_id,
            key[0] if key else None,
            unread,
            size + 1,
            list(self._platform.notify.kinds),
        )
        return page_of(await self._worded(actor, rows), size, lambda item: (str(item.id),), after=after)

    async def read(self, actor: Actor, notification_id: UUID) -> Notification:
        """Mark a notification as read; what of it still waits to go out by mail or otherwise, goes no more (N3).

        Raises:
            errors.NotFound: it is none of the actor's.
        """
        practice_id, person_id = actor.as_person()
        now, known = self._platform.clock.now(), list(self._platform.notify.kinds)
        async with unit() as work:
            row = await DB.fetchrow(f"{_MINE} FOR UPDATE", notification_id, person_id, known)
            if row is None:
                raise errors.NotFound("There is no notification with this id that you may see.")
            if row["read_at"] is None:
                position = await DB.fetchval(
                    f"""{_MOVED} UPDATE notification_shown SET read_at = $4, "position" = box."position" FROM box
                    WHERE notification_id = $3 RETURNING box."position" """,
                    practice_id,
                    person_id,
                    notification_id,
                    now,
                )
                await DB.execute(
                    """UPDATE notification_delivery SET state = 'cancelled', ended_at = $2
                    WHERE notification_id = $1 AND state = 'waiting'""",
                    notification_id,
                    now,
                )
                work.publish(Topic(STREAM, person_id), position)
                row = await DB.fetchrow(_MINE, notification_id, person_id, known)
        return (await self._worded(actor, [row] if row else []))[0]

    async def added(self, actor: Actor, after: str | None) -> AsyncGenerator[Notification, None]:
        """Follow the actor's notifications live: each new one, and each again once it is read.

        Args:
            actor: whose.
            after: cursor of the last one the client has; without it the stream begins with the next.

        Raises:
            errors.Problem: the refusal, at the start or later.
        """
        _, person_id = actor.as_person()
        key = key_of(after, int)
        position = (await positions([person_id])).get(person_id, 0)
        cursor = position if key is None else key[0]
        if cursor > position:
            raise errors.InvalidInput("This cursor is beyond the last notification.", field=("after",))

        async def read(position: int) -> list[tuple[int, Notification]]:
            await self._platform.access.require(actor, "notifications.own")
            rows = await DB.fetch(
                f'{_SHOWN} WHERE person_id = $1 AND "position" > $2 ORDER BY "position" LIMIT $3',
                person_id,
                position,
                _REPLAY,
            )
            return [(item.position, item) for item in await self._worded(actor, rows)]

        async with aclosing(follow(self._platform.live, Topic(STREAM, person_id), read, cursor)) as found:
            async for notification in found:
                yield notification

    async def _worded(self, actor: Actor, rows: Sequence[Row]) -> list[Notification]:
        """Put notifications into the reader's words, in a fixed number of statements."""
        if not rows:
            return []
        notify = self._platform.notify
        practice_id, person_id = actor.as_person()
        practice = await self._platform.people.practice(practice_id)
        chosen = (await preferences([person_id])).get(person_id, NONE)
        settings = await self._platform.settings.read(NotificationSettings)
        language = chosen.language or (Language.SPANISH if settings.spanish else Language.ENGLISH)
        own = await wording()
        name, zone = (practice.name, chosen.zone or practice.zone) if practice else ("", "UTC")
        found: list[Notification] = []
        for row in rows:
            kind = notify.kinds.get(row["kind"])
            if kind is None:  # of a plugin that is not active: nobody could say what it means
                continue
            facts = notify.told(row["facts"], name, zone)
            words = said(kind, Channel.IN_APP, own.get((kind.key, language), {}), facts, language=language)
            found.append(
                Notification(
                    id=row["notification_id"],
                    position=row["position"],
                    kind=row["kind"],
                    title=words.subject,
                    text=words.text,
                    link=row["facts"].get("link"),
                    shown_at=row["shown_at"],
                    read_at=row["read_at"],
                )
            )
        return found
