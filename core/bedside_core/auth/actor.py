"""Who acts: the person a token stands for, in one practice at a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from bedside_core import errors


class Role(StrEnum):
    """What a person is in a practice (A12), and the operator of the deployment (A15)."""

    OWNER = "owner"
    MANAGER = "manager"
    PRACTITIONER = "practitioner"
    STAFF = "staff"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, for one practice at a time (A15).

    Args:
        account_id: the account that signed in.
        session_id: the sign-in; its end ends everything done with it.
        role: what the person is in the practice, or the operator.
        practice_id: the practice acted for; None for the operator.
        member_id: the person in that practice; None for the operator.
        key_id: the API key it is done with (A13); None for a sign-in.
    """

    account_id: UUID
    session_id: UUID
    role: Role
    practice_id: UUID | None = None
    member_id: UUID | None = None
    key_id: UUID | None = None

    @property
    def person_id(self) -> UUID | None:
        """The person by whom shared tables know the actor."""
        return self.member_id

    def in_practice(self) -> tuple[UUID, UUID]:
        """Return practice and person.

        Raises:
            errors.Forbidden: the actor is not a person of a practice (the operator).
        """
        if self.practice_id is None or self.member_id is None:
            raise errors.Forbidden("This is for the people of a practice.", way_on="Sign in as a member of it.")
        return self.practice_id, self.member_id
