"""Enters and leaves the plugins' lifespans, each in a task of its own, so that what one does wrong stays its own."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import structlog

from bedside_core.guard import Failure, Outcome, contained, end
from bedside_core.plugins import PluginError, Plugins

log = structlog.get_logger("bedside.plugins")

LIFESPAN_SECONDS = 30.0
"""Longest time one plugin's lifespan may take to enter or to leave."""


class Lifespans:
    """The lifespans of one platform's plugins, in plugin order.

    Args:
        plugins: what the hook `lifespan` gave is asked of them.
    """

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._entered: dict[str, _Lifespan] = {}

    async def enter(self) -> None:
        """Enter them; a plugin whose lifespan fails or takes too long is disabled.

        Raises:
            PluginError: instead, where strict.
        """
        managers: dict[str, AbstractAsyncContextManager[None]] = dict(self._plugins.collected("lifespan"))
        for name, manager in managers.items():
            if not self._plugins.active(name):
                continue  # it required one that has failed meanwhile
            lifespan = _Lifespan(name, manager)
            if failure := await lifespan.enter():
                self._plugins.fail(name, failure.reason, failure.said)
            else:
                self._entered[name] = lifespan

    async def leave_failed(self) -> None:
        """Leave those of plugins that have been disabled since."""
        await self._leave([name for name in self._entered if not self._plugins.active(name)])

    async def leave(self) -> None:
        """Leave them all, in reverse order."""
        await self._leave(list(self._entered))

    async def _leave(self, names: list[str]) -> None:
        for name in reversed(names):
            await self._entered.pop(name).leave()


class _Lifespan:
    """One lifespan. The task that enters it leaves it too: task groups and cancel scopes inside demand that."""

    def __init__(self, plugin: str, manager: AbstractAsyncContextManager[None]) -> None:
        self._plugin = plugin
        self._manager = manager
        self._entered = asyncio.Event()
        self._over = asyncio.Event()
        self._task: asyncio.Task[Outcome[None]] = asyncio.create_task(contained(self._run()), name=f"lifespan {plugin}")

    async def _run(self) -> None:
        async with self._manager:
            self._entered.set()
            await self._over.wait()

    async def enter(self) -> PluginError | None:
        """Enter; returns what failed, if anything."""
        entered = asyncio.create_task(self._entered.wait())
        try:
            await asyncio.wait({self._task, entered}, timeout=LIFESPAN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await end(self._task)
            raise
        finally:
            entered.cancel()
        if self._task.done():
            failure = self._task.result().failure
            if failure is None:
                return PluginError("lifespan() ended by itself")
            return PluginError(f"lifespan() raised {type(failure.error).__name__}", str(failure.error))
        if not self._entered.is_set():
            await end(self._task)
            return PluginError(f"lifespan() took longer than {LIFESPAN_SECONDS:g} s")
        self._task.add_done_callback(self._ended)
        return None

    async def leave(self) -> None:
        """Leave; what fails is logged, for everything else ends all the same."""
        self._over.set()
        done, _ = await asyncio.wait({self._task}, timeout=LIFESPAN_SECONDS)
        if not done:
            log.error("lifespan takes too long to end", plugin=self._plugin)
            await end(self._task)

    def _ended(self, task: asyncio.Task[Outcome[None]]) -> None:
        failure: Failure | None = None if task.cancelled() else task.result().failure
        if failure is not None:
            what = "lifespan failed to end" if self._over.is_set() else "lifespan ended by itself"
            log.error(what, plugin=self._plugin, failure=str(failure))
