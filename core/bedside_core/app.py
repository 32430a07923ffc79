"""The composition root: one ASGI application out of an assembled platform."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, cast

import structlog
from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.types import Receive, Scope, Send

from bedside_core import errors
from bedside_core.accounts.routes import account_routes
from bedside_core.applications.routes import application_routes
from bedside_core.auth import warm_up
from bedside_core.boot import assembled
from bedside_core.client import client_routes, front_page
from bedside_core.config import Config
from bedside_core.demo.outbox import outbox_routes
from bedside_core.demo.routes import demo_routes
from bedside_core.entrance import Entrance, request_id_of
from bedside_core.files.routes import file_routes
from bedside_core.health import Surroundings, health_routes
from bedside_core.notify.routes import notify_routes
from bedside_core.platform import Platform
from bedside_core.plugins import Source
from bedside_core.routes import mounted
from bedside_core.watching.looks import Exposition
from bedside_core.watching.routes import metrics_routes

log = structlog.get_logger("bedside.app")

BODY_BYTES = 1_000_000
"""Largest body of a request, in bytes, unless a route says otherwise."""


def create_app(config: Config | None = None, *, sources: Mapping[str, Source] | None = None) -> Bedside:
    """Return the ASGI application; it assembles its platform when the server starts it.

    Args:
        config: by default read from the environment.
        sources: where plugins come from; by default what is installed.
    """
    config = config or Config()
    return Bedside(lambda: assembled(config, sources=sources, worker=config.worker))


class Bedside:
    """The ASGI application: assembles on `lifespan.startup`, serves, and takes everything down on shutdown.

    Args:
        assemble: gives the platform for as long as its context is open.
    """

    def __init__(self, assemble: Callable[[], AbstractAsyncContextManager[Platform]]) -> None:
        self._assemble = assemble
        self._inner: Entrance | None = None
        self.platform: Platform | None = None
        """The assembled platform, while it runs."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if cast("str", scope["type"]) == "lifespan":
            await self._live(receive, send)
        elif self._inner is None:
            raise RuntimeError("the server does not speak the ASGI lifespan protocol, which Bedside needs")
        else:
            await self._inner(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Platform, None]:
        """Run the application without a server, for tests that call it directly."""
        await warm_up()
        async with self._assemble() as platform:
            self.platform, self._inner = platform, Entrance(_litestar(platform), platform)
            try:
                yield platform
            finally:
                platform.closing = True
                self.platform = self._inner = None

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        answer = cast("Callable[[dict[str, str]], Awaitable[None]]", send)
        try:
            async with self.running():
                await answer({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:
            log.exception("could not start or stop")
            await answer({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await answer({"type": "lifespan.shutdown.complete"})


def _litestar(platform: Platform) -> Litestar:
    routers = [mounted(name, routes) for name, routes in platform.plugins.collected("routes").items() if routes]
    return Litestar(
        route_handlers=[
            *health_routes(),
            *metrics_routes(),
            *client_routes(),
            *account_routes(),
            *file_routes(),
            *application_routes(),
            *notify_routes(),
            *((*demo_routes(), *outbox_routes()) if platform.config.demo else [front_page]),
            *routers,
        ],
        state=_state(platform),
        exception_handlers={errors.Problem: _problem, HTTPException: _http, Exception: _unexpected},
        request_max_body_size=BODY_BYTES,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def monitor_app(platform: Platform) -> Litestar:
    """Return what a worker shows of itself: health and figures, and nothing else."""
    return Litestar(
        route_handlers=[*health_routes(), *metrics_routes()],
        state=_state(platform),
        exception_handlers={errors.Problem: _problem, HTTPException: _http, Exception: _unexpected},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _state(platform: Platform) -> State:
    given = {"platform": platform, "exposition": Exposition(platform), "surroundings": Surroundings(platform)}
    return State(given)


def _answer(request: Request[Any, Any, Any], problem: errors.Problem, status: int) -> Response[dict[str, Any]]:
    body = {
        "title": problem.message,
        "status": status,
        **problem.extensions(),
        "requestId": request_id_of(request.scope),
    }
    wait = problem.detail.get("retryAfter")
    headers = {"retry-after": str(wait)} if status == 429 and wait is not None else None
    return Response(body, status_code=status, media_type="application/problem+json", headers=headers)


def _problem(request: Request[Any, Any, Any], problem: errors.Problem) -> Response[dict[str, Any]]:
    return _answer(request, problem, problem.status)


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    kinds: dict[int, type[errors.Problem]] = {401: errors.Unauthenticated, 403: errors.Forbidden, 404: errors.NotFound}
    kind = kinds.get(error.status_code, errors.InvalidInput if error.status_code < 500 else errors.Internal)
    # Litestar's detail may repeat what was sent; its title is enough.
    message = "There is nothing here." if error.status_code == 404 else "The request can't be handled as it is."
    return _answer(request, kind(message), error.status_code)


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    # The exception's text may hold values out of a request; its type and place don't.
    frames: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    log.error("request failed", request=request_id_of(request.scope), error=type(error).__name__, frames=frames[-6:])
    return _answer(request, errors.Internal("Something failed on our side."), 500)
