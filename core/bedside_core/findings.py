"""What a look at a deployment says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How one thing fares."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found out about one thing.

    Args:
        name: the thing.
        state: how it fares; only `fail` keeps a deployment from working as it should.
        message: what was found.
        way_on: what to do about it, where there is something to do.
    """

    name: str
    state: State
    message: str
    way_on: str | None = None


def ok(name: str, message: str) -> Finding:
    """Return that a thing is well."""
    return Finding(name=name, state=State.OK, message=message)


def warn(name: str, message: str, way_on: str) -> Finding:
    """Return that a thing could become a fault, or is one of convenience."""
    return Finding(name=name, state=State.WARN, message=message, way_on=way_on)


def fail(name: str, message: str, way_on: str) -> Finding:
    """Return that a thing keeps the deployment from working as it should."""
    return Finding(name=name, state=State.FAIL, message=message, way_on=way_on)
