"""What a client asks for, read out of JSON, and what the transports need to know of who asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import msgspec

from bedside_core.auth import Actor, Client
from bedside_core.proxies import network
from bedside_graphql import problems
from bedside_graphql.config import GraphQLConfig

Authenticate = Callable[[str], Awaitable[Actor | None]]
"""Finds out who a token stands for; None where it is unknown, ended or expired."""
Seen = Callable[[Actor], Awaitable[None]]
"""Notes that somebody is there (promise A8)."""

JSON_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for text that is no JSON, not UTF-8, or nested beyond reason."""


class RequestContext(Protocol):
    """What resolvers get as `info.context`, as far as the transports use it."""

    @property
    def actor(self) -> Actor | None:
        """Who asks; None is somebody who is not signed in."""
        ...

    @property
    def request_id(self) -> str:
        """Names the request in answers and logs (G3)."""
        ...

    @property
    def client_address(self) -> str:
        """The caller's network address."""
        ...

    @property
    def set_cookies(self) -> list[str]:
        """Values of `Set-Cookie` that resolvers want in the HTTP answer."""
        ...


class MakeContext(Protocol):
    """Makes the context of one operation."""

    def __call__(
        self,
        actor: Actor | None,
        *,
        request_id: str,
        client_address: str,
        client: Client,
        live: bool,
        over_http: bool,
    ) -> RequestContext:
        """Return it; `live`: it serves all the events of a subscription; `over_http`: the answer can set cookies."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQLRequest:
    """A well-formed request: a document or the id of a persisted one, and what goes with it.

    Args:
        query: the document's text.
        document_id: the id of a persisted document, in place of the text.
        variables: values of the operation's variables, as they came.
        operation_name: which operation of the document to run.
        extensions: reserved for implementers; nothing of it is used.
    """

    query: str | None = None
    document_id: str | None = None
    variables: dict[str, Any] = field(default_factory=dict[str, Any])
    operation_name: str | None = None
    extensions: dict[str, Any] = field(default_factory=dict[str, Any])


class _Members(msgspec.Struct):
    query: msgspec.Raw = msgspec.Raw(b"null")
    documentId: msgspec.Raw = msgspec.Raw(b"null")
    operationName: msgspec.Raw = msgspec.Raw(b"null")
    variables: msgspec.Raw = msgspec.Raw(b"null")
    extensions: msgspec.Raw = msgspec.Raw(b"null")


_members = msgspec.json.Decoder(_Members)


def read_request(body: bytes | msgspec.Raw, config: GraphQLConfig) -> GraphQLRequest:
    """Return the request in a JSON object; members that nobody knows are ignored, null is like absent.

    Args:
        body: the JSON, of an HTTP body or of a subscribe message's payload.
        config: for the limits.

    Raises:
        problems.BatchingNotSupported: it is an array.
        problems.BadRequest: it is no JSON object, or a member is missing or of the wrong type.
        problems.DocumentTooLarge: the document is too long.
        problems.VariablesTooLarge: the variables are too long.
    """
    if bytes(memoryview(body)[:64]).lstrip()[:1] == b"[":
        raise problems.BatchingNotSupported("Send one operation per request.")
    try:
        members = _members.decode(body)
        query = _string("query", members.query)
        document_id = _string("documentId", members.documentId)
        operation_name = _string("operationName", members.operationName)
        extensions = _object("extensions", members.extensions)
        if len(memoryview(members.variables)) > config.max_variables_bytes:
            raise _too_large("The variables are too long.", config.max_variables_bytes, "bytes")
        variables = _object("variables", members.variables)
    except msgspec.ValidationError:
        raise problems.BadRequest("The request must be a JSON object.") from None
    except JSON_FAULTS:
        raise problems.BadRequest("The request is not JSON in UTF-8.") from None
    if _more_than(config.max_values, variables):
        raise _too_large("The variables hold too many values.", config.max_values, "values")
    if _holds_nul(members.variables, variables):
        raise holding_nul("variables")
    if query is not None and len(query.encode()) > config.max_document_bytes:
        raise problems.DocumentTooLarge(
            "The document is too long.", field=("query",), detail={"limit": config.max_document_bytes}
        )
    if query is None and document_id is None:
        raise problems.BadRequest("The request has no document.", way_on="Send it as `query`.", field=("query",))
    if query is not None and document_id is not None:
        raise problems.BadRequest("Send either `query` or `documentId`.", field=("documentId",))
    return GraphQLRequest(
        query=query,
        document_id=document_id,
        variables=variables,
        operation_name=operation_name or None,
        extensions=extensions,
    )


def holding_nul(member: str) -> problems.BadRequest:
    """Return the refusal of a text with NUL: PostgreSQL stores none, so it is refused once and for all."""
    return problems.BadRequest("Texts can't contain the character NUL, U+0000.", field=(member,))


def _too_large(message: str, limit: int, unit: str) -> problems.VariablesTooLarge:
    return problems.VariablesTooLarge(message, field=("variables",), detail={"limit": limit, "unit": unit})


def _more_than(most: int, values: dict[str, Any]) -> bool:
    """Tell whether more values are nested in one another; what is beyond the limit is not looked at."""
    waiting: list[object] = [values]
    found = 0
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict | list):
            held = cast("dict[str, object] | list[object]", item)
            found += len(held)
            if found > most:
                return True
            waiting += held.values() if isinstance(held, dict) else held
    return False


def _holds_nul(raw: msgspec.Raw, value: object) -> bool:
    """Tell whether any text in the variables holds NUL; most are cleared by a look at their bytes."""
    if b"\\u0000" not in bytes(raw):
        return False
    waiting: list[object] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if "\0" in item:
                return True
        elif isinstance(item, dict):
            waiting += [*cast("dict[str, object]", item), *cast("dict[str, object]", item).values()]
        elif isinstance(item, list):
            waiting += cast("list[object]", item)
    return False


def _decoded(name: str, raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError:  # what else could be wrong with a value of any type
        raise problems.BadRequest(f"`{name}` holds a number that is too large.", field=(name,)) from None


def _string(name: str, raw: msgspec.Raw) -> str | None:
    value = _decoded(name, raw)
    if value is None or isinstance(value, str):
        return value
    raise problems.BadRequest(f"`{name}` must be a string.", field=(name,))


def _object(name: str, raw: msgspec.Raw) -> dict[str, Any]:
    value = _decoded(name, raw)
    if value is None:
        return {}
    if isinstance(value, dict):
        return cast(dict[str, Any], value)
    raise problems.BadRequest(f"`{name}` must be an object.", field=(name,))


def budget_key(actor: Actor | None, client_address: str) -> tuple[str, str]:
    """Return on whose account an operation goes: ("session", its id), or ("address", the network's) without one."""
    return ("session", str(actor.session_id)) if actor is not None else ("address", network(client_address))
