"""What stands before every route: a request id, safe headers, who is asking, and an access log without contents."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Awaitable
from contextlib import ExitStack
from typing import Any, cast
from urllib.parse import urlsplit

import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from bedside_core import audit
from bedside_core.access import operation
from bedside_core.auth import COOKIE, DEVICE_COOKIE, Actor, Client
from bedside_core.config import Config
from bedside_core.database import acting
from bedside_core.errors import Forbidden, Problem, Unavailable
from bedside_core.origins import CSRF_HEADER, Headers, OriginNotAllowed, cors, is_own_origin, preflight
from bedside_core.platform import Platform
from bedside_core.proxies import look_through
from bedside_core.watching import span
from bedside_core.watching.figures import METHODS
from bedside_core.watching.tracing import Span

log = structlog.get_logger("bedside.requests")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_HEADERS: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000"),
]
DEFAULT_POLICY = b"default-src 'none'; frame-ancestors 'none'"
"""Content-Security-Policy of every answer that has none of its own."""


class Entrance:
    """ASGI middleware around everything.

    Args:
        app: what serves the routes.
        platform: the assembled platform.
    """

    def __init__(self, app: ASGIApp, platform: Platform) -> None:
        self._app = app
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in {"http", "websocket"}:
            return await self._app(scope, receive, send)
        any_scope = cast("dict[str, Any]", scope)
        any_scope["request_id"] = secrets.token_hex(8)
        if not self._platform.config.demo:
            look_through(any_scope, self._platform.config.trusted_proxies, self._platform.config.forwarded_header)
        headers = header_map(scope)
        if not host_allowed(headers.get("host", ""), self._platform.config):
            return await _refuse_host(scope, receive, send)
        allowed = await self._allowed(any_scope, headers)
        if scope["type"] == "websocket":
            # A socket says who it is in connection_init; it is authenticated there, for each operation.
            return await self._app(scope, receive, send)
        began = time.monotonic()
        with ExitStack() as stack:
            actor = await self._actor(any_scope, headers)
            any_scope["user"] = actor
            if actor is not None:
                stack.enter_context(acting(actor.practice_id, actor.person_id))
            stack.enter_context(operation())
            audited = stack.enter_context(audit.within(audit.Operation(actor, audit.Via.REST, any_scope["request_id"])))
            answer = _Answer(send, any_scope, audited, self._cors(allowed, headers))
            traced = stack.enter_context(
                span("HTTP", {"http.request.method": _known(any_scope["method"])}, server=True)
            )
            try:
                await answer.of(self._served(any_scope, headers, receive, answer))
            finally:
                self._note(any_scope, answer.status, time.monotonic() - began, traced)
        return None

    def _note(self, scope: dict[str, Any], status: int, seconds: float, traced: Span) -> None:
        """Log and count an answer, by its route and not by its path, which may hold an id."""
        method, route = _known(scope["method"]), str(scope.get("path_template", ""))
        traced.set_attribute("http.route", route)
        traced.set_attribute("http.response.status_code", status)
        self._platform.figures.request(method, route, status, seconds)
        log.info(
            "request",
            request=scope["request_id"],
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
        )

    async def _allowed(self, scope: dict[str, Any], headers: dict[str, str]) -> bool:
        """Find out whether pages of the request's origin may call; the transports read it as `origin_allowed`."""
        origin, allowed = headers.get("origin"), True
        if origin is not None:
            try:
                allowed = await self._platform.origins.allowed(origin, headers.get("host", ""))
            except Unavailable as problem:
                scope["refusal"], allowed = problem, False
        scope["origin_allowed"] = allowed
        return allowed

    def _cors(self, allowed: bool, headers: dict[str, str]) -> Headers:
        origin = headers.get("origin")
        if origin is None or is_own_origin(origin, headers.get("host", ""), self._platform.config):
            return []
        return [(b"vary", b"origin"), *(cors(origin) if allowed else [])]

    async def _served(self, scope: dict[str, Any], headers: dict[str, str], receive: Receive, send: Any) -> None:
        """Have the application answer, unless a page of another origin asks what a page may not (promise G2)."""
        method, allowed = scope["method"], scope["origin_allowed"]
        asks = method == "OPTIONS" and "access-control-request-method" in headers
        if not allowed and (asks or method not in SAFE_METHODS):
            problem = scope.get("refusal") or OriginNotAllowed("Pages of this origin may not call the API.")
            await _refuse(problem, scope, send)
        elif asks and "origin" in headers and self._cors(allowed, headers):
            await send({"type": "http.response.start", "status": 204, "headers": preflight()})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self._app(cast("Scope", scope), receive, send)

    async def _actor(self, scope: dict[str, Any], headers: dict[str, str]) -> Actor | None:
        # To send something somewhere holds back no idle sign-out: pages and scripts do that with nobody there. What is
        # let through notes that somebody is: an operation, a gate, the page of an application (promise A8).
        try:
            actor = await self._platform.auth.authenticate(token_of(scope, headers, self._platform.config))
        except Problem as problem:
            scope["refusal"] = problem if isinstance(problem, Unavailable | Forbidden) else None
            return None
        return actor


class _Answer:
    """Sends an answer with the headers of the house, and nothing of it before the audit trail knows of it (A14).

    Its beginning is held back until there is something to go with it: until then an answer that can't be entered is
    replaced by the refusal. One that has begun to stream is cut off.
    """

    def __init__(self, send: Send, scope: dict[str, Any], audited: audit.Operation, more: Headers) -> None:
        self.status = 0
        self._send = send
        self._scope = scope
        self._audited = audited
        self._more = more
        self._held: Message | None = None

    async def __call__(self, message: Message) -> None:
        """Send one ASGI message."""
        if message["type"] == "http.response.start":
            message["headers"] = _with_headers([*message["headers"], *self._more], self._scope["request_id"])
            self._held = message
            return
        if self._audited.owes:
            self._audited.detail = {"route": str(self._scope.get("path_template", ""))}
            await self._audited.settle()
        if self._held is not None:
            await self._begin(self._held)
        await self._send(message)

    async def of(self, app: Awaitable[None]) -> None:
        """Await what answers; where the trail can't be written, refuse in its place."""
        try:
            await app
            await self._audited.settle()
        except BaseException as error:
            # Litestar wraps what its `send` raises, so the fault is asked of the operation: it still owes.
            if self.status or self._held is None or not self._audited.owes or not isinstance(error, Exception):
                raise
        else:
            return
        self._audited.forget()
        refusal = Unavailable("The answer can't be entered in the audit trail, so it is withheld.")
        await _refuse(refusal, self._scope, self._begin_or_send)

    async def _begin_or_send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = _with_headers([*message["headers"], *self._more], self._scope["request_id"])
            return await self._begin(message)
        return await self._send(message)

    async def _begin(self, start: Any) -> None:
        self._held, self.status = None, start["status"]
        await self._send(start)


def _known(method: str) -> str:
    """Return a method that may be logged: anybody can make up others."""
    return method if method in METHODS else "OTHER"


def header_map(scope: Scope) -> dict[str, str]:
    """Return the headers by lower-case name; of a repeated one the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def token_of(scope: dict[str, Any], headers: dict[str, str], config: Config) -> str | None:
    """Return the token that a request carries.

    A cookie counts only where the request provably comes from our own pages (promise G2).
    """
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    cookie = _cookie(headers.get("cookie", ""), COOKIE)
    if cookie and (scope.get("method") in SAFE_METHODS or own_page(headers, config)):
        return cookie
    return None


def client_of(headers: dict[str, str]) -> Client:
    """Return the program that a request or a socket's handshake comes from, with the device it is known as (A5)."""
    return Client(_cookie(headers.get("cookie", ""), DEVICE_COOKIE), headers.get("user-agent", ""))


def own_page(headers: dict[str, str], config: Config) -> bool:
    """Tell whether a request was sent by a page of our own origin."""
    origin = headers.get("origin")
    if origin is not None:
        return is_own_origin(origin, headers.get("host", ""), config)
    return CSRF_HEADER in headers


def host_allowed(host: str, config: Config) -> bool:
    """Tell whether the Host header is one of ours: the demo answers to loopback names only (DNS rebinding)."""
    if not config.demo:
        return config.public_url is None or host == urlsplit(config.public_url).netloc or is_loopback(host)
    return is_loopback(host)


def is_loopback(host: str) -> bool:
    """Tell whether a Host header, with or without port, names this machine itself."""
    try:
        return "@" not in host and urlsplit(f"//{host}").hostname in {"127.0.0.1", "localhost", "::1"}
    except ValueError:  # brackets that are not closed
        return False


def _cookie(header: str, wanted: str) -> str | None:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted:
            return value
    return None


def request_id_of(scope: Any) -> str:
    """Return the id that names a request in answers and logs (G3)."""
    return scope.get("request_id", "")


def _with_headers(headers: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    present = {name.lower() for name, _ in headers}
    headers += [(name, value) for name, value in _HEADERS if name not in present]
    if b"content-security-policy" not in present:
        headers.append((b"content-security-policy", DEFAULT_POLICY))
    if b"cache-control" not in present:
        headers.append((b"cache-control", b"no-store"))
    headers.append((b"x-request-id", request_id.encode()))
    return headers


async def _refuse(problem: Problem, scope: dict[str, Any], send: Any) -> None:
    told = {"title": problem.message, "status": problem.status, **problem.extensions()}
    told["requestId"] = scope["request_id"]
    headers = [(b"content-type", b"application/problem+json")]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(told).encode(), "more_body": False})


async def _refuse_host(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4403, "reason": "Unknown host"})
        return
    headers = _with_headers([(b"content-type", b"text/plain")], request_id_of(scope))
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": b"This host is not served here.\n", "more_body": False})
