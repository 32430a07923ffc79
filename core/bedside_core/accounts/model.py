"""What invitations and links tell: the values that services hand out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from bedside_core import errors
from bedside_core.auth import Role
from bedside_core.notify.kinds import Language
from bedside_core.people import checks
from bedside_core.people.members import ASSIGNABLE


class InvitationState(StrEnum):
    """How far an invitation has come."""

    OPEN = "open"
    EXPIRED = "expired"
    ACCEPTED = "accepted"
    REVOKED = "revoked"


@dataclass(frozen=True, kw_only=True)
class NewInvitation:
    """Who is to be invited.

    Args:
        email: where the mail goes to.
        first_name: as whom; the person may write it otherwise at registration.
        last_name: likewise.
        role: what they are to be in the practice.
        language: of the mail.
    """

    email: str
    first_name: str
    last_name: str
    role: Role
    language: Language = Language.ENGLISH

    def checked(self, prefix: str = "input") -> NewInvitation:
        """Return it as it is stored.

        Raises:
            errors.InvalidInput: a value can't be used.
        """
        if self.role not in ASSIGNABLE:
            raise errors.InvalidInput("Members don't have this role.", field=(prefix, "role"))
        return NewInvitation(
            email=checks.email(self.email, (prefix, "email")),
            first_name=checks.name(self.first_name, (prefix, "firstName")),
            last_name=checks.name(self.last_name, (prefix, "lastName")),
            role=self.role,
            language=self.language,
        )


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """An invitation, as those who invite see it.

    Args:
        id: the invitation's.
        email: where it was sent; None where it went to a member, whose address is their own to show (A8).
        first_name: of whom is invited.
        last_name: likewise.
        role: what they are to be.
        state: how far it has come.
        anew: whether it is for a member who can't get in any more.
        sent_at: when its newest mail was sent.
        expires_at: until when that one's link works.
        invited_by: the member who invites; None is the operator.
        member_id: whom it made a member, or who is invited anew.
    """

    id: UUID
    email: str | None
    first_name: str
    last_name: str
    role: Role
    state: InvitationState
    anew: bool
    sent_at: datetime
    expires_at: datetime
    invited_by: UUID | None
    member_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class Invited:
    """What whoever has a link's secret is told of the invitation.

    Args:
        practice: the practice's name.
        email: where it was sent, which is the user name of a new account.
        first_name: of whom is invited.
        last_name: likewise.
        role: what they are to be.
        inviter: who invites; None is the operator.
        anew: whether it is a member's, to register anew.
        has_account: whether there is an account with this address, which accepts it signed in.
        expires_at: until when the link works.
    """

    practice: str
    email: str
    first_name: str
    last_name: str
    role: Role
    inviter: str | None
    anew: bool
    has_account: bool
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Registering:
    """What registration asks for (A3).

    Args:
        password: the new one.
        answers: key of a question, and its answer.
        terms: the version of the Terms of Use that is accepted.
        first_name: the person's first name; None leaves it as in the invitation.
        last_name: likewise.
    """

    password: str
    answers: tuple[tuple[str, str], ...]
    terms: int
    first_name: str | None = None
    last_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class ResetAsks:
    """What a reset asks for besides the new password (A4).

    Args:
        question: key of the security question; None where the account has answered none.
        factor: whether a code of the second factor can stand in for it.
        passkey: whether a passkey can.
        expires_at: until when the link works.
    """

    question: str | None
    factor: bool
    passkey: bool
    expires_at: datetime
