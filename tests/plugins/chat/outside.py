"""A practice whose people write to each other, and are told of it by mail and by phone."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from deployment import Deployment, Held, Person
from notify_stage import notifying, settled
from smtp_stage import Mail, MailServer
from twilio_stage import Twilio

from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.people import Practice
from bedside_core.testing import Database

START = "mutation($m: ID!, $c: String!) { startConversation(memberId: $m, clientId: $c) { id } }"
START_PATIENT = """mutation($p: ID!, $c: String!, $l: Boolean!) {
    startPatientConversation(patientId: $p, clientId: $c, byLink: $l) { id } }"""
GROUP = "mutation($n: String!, $c: String!, $p: [ID!]) { createGroup(name: $n, clientId: $c, personIds: $p) { id } }"
SEND = """mutation($i: ID!, $b: String!, $c: String!, $u: Boolean!) {
    sendMessage(conversationId: $i, body: $b, clientId: $c, urgent: $u) { id cursor } }"""
READ = """mutation($i: ID!, $u: String!) { markConversationRead(conversationId: $i, upTo: $u) { unread } }"""
DELETE = "mutation($i: ID!) { deleteMessage(messageId: $i) { deletedAt } }"
LEAVE = "mutation($i: ID!) { leaveConversation(conversationId: $i, lastMemberConfirmed: true) }"
REMOVE = "mutation($i: ID!, $p: ID!) { removeParticipant(conversationId: $i, personId: $p) { id } }"
ACKNOWLEDGE = "mutation($i: ID!) { acknowledgeMessage(messageId: $i) { id } }"
SETTINGS = "mutation($p: ChatSettingsPatch!) { updateChatSettings(patch: $p) { autoReply } }"
OWN = "mutation($p: ChatOwnSettingsPatch!) { updateChatOwnSettings(patch: $p) { urgentReminders } }"
SHOWN = "{ notifications { nodes { title text link } } }"


class Outside:
    """A practice with an owner, two members who have a conversation, a mail server and a telephone company."""

    def __init__(
        self,
        deployment: Deployment,
        practice: Practice,
        people: tuple[Person, Person, Person],
        conversation: str,
        mail: MailServer,
        phone: Twilio,
    ) -> None:
        self.deployment, self.practice, self.conversation = deployment, practice, conversation
        self.owner, self.ada, self.ben = people
        self.mail, self.phone = mail, phone
        self._count = 0

    async def send(
        self, body: str, by: Person | Held, to: str | None = None, *, urgent: bool = False
    ) -> dict[str, str]:
        self._count += 1
        values = {"i": to or self.conversation, "b": body, "c": f"c-{self._count}", "u": urgent}
        return (await self.deployment.data(SEND, by.token, **values))["sendMessage"]

    async def pass_time(self, **span: float) -> None:
        await self.deployment.platform.clock.move(timedelta(**span))

    async def settled(self, *more: Practice) -> None:
        """Wait until nothing waits that is due now."""
        await settled(self.deployment, self.practice, *more)

    async def after_the_delay(self, *more: Practice) -> None:
        """Let the delay of notifications pass, and what is due be sent."""
        await self.pass_time(seconds=125)
        await self.settled(*more)

    def mails(self, to: Person | Held) -> list[Mail]:
        address = to.patient.email if isinstance(to, Held) else to.email
        return [each for each in self.mail.mails if each.to == address]

    async def shown(self, to: Person | Held) -> list[dict[str, Any]]:
        return (await self.deployment.data(SHOWN, to.token))["notifications"]["nodes"]

    async def rows(self, sql: str, *values: object) -> list[Any]:
        with acting(self.practice.id):
            return await DB.fetch(sql, *values)

    async def held(self) -> tuple[Held, str]:
        """A patient in the portal, and the conversation that ada has started with them."""
        await self.deployment.data(SETTINGS, self.owner.token, p={"patientsInPortal": True})
        pat = await self.deployment.held(self.practice)
        values = {"p": pat.id, "c": f"start-{pat.id}", "l": False}
        data = await self.deployment.data(START_PATIENT, self.ada.token, **values)
        return pat, data["startPatientConversation"]["id"]


@asynccontextmanager
async def outside(database: Database, **config: Any) -> AsyncGenerator[Outside]:
    async with notifying(database, **config) as (deployment, mail, phone):
        practice = await deployment.practice()
        owner = await deployment.person(practice, Role.OWNER, name="Olga")
        ada, ben = await deployment.person(practice, name="Ada"), await deployment.person(practice, name="Ben")
        data = await deployment.data(START, ada.token, m=ben.id, c="start")
        conversation = data["startConversation"]["id"]
        yield Outside(deployment, practice, (owner, ada, ben), conversation, mail, phone)
