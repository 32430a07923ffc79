"""A whole deployment for tests: the application behind a real server, driven from outside over HTTP and sockets."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import socket as sockets
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Protocol
from uuid import UUID

import httpx
import uvicorn
import websockets
from argon2 import PasswordHasher
from prompt_server import PromptServer

from bedside_core.app import Bedside, create_app
from bedside_core.auth import SESSION_STREAM, Role, token_hash
from bedside_core.config import FIRST_PARTY, Config
from bedside_core.database import DB, acting, unit
from bedside_core.ids import uuid7
from bedside_core.people import Member, NewPatient, Patient, Practice
from bedside_core.platform import Platform
from bedside_core.plugins import Source
from bedside_core.serving import KEEP_ALIVE_SECONDS
from bedside_core.testing import Database, until

DEADLINE_SECONDS = 60.0
PASSWORD = "a tall glass of water"
APPS = (
    "bedside_plans.piccolo_app",
    "bedside_chat.piccolo_app",
    "bedside_portal.piccolo_app",
    "bedside_scheduling.piccolo_app",
    "bedside_telehealth.piccolo_app",
)
"""Piccolo apps of the first-party plugins, for the fixture `database_apps`."""

ADD_CONTACT = "mutation($i: ContactInput!, $c: String!) { addContact(input: $i, clientId: $c) { id } }"
BEGIN_EXTERNAL = "mutation($p: ID!, $c: String!) { startExternalConversation(contactId: $p, clientId: $c) { id } }"
_numbers = itertools.count()


class Bearer(Protocol):
    """Whoever has a token."""

    @property
    def token(self) -> str: ...


@dataclass(frozen=True)
class Person:
    """Somebody of a practice, signed in."""

    member: Member
    email: str
    token: str

    @property
    def id(self) -> str:
        """The member's id, as GraphQL shows it."""
        return str(self.member.id)


@dataclass(frozen=True)
class Held:
    """A patient with a portal account, signed in: themselves, or a guardian who acts for them."""

    patient: Patient
    email: str
    token: str
    account_id: UUID

    @property
    def id(self) -> str:
        """The patient's id, as GraphQL shows it."""
        return str(self.patient.id)


@dataclass(frozen=True)
class Guest:
    """A contact who came by a link and has no account."""

    contact_id: str
    conversation_id: str
    member: Person
    """Who writes with them."""
    token: str

    @property
    def id(self) -> str:
        """The contact's id, as GraphQL shows it."""
        return self.contact_id


class Deployment:
    """A running server, and ways to use it as its clients do."""

    def __init__(self, app: Bedside, url: str) -> None:
        self.app = app
        self.url = url
        self.http = httpx.AsyncClient(base_url=url, timeout=DEADLINE_SECONDS, verify=_tls())

    @property
    def platform(self) -> Platform:
        """The assembled platform, for what a test can't do from outside."""
        assert self.app.platform is not None
        return self.app.platform

    async def ask(self, query: str, token: str | None = None, /, **variables: Any) -> dict[str, Any]:
        """Send one operation and return the response's body."""
        headers = {"accept": "application/graphql-response+json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        answer = await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        return answer.json()

    async def data(self, query: str, token: str | None = None, /, **variables: Any) -> dict[str, Any]:
        """Send one operation that has to succeed and return its data."""
        body = await self.ask(query, token, **variables)
        assert "errors" not in body, body["errors"]
        return body["data"]

    async def code(self, query: str, token: str | None = None, /, **variables: Any) -> str:
        """Send one operation that has to be refused and return the code of its only error."""
        body = await self.ask(query, token, **variables)
        [error] = body["errors"]
        return error["extensions"]["code"]

    @asynccontextmanager
    async def socket(self, token: str | None = None, /, **options: Any) -> AsyncGenerator[Socket, None]:
        """Open a socket, with options of the library's if need be, and wait until it is acknowledged."""
        address = self.url.replace("http", "ws", 1) + "/graphql"
        protocol = websockets.Subprotocol("graphql-transport-ws")
        async with websockets.connect(address, subprotocols=[protocol], **options) as raw:
            opened = Socket(raw)
            await opened.send(type="connection_init", payload={"authorization": f"Bearer {token}"} if token else {})
            assert (await opened.receive())["type"] == "connection_ack"
            yield opened

    async def practice(self, name: str = "Bay View", tier: str | None = "premium") -> Practice:
        """Make a practice, on a tier where plans is there."""
        practice = await self.platform.people.create_practice(name)
        if tier is not None:
            from bedside_core.access import Tier
            from bedside_plans.service import PlanService

            await self.platform.service(PlanService).change_plan(practice.id, Tier(tier))
        return practice

    async def person(self, practice: Practice, role: Role = Role.PRACTITIONER, name: str = "Ada") -> Person:
        """Make a member of a practice who is signed in."""
        number = next(_numbers)
        email = f"{name.lower()}{number}@example.org"
        account = await _account(email)
        member = await self.platform.people.create_member(
            practice.id, account, first_name=name, last_name=f"Moss{number}", role=role
        )
        return Person(member, email, await _session(account, member.id))

    async def patient(self, practice: Practice, name: str = "Pat") -> Patient:
        """Make a patient of a practice, without a portal account."""
        number = next(_numbers)
        new = NewPatient(
            first_name=name, last_name=f"Reed{number}", date_of_birth=date(1980, 2, 3), mrn=f"P-{number}",
            gender="female", phone="+12025550143", email=f"{name.lower()}{number}@example.org",
        )  # fmt: skip
        return await self.platform.people.create_patient(practice.id, new)

    async def held(
        self, practice: Practice, patient: Patient | None = None, *, relationship: str | None = None
    ) -> Held:
        """Have somebody act for a patient who is signed in; by default the patient, and a new one."""
        patient = patient or await self.patient(practice)
        email = f"holder{next(_numbers)}@example.org"
        account = await _account(email)
        await self.hold(patient, account, email, relationship=relationship)
        return Held(patient, email, await _session(account, None, patient.id), account)

    async def hold(self, patient: Patient, account: UUID, email: str, *, relationship: str | None = None) -> None:
        """Have an account act for a patient, as if it had followed an invitation."""
        names = (None, None) if relationship is None else ("Gil", "Ward")
        with acting(patient.practice_id):
            await DB.execute(
                """INSERT INTO portal_holder (id, practice_id, patient_id, account_id, relationship, first_name,
                    last_name, channel, address, invited_by, client_id, created_at, sent_at, expires_at, registered_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, 'email', $8, $1, $9, $10, $10, $10, $10)""",
                uuid7(), patient.practice_id, patient.id, account, relationship, *names, email, uuid7().hex,
                datetime.now(UTC),
            )  # fmt: skip

    async def guest(self, practice: Practice) -> Guest:
        """Have a member write with a new contact, who came by their link."""
        member, number = await self.person(practice), next(_numbers)
        given = {"firstName": "Cora", "lastName": f"Lane{number}", "email": f"cora{number}@example.org"}
        contact = (await self.data(ADD_CONTACT, member.token, i=given, c=f"contact-{number}"))["addContact"]["id"]
        begun = await self.data(BEGIN_EXTERNAL, member.token, p=contact, c=f"external-{number}")
        conversation = begun["startExternalConversation"]["id"]
        with acting(practice.id):
            async with unit() as work:
                let_in = await self.platform.auth.guests.open(
                    work, practice_id=practice.id, person_id=UUID(contact), bound_to=UUID(conversation),
                    until=self.platform.clock.now() + timedelta(days=14),
                )  # fmt: skip
        return Guest(contact, conversation, member, let_in.token)

    async def operator(self) -> str:
        """Make an operator and return their token."""
        return await _session(await _account(f"operator{next(_numbers)}@example.org", operator=True), None)

    async def sign_in(self, email: str, password: str = PASSWORD) -> str:
        """Sign in over HTTP and return the token."""
        data = await self.data(
            "mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { token } }", e=email, p=password
        )
        return data["signIn"]["token"]


@cache
def _tls() -> ssl.SSLContext:
    """What every client of tests shares; reading the certificates takes 70 ms."""
    return ssl.create_default_context()


@asynccontextmanager
async def unannounced(deployment: Deployment) -> AsyncGenerator[None, None]:
    """Lose whatever is announced of sessions during the block; where their sockets stand was looked at before."""
    live = deployment.platform.live
    publish, sessions = live.publish, live._streams[SESSION_STREAM]

    def lose(topic: tuple[str, UUID], position: int) -> None:
        if topic[0] != SESSION_STREAM:
            publish(topic, position)

    await until(
        lambda: bool(sessions) and all(stream.newest >= 0 for stream in sessions.values()),
        "a look at every open socket's session",
        DEADLINE_SECONDS,
    )
    live.publish = lose
    try:
        yield
    finally:
        live.publish = publish


async def _account(email: str, *, operator: bool = False) -> UUID:
    """Make an account whose password is PASSWORD; its slow hash is made once for all tests."""
    account = uuid7()
    now = datetime.now(UTC)
    await DB.execute("SELECT account_create($1, $2, $3, $4, $5)", account, email, _hash(), operator, now)
    return account


@cache
def _hash() -> str:
    return PasswordHasher().hash(PASSWORD)


async def _session(account: UUID, member: UUID | None, patient: UUID | None = None) -> str:
    """Open a session as a sign-in does, without its slow look at the password; returns the token."""
    token, now = secrets.token_urlsafe(32), datetime.now(UTC)
    await DB.execute(
        "SELECT auth_open_session($1, $2, $3, $4, $5, $6, $7, NULL, 'a test', 'none')",
        uuid7(), account, member, patient, token_hash(token), now, now + timedelta(days=365),
    )  # fmt: skip
    return token


class Socket:
    """A graphql-transport-ws client that shows every message."""

    def __init__(self, raw: websockets.ClientConnection) -> None:
        self.raw = raw
        self._numbers = itertools.count(1)

    async def send(self, **message: Any) -> None:
        """Send a message."""
        await self.raw.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """Return the next message that is no ping, within the deadline."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                message = json.loads(await self.raw.recv())
                if message["type"] == "ping":
                    await self.send(type="pong")
                    continue
                return message

    async def subscribe(self, query: str, /, **variables: Any) -> str:
        """Begin an operation and return its id."""
        key = str(next(self._numbers))
        await self.send(id=key, type="subscribe", payload={"query": query, "variables": variables})
        return key

    async def next(self, key: str) -> dict[str, Any]:
        """Return the data of the next event of an operation, which has to be one."""
        message = await self.receive()
        assert (message["id"], message["type"]) == (key, "next"), message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def error(self, key: str) -> str:
        """Return the code with which an operation ended."""
        message = await self.receive()
        assert (message["id"], message["type"]) == (key, "error"), message
        return message["payload"][0]["extensions"]["code"]

    async def closed(self) -> tuple[int, str]:
        """Wait until the server closes the socket and return code and reason."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            try:
                while True:
                    await self.raw.recv()
            except websockets.ConnectionClosed as closed:
                assert closed.rcvd is not None
                return closed.rcvd.code, closed.rcvd.reason


@asynccontextmanager
async def served(
    database: Database, *, sources: Mapping[str, Source] | None = None, **config: Any
) -> AsyncGenerator[Deployment, None]:
    """Serve a deployment on a free port of this machine, in the test's own loop.

    Args:
        database: a migrated one.
        sources: where plugins come from; by default what is installed.
        config: further configuration.
    """
    given: dict[str, Any] = {
        "plugins": FIRST_PARTY,
        "strict": sources is None,
        "testing": True,
        "worker": False,
        **config,
    }
    app = create_app(Config(database_url=database.dsn, **given), sources=sources)
    # With its protocol named, asyncio sends what there is at once, instead of 40 ms after the answer's first part.
    listener = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM, sockets.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = PromptServer(
        uvicorn.Config(
            app,
            log_config=None,
            ws="bedside_core.wire:Wire",
            lifespan="on",
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not server.started:
                if task.done():
                    await task
                    raise AssertionError("the server did not start")
                await asyncio.sleep(0.01)
        deployment = Deployment(app, f"http://127.0.0.1:{listener.getsockname()[1]}")
        async with deployment.http:
            yield deployment
    finally:
        server.told.set()
        await task
