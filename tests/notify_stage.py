"""A deployment that notifies: a plugin with a few kinds, a mail server and Twilio's look-alike, seen from outside."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from core_stage import plugin
from deployment import Deployment, Person, served
from smtp_stage import SENDER, MailServer, mail_server
from twilio_stage import Twilio, twilio

from bedside_core.auth import Role
from bedside_core.database import DB, acting, unit
from bedside_core.manifest import Manifest
from bedside_core.notify import Channel, Fact, Language, NotificationKind, Part, Recipient
from bedside_core.notify.preferences import Preferences, prefer
from bedside_core.people import Practice
from bedside_core.plugins import Source, installed
from bedside_core.testing import Database
from bedside_core.testing import until as until_

LOG = """query($first: Int, $to: ID) { deliveryLog(first: $first, recipientId: $to) { nodes {
    kind recipient recipientId channel address state reason attempts { number outcome reason endedAt } } } }"""
PREFER = """mutation($p: NotificationPreferencesPatch!) { updateNotificationPreferences(patch: $p) {
    language zone quietFrom quietUntil switchedOff calls } }"""
SETTINGS = "mutation($p: NotificationSettingsPatch!) { updateNotificationsSettings(patch: $p) { delaySeconds sms } }"
PUBLIC_URL = "https://clinic.example"


def _texts(english: str, spanish: str) -> dict[Language, dict[Part, str]]:
    return {
        language: {part: f"{text} {{{{ practice }}}}" for part in Part if part is not Part.HTML}
        for language, text in ((Language.ENGLISH, english), (Language.SPANISH, spanish))
    }


async def settled(deployment: Deployment, *practices: Practice) -> None:
    """Wait until nothing that practices have sent waits and is due now."""

    async def quiet() -> bool:
        for practice in practices:
            with acting(practice.id):
                if await DB.fetchval(
                    """SELECT EXISTS (SELECT FROM notification WHERE state = 'waiting' AND due_at <= $1)
                        OR EXISTS (SELECT FROM notification_delivery WHERE state = 'waiting' AND due_at <= $1)""",
                    deployment.platform.clock.now(),
                ):
                    return False
        return True

    await until_(quiet, "everything due to be settled", 60)


MESSAGE = NotificationKind(
    key="ward.message",
    doc="A message awaits.",
    facts=(Fact.SENDER, Fact.LINK),
    channels=(Channel.IN_APP, Channel.EMAIL, Channel.SMS, Channel.PUSH),
    required=(Channel.EMAIL,),
    texts=_texts("A message from {{ sender }} at", "Un mensaje de {{ sender }} en"),
)
ROUND = NotificationKind(
    key="ward.round",
    doc="The round begins.",
    facts=(Fact.TIME,),
    channels=(Channel.EMAIL, Channel.SMS),
    texts=_texts("The round begins on {{ time }} at", "La ronda comienza el {{ time }} en"),
)
ALARM = NotificationKind(
    key="ward.alarm",
    doc="Somebody is needed.",
    facts=(),
    channels=(Channel.IN_APP, Channel.EMAIL, Channel.SMS, Channel.VOICE),
    urgent=True,
    texts=_texts("You are needed at", "Le necesitan en"),
)
INVITATION = NotificationKind(
    key="ward.invitation",
    doc="Somebody is invited.",
    facts=(Fact.LINK,),
    channels=(Channel.EMAIL,),
    instead=(Channel.SMS,),
    secret=True,
    texts=_texts("You are invited to", "Le invitan a"),
)
WARD = plugin(
    "ward",
    Manifest(name="ward", title="Ward", api=">=1.0,<2", notifications=(MESSAGE, ROUND, ALARM, INVITATION)),
)


class Ward:
    """A deployment with a practice that has an owner, and somebody to notify."""

    def __init__(
        self, deployment: Deployment, practice: Practice, owner: Person, ada: Person, mail: MailServer, phone: Twilio
    ) -> None:
        self.deployment = deployment
        self.practice = practice
        self.owner = owner
        self.ada = ada
        self.mail = mail
        self.phone = phone

    @property
    def to_ada(self) -> Recipient:
        return Recipient.member(self.ada.member.id, self.practice.id)

    async def send(self, kind: str, to: Recipient | None = None, **options: Any) -> Any:
        """Notify somebody, as a service would within its unit of work."""
        if kind == "ward.message":
            options.setdefault("data", {Fact.SENDER: "Ben Stone", Fact.LINK: "/chat/1"})
        with acting(self.practice.id):
            async with unit() as work:
                return await self.deployment.platform.notify.send(work, kind, to=to or self.to_ada, **options)

    async def cancel(self, kind: str, key: str, **options: Any) -> int:
        with acting(self.practice.id):
            async with unit() as work:
                return await self.deployment.platform.notify.cancel(work, kind, key=key, **options)

    async def pass_time(self, **span: float) -> None:
        await self.deployment.platform.clock.move(timedelta(**span))

    async def log(self, to: str | None = None) -> list[dict[str, Any]]:
        """The delivery log as the owner sees it, the oldest first."""
        data = await self.deployment.data(LOG, self.owner.token, first=100, to=to)
        return data["deliveryLog"]["nodes"][::-1]

    async def states(self, channel: str) -> list[str]:
        """What became of the deliveries on a channel."""
        return [entry["state"] for entry in await self.log() if entry["channel"] == channel]

    async def settled(self) -> None:
        """Wait until nothing waits that is due now."""
        await settled(self.deployment, self.practice)

    async def prefer(self, person: Person, **patch: Any) -> dict[str, Any]:
        data = await self.deployment.data(PREFER, person.token, p=patch)
        return data["updateNotificationPreferences"]

    async def patient(self, *, phone: str | None, email: str | None) -> Recipient:
        """A patient of the practice, as recipient."""
        from datetime import date

        from bedside_core.ids import uuid7
        from bedside_core.people import NewPatient

        new = NewPatient(
            first_name="Pat", last_name="Reed", date_of_birth=date(1990, 1, 1), mrn=uuid7().hex, gender="female",
            phone=phone, email=email,
        )  # fmt: skip
        made = await self.deployment.platform.people.create_patient(self.practice.id, new)
        return Recipient.patient(made.id, self.practice.id)


async def wants_calls(to: Recipient) -> None:
    """Have somebody choose calls, as they would with `updateNotificationPreferences`."""
    assert to.id is not None
    with acting(to.practice_id):
        await prefer(to.practice_id, to.id, Preferences(calls=True))


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, seconds: float = 40.0) -> None:
    """Wait until something holds; machines that tests run on may be busy."""
    await until_(condition, what, seconds)


@asynccontextmanager
async def notifying(
    database: Database, *, sources: Mapping[str, Source] | None = None, **config: Any
) -> AsyncGenerator[tuple[Deployment, MailServer, Twilio]]:
    """Serve a deployment with a worker, whose mail and whose messages and calls arrive at look-alikes.

    Args:
        database: a migrated one.
        sources: where plugins come from; by default what is installed.
        config: further configuration.
    """
    async with mail_server() as mail, twilio() as phone:
        given = {
            "worker": True,
            "smtp_url": mail.url,
            "mail_sender": SENDER,
            "public_url": PUBLIC_URL,
            **phone.settings(),
            **config,
        }
        async with served(database, sources=sources, **given) as deployment:
            yield deployment, mail, phone


@asynccontextmanager
async def ward(database: Database, **config: Any) -> AsyncGenerator[Ward]:
    """Serve a practice whose people are notified by mail and by phone."""
    given = {"plugins": ("graphql", "ward"), "notify_seconds": 8.0, **config}
    async with notifying(database, sources={**installed(), "ward": WARD}, **given) as (deployment, mail, phone):
        practice = await deployment.practice(tier=None)
        owner = await deployment.person(practice, Role.OWNER, name="Olga")
        ada = await deployment.person(practice, name="Ada")
        yield Ward(deployment, practice, owner, ada, mail, phone)
