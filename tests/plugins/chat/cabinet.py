"""A desk for files in conversations: a practice, one connected to it, and what people there send each other."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployment import Bearer, Held, Person
from files_stage import Desk, desk_at
from plugins.chat.connecting import connect
from plugins.chat.ward import START

from bedside_core.auth import Role
from bedside_core.database import acting
from bedside_core.jobs import JobRun
from bedside_core.people import Practice
from bedside_core.testing import Database

FILES = "attachments { id name mediaType url previewUrl state sharedBy { id kind name label } }"
SEND = f"""mutation($i: ID!, $b: String!, $u: [ID!], $c: String!) {{
    sendMessage(conversationId: $i, body: $b, uploadIds: $u, clientId: $c) {{
        id body cursor deletedAt {FILES} }} }}"""
MESSAGE = f"query($i: ID!) {{ message(id: $i) {{ id body deletedAt {FILES} }} }}"
DELETE_MESSAGE = "mutation($i: ID!) { deleteMessage(messageId: $i) { id deletedAt } }"
PATIENT = """mutation($p: ID!, $c: String!, $l: Boolean! = false) {
    startPatientConversation(patientId: $p, clientId: $c, byLink: $l) { id } }"""
COMPOSER = """query($i: ID!) { conversation(id: $i) { composer {
    text { open code message wayOn feature } files { open code message wayOn feature } } } }"""

_numbers = itertools.count()


@dataclass
class Cabinet(Desk):
    """The desk with conversations; `hill` is a connected practice, in which Bea is."""

    hill: Practice
    bea: Person
    direct: str
    """Ada's conversation with Bea; Ada's practice owns it."""

    async def send(self, conversation: str, by: Bearer, body: str = "", *uploads: str) -> dict[str, Any]:
        """Send a message with uploads."""
        sent = await self.deployment.data(
            SEND, by.token, i=conversation, b=body, u=list(uploads), c=f"m-{next(_numbers)}"
        )
        return sent["sendMessage"]

    async def refused(self, conversation: str, by: Bearer, body: str = "", *uploads: str) -> dict[str, Any]:
        """Send a message that has to be refused; returns what is told, and shows that nothing was written."""
        before = (await self.count("message"), await self.count("message_attachment"))
        answer = await self.deployment.ask(
            SEND, by.token, i=conversation, b=body, u=list(uploads), c=f"m-{next(_numbers)}"
        )
        [error] = answer["errors"]
        assert (await self.count("message"), await self.count("message_attachment")) == before
        return {"message": error["message"], **error["extensions"]}

    async def message(self, message_id: str, by: Bearer) -> dict[str, Any]:
        """Read a message."""
        return (await self.deployment.data(MESSAGE, by.token, i=message_id))["message"]

    async def composer(self, conversation: str, by: Bearer) -> dict[str, Any]:
        """Read what can be sent."""
        return (await self.deployment.data(COMPOSER, by.token, i=conversation))["conversation"]["composer"]

    async def with_patient(self, by: Person, patient_id: object, *, by_link: bool = False) -> str:
        """Start a conversation with a patient."""
        data = await self.deployment.data(PATIENT, by.token, p=str(patient_id), c=f"s-{next(_numbers)}", l=by_link)
        return data["startPatientConversation"]["id"]

    async def handed_in(self, content: bytes, name: str, by: Held) -> str:
        """Upload these bytes as a patient."""
        upload = await self.uploaded(content, name)
        await self.rows("UPDATE file SET made_by = $1 WHERE id = $2", by.patient.id, upload)
        return upload

    async def work(self, practice: Practice, name: str) -> None:
        """Run a job of core's for a practice, as a worker does."""
        platform = self.deployment.platform
        run = JobRun(platform=platform, practice_id=practice.id, payload={}, attempt=1)
        with acting(practice.id):
            await platform.jobs.entries[f"core.{name}"].function(run)


@asynccontextmanager
async def cabinet_at(database: Database, folder: Path, **config: Any) -> AsyncGenerator[Cabinet, None]:
    """Serve a deployment with two connected practices whose data is in a folder."""
    async with desk_at(database, folder, **config) as desk:
        hill = await desk.deployment.practice("Hill")
        bea = await desk.deployment.person(hill, Role.OWNER, "Bea")
        await connect(desk.deployment, desk.olga, bea, hill)
        data = await desk.deployment.data(START, desk.ada.token, m=bea.id, c="direct")
        yield Cabinet(**vars(desk), hill=hill, bea=bea, direct=data["startConversation"]["id"])
