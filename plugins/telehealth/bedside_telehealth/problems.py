"""What sessions refuse with codes of their own."""

from __future__ import annotations

from bedside_core.api import Problem


class SessionOver(Problem):
    """The session has ended."""

    code = "SESSION_ENDED"
    meaning = "The session was ended for everyone; its links lead nowhere any more (T5)."
    status = 410


class SessionFull(Problem):
    """As many people are in the session as the plan lets in."""

    code = "SESSION_FULL"
    meaning = "As many people are in the session as its practice's plan has room for; `limit` tells how many (L6)."
    retryable = True
    status = 409


class NotAdmitted(Problem):
    """A chair keeps the person out."""

    code = "NOT_ADMITTED"
    meaning = "A chair has declined or removed the person, or the session is not for them: only a chair lets them in."
    status = 403


class TakenOver(Problem):
    """A newer tab has the place."""

    code = "TAKEN_OVER"
    meaning = "The person has come to the session by another tab or device since, which has their place now (T16)."
    status = 409


class SignInNeeded(Problem):
    """Guests do not come to this session."""

    code = "SIGN_IN_NEEDED"
    meaning = "The session is for people who sign in: of its access only `INVITATION` lets guests come (T10)."
    status = 403


class LinkConfirmationNeeded(Problem):
    """Anyone with the link could join."""

    code = "LINK_CONFIRMATION_NEEDED"
    meaning = "Anyone with the link can join an `INVITATION` session: send `confirmAnyoneWithLink: true` (T6)."
    status = 409


class LastChair(Problem):
    """The session would have no chair."""

    code = "LAST_CHAIR"
    meaning = "A session keeps a chair: make somebody else one first (T9)."
    status = 409
