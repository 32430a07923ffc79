"""What other plugins may know of the portal: states of patients' accounts, who acts for whom, and when that changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from bedside_core.api import Actor, Event, Problem, Refusal, fact


class IdentityRefused(Problem):
    """The date of birth is not that of the patient whom an invitation or a link is about."""

    code = "DATE_OF_BIRTH_WRONG"
    meaning = (
        "The date of birth is not the patient's; `attemptsLeft` tells how often it may still be wrong. At 0 the "
        "invitation, or the link to a conversation, is void, and the practice can send another (S9, C6)."
    )
    status = 403


class PortalState(StrEnum):
    """What a patient's portal account is (S9): their own, and that of whoever acts for them, taken together."""

    NONE = "none"
    INVITED = "invited"
    """Somebody was invited, and nobody has registered yet."""
    ACTIVE = "active"
    """Somebody signs in: the patient, or a guardian (S11)."""
    SUSPENDED = "suspended"
    """The practice lets nobody in."""


class HolderState(StrEnum):
    """How far one person has come who is to act for a patient."""

    INVITED = "invited"
    ACTIVE = "active"
    REMOVED = "removed"
    """The invitation was taken back, or the guardian does not act any more."""


class InvitationState(StrEnum):
    """What an invitation is good for."""

    OPEN = "open"
    EXPIRED = "expired"
    VOID = "void"
    """The date of birth was wrong too often."""


class InvitationChannel(StrEnum):
    """How an invitation is sent."""

    EMAIL = "email"
    SMS = "sms"


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """An invitation that was sent and not followed yet.

    Args:
        channel: how it was sent.
        address: where to, an e-mail address or a number.
        sent_at: when it was sent last.
        expires_at: until when its link can be used (A2).
        attempts_left: how often the date of birth may still be wrong.
        state: what it is good for now.
    """

    channel: InvitationChannel
    address: str
    sent_at: datetime
    expires_at: datetime
    attempts_left: int
    state: InvitationState


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Somebody who acts for a patient, or is invited to: the patient, or a guardian.

    Args:
        id: the holder's.
        patient_id: for whom.
        account_id: the account that signs in; None until somebody has registered.
        name: the guardian's or the patient's.
        relationship: what the guardian is to the patient; None is the patient.
        state: how far it is.
        invitation: what was sent, while it is not followed.
        registered_at: since when they act.
        until: the last day on which a guardian acts, in the practice's zone; None is without end.
    """

    id: UUID
    patient_id: UUID
    account_id: UUID | None
    name: str
    relationship: str | None
    state: HolderState
    invitation: Invitation | None
    registered_at: datetime | None
    until: date | None = None


@dataclass(frozen=True, kw_only=True)
class PortalAccount:
    """A patient's portal account as staff sees it.

    Args:
        patient_id: whose.
        state: what it is.
        suspended_at: since when the practice lets nobody in.
        holders: the patient first, then guardians, in the order in which they were invited.
        booking: whether staff has them book by themselves, or not; None is as the practice's setting says.
    """

    patient_id: UUID
    state: PortalState
    suspended_at: datetime | None
    holders: Sequence[Holder]
    booking: bool | None = None


@dataclass(frozen=True, kw_only=True)
class PortalAccountChanged(Event):
    """A patient's portal account has another state."""

    patient_id: UUID = fact("Whose.")
    before: str = fact("The former state: none, invited, active or suspended.")
    state: str = fact("The state now.")


@dataclass(frozen=True, kw_only=True)
class PortalHolderChanged(Event):
    """Somebody was invited to act for a patient, began to, or does not any more."""

    patient_id: UUID = fact("For whom.")
    holder_id: UUID = fact("Who it is, as the portal knows them.")
    account_id: UUID | None = fact("The account that acts; None while nobody has registered.")
    state: str = fact("invited, active or removed.")


class PortalAccounts(Protocol):
    """What the portal answers to other plugins, for the acting practice."""

    async def states(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, PortalState]:
        """Return the state of each patient's account, in one statement; every id is in the answer."""
        ...

    async def accounts(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, PortalAccount]:
        """Return the accounts of patients with who acts for them, in one statement; every id is in the answer."""
        ...

    async def acting(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Holder]]:
        """Return who acts for each patient now, in one statement; nobody does while it is suspended."""
        ...


class PortalRules(Protocol):
    """What a practice lets its patients do in the portal by themselves, and what it says to them."""

    async def may_book(self, patient_id: UUID, account_id: UUID) -> Refusal | None:
        """Return why an account can't book for a patient whom it acts for in the portal; None where it may (S4, S10).

        Sections that are open to it, notice and horizon are the schedule's own to ask.

        Args:
            patient_id: a patient of the acting practice.
            account_id: the patient's own account, or a guardian's.
        """
        ...

    async def decided(self, patient_id: UUID) -> bool | None:
        """Return whether staff has decided that a patient books by themselves, or does not; None is as settings say."""
        ...

    async def waiting_text(self) -> str:
        """Return what the acting practice says to who waits (T15)."""
        ...


class PortalInvitations(Protocol):
    """How other plugins have patients invited in the same step in which they do something of their own (S2)."""

    async def missing(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, bool]:
        """Tell of each patient whether there is somebody to invite, in a constant number of statements.

        There is where the record has an address or a number, and nobody has an account or an invitation that is good.
        """
        ...

    async def invite_missing(self, actor: Actor, patient_ids: Sequence[UUID]) -> None:
        """Invite those of the patients who have no account and no invitation that is good, within the present unit.

        By e-mail where their record has an address, else by text message. Where one can't be invited, nobody is.

        Raises:
            Problem: the actor may not invite, or a record has neither; `field` is `inviteToPortal`.
        """
        ...
