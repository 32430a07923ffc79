"""The messages of graphql-transport-ws: what clients send, what is sent to them, and the codes sockets close with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import msgspec

from bedside_core.errors import Problem
from bedside_graphql import problems
from bedside_graphql.config import GraphQLConfig
from bedside_graphql.request import JSON_FAULTS, GraphQLRequest, read_request

SUBPROTOCOL = "graphql-transport-ws"
LONGEST_ID = 255
ACK = '{"type":"connection_ack"}'
PING = '{"type":"ping"}'


class Close(NamedTuple):
    """A code and a reason of at most 123 bytes. 44xx up to 4429 and 4500 are the protocol's, 1009 and 1012 IANA's."""

    code: int
    reason: str


TOO_BIG = Close(1009, "Message too big")
RESTART = Close(1012, "Service restart")
UNAUTHORIZED = Close(4401, "Unauthorized")
FORBIDDEN = Close(4403, "Forbidden")
SESSION_ENDED = Close(4403, "Session ended")
SESSION_CHANGED = Close(4403, "Session changed")
SUBPROTOCOL_NOT_ACCEPTABLE = Close(4406, "Subprotocol not acceptable")
INIT_TIMEOUT = Close(4408, "Connection initialisation timeout")
TOO_MANY_INITS = Close(4429, "Too many initialisation requests")
TOO_MANY_SOCKETS = Close(4430, "Too many sockets")
TOO_SLOW = Close(4431, "Messages were not taken in time")
NO_PONG = Close(4432, "No pong")
FAILED = Close(4500, "Internal server error")
AWAY = Close(4503, "Try again in a few seconds")


def invalid(why: str) -> Close:
    """Return the close due for a message that the protocol does not know."""
    return Close(4400, why)


def duplicate(id: str) -> Close:
    """Return the close due for an id that is in use; a long one is cut, as a reason has 123 bytes at most."""
    told = id.encode()[:80].decode(errors="ignore")
    return Close(4409, f"Subscriber for {told} already exists")


class Closed(Exception):
    """The socket has to be closed."""

    def __init__(self, close: Close) -> None:
        super().__init__(close.reason)
        self.close = close


@dataclass(frozen=True, slots=True)
class Init:
    """`connection_init`."""

    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ping:
    """`ping`; a pong repeats its payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """`pong`."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """`subscribe`: an operation of any kind, or the problem of one that is well-formed but too long."""

    id: str
    request: GraphQLRequest | Problem


@dataclass(frozen=True, slots=True)
class Complete:
    """`complete`."""

    id: str


Message = Init | Ping | Pong | Subscribe | Complete


class _Frame(msgspec.Struct):
    type: msgspec.Raw = msgspec.Raw(b"null")
    id: msgspec.Raw = msgspec.Raw(b"null")
    payload: msgspec.Raw = msgspec.Raw(b"")


_frames = msgspec.json.Decoder(_Frame)


def read_message(text: str, config: GraphQLConfig) -> Message:
    """Return a client's message.

    Raises:
        Closed: it is of a type or form that the protocol does not specify.
    """
    try:
        frame = _frames.decode(text)
        kind: object = msgspec.json.decode(frame.type)
        if kind == "connection_init":
            return Init(_map(frame.payload))
        if kind == "ping":
            _map(frame.payload)
            return Ping(bytes(frame.payload))
        if kind == "pong":
            _map(frame.payload)
            return Pong()
        if kind == "subscribe":
            return Subscribe(_id(frame.id), _request(frame.payload, config))
        if kind == "complete":
            return Complete(_id(frame.id))
    except msgspec.ValidationError:
        raise Closed(invalid("A message must be a JSON object")) from None
    except JSON_FAULTS:
        raise Closed(invalid("A message must be JSON")) from None
    raise Closed(invalid("A message must have a known type"))


def _map(raw: msgspec.Raw) -> dict[str, Any]:
    value: object = msgspec.json.decode(raw) if raw else None
    if value is None:
        return {}
    if isinstance(value, dict):
        return cast(dict[str, Any], value)
    raise Closed(invalid("A payload must be an object"))


def _id(raw: msgspec.Raw) -> str:
    value: object = msgspec.json.decode(raw)
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ID:
        return value
    raise Closed(invalid(f"An id must be a string of 1 to {LONGEST_ID} characters"))


def _request(raw: msgspec.Raw, config: GraphQLConfig) -> GraphQLRequest | Problem:
    if bytes(memoryview(raw)[:64]).lstrip()[:1] != b"{":
        raise Closed(invalid("The payload of subscribe must be an object"))
    try:
        return read_request(raw, config)
    except problems.BadRequest as problem:
        raise Closed(invalid(f"Invalid payload: {problem.message}")) from None
    except Problem as problem:
        return problem


def pong(payload: bytes) -> str:
    """Return the answer to a ping."""
    return f'{{"type":"pong","payload":{payload.decode()}}}' if payload else '{"type":"pong"}'


def next_(id: str, payload: bytes) -> str:
    """Return the message that carries one result, already encoded."""
    return f'{{"id":{_quoted(id)},"type":"next","payload":{payload.decode()}}}'


def error(id: str, errors: list[dict[str, Any]]) -> str:
    """Return the message that ends an operation by errors."""
    return f'{{"id":{_quoted(id)},"type":"error","payload":{msgspec.json.encode(errors).decode()}}}'


def complete(id: str) -> str:
    """Return the message that ends an operation."""
    return f'{{"id":{_quoted(id)},"type":"complete"}}'


def _quoted(id: str) -> str:
    return msgspec.json.encode(id).decode()
