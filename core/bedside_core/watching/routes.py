"""`/metrics`: figures for Prometheus, for who has the operator's token."""

from __future__ import annotations

import hmac
from typing import Any

from litestar import Request, Response, get
from prometheus_client import CONTENT_TYPE_LATEST

from bedside_core.errors import NotFound, Unauthenticated
from bedside_core.platform import Platform
from bedside_core.routes import Route, public_route
from bedside_core.watching.looks import Exposition


@get("/metrics", guards=[public_route])
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Tell the figures of this process and of the queues; without BEDSIDE_METRICS_TOKEN there is nothing here."""
    platform: Platform = request.app.state.platform
    token = platform.config.metrics_token
    if token is None:
        raise NotFound("There is nothing here.")
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token.get_secret_value()}".encode()):
        raise Unauthenticated("The figures need the operator's token.")
    exposition: Exposition = request.app.state.exposition
    return Response(await exposition.text(), media_type=CONTENT_TYPE_LATEST)


def metrics_routes() -> list[Route]:
    """Return the routes."""
    return [metrics]
