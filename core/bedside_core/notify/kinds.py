"""What a notification is, declared statically: kind, channels, texts, the facts that may stand in it, and for whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

DEPLOYMENT = UUID(int=0)
"""Stands for the deployment where a practice is expected: what concerns an account belongs to no practice."""

_KEY = re.compile(r"[a-z][a-z0-9_]{1,30}\.[a-z][a-z0-9_]{0,40}")


class Channel(StrEnum):
    """The ways on which a notification reaches a person (N1)."""

    IN_APP = "in_app"
    EMAIL = "email"
    SMS = "sms"
    VOICE = "voice"
    PUSH = "push"


class Language(StrEnum):
    """The languages that texts are in (N8)."""

    ENGLISH = "en"
    SPANISH = "es"


class Fact(StrEnum):
    """All that may be told in a notification (N4). There is no fact for anything else, above all not for a text."""

    PRACTICE = "practice"
    """The recipient's practice, by name; filled in by the platform."""
    SENDER = "sender"
    """The name of the person who has caused it."""
    TIME = "time"
    """An instant, shown in the recipient's zone."""
    LINK = "link"
    """Where it leads to: a path of our own, a secret behind `#` at most."""


class Part(StrEnum):
    """The parts of a text; each channel uses some of them."""

    SUBJECT = "subject"
    """Of the mail; also the title in the application and of a push."""
    BODY = "body"
    """Of the mail, paragraphs apart by an empty line; the button with the link is added to it."""
    HTML = "html"
    """Of the mail, where it is to look otherwise than the body in the usual frame."""
    SMS = "sms"
    VOICE = "voice"
    PUSH = "push"
    IN_APP = "in_app"


PARTS_OF: Mapping[Channel, tuple[Part, ...]] = {
    Channel.IN_APP: (Part.SUBJECT, Part.IN_APP),
    Channel.EMAIL: (Part.SUBJECT, Part.BODY),
    Channel.SMS: (Part.SMS,),
    Channel.VOICE: (Part.VOICE,),
    Channel.PUSH: (Part.SUBJECT, Part.PUSH),
}
"""What each channel needs of a text."""

TYPES: Mapping[Fact, type] = {Fact.PRACTICE: str, Fact.SENDER: str, Fact.TIME: datetime, Fact.LINK: str}
"""The type of each fact."""


@dataclass(frozen=True, kw_only=True)
class NotificationKind:
    """A kind of notification; a plugin's are in its manifest.

    Args:
        key: `<plugin>.<name>`, core's `core.<name>`.
        doc: when it is sent, for people who change its texts.
        facts: what its texts may name (N4); the practice's name is always among them.
        channels: the ways it takes, all of them.
        instead: further ways, of which the first that is possible is taken where none of `channels` but the
            application's own is.
        required: those that nobody can switch off (N2).
        urgent: sent at once and during quiet hours.
        secret: its link lets in whoever has it: never shown in the application, and forgotten once it is sent.
        of_account: it concerns an account and no practice, whose own text could not stand for the others' (N8).
        calendar: its mail carries what its key stands for as a calendar file, which `CalendarAttachments` renders
            (S8); it is always sent with a key.
        texts: language -> part -> jinja2 template, in every language.

    Raises:
        ValueError: something can't be right, in words for the plugin's author.
    """

    key: str
    doc: str
    facts: tuple[Fact, ...]
    channels: tuple[Channel, ...]
    texts: Mapping[Language, Mapping[Part, str]]
    instead: tuple[Channel, ...] = ()
    required: tuple[Channel, ...] = ()
    urgent: bool = False
    secret: bool = False
    of_account: bool = False
    calendar: bool = False

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise ValueError(f"notification {self.key!r}: the key is not <plugin>.<name>")
        if not self.channels:
            raise ValueError(f"notification {self.key}: takes no channel")
        if self.secret and Channel.IN_APP in self.every_channel:
            raise ValueError(f"notification {self.key}: a secret link can't be shown in the application")
        if self.calendar and Channel.EMAIL not in self.every_channel:
            raise ValueError(f"notification {self.key}: a calendar file goes by mail, and it takes none")
        if strange := [fact for fact in self.facts if fact not in TYPES]:
            raise ValueError(f"notification {self.key}: {strange[0]!r} is no fact that a notification may tell (N4)")
        for language in Language:
            given = self.texts.get(language, {})
            needed = {part for channel in self.every_channel for part in PARTS_OF[channel]}
            if missing := sorted(needed - set(given)):
                raise ValueError(f"notification {self.key}: the {language} text has no {', '.join(missing)}")

    @property
    def every_channel(self) -> tuple[Channel, ...]:
        """The channels and those taken instead."""
        return (*self.channels, *self.instead)

    @property
    def placeholders(self) -> frozenset[str]:
        """The names that its texts may use."""
        return frozenset({Fact.PRACTICE.value, *(fact.value for fact in self.facts)})


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """For whom a notification is; made by one of the functions below.

    Args:
        kind: `account`, `member`, `patient` or `address`.
        practice_id: whose delivery log it stands in; `DEPLOYMENT` for an account.
        id: the account, member or patient.
        email: of an address.
        phone: of an address, E.164.
        language: of an address.
        about: the account that an address is written to about; of the sandbox's nothing leaves the house (G8).
        person: the patient or contact whose address it is.
    """

    kind: str
    practice_id: UUID
    id: UUID | None = None
    email: str | None = None
    phone: str | None = None
    language: Language | None = None
    about: UUID | None = None
    person: UUID | None = None

    @property
    def key(self) -> str:
        """Tells recipients apart."""
        return f"{self.kind}:{self.id or self.person or self.email or self.phone}"

    @classmethod
    def account(cls, account_id: UUID) -> Recipient:
        """Return an account as recipient, for what concerns the sign-in and no practice."""
        return cls(kind="account", practice_id=DEPLOYMENT, id=account_id)

    @classmethod
    def member(cls, member_id: UUID, practice_id: UUID) -> Recipient:
        """Return a member of a practice as recipient."""
        return cls(kind="member", practice_id=practice_id, id=member_id)

    @classmethod
    def patient(cls, patient_id: UUID, practice_id: UUID) -> Recipient:
        """Return a patient of a practice as recipient."""
        return cls(kind="patient", practice_id=practice_id, id=patient_id)

    @classmethod
    def address(
        cls,
        *,
        practice_id: UUID = DEPLOYMENT,
        email: str | None = None,
        phone: str | None = None,
        language: Language | None = None,
        about: UUID | None = None,
    ) -> Recipient:
        """Return somebody who is no person of the platform yet, such as whoever is invited.

        Raises:
            ValueError: neither e-mail nor phone.
        """
        if not email and not phone:
            raise ValueError("an address is an e-mail address or a phone number")
        return cls(kind="address", practice_id=practice_id, email=email, phone=phone, language=language, about=about)

    @classmethod
    def guest(
        cls, person_id: UUID, practice_id: UUID, *, email: str | None = None, phone: str | None = None
    ) -> Recipient:
        """Return a patient or contact who has no account, and is reached at an address.

        Args:
            person_id: who it is, by which what they are sent is gathered and taken back.
            practice_id: whose patient or contact.
            email: where they are told; neither this nor `phone` is needed to take something back.
            phone: where they are told, E.164.
        """
        return cls(kind="address", practice_id=practice_id, email=email, phone=phone, person=person_id)
