"""Compares what people see with chat's small model: asked afresh, and by what they had and what has changed since."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection
from typing import Any
from uuid import UUID

from deployment import Deployment
from plugins.chat.devices import Device, State, device, state
from plugins.chat.talks import EVENTS, LIST, SEE, Talk, apply, position_of, replica_of, seen_of, state_of

from bedside_chat.receipts import TOLD
from bedside_core.database import DB, acting
from bedside_core.people import Practice

REACHED = """SELECT coalesce(max("position"), 0) FROM inbox_item
WHERE person_id = $1 AND kind = 'chat.conversation'"""
"""Position of the last conversation that a person's inbox tells of."""


class Seeing:
    """Keeps what each client has of the conversations it sees.

    Args:
        deployment: whom they ask.
        practice: whose the conversations are.
        members: its members, whose receipts only they see (C14).
    """

    def __init__(self, deployment: Deployment, practice: Practice, members: Collection[str]) -> None:
        self._deployment, self._practice, self._members = deployment, practice, members
        self._replicas: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
        self._inboxes: dict[str, tuple[str | None, State]] = {}

    async def check(self, person: str, token: str, talks: list[Talk]) -> None:
        """See that a token shows exactly these conversations, each as the model says."""
        listed = (await self._deployment.data(LIST, token))["conversations"]["nodes"]
        assert {each["id"] for each in listed} == {talk.id for talk in talks}
        hidden = () if person in self._members else self._members
        for talk in talks:
            fresh = (await self._deployment.data(SEE, token, i=talk.id))["conversation"]
            assert seen_of(fresh) == talk.seen(person, hidden)
            await self._replay(person, token, talk, fresh, hidden)

    async def check_inbox(self, person: str, token: str, talks: list[Talk]) -> None:
        """See that what the inbox has told since is all that has changed, and that the badges are the model's."""
        fetched = await state(self._deployment, token)
        counts: dict[str, tuple[int, int]] = {}
        for talk in talks:
            seen, (unread, urgent) = talk.seen(person, ()), counts.get(talk.kind.upper(), (0, 0))
            counts[talk.kind.upper()] = unread + seen["unread"], urgent + seen["urgent"]
        assert fetched[1] == {kind: count for kind, count in counts.items() if count != (0, 0)}
        if person not in self._inboxes:
            async with device(self._deployment, token) as opened:
                assert opened.state == fetched
                self._inboxes[person] = opened.cursor, opened.state
            return
        cursor, before = self._inboxes[person]
        with acting(self._practice.id):
            reached = await DB.fetchval(REACHED, UUID(person))
        async with self._deployment.socket(token) as socket:
            kept = Device(self._deployment, token, socket)
            kept.state = before
            await kept.begin(cursor)
            while things(kept.cursor) < reached:
                await kept.take()
        assert kept.state == fetched
        self._inboxes[person] = kept.cursor, kept.state

    async def _replay(
        self, person: str, token: str, talk: Talk, fresh: dict[str, Any], hidden: Collection[str]
    ) -> None:
        if (person, talk.id) in self._replicas:
            cursor, replica = self._replicas[person, talk.id]
            newest = await self._newest(talk, receipts=not hidden)
            async with self._deployment.socket(token) as socket:
                follow = await socket.subscribe(EVENTS, i=talk.id, a=cursor)
                at = position_of(cursor)
                while at < newest:
                    event = (await socket.next(follow))["conversationEvents"]
                    apply(replica, event, hidden)
                    at = position_of(event["cursor"])
            assert state_of(replica) == state_of(replica_of(fresh))
        self._replicas[person, talk.id] = fresh["cursor"], replica_of(fresh)

    async def _newest(self, talk: Talk, *, receipts: bool) -> int:
        changed = "changed" if receipts else TOLD
        with acting(self._practice.id):
            return await DB.fetchval(
                f"""SELECT greatest((SELECT max({changed}) FROM message WHERE conversation_id = $1),
                    (SELECT max({changed}) FROM participant WHERE conversation_id = $1),
                    (SELECT changed FROM conversation WHERE id = $1))""",
                UUID(talk.id),
            )


def things(cursor: str | None) -> int:
    """Return the position in the inbox that a cursor of it holds."""
    assert cursor is not None
    return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[1]
