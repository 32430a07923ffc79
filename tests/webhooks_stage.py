"""A receiver of webhooks on this machine, and what tests of webhooks ask for."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from deployment import Deployment, Person

from bedside_core.database import DB, acting
from bedside_core.testing import until

CREATE = """mutation($u: String!, $t: [String!]!, $c: String!) { createWebhook(url: $u, types: $t, clientId: $c) {
    secret webhook { id url types enabled oldSecretUntil } } }"""
LOG = """query($i: ID!, $f: Int, $a: String) { webhookDeliveries(webhookId: $i, first: $f, after: $a) {
    nodes { id messageId type state attempts status reason milliseconds nextAttemptAt endedAt body }
    pageInfo { endCursor hasNextPage } } }"""
CONTACT = "mutation($i: ContactInput!, $c: String!) { addContact(input: $i, clientId: $c) { id } }"
LOOPBACK = ("127.0.0.0/8",)
_numbers = itertools.count()


@dataclass(frozen=True)
class Received:
    """A request that the receiver got."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        """What it tells."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """An HTTP server that takes down what it gets and answers as it is told."""

    port: int = 0
    scheme: str = "http"
    answers: list[bytes | None] = field(default_factory=list[bytes | None])
    """What the next requests are answered with; None hangs up. Then 204."""
    got: list[Received] = field(default_factory=list[Received])
    connections: int = 0

    def url(self, host: str = "127.0.0.1") -> str:
        """Where it listens, by whatever name."""
        return f"{self.scheme}://{host}:{self.port}/hooks?of=us"

    def refuse(self, *statuses: int) -> None:
        """Answer the next requests so."""
        self.answers += [f"HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n".encode() for status in statuses]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip("\r\n").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.got.append(Received(first.split(" ")[1], headers, body))
            answer = self.answers.pop(0) if self.answers else b"HTTP/1.1 204 Fine\r\n\r\n"
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncGenerator[Receiver]:
    """Listen on a free port of this machine."""
    receiver = Receiver(scheme="https" if tls else "http")
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


@dataclass
class Hook:
    """A webhook of a practice, and its owner."""

    deployment: Deployment
    owner: Person
    id: str
    secret: str

    async def happens(self, by: Person | None = None) -> str:
        """Have a contact added and return its id."""
        number = next(_numbers)
        given = {"firstName": "Con", "lastName": "Tact", "email": f"con{number}@example.org"}
        added = await self.deployment.data(CONTACT, (by or self.owner).token, i=given, c=f"n{number}")
        return added["addContact"]["id"]

    async def log(self) -> list[dict[str, Any]]:
        """Return the deliveries, the newest first."""
        return (await self.deployment.data(LOG, self.owner.token, i=self.id))["webhookDeliveries"]["nodes"]

    async def ended(self, state: str) -> dict[str, Any]:
        """Wait until the newest delivery has this state and return it."""
        return await self._newest(lambda row: row["state"] == state, f"a delivery that is {state}")

    async def tried(self, times: int) -> dict[str, Any]:
        """Wait until the newest delivery was tried so often and its outcome is written down; return it."""
        return await self._newest(
            lambda row: row["attempts"] == times and row["claimed_until"] is None, f"attempt {times} to be over"
        )

    async def _newest(self, holds: Callable[[Any], bool], what: str) -> dict[str, Any]:
        async def there() -> bool:
            with acting(self.owner.member.practice_id):
                row = await DB.fetchrow(
                    "SELECT * FROM webhook_delivery WHERE endpoint_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1",
                    UUID(self.id),
                )
            return row is not None and holds(row)

        await until(there, what, 60)
        return (await self.log())[0]

    async def later(self, by: timedelta) -> None:
        """Have time go by."""
        await self.deployment.platform.clock.move(by)


async def hooked(deployment: Deployment, owner: Person, url: str, *types: str) -> Hook:
    """Register a webhook."""
    made = await deployment.data(
        CREATE, owner.token, u=url, t=list(types or ("contact.added",)), c=f"h{next(_numbers)}"
    )
    created = made["createWebhook"]
    return Hook(deployment, owner, created["webhook"]["id"], created["secret"])
