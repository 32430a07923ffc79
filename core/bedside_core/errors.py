"""The coded problems that services raise and every entrance reports in the same way (G3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar


class Problem(Exception):
    """Something the caller can be told: a published code, a human sentence, and the way on.

    Args:
        message: one sentence for a person, without health data.
        way_on: what the caller can do about it, if anything.
        field: path of the input field at fault, outermost first (`("patch", "awayMessage")`).
        detail: further facts for the client, JSON values only (`{"feature": "team_chat"}`).
    """

    code: ClassVar[str] = "INTERNAL"
    """Stable name, published in docs/graphql-guide/errors.md."""
    meaning: ClassVar[str] = "Something failed on our side; it was logged under the request's id."
    """What the code tells a client's author."""
    retryable: ClassVar[bool] = False
    """Whether the same request may succeed later without any change."""
    status: ClassVar[int] = 500
    """HTTP status where the problem is the whole answer of a REST route."""

    def __init__(
        self,
        message: str,
        *,
        way_on: str | None = None,
        field: tuple[str, ...] = (),
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.way_on = way_on
        self.field = field
        self.detail = dict(detail or {})

    def extensions(self) -> dict[str, Any]:
        """Return what clients get beside the message: code, retryable, wayOn, field and the details."""
        told: dict[str, Any] = {"code": self.code, "retryable": self.retryable, **self.detail}
        if self.way_on:
            told["wayOn"] = self.way_on
        if self.field:
            told["field"] = list(self.field)
        return told


class Internal(Problem):
    """What is told in place of an unexpected exception."""


class Unauthenticated(Problem):
    """Nobody is signed in."""

    code = "UNAUTHENTICATED"
    meaning = "Nobody is signed in, or the session has ended. Sign in and send the token."
    status = 401


class Forbidden(Problem):
    """The person's role does not allow it."""

    code = "FORBIDDEN"
    meaning = "The person's role or place in a conversation does not allow it. `permission` names what is missing."
    status = 403


class FeatureNotInPlan(Problem):
    """The practice's plan does not have the feature."""

    code = "FEATURE_NOT_IN_PLAN"
    meaning = "The practice's plan does not include the feature named in `feature`; `tier` is the lowest that does."
    status = 403


class SwitchedOff(Problem):
    """The practice or the person has switched it off."""

    code = "SWITCHED_OFF"
    meaning = "The feature is in the plan, but a setting of the practice or of the person switches it off."
    status = 403


class NotFound(Problem):
    """There is no such thing, or none this person may see; the two are told alike (promise A1)."""

    code = "NOT_FOUND"
    meaning = "There is no such thing, or none that this person may see. The two are never told apart."
    status = 404


class InvalidInput(Problem):
    """A value that was given can't be used."""

    code = "INVALID_INPUT"
    meaning = "A value can't be used; `field` is the path to it in the input."
    status = 400


class Conflict(Problem):
    """The state of things does not allow it now."""

    code = "CONFLICT"
    meaning = "The state of things does not allow it, for example the same clientId was used with other content."
    status = 409


class RateLimited(Problem):
    """Too much was asked in too short a time."""

    code = "RATE_LIMITED"
    meaning = "The budget for this span of time is spent. `Retry-After` tells the seconds to wait (G4)."
    retryable = True
    status = 429


class Unavailable(Problem):
    """Something needed, usually the database, is away for the moment."""

    code = "UNAVAILABLE"
    meaning = "Something needed is away for the moment; nothing was changed. Repeat with the same clientId."
    retryable = True
    status = 503


class DeadlineExceeded(Problem):
    """The operation ran into its time limit."""

    code = "DEADLINE_EXCEEDED"
    meaning = "The operation took longer than the deployment allows and was stopped."
    retryable = True
    status = 503


def problem_types() -> Iterator[type[Problem]]:
    """Yield every kind of problem once, for the documentation and its test."""
    seen: set[type[Problem]] = set()
    waiting: list[type[Problem]] = [Problem]
    while waiting:
        kind = waiting.pop(0)
        for sub in kind.__subclasses__():
            if sub not in seen:
                seen.add(sub)
                waiting.append(sub)
                yield sub
