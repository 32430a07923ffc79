"""POST /graphql: GraphQL over HTTP (draft of September 2025) as a raw ASGI endpoint.

Both media types are served. With application/graphql-response+json a refused request has a 4xx or 5xx status; with
application/json a well-formed request that was looked at is answered with 200, as that draft and older clients have it.
Queries by GET are not offered. It stands behind `bedside_core.entrance`, which names the request, finds out who asks,
refuses pages of origins that may not, and counts a cookie only on requests that provably come from our own pages
(promise G2).
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, cast

import structlog
from litestar.types import Receive, Scope, Send

from bedside_core import errors
from bedside_core.auth import Actor
from bedside_core.entrance import client_of, header_map, request_id_of
from bedside_core.errors import Problem
from bedside_graphql import problems
from bedside_graphql.errors import described, internal
from bedside_graphql.execute import Answer, Executor
from bedside_graphql.media import GRAPHQL, JSON, chosen, readable
from bedside_graphql.request import MakeContext, RequestContext, Seen, read_request

log = structlog.get_logger("bedside.graphql")

Headers = list[tuple[bytes, bytes]]

ALLOW = b"POST, OPTIONS"


class Disconnected(Exception):
    """The client went away before its request was complete."""


class GraphQLHTTP:
    """The HTTP side of `/graphql`.

    Args:
        executor: runs requests.
        make_context: makes what resolvers are given.
        seen: told of each actor whose operation is let through: somebody is there (promise A8).
    """

    def __init__(self, executor: Executor, make_context: MakeContext, seen: Seen) -> None:
        self._executor = executor
        self._make_context = make_context
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = cast(dict[str, Any], scope)
        headers = header_map(scope)
        if request["method"] == "OPTIONS":
            return await _allowed(send)
        actor: Actor | None = request.get("user")
        address: tuple[str, int] | None = request.get("client")
        context = self._make_context(
            actor,
            request_id=request_id_of(scope) or secrets.token_hex(8),
            client_address=address[0] if address else "",
            client=client_of(headers),
            live=False,
            over_http=True,
        )
        media = chosen(headers.get("accept"))
        try:
            answer = await self._answer(request, headers, media, receive, context)
        except Disconnected:
            return None
        except Problem as problem:
            answer = await self._executor.refusal(problem, context)
        except Exception as error:
            log.error("a request failed", request_id=context.request_id, **described(error))  # noqa: TRY400
            answer = await self._executor.refusal(internal(), context)
        return await self._send(answer, media or JSON, context, send)

    async def _answer(
        self,
        request: dict[str, Any],
        headers: dict[str, str],
        media: str | None,
        receive: Receive,
        context: RequestContext,
    ) -> Answer:
        if request["method"] != "POST":
            raise problems.MethodNotAllowed("Operations are sent by POST.")
        if media is None:
            raise problems.NotAcceptable(f"Answers are {GRAPHQL} or {JSON}.")
        if not readable(headers.get("content-type"), headers.get("content-encoding")):
            raise problems.UnsupportedMediaType(f"The body must be {JSON} in UTF-8.")
        refusal: Problem | None = request.get("refusal")
        if refusal is not None:
            raise refusal
        if context.actor is None and headers.get("authorization", "").lower().startswith("bearer "):
            raise errors.Unauthenticated("The token is unknown, or its session has ended.", way_on="Sign in again.")
        body = await self._body(headers, receive)
        return await self._executor.execute(read_request(body, self._executor.config), context, self._seen)

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        limit = self._executor.config.max_message_bytes
        too_large = problems.DocumentTooLarge("The request is too long.", detail={"limit": limit})
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > limit:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self._executor.config.deadline_seconds):
                while True:
                    message = cast(dict[str, Any], await receive())
                    if message["type"] == "http.disconnect":
                        raise Disconnected
                    body += message.get("body", b"")
                    if len(body) > limit:
                        raise too_large
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise problems.RequestTimeout("The request did not arrive in time.") from None

    async def _send(self, answer: Answer, media: str, context: RequestContext, send: Send) -> None:
        status = answer.status if media == GRAPHQL else answer.legacy_status
        fields: Headers = [
            (b"content-type", f"{media}; charset=utf-8".encode()),
            (b"content-length", str(len(answer.encoded)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if answer.budget is not None:
            fields += answer.budget.headers()
        if answer.refused is not None:
            fields += _of_refusal(answer.refused)
        fields += [(b"set-cookie", cookie.encode("latin-1")) for cookie in context.set_cookies]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": answer.encoded, "more_body": False})


async def _allowed(send: Send) -> None:
    """Answer OPTIONS of our own pages and of programs; those of other origins are the entrance's."""
    await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", ALLOW)]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _of_refusal(problem: Problem) -> Headers:
    if isinstance(problem, problems.MethodNotAllowed):
        return [(b"allow", ALLOW)]
    if isinstance(problem, errors.Unauthenticated):
        return [(b"www-authenticate", b'Bearer realm="bedside", error="invalid_token"')]
    if isinstance(problem, errors.RateLimited) and "retryAfter" in problem.detail:
        return [(b"retry-after", str(problem.detail["retryAfter"]).encode())]
    return []
