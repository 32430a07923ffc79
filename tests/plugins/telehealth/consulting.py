"""A practice whose people meet by video, for tests of sessions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from deployment import Bearer, Deployment, Held, Person, served

from bedside_core.auth import Role
from bedside_core.people import Practice
from bedside_core.testing import Database

HOST = "mutation($m: ID!, $e: Boolean!) { setVideoHost(memberId: $m, enabled: $e) { id } }"
WAITS = "mutation($m: ID!, $e: Boolean!) { setWaitingRoom(memberId: $m, enabled: $e) }"
DRAFT = "{ videoSessionDraft { draft links { guest participant } } }"
FIELDS = """id name access endedAt inside waiting aboutPatientId own { id role place listed }
  participants(first: 100) { nodes { id personId name kind label role place listed } }"""
CREATE = f"""mutation($i: VideoSessionInput!, $k: Boolean! = true, $c: String!) {{
  createVideoSession(input: $i, confirmAnyoneWithLink: $k, clientId: $c) {{ {FIELDS} }} }}"""
SESSION = f"query($i: ID!) {{ videoSession(id: $i) {{ {FIELDS} }} }}"
SESSIONS = """query($t: String! = "", $e: Boolean! = false, $n: Int, $a: String) {
  videoSessions(text: $t, ended: $e, first: $n, after: $a) {
    nodes { id name inside waiting own { role place } } pageInfo { hasNextPage endCursor } } }"""
CHANGE = f"""mutation($i: ID!, $p: VideoSessionPatch!, $k: Boolean! = false) {{
  changeVideoSession(sessionId: $i, patch: $p, confirmAnyoneWithLink: $k) {{ {FIELDS} }} }}"""
LINKS = "query($i: ID!) { videoSessionLinks(sessionId: $i) { guest participant } }"
RENEW = "mutation($i: ID!) { renewVideoLink(sessionId: $i) { guest participant } }"
END = "mutation($i: ID!) { endVideoSession(sessionId: $i) { endedAt } }"
ADD = f"""mutation($i: ID!, $p: [VideoParticipantInput!]!) {{
  addVideoParticipants(sessionId: $i, participants: $p) {{ {FIELDS} }} }}"""
ROLE = f"""mutation($i: ID!, $p: ID!, $r: VideoRole!) {{
  setVideoRole(sessionId: $i, participantId: $p, role: $r) {{ {FIELDS} }} }}"""
REMOVE = f"mutation($i: ID!, $p: ID!) {{ removeVideoParticipant(sessionId: $i, participantId: $p) {{ {FIELDS} }} }}"
PLACE_FIELDS = "participant { id name role place listed } ahead ended"
JOIN = f"""mutation($i: ID!) {{
  joinVideoSession(sessionId: $i) {{ seat place {{ {PLACE_FIELDS} }} session {{ {FIELDS} }} }} }}"""
LEAVE = "mutation($i: ID!, $s: String) { leaveVideoSession(sessionId: $i, seat: $s) }"
ADMIT = f"mutation($i: ID!, $p: [ID!]) {{ admitToVideo(sessionId: $i, participantIds: $p) {{ {FIELDS} }} }}"
DECLINE = f"mutation($i: ID!, $p: ID!) {{ declineVideoParticipant(sessionId: $i, participantId: $p) {{ {FIELDS} }} }}"
SEND_BACK = f"mutation($i: ID!, $p: ID!) {{ sendToWaitingRoom(sessionId: $i, participantId: $p) {{ {FIELDS} }} }}"
PLACE = f"query($i: ID!) {{ videoPlace(sessionId: $i) {{ {PLACE_FIELDS} }} }}"
PLACES = f"subscription($i: ID!, $s: String) {{ videoPlaceChanged(sessionId: $i, seat: $s) {{ {PLACE_FIELDS} }} }}"
EVENTS = """subscription($i: ID!, $a: String) { videoSessionEvents(sessionId: $i, after: $a) {
  __typename
  ... on VideoSessionChanged { cursor session { name access } }
  ... on VideoSessionOver { cursor session { endedAt } }
  ... on VideoParticipantChanged { cursor participant { id name role place } }
  ... on VideoParticipantGone { cursor participantId } } }"""
_numbers = count()


@dataclass(frozen=True)
class Visitor:
    """Somebody who came by a guest link.

    Args:
        id: the participant's.
        session_id: the one session.
        token: the bearer.
        rejoin: by what their browser is known.
    """

    id: str
    session_id: str
    token: str
    rejoin: str


@dataclass
class Consulting:
    """The practice, its people, and what they do."""

    deployment: Deployment
    database: Database
    practice: Practice
    owner: Person
    host: Person
    """Who may host video."""
    colleague: Person
    patient: Held

    async def create(self, by: Person | None = None, **given: Any) -> dict[str, Any]:
        """Create a session, by default of the host's, by invitation."""
        token = (by or self.host).token
        made = await self.deployment.data(CREATE, token, i={"name": "Round", **given}, c=client_id())
        return made["createVideoSession"]

    async def seen(self, session_id: str, by: Bearer | None = None) -> dict[str, Any]:
        """Return a session as somebody sees it, by default the host."""
        return (await self.deployment.data(SESSION, (by or self.host).token, i=session_id))["videoSession"]

    async def join(self, session_id: str, by: Bearer) -> dict[str, Any]:
        """Come to a session."""
        return (await self.deployment.data(JOIN, by.token, i=session_id))["joinVideoSession"]

    async def secret(self, session_id: str) -> str:
        """Return the secret of a session's guest link."""
        links = (await self.deployment.data(LINKS, self.host.token, i=session_id))["videoSessionLinks"]
        return links["guest"].partition("#")[2]

    async def exchange(self, secret: str, name: str | None = None, **given: Any) -> httpx.Response:
        """Exchange a guest link's secret."""
        headers = {"authorization": f"Bearer {given.pop('token')}"} if "token" in given else {}
        asked = {"secret": secret, **({} if name is None else {"name": name}), **given}
        return await self.deployment.http.post("/telehealth/visit/exchange", json=asked, headers=headers)

    async def visitor(self, session_id: str, name: str = "Vic Guest") -> Visitor:
        """Have somebody come by the guest link."""
        told = (await self.exchange(await self.secret(session_id), name)).json()
        return Visitor(told["participantId"], told["sessionId"], told["token"], told["rejoin"])

    async def make_host(self, member: Person) -> None:
        """Have the owner let a member host video."""
        await self.deployment.data(HOST, self.owner.token, m=member.id, e=True)

    async def waiting_room(self, member: Person | None = None) -> None:
        """Switch the waiting room on for a member's sessions, by default the host's."""
        await self.deployment.data(WAITS, self.owner.token, m=(member or self.host).id, e=True)

    async def rows(self, session_id: str) -> list[tuple[Any, ...]]:
        """Return all that is stored of a session, to see that nothing has changed."""
        owner = await asyncpg.connect(self.database.owner_dsn)
        try:
            first = await owner.fetch("SELECT * FROM video_session WHERE id = $1", UUID(session_id))
            rest = await owner.fetch(
                "SELECT * FROM video_participant WHERE session_id = $1 ORDER BY id", UUID(session_id)
            )
            return [tuple(row.values()) for row in [*first, *rest]]
        finally:
            await owner.close()

    async def count(self, table: str) -> int:
        """Return how many rows a table has."""
        owner = await asyncpg.connect(self.database.owner_dsn)
        try:
            return await owner.fetchval(f"SELECT count(*) FROM {table}")
        finally:
            await owner.close()


def client_id() -> str:
    """Return one that was not used yet."""
    return f"v-{next(_numbers)}"


def of(session: dict[str, Any], person_id: str) -> dict[str, Any]:
    """Return a participant of a session as it was told."""
    [found] = [each for each in session["participants"]["nodes"] if person_id in (each["personId"], each["id"])]
    return found


@asynccontextmanager
async def consulting(database: Database, **config: Any) -> AsyncGenerator[Consulting]:
    """Serve the practice."""
    async with served(database, **config) as deployment:
        practice = await deployment.practice()
        owner = await deployment.person(practice, Role.OWNER, "Olga")
        host, colleague = await deployment.person(practice, name="Hal"), await deployment.person(practice, name="Cleo")
        patient = await deployment.held(practice)
        made = Consulting(deployment, database, practice, owner, host, colleague, patient)
        await made.make_host(host)
        yield made
