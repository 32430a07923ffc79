"""REST routes of plugins and the gate that stands on each of them (L3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from litestar import Router
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

if TYPE_CHECKING:
    from bedside_core.auth import Actor
    from bedside_core.platform import Platform

Route = BaseRouteHandler
"""What the hook `routes` returns: Litestar's route handlers."""


class Gate:
    """A Litestar guard that asks `access` for a permission and a feature; to pass is to do something (promise A8).

    Args:
        permission: the action's key.
        feature: a feature needed besides the permission's own.
    """

    def __init__(self, permission: str, feature: str | None = None) -> None:
        self.permission = permission
        self.feature = feature

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """Let the actor pass or raise the refusal."""
        platform: Platform = connection.app.state.platform
        scope: Any = connection.scope
        if scope.get("refusal") is not None:  # who asks could not be told: the database is away
            raise scope["refusal"]
        actor = actor_of(connection)
        await platform.access.require(actor, self.permission, feature=self.feature)
        if actor is not None and actor.key_id is None:
            await platform.auth.seen(actor.session_id)


class Public:
    """The guard that says: this route is for everybody, on purpose."""

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """Let everybody pass."""


public_route = Public()


def actor_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor | None:
    """Return who sends a request, None where nobody is signed in."""
    scope: Any = connection.scope
    return scope.get("user")


def ungated(routes: Iterable[Route]) -> list[str]:
    """Return the paths among a plugin's routes that have neither a gate nor `public_route`."""

    def guarded(route: Any) -> bool:
        return any(isinstance(guard, Gate | Public) for guard in route.guards or ())

    return [path for route in routes if not guarded(route) for path in sorted(route.paths)]


def mounted(plugin: str, routes: Iterable[Route]) -> Router:
    """Return a plugin's routes below `/<plugin>/`."""
    return Router(path=f"/{plugin}", route_handlers=list(routes))
