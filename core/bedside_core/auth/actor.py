"""Who acts: the person a token stands for, in one practice at a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from bedside_core import errors


class Role(StrEnum):
    """What a person is in a practice (A12), who came by a link (C6), and the operator of the deployment (A15)."""

    OWNER = "owner"
    MANAGER = "manager"
    PRACTITIONER = "practitioner"
    STAFF = "staff"
    PATIENT = "patient"
    GUEST = "guest"
    OPERATOR = "operator"


class Pending(StrEnum):
    """What a sign-in lacks before anything can be done with it (A9)."""

    FACTOR = "factor"
    """The second factor is to be shown."""
    SET_UP = "set_up"
    """The practice demands a second factor, and there is none: one is to be set up."""


class SecondFactorNeeded(errors.Problem):
    """The sign-in is not complete."""

    code = "SECOND_FACTOR_NEEDED"
    meaning = (
        "The sign-in waits for the second factor: `pending` is `factor` where it is to be shown (`verifyCode`, "
        "`verifyPasskey`), `set_up` where the practice demands one and there is none (`beginTotp`, `beginPasskey`)."
    )
    status = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, for one practice at a time (A15).

    Args:
        account_id: the account that signed in; of an API key its maker's; of a guest, who has none, the session's id.
        session_id: the sign-in, or the API key; its end ends everything done with it.
        role: what the person is in the practice, or the operator.
        practice_id: the practice acted for; None for the operator, and while the sign-in is not complete.
        member_id: the person in that practice; None for the operator and for patients.
        patient_id: the patient acted as, in the portal.
        key_id: the API key that acts in place of the person (A13).
        application_id: the application in which the person acts, where it is not our own client (G1).
        scopes: the permissions a key, an application or a guest is confined to; None where a person acts in our own
            client, or a guest has all that guests have.
        guest: the patient or contact who came by a link and has no account (C6).
        bound_to: the one conversation, or whatever else a link leads to, that a guest reaches.
        pending: what the sign-in lacks; nothing else is allowed meanwhile (A9).
    """

    account_id: UUID
    session_id: UUID
    role: Role
    practice_id: UUID | None = None
    member_id: UUID | None = None
    patient_id: UUID | None = None
    key_id: UUID | None = None
    application_id: UUID | None = None
    scopes: frozenset[str] | None = None
    guest: UUID | None = None
    bound_to: UUID | None = None
    pending: Pending | None = None

    @property
    def person_id(self) -> UUID | None:
        """The person by whom shared tables know the actor: the member, the patient, or the guest."""
        return self.member_id or self.patient_id or self.guest

    def in_practice(self) -> tuple[UUID, UUID]:
        """Return practice and member.

        Raises:
            errors.Forbidden: the actor is not a member of a practice (the operator, a patient, a guest).
        """
        if self.practice_id is None or self.member_id is None:
            raise errors.Forbidden("This is for the people of a practice.", way_on="Sign in as a member of it.")
        return self.practice_id, self.member_id

    def as_person(self) -> tuple[UUID, UUID]:
        """Return practice and person: the member, the patient acted as in the portal, or the guest.

        Raises:
            errors.Forbidden: the actor is nobody of a practice (the operator).
        """
        if self.practice_id is None or self.person_id is None:
            raise errors.Forbidden("This is for the people of a practice.", way_on="Sign in as one of them.")
        return self.practice_id, self.person_id

    def as_patient(self) -> tuple[UUID, UUID]:
        """Return practice and patient.

        Raises:
            errors.Forbidden: the actor acts as no patient.
        """
        if self.practice_id is None or self.patient_id is None:
            raise errors.Forbidden("This is for patients.", way_on="Switch to a patient you may act for.")
        return self.practice_id, self.patient_id

    def complete(self) -> Actor:
        """Return the actor itself where the sign-in is complete.

        Raises:
            SecondFactorNeeded: it is not.
        """
        if self.pending is not None:
            raise SecondFactorNeeded(
                "The sign-in waits for the second factor.",
                way_on=way_on(self.pending),
                detail={"pending": self.pending},
            )
        return self

    def with_account(self) -> Actor:
        """Return the actor itself where there is an account behind it.

        Raises:
            errors.Forbidden: a guest acts, who came by a link.
        """
        if self.guest is not None:
            raise errors.Forbidden("This is not for guests, whose link leads to one conversation and nothing else.")
        return self

    def oneself(self) -> Actor:
        """Return the actor itself where a person acts, with whatever the sign-in lacks.

        Raises:
            errors.Forbidden: an API key or an application acts.
        """
        if self.application_id is not None:
            raise errors.Forbidden(
                "An application can't change how a person signs in.",
                way_on="Do it in our own client; an application ends its own sign-in by `/oauth/revoke`.",
            )
        self.with_account()
        if self.key_id is not None:
            raise errors.Forbidden("An API key can't change how its maker signs in.", way_on="Sign in as a person.")
        return self


def way_on(pending: Pending) -> str:
    """Return what to do about an incomplete sign-in."""
    if pending is Pending.FACTOR:
        return "Show it with verifyCode or verifyPasskey."
    return "Your practice demands one: set it up with beginTotp or beginPasskey."
