"""Tells inboxes, in the transaction of what they are told of, and follows one (C16)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID
from weakref import WeakKeyDictionary

from bedside_core.access import EVERYONE, PATIENTS, Permission
from bedside_core.auth import Actor
from bedside_core.database import DB, Work
from bedside_core.inbox.following import BATCH, Gap, Happened, Item, Items, Opened, PracticeMoved, place_of, read
from bedside_core.live import Topic
from bedside_core.people import PRACTICE_STREAM

if TYPE_CHECKING:
    from bedside_core.platform import Platform

INBOX_STREAM = "inbox"
"""Kind of live stream of a person's inbox; its position counts the changes of what concerns them."""

PERMISSIONS = (Permission(key="inbox.follow", doc="Follow what concerns oneself, live.", roles=EVERYONE | PATIENTS),)

_TELL = "SELECT * FROM inbox_tell($1, $2, $3, $4)"

MERGED = "core.merged"
"""A kind of thing that nobody loads."""

_Told = tuple[UUID, str, UUID]
"""Person, kind, thing."""


async def positions(person_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """Return how far people's inboxes have come, across practices."""
    rows = await DB.fetch("SELECT * FROM inbox_positions($1)", list(person_ids))
    return {row["id"]: row["position"] for row in rows}


async def _merge(keep: UUID, merged: UUID) -> None:
    await DB.execute('UPDATE inbox SET floor = "position" WHERE person_id = $1', keep)
    await DB.execute("DELETE FROM inbox WHERE person_id = $1", merged)


class Inbox:
    """The inboxes of all people.

    Args:
        platform: access, clock and live streams.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._gathered: WeakKeyDictionary[Work, dict[_Told, None]] = WeakKeyDictionary()

    def tell(self, work: Work, kind: str, subject_id: UUID, person_ids: Iterable[UUID]) -> None:
        """Tell people, if the unit of work is committed, that a thing which concerns them has changed.

        All that a unit tells, in its steps at the end too, is written after them in one statement that locks the
        inboxes in the order of their people's ids, so that units which tell the same people never wait in a circle.

        Args:
            work: the unit of work that changes the thing.
            kind: the kind of thing, as it is contributed to the schema (`GraphQLPart.inbox`), with the plugin's name in
                front: `chat.conversation`.
            subject_id: which thing.
            person_ids: members and patients, of any practice; others have no inbox and are left out.
        """
        told = self._gathered.get(work)
        if told is None:
            told = self._gathered[work] = {}
            work.at_the_end(partial(self._write, work), last=True)
        told.update(dict.fromkeys((person_id, kind, subject_id) for person_id in person_ids))

    def merge(self, work: Work, keep: UUID, merged: UUID) -> None:
        """Have whoever follows a patient's inbox reload, if the unit is committed: it is another record's, too, then.

        Args:
            work: the unit of work that merges the records.
            keep: the patient whose record is kept.
            merged: the one whose inbox goes.
        """
        # Told like others, so that both inboxes are locked among theirs in the one order.
        self.tell(work, MERGED, keep, (keep, merged))
        work.at_the_end(partial(_merge, keep, merged), last=True)

    async def _write(self, work: Work) -> None:
        told = list(self._gathered.pop(work, ()))
        if told:
            persons, kinds, subjects = (list(each) for each in zip(*told, strict=True))
            for row in await DB.fetch(_TELL, persons, kinds, subjects, self._platform.clock.now()):
                work.publish(Topic(INBOX_STREAM, row["id"]), row["position"])

    async def follow(self, actor: Actor, after: str | None, kinds: Collection[str]) -> AsyncGenerator[Happened, None]:
        """Follow the actor's inbox live; first what has changed beyond the cursor, then what changes.

        Args:
            actor: whose inbox.
            after: cursor of the last event the client has; without it the stream begins with `Opened`.
            kinds: kinds of things that somebody can load; others are passed over.

        Raises:
            errors.Problem: the refusal, at the start or later.
        """
        practice_id, person_id = actor.as_person()
        bell, live = asyncio.Event(), self._platform.live
        given = place_of(after)
        await self._platform.access.require(actor, "inbox.follow")
        with ExitStack() as attached:
            # Followed before it is looked at: whatever is committed after the look rings.
            for topic in (Topic(INBOX_STREAM, person_id), Topic(PRACTICE_STREAM, practice_id)):
                attached.callback(live.watch(topic, lambda position: bell.set()).close)
            found = await read(practice_id, person_id, 0, (), 0)
            here = given or found.end
            if given is None:
                yield Opened(cursor=here.cursor)
            elif given.person_id != person_id or given.things > found.end.things or given.practice > found.end.practice:
                here = found.end  # another person's, or of before a backup was put back
                yield Gap(cursor=here.cursor)
            while True:
                bell.clear()
                await self._platform.access.require(actor, "inbox.follow")
                found = await read(practice_id, person_id, here.things, kinds)
                if here.things < found.floor:
                    here = found.end
                    yield Gap(cursor=here.cursor)
                    continue
                if found.end.practice > here.practice:
                    here = replace(here, practice=found.end.practice)
                    yield PracticeMoved(cursor=here.cursor)
                if found.things:
                    yield Items(
                        items=tuple(
                            Item(kind=kind, subject_id=subject_id, cursor=replace(here, things=place).cursor)
                            for kind, subject_id, place in found.things
                        )
                    )
                if len(found.things) < BATCH:
                    here = found.end
                    await bell.wait()
                else:
                    here = replace(here, things=found.things[-1][2])
