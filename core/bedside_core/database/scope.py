"""For whom the present code acts: the practice and person that row-level security lets see their rows."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple
from uuid import UUID


class Scope(NamedTuple):
    """The practice and the person on whose behalf statements run. None sees no practice's rows (deny by default)."""

    practice_id: UUID | None = None
    person_id: UUID | None = None

    def settings(self) -> str:
        """Return the SQL that sets both on a connection. Only UUIDs get in, so the text can't be broken out of."""
        practice = self.practice_id.hex if self.practice_id else ""
        person = self.person_id.hex if self.person_id else ""
        return f"SET app.practice_id = '{practice}'; SET app.person_id = '{person}'"


_NOBODY = Scope()
_scope: ContextVar[Scope] = ContextVar("bedside_scope", default=_NOBODY)


def current_scope() -> Scope:
    """Return the scope of the present task."""
    return _scope.get()


class ScopeError(RuntimeError):
    """The scope would change while a transaction of the old one is open."""


@contextmanager
def entered(scope: Scope, in_transaction: Callable[[], bool]) -> Generator[None]:
    """Put a scope in force for the block; see `bedside_core.database.acting`."""
    before = _scope.get()
    if scope != before and in_transaction():
        raise ScopeError(
            "the scope can't change inside a transaction: its connection keeps the practice it began with; "
            "leave the transaction first, or run the other part in one of its own"
        )
    _scope.set(scope)
    try:
        yield
    finally:
        # Not reset(token): an async generator (a subscription) may be closed in another context than it began in.
        _scope.set(before)
