"""Loops that run beside the platform until it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any


def start(loop: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start a loop in a context of its own, so that it does not act for whoever happened to start it."""
    return asyncio.create_task(loop, name=name, context=Context())


async def stop(*tasks: asyncio.Task[None]) -> None:
    """Cancel loops and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def must_pass(error: BaseException) -> bool:
    """Tell whether an exception is meant for the present task rather than a fault of the code it called.

    A plugin may raise anything, SystemExit and a CancelledError of its own making too (promise P1).
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return isinstance(error, KeyboardInterrupt)
