"""A contact with the link alone, by plain HTTP as curl sends it: read, write, a photo, and nothing else (C6)."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from deployment import APPS, DEADLINE_SECONDS, Deployment, Person
from files_stage import photo
from journeys.processes import Server, server
from smtp_stage import SENDER, MailServer, mail_server

from bedside_core.app import Bedside
from bedside_core.boot import assembled
from bedside_core.config import Config
from bedside_core.live import LocalBus
from bedside_core.testing import Database, until

CONTACT = "mutation($i: ContactInput!, $c: String!) { addContact(input: $i, clientId: $c) { id } }"
EXTERNAL = "mutation($p: ID!, $c: String!) { startExternalConversation(contactId: $p, clientId: $c) { id } }"
READ = """query($i: ID!) { conversation(id: $i) { messages(last: 50) { nodes {
    body attachments { url } } } } }"""
SEND = """mutation($i: ID!, $b: String!, $c: String!, $u: [ID!]) {
    sendMessage(conversationId: $i, body: $b, clientId: $c, uploadIds: $u) { id } }"""
UPLOAD = """mutation($n: String!, $s: Int!, $h: String!, $c: String!) {
    createUpload(name: $n, size: $s, sha256: $h, clientId: $c) { id url } }"""
LEAVE = "mutation($i: ID!) { leaveConversation(conversationId: $i) }"
REVOKE = "mutation($i: ID!, $p: ID!) { revokeGuestLink(conversationId: $i, personId: $p) { id } }"
FOLLOW = "subscription($i: ID!) { messageAdded(conversationId: $i) { body } }"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


class Curl:
    """Sends what curl would: no browser, no cookie, no client of GraphQL; the bearer in a header once there is one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token: str | None = None

    async def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Run curl; returns status and body."""
        command = ["curl", "--silent", "--show-error", "--max-time", "60", "--request", method, self.url + path]
        command += ["--output", "-", "--write-out", "%{stderr}%{http_code}"]
        if self.token is not None:
            headers["authorization"] = f"Bearer {self.token}"
        for name, value in headers.items():
            command += ["--header", f"{name.replace('_', '-')}: {value}"]
        if body is not None:
            command += ["--data-binary", "@-"]
        running = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        told, status = await running.communicate(body)
        return int(status.decode()[-3:]), told

    async def json(self, path: str, given: object) -> tuple[int, dict[str, Any]]:
        status, told = await self("POST", path, json.dumps(given).encode(), content_type="application/json")
        return status, json.loads(told)

    async def ask(self, query: str, **variables: object) -> dict[str, Any]:
        return (await self.json("/graphql", {"query": query, "variables": variables}))[1]

    async def code(self, query: str, **variables: object) -> str:
        [error] = (await self.ask(query, **variables))["errors"]
        return error["extensions"]["code"]


class House:
    """A server process that is written to by curl, seeded from this one."""

    def __init__(self, database: Database, running: Server, door: Deployment, mail: MailServer, ada: Person) -> None:
        self.database, self.running, self.door, self.mail, self.ada = database, running, door, mail, ada
        self.count = 0

    async def invited(self) -> tuple[str, str, str]:
        """Write to a new contact; returns conversation, contact, and the link's secret."""
        self.count += 1
        email = f"cora{self.count}@example.org"
        given = {"firstName": "Cora", "lastName": "Lane", "email": email}
        contact = (await self.door.data(CONTACT, self.ada.token, i=given, c=email))["addContact"]["id"]
        begun = await self.door.data(EXTERNAL, self.ada.token, p=contact, c=f"start {email}")
        conversation = begun["startExternalConversation"]["id"]
        await self.door.data(SEND, self.ada.token, i=conversation, b="How is it?", c="ada-1")
        await until(lambda: bool(self.mail.to(email)), f"a letter to {email}", DEADLINE_SECONDS)
        return conversation, contact, self.mail.to(email)[0].text.split("/chat/guest#")[1][:43]

    async def entered(self, secret: str) -> Curl:
        guest = Curl(self.running.url)
        status, told = await guest.json("/chat/guest/exchange", {"secret": secret})
        assert status == 200, told
        guest.token = told["token"]
        return guest


@asynccontextmanager
async def house(database: Database, folder: Path) -> AsyncGenerator[House]:
    async with mail_server() as mail:
        environment = {
            "BEDSIDE_WORKER": "true",
            "BEDSIDE_SMTP_URL": mail.url,
            "BEDSIDE_MAIL_SENDER": SENDER,
            "BEDSIDE_DATA": str(folder),
        }
        config = Config(database_url=database.dsn, testing=True, strict=True, data=folder)
        async with assembled(config, bus=LocalBus()) as platform, server(database, **environment) as running:
            app = Bedside(lambda: None)  # type: ignore[arg-type, return-value]
            app.platform = platform
            door = Deployment(app, running.url)
            async with door.http:
                practice = await door.practice()
                yield House(database, running, door, mail, await door.person(practice))


@pytest.mark.needs("curl")
@pytest.mark.rule("C6")
@pytest.mark.rule("C12")
@pytest.mark.promise("A6")
async def test_with_the_link_alone_curl_reads_writes_sends_a_photo_and_gets_nothing_else(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with house(fresh_database, tmp_path) as stage:
        conversation, contact, secret = await stage.invited()
        other, _, _ = await stage.invited()
        guest = Curl(stage.running.url)
        assert await guest.code(READ, i=conversation) == "UNAUTHENTICATED"
        guest = await stage.entered(secret)

        found = (await guest.ask(READ, i=conversation))["data"]["conversation"]["messages"]["nodes"]
        assert found == [{"body": "How is it?", "attachments": []}]
        await guest.ask(SEND, i=conversation, b="Better", c="g-1")
        picture = photo()
        announced = await guest.ask(
            UPLOAD, n="wound.jpg", s=len(picture), h=hashlib.sha256(picture).hexdigest(), c="u-1"
        )
        upload = announced["data"]["createUpload"]
        assert (await guest("PUT", upload["url"], picture))[0] == 200
        await guest.ask(SEND, i=conversation, b="", c="g-2", u=[upload["id"]])
        seen = (await stage.door.data(READ, stage.ada.token, i=conversation))["conversation"]["messages"]["nodes"]
        assert [node["body"] for node in seen] == ["How is it?", "Better", ""]
        [shot] = seen[-1]["attachments"]
        assert (await guest("GET", shot["url"]))[0] == 200

        assert await guest.code(READ, i=other) == "NOT_FOUND"
        assert await guest.code("{ patients { nodes { id } } }") == "FORBIDDEN"
        assert await guest.code("{ practice { name } }") == "FORBIDDEN"
        assert await guest.code(EXTERNAL, p=contact, c="g-3") == "FORBIDDEN"
        for path in ("/demo/outbox", "/graphiql", "/metrics"):
            status, told = await guest("GET", path)
            assert status in {200, 401, 403, 404}
            assert b"How is it?" not in told
        assert (await guest("GET", f"/files/{'0199aaaa-0000-7000-8000-000000000000'}"))[0] == 404


async def expired(stage: House, guest: Curl, conversation: str, contact: str) -> None:
    owner = await asyncpg.connect(stage.database.owner_dsn)
    await owner.execute("UPDATE guest_link SET expires_at = now() WHERE conversation_id = $1", conversation)
    await owner.execute("UPDATE link SET expires_at = now() WHERE purpose = 'chat.guest'")
    await owner.execute("UPDATE guest_session SET expires_at = now(), link_ends_at = now()")
    await owner.close()


async def revoked(stage: House, guest: Curl, conversation: str, contact: str) -> None:
    await stage.door.data(REVOKE, stage.ada.token, i=conversation, p=contact)


async def left(stage: House, guest: Curl, conversation: str, contact: str) -> None:
    assert (await guest.ask(LEAVE, i=conversation))["data"] == {"leaveConversation": True}


@pytest.mark.needs("curl")
@pytest.mark.rule("C6")
@pytest.mark.promise("A4")
@pytest.mark.promise("A6")
async def test_after_expiry_revocation_and_leaving_there_is_nothing_at_all_and_the_socket_is_closed(
    fresh_database: Database, tmp_path: Path
) -> None:
    ends: tuple[Callable[[House, Curl, str, str], Awaitable[None]], ...] = (expired, revoked, left)
    async with house(fresh_database, tmp_path) as stage:
        for end in ends:
            conversation, contact, secret = await stage.invited()
            guest = await stage.entered(secret)
            async with stage.door.socket(guest.token) as socket:
                await socket.subscribe(FOLLOW, i=conversation)
                await end(stage, guest, conversation, contact)
                assert await socket.closed() == (4403, "Session ended"), end.__name__
            before = await _messages(stage.database)
            for query, given in ((READ, {}), (SEND, {"b": "still here", "c": "late"}), (LEAVE, {})):
                assert await guest.code(query, i=conversation, **given) == "UNAUTHENTICATED", end.__name__
            status, told = await guest.json("/chat/guest/exchange", {"secret": secret})
            assert (status, told["code"]) in {(410, "LINK_OVER"), (401, "UNAUTHENTICATED")}, end.__name__
            guest.token = None
            status, told = await guest.json("/chat/guest/exchange", {"secret": secret})
            assert (status, told["code"]) == (410, "LINK_OVER"), end.__name__
            assert await _messages(stage.database) == before


async def _messages(database: Database) -> int:
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        return await owner.fetchval("SELECT count(*) FROM message")
    finally:
        await owner.close()
