"""What somebody can send in a conversation: text and files, or why not and what would open it (C2, C3, L2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.kinds import WAYS, ConversationKind, Way
from bedside_chat.settings import ChatSettings
from bedside_core.api import DB, Actor, PersonKind, Problem, Refusal, Rule
from bedside_portal.api import PortalAccounts, PortalState

if TYPE_CHECKING:
    from bedside_core.api import Platform

_STANDINGS = """
SELECT c.id, c.practice_id, c.kind, c.subject_id, c.private, c.created_by, p.kind AS person_kind,
    coalesce(s.by_link, false) AS by_link, chat_lacking(c.id, p.person_id, $3) AS lacking,
    c.practice_id = app_practice() OR chat_connected(c.id) AS open
FROM participant p JOIN conversation c ON c.id = p.conversation_id
LEFT JOIN participant s ON s.conversation_id = c.id AND s.person_id = c.subject_id
WHERE p.person_id = $1 AND p.left_at IS NULL AND c.id = ANY($2)
"""


class NotReached(Problem):
    """What is written there would reach nobody."""

    code = "NOT_REACHED"
    meaning = (
        "What is written there would reach nobody: the link of the patient or contact is open no longer, or they left "
        "(C6, C9), or no member is there any more. `wayOn` tells what helps."
    )
    status = 409


class ReadOnly(Problem):
    """Nothing more can be written in the conversation."""

    code = "CONVERSATION_READ_ONLY"
    meaning = "The conversation can be read but not written in: the practices are connected no longer (P2)."
    status = 403


@dataclass(frozen=True, kw_only=True)
class Closed(Refusal):
    """A refusal of everything in a conversation that is read only."""

    @property
    def code(self) -> str:
        """The published error code of this refusal."""
        return ReadOnly.code

    def problem(self) -> Problem:
        """Return the refusal as the error that a caller gets."""
        return ReadOnly(self.message, way_on=self.way_on)


@dataclass(frozen=True, kw_only=True)
class Unheard(Refusal):
    """A refusal of what would reach nobody."""

    @property
    def code(self) -> str:
        """The published error code of this refusal."""
        return NotReached.code

    def problem(self) -> Problem:
        """Return the refusal as the error that a caller gets."""
        return NotReached(self.message, way_on=self.way_on)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where somebody stands in a conversation they take part in.

    Args:
        conversation_id: the conversation.
        practice_id: the practice that owns it.
        kind: what kind it is.
        subject_id: the patient or contact it is with.
        private: whether a group is joined by invitation only.
        created_by: who started it.
        person_kind: what the person is to the owning practice.
        by_link: whether the patient or contact is reached by a link, not in the portal.
        lacking: what is lacking for anybody to be reached: a `link` that is open, or a `member` who is active.
        open: whether the person's practice is still the owning one or connected to it (P2).
    """

    conversation_id: UUID
    practice_id: UUID
    kind: ConversationKind
    subject_id: UUID | None
    private: bool
    created_by: UUID
    person_kind: PersonKind
    by_link: bool
    lacking: str | None
    open: bool

    @property
    def way(self) -> Way:
        """What holds for its kind."""
        return WAYS[self.kind]

    @property
    def in_portal(self) -> bool:
        """Whether it is with a patient in the portal."""
        return self.kind is ConversationKind.PATIENT and not self.by_link


@dataclass(frozen=True, kw_only=True)
class Composer:
    """What somebody can send in a conversation.

    Args:
        text: why no text; None where it is open.
        files: why no files; None where they are open.
    """

    text: Refusal | None
    files: Refusal | None


def reaches(actor: Actor, conversation_id: UUID) -> bool:
    """Tell whether a conversation is within an actor's reach: a guest's is that of their link alone (C6)."""
    return actor.bound_to is None or actor.bound_to == conversation_id


async def standings(platform: Platform, actor: Actor, conversation_ids: Collection[UUID]) -> Mapping[UUID, Standing]:
    """Return where an actor stands in those of the conversations that they take part in, in one statement."""
    reached = [each for each in conversation_ids if reaches(actor, each)]
    rows = await DB.fetch(_STANDINGS, actor.person_id, reached, platform.clock.now())
    return {
        row["id"]: Standing(
            conversation_id=row["id"],
            practice_id=row["practice_id"],
            kind=ConversationKind(row["kind"]),
            subject_id=row["subject_id"],
            private=row["private"],
            created_by=row["created_by"],
            person_kind=PersonKind(row["person_kind"]),
            by_link=row["by_link"],
            lacking=row["lacking"],
            open=row["open"],
        )
        for row in rows
    }


async def parted(conversation_ids: Collection[UUID]) -> Collection[tuple[UUID, UUID]]:
    """Return whose practice is connected to the owning one no longer (P2): conversations with people who take part."""
    rows = await DB.fetch("SELECT * FROM chat_parted($1)", list(set(conversation_ids)))
    return {(row["conversation_id"], row["person_id"]) for row in rows}


async def composers(platform: Platform, actor: Actor, found: Sequence[Standing]) -> Mapping[UUID, Composer]:
    """Return what an actor can send in conversations, in a constant number of statements.

    Args:
        platform: plan, settings and the portal.
        actor: who would send; their practice's plan decides (L9).
        found: where they stand.
    """
    lacks = {
        feature: await _lacks(platform, actor, feature)
        for feature in sorted({name for each in found for name in each.way.features})
    }
    portal = [each for each in found if each.in_portal and each.subject_id is not None]
    settings = await platform.settings.read(ChatSettings) if portal else ChatSettings()
    states = await portal_states(platform, [each.subject_id for each in portal if each.subject_id])
    return {
        each.conversation_id: _composer(
            each, lacks, settings, states.get(each.subject_id, PortalState.NONE) if each.subject_id else None
        )
        for each in found
    }


def _composer(
    standing: Standing, lacks: Mapping[str, Refusal | None], settings: ChatSettings, portal: PortalState | None
) -> Composer:
    if not standing.open:
        return Composer(text=not_connected(), files=not_connected())
    text, files = lacks[standing.way.text], lacks[standing.way.files]
    if standing.lacking is not None:
        unheard = _unheard(standing)
        text, files = text or unheard, files or unheard
    if standing.in_portal:
        needed = _needed(standing, portal)
        text = _both(text, needed or _switched_off(standing, settings))
        files = files or needed
    return Composer(text=text, files=files)


async def _lacks(platform: Platform, actor: Actor, feature: str) -> Refusal | None:
    """Return why the actor's practice lacks a feature; patients and guests are told what they can do about it."""
    refusal = await platform.access.lacks(actor.practice_id, feature) if actor.practice_id else None
    if refusal is None or actor.member_id is not None:
        return refusal
    return replace(refusal, message="The practice does not offer this.", way_on="Call the practice.")


def _both(first: Refusal | None, second: Refusal | None) -> Refusal | None:
    """Return the first refusal, which tells what else has to be done where there are two."""
    if first is None or second is None:
        return first or second
    ways = dict.fromkeys(way for way in (first.way_on, second.way_on) if way)
    return replace(first, way_on=" Then: ".join(ways))


def _unheard(standing: Standing) -> Refusal:
    if standing.lacking == "link":
        return Unheard(
            rule=Rule.MEMBERSHIP,
            message="They have no link to this conversation that is open: nothing you write would reach them.",
            way_on="Send them the link again.",
        )
    if standing.kind is ConversationKind.DIRECT:
        return Unheard(
            rule=Rule.MEMBERSHIP, message="They are not with the practice any more.", way_on="Write to somebody else."
        )
    return Unheard(
        rule=Rule.MEMBERSHIP,
        message="Nobody of the practice is in this conversation any more.",
        way_on="Write to another practitioner, or call the practice.",
    )


def _needed(standing: Standing, portal: PortalState | None) -> Refusal | None:
    """Return why nothing reaches a patient in the portal (C2); a patient who is here has an account."""
    if standing.person_kind is PersonKind.PATIENT or portal is PortalState.ACTIVE:
        return None
    return no_portal_account()


def not_connected() -> Refusal:
    """Return the refusal of all but reading in a conversation of a practice that is connected no longer (P2)."""
    return Closed(
        rule=Rule.MEMBERSHIP,
        message="This conversation can only be read: your practices are not connected any more.",
        way_on="Have an owner ask for the connection again.",
    )


def no_portal_account() -> Refusal:
    """Return the refusal of what only a patient with an active portal account can be sent (C2)."""
    return Refusal(
        rule=Rule.PORTAL,
        message="This patient has no active portal account.",
        way_on="Invite them to the portal, or send them a link by SMS or e-mail.",
    )


def _switched_off(standing: Standing, settings: ChatSettings) -> Refusal | None:
    if settings.patients_in_portal:
        return None
    patient = standing.person_kind is PersonKind.PATIENT
    return Refusal(
        rule=Rule.SWITCH,
        message="Chat for patients is switched off in this practice; files can be shared.",
        way_on="Call the practice." if patient else "Ask an owner or manager to switch it on in the chat settings.",
    )


async def portal_states(platform: Platform, patient_ids: Sequence[UUID]) -> Mapping[UUID, PortalState]:
    """Return the states of patients' portal accounts; empty where there is no portal."""
    if not patient_ids or not platform.provides(PortalAccounts):
        return {}
    return await platform.service(PortalAccounts).states(patient_ids)
