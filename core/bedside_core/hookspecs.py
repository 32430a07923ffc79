"""The plugin contract: the hooks a plugin may implement, in the order in which they are called. Read this first.

Hooks are synchronous, called once at start on the main thread, and return plain values. A hook that raises, takes
longer than `BEDSIDE_HOOK_SECONDS` or returns something else than it says disables its plugin, by name and with the
reason, and nothing else. At run time plugins ask each other through services and tell each other through events.

The eighth hook, `graphql(platform)`, is published by the plugin `graphql` through `hookspecs()`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from bedside_core.events import Listener
    from bedside_core.jobs import Job
    from bedside_core.manifest import Manifest
    from bedside_core.platform import Platform
    from bedside_core.routes import Route

PROJECT = "bedside"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class CoreHooks:
    """The hooks that core itself asks for."""

    @hookspec(firstresult=True)
    def manifest(self) -> Manifest | None:
        """Say who you are. Called first and alone; nothing else of a plugin runs when it is wrong."""

    @hookspec
    def hookspecs(self) -> type | None:
        """Return a class of hooks that you publish for other plugins, each method marked with `@hookspec`."""

    @hookspec
    def services(self, platform: Platform) -> Mapping[type[Any], object]:
        """Return what others may ask you at run time: Protocol -> the object that answers. One provider each."""
        return {}

    @hookspec
    def listeners(self, platform: Platform) -> Iterable[Listener]:
        """Return what you want to hear: `on(EventType, handler)`, delivered after the emitter's commit."""
        return ()

    @hookspec
    def jobs(self, platform: Platform) -> Iterable[Job]:
        """Return your background work: named functions with retries and, if you like, a schedule."""
        return ()

    @hookspec
    def routes(self, platform: Platform) -> Iterable[Route]:
        """Return REST handlers, mounted under `/<plugin>/`, each with a gate or explicitly public among its guards."""
        return ()

    @hookspec
    def lifespan(self, platform: Platform) -> AbstractAsyncContextManager[None] | None:
        """Return what must run while the platform runs: entered in plugin order, left in reverse order."""
