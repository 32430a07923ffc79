"""Compares what people see with chat's small model: asked afresh, and by what they had and what has changed since."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from deployment import Deployment
from plugins.chat.talks import EVENTS, LIST, SEE, Talk, apply, position_of, replica_of, seen_of, state_of

from bedside_core.database import DB, acting
from bedside_core.people import Practice


class Seeing:
    """Keeps what each client has of the conversations it sees.

    Args:
        deployment: whom they ask.
        practice: whose the conversations are.
    """

    def __init__(self, deployment: Deployment, practice: Practice) -> None:
        self._deployment, self._practice = deployment, practice
        self._replicas: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}

    async def check(self, person: str, token: str, talks: list[Talk]) -> None:
        """See that a token shows exactly these conversations, each as the model says."""
        listed = (await self._deployment.data(LIST, token))["conversations"]["nodes"]
        assert {each["id"] for each in listed} == {talk.id for talk in talks}
        for talk in talks:
            fresh = (await self._deployment.data(SEE, token, i=talk.id))["conversation"]
            assert seen_of(fresh) == talk.seen(person)
            await self._replay(person, token, talk, fresh)

    async def _replay(self, person: str, token: str, talk: Talk, fresh: dict[str, Any]) -> None:
        if (person, talk.id) in self._replicas:
            cursor, replica = self._replicas[person, talk.id]
            newest = await self._newest(talk)
            async with self._deployment.socket(token) as socket:
                follow = await socket.subscribe(EVENTS, i=talk.id, a=cursor)
                at = position_of(cursor)
                while at < newest:
                    event = (await socket.next(follow))["conversationEvents"]
                    apply(replica, event)
                    at = position_of(event["cursor"])
            assert state_of(replica) == state_of(replica_of(fresh))
        self._replicas[person, talk.id] = fresh["cursor"], replica_of(fresh)

    async def _newest(self, talk: Talk) -> int:
        with acting(self._practice.id):
            return await DB.fetchval(
                """SELECT greatest((SELECT max(changed) FROM message WHERE conversation_id = $1),
                    (SELECT max(changed) FROM participant WHERE conversation_id = $1),
                    (SELECT changed FROM conversation WHERE id = $1))""",
                UUID(talk.id),
            )
