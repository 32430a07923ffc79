"""Turns whatever went wrong into what a client may read, and into a log entry that holds no health data.

A coded `Problem` and the client's own mistakes go through. Everything else is told as INTERNAL with the request's id,
and logged by its type and the places in the code: an exception's message may quote the value it choked on, and a
document, its literals and its variables may hold health data, so none of them is ever logged.
"""

from __future__ import annotations

import asyncio
import re
import socket
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog
from graphql import GraphQLError, ValueNode
from strawberry.exceptions import StrawberryInputCoercionError

from bedside_core import errors
from bedside_core.database.driver import asyncpg
from bedside_core.errors import Problem

log = structlog.get_logger("bedside.graphql")

_SNAKE = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")
_LONGEST_MESSAGE = 1_000
_LONGEST_READ = 10_000
_QUOTED = re.compile(r"""(['"])((?:(?!\1).){100})(?:(?!\1).)+(?:\1|$)""", re.DOTALL)
"""What a message quotes, where it is longer than 100 characters."""
_AWAY: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)


def told(problem: Problem, cause: GraphQLError | None = None) -> GraphQLError:
    """Return a problem as a GraphQL error.

    Args:
        problem: what the client is to read.
        cause: graphql-core's own error behind it, whose places in the document are kept.
    """
    if cause is None:
        return GraphQLError(problem.message, original_error=problem)
    return GraphQLError(problem.message, cause.nodes, cause.source, cause.positions, cause.path, original_error=problem)


class Names(Protocol):
    """What a log may tell of an operation."""

    @property
    def digest(self) -> str:
        """The document's SHA-256, which tells operators which one it was without telling its text."""
        ...

    def field_path(self, path: Sequence[str | int]) -> str:
        """Return a path by the names of the schema; aliases are the client's own words."""
        ...


def format_error(error: GraphQLError, request_id: str, operation: Names | None = None) -> dict[str, Any]:
    """Return one entry of `errors`, and log it if the fault is ours.

    Args:
        error: as graphql-core collected it, or as `told` made it.
        request_id: names the request in answers and logs (G3).
        operation: what was executed, to name it in the log.

    Returns:
        `message`, `locations`, `path`, and `extensions` with `code`, `retryable`, `requestId` and where they help
        `field`, `wayOn` and the problem's own details.
    """
    problem = problem_of(error)
    if problem is None:
        problem = _masked(error, request_id, operation)
    entry: dict[str, Any] = {"message": problem.message[:_LONGEST_MESSAGE]}
    if error.locations:
        entry["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        entry["path"] = error.path
    extensions = problem.extensions() | {"requestId": request_id}
    if problem.field:  # services name fields as Python does
        extensions["field"] = [_SNAKE.sub(lambda found: found[1].upper(), part) for part in problem.field]
    entry["extensions"] = extensions
    return entry


def shortened(message: str) -> str:
    """Return a message of graphql-core in which what it quotes of the client's is not longer than 100 characters."""
    return _QUOTED.sub(r"\1\2…\1", message[:_LONGEST_READ])


def problem_of(error: GraphQLError) -> Problem | None:
    """Return what a client may read of an error, or None if nothing of it."""
    cause: object = error
    while isinstance(cause, GraphQLError):
        if not isinstance(cause.original_error, Problem) and _of_the_client(cause):
            return errors.InvalidInput(shortened(cause.message), way_on="Compare the value with the schema.")
        cause = cause.original_error
    if isinstance(cause, Problem):
        return cause
    if isinstance(cause, _AWAY) or (isinstance(cause, asyncpg.InterfaceError) and "clos" in str(cause)):
        return errors.Unavailable("Something needed is away for the moment.", way_on="Try again in a few seconds.")
    return None


def _of_the_client(error: GraphQLError) -> bool:
    """Tell whether the value of an argument was at fault; graphql-core names the value's node, and only then."""
    if isinstance(error, StrawberryInputCoercionError):
        return True
    return bool(error.nodes) and all(isinstance(node, ValueNode) for node in error.nodes or ())


def _masked(error: GraphQLError, request_id: str, operation: Names | None) -> Problem:
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if isinstance(cause, Stopped) and cause.__cause__ is not None:
        cause = cause.__cause__
    facts = described(cause)
    if operation is not None:
        facts |= {"document": operation.digest, "path": operation.field_path(error.path or ())}
    log.error("a field failed", request_id=request_id, **facts)
    return internal()


def internal() -> Problem:
    """Return what is told in place of an exception that nobody expected."""
    return errors.Internal(
        "Something failed on our side.", way_on="Try again; if it stays, give the operator this requestId."
    )


def described(error: BaseException) -> dict[str, Any]:
    """Return an exception for the log: its type, where it came from, and what caused it; never its message."""
    facts: dict[str, Any] = {"error": _name(error), "frames": frames(error)}
    if causes := [_name(cause) for cause in _causes(error)]:
        facts["causes"] = causes
    return facts


def frames(error: BaseException) -> list[str]:
    """Return the places in the code an exception passed, innermost last, as `folder/file:line function`."""
    return [
        f"{'/'.join(Path(frame.f_code.co_filename).parts[-2:])}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen = {id(error)}
    following: BaseException | None = error.__cause__ or error.__context__
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def must_pass(error: BaseException) -> bool:
    """Tell whether an exception is meant for the running task, and not a fault of code that it called.

    A plugin's resolver may raise anything, SystemExit and a CancelledError of its own making too (promise P1).
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return isinstance(error, KeyboardInterrupt)


class Stopped(RuntimeError):
    """Code that was called raised what is meant for the process; the cause tells what."""


class _Contained:
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and not isinstance(error, Exception) and not must_pass(error):
            raise Stopped from error


contained = _Contained()
"""Around a plugin's code: turns what would end the process or the task into an exception like any other."""


def quiet(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio could not hand to anybody, without its message; for `loop.set_exception_handler`.

    asyncio's own handler writes the exception's repr, and with it whatever value the message quotes.
    """
    error = context.get("exception")
    log.error("nobody took an exception", said=context.get("message"), **(described(error) if error else {}))
