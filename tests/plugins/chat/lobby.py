"""A practice that writes with people who have no account: their letters, their links, and what they do as guests."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from deployment import Deployment, Person
from notify_stage import notifying, settled
from smtp_stage import MailServer
from twilio_stage import Twilio

from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.people import Practice
from bedside_core.testing import Database, until

SECRET = re.compile(r"https?://[a-z0-9.:]+/chat/guest#([A-Za-z0-9_-]{43})")
BORN = "1980-02-03"

LINK = "guestLink { channel address sentAt expiresAt state }"
PEOPLE = f"participants {{ nodes {{ id name kind byLink leftAt {LINK} }} }}"
CONTACT = "mutation($i: ContactInput!, $c: String!) { addContact(input: $i, clientId: $c) { id } }"
EXTERNAL = f"""mutation($p: ID!, $c: String!, $h: LinkChannel) {{
    startExternalConversation(contactId: $p, clientId: $c, channel: $h) {{ id {PEOPLE} }} }}"""
BY_LINK = f"""mutation($p: ID!, $c: String!, $h: LinkChannel) {{
    startPatientConversation(patientId: $p, clientId: $c, byLink: true, channel: $h) {{ id {PEOPLE} }} }}"""
LINKS = f"query($i: ID!) {{ conversation(id: $i) {{ {PEOPLE} }} }}"
SEND_LINK = f"""mutation($i: ID!, $p: ID!, $h: LinkChannel) {{
    sendGuestLink(conversationId: $i, personId: $p, channel: $h) {{ id {PEOPLE} }} }}"""
REVOKE_LINK = f"mutation($i: ID!, $p: ID!) {{ revokeGuestLink(conversationId: $i, personId: $p) {{ id {PEOPLE} }} }}"
READ = """query($i: ID!) { conversation(id: $i) { id cursor messages(last: 50) { nodes {
    id body sender { name } attachments { id name url previewUrl uploadedBy { id } } } } } }"""
SEND = """mutation($i: ID!, $b: String!, $c: String!, $u: [ID!]) {
    sendMessage(conversationId: $i, body: $b, clientId: $c, uploadIds: $u) { id cursor } }"""
FOLLOW = """subscription($i: ID!, $a: String) { conversationEvents(conversationId: $i, after: $a) {
    ... on MessageChanged { message { body } } } }"""
UPLOAD = """mutation($n: String!, $s: Int!, $h: String!, $c: String!) {
    createUpload(name: $n, size: $s, sha256: $h, clientId: $c) { id url } }"""
LEAVE = "mutation($i: ID!) { leaveConversation(conversationId: $i) }"
REMOVE = "mutation($i: ID!, $p: ID!) { removeParticipant(conversationId: $i, personId: $p) { id } }"
MISSING = "0199aaaa-0000-7000-8000-000000000000"

_numbers = itertools.count(1)


def client_id() -> str:
    """Return one that was not used yet."""
    return f"guest-{next(_numbers)}"


class Lobby:
    """A premium practice with a member, an owner, a contact and a patient without a portal account."""

    def __init__(
        self, deployment: Deployment, database: Database, practice: Practice, mail: MailServer, phone: Twilio
    ) -> None:
        self.deployment, self.database, self.practice, self.mail, self.phone = (
            deployment,
            database,
            practice,
            mail,
            phone,
        )
        self.ada: Person
        self.olga: Person

    async def data(self, query: str, by: Person | str | None = None, /, **variables: Any) -> Any:
        """Ask one field and return what it gives."""
        token = by if isinstance(by, str) else (by or self.ada).token
        [value] = (await self.deployment.data(query, token, **variables)).values()
        return value

    async def code(self, query: str, by: Person | str | None = None, /, **variables: Any) -> str:
        return await self.deployment.code(query, by if isinstance(by, str) else (by or self.ada).token, **variables)

    async def contact(self, email: str | None = None, phone: str | None = None) -> str:
        """Add a contact, by default with an address; returns the id."""
        number = next(_numbers)
        if email is None and phone is None:
            email = f"cora{number}@example.org"
        given = {"firstName": "Cora", "lastName": f"Lane{number}", "email": email, "phone": phone}
        return (await self.data(CONTACT, i=given, c=client_id()))["id"]

    async def external(self, email: str = "cora@example.org") -> tuple[str, str, str]:
        """Start a conversation with a new contact; returns its id, the contact's, and the secret that was sent."""
        contact = await self.contact(email)
        started = await self.data(EXTERNAL, p=contact, c=client_id())
        return started["id"], contact, await self.secret(email)

    async def patient(self) -> tuple[str, str, str]:
        """Start a conversation by link with a new patient; returns its id, the patient's, and the secret."""
        patient = await self.deployment.patient(self.practice)
        started = await self.data(BY_LINK, p=str(patient.id), c=client_id())
        return started["id"], str(patient.id), await self.secret(str(patient.email))

    def letters(self, address: str) -> list[str]:
        """What was sent to an address or a number, the oldest first."""
        if address.startswith("+"):
            return [taken.text for taken in self.phone.taken if taken.to == address]
        return [mail.text for mail in self.mail.to(address)]

    async def secret(self, address: str, number: int = 1) -> str:
        """Wait for the nth letter to somebody and return the secret in it."""
        await until(lambda: len(self.letters(address)) >= number, f"letter {number} to {address}", 60)
        found = SECRET.search(self.letters(address)[number - 1])
        assert found is not None, self.letters(address)
        return found.group(1)

    async def exchange(self, secret: str, born: str | None = None) -> httpx.Response:
        """Exchange a secret, as the page does."""
        given = {"secret": secret} | ({"dateOfBirth": born} if born is not None else {})
        return await self.deployment.http.post("/chat/guest/exchange", json=given)

    async def entered(self, secret: str, born: str | None = None) -> str:
        """Exchange a secret that has to be good; returns the bearer."""
        answer = await self.exchange(secret, born)
        assert answer.status_code == 200, answer.text
        return answer.json()["token"]

    async def refusal(self, secret: str, born: str | None = None) -> tuple[int, str, object]:
        """Exchange a secret that has to be refused; returns status, code, and state or attempts left."""
        answer = await self.exchange(secret, born)
        told = answer.json()
        return answer.status_code, told["code"], told.get("state", told.get("attemptsLeft"))

    async def link(self, conversation: str, person: str) -> Any:
        """How somebody's link stands, as a member sees it."""
        people = (await self.data(LINKS, i=conversation))["participants"]["nodes"]
        return next(each["guestLink"] for each in people if each["id"] == person)

    async def read(self, conversation: str, by: Person | str | None = None) -> list[str]:
        found = await self.data(READ, by, i=conversation)
        return [node["body"] for node in found["messages"]["nodes"]]

    async def uploaded(self, token: str, content: bytes, name: str) -> str:
        """Upload these bytes; returns the upload's id."""
        digest = hashlib.sha256(content).hexdigest()
        upload = await self.data(UPLOAD, token, n=name, s=len(content), h=digest, c=client_id())
        answer = await self.put(upload["url"], token, content)
        assert answer.status_code == 200, answer.text
        return upload["id"]

    async def put(self, url: str, token: str, content: bytes) -> httpx.Response:
        return await self.deployment.http.put(url, content=content, headers={"authorization": f"Bearer {token}"})

    async def get(self, url: str, token: str) -> httpx.Response:
        return await self.deployment.http.get(url, headers={"authorization": f"Bearer {token}"})

    async def later(self, **span: float) -> None:
        """Have the clock stand later."""
        await self.deployment.platform.clock.move(timedelta(**span))

    async def after_the_delay(self) -> None:
        """Let the delay of notifications pass, and what is due be sent."""
        await self.later(seconds=125)
        await settled(self.deployment, self.practice)

    async def rows(self, sql: str) -> list[Any]:
        """Read what no client is told."""
        with acting(self.practice.id):
            return [dict(row) for row in await DB.fetch(sql)]


@asynccontextmanager
async def opened(database: Database, folder: Path, **config: Any) -> AsyncGenerator[Lobby]:
    """Serve a practice that writes with people outside."""
    async with notifying(database, **{"data": folder, **config}) as (deployment, mail, phone):
        practice = await deployment.practice()
        lobby = Lobby(deployment, database, practice, mail, phone)
        lobby.ada = await deployment.person(practice, name="Ada")
        lobby.olga = await deployment.person(practice, Role.OWNER, name="Olga")
        yield lobby


@pytest_asyncio.fixture
async def lobby(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Lobby]:
    async with opened(fresh_database, tmp_path) as stage:
        yield stage
