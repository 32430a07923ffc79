"""Keeps what a plugin's code does wrong inside it: time limits for hooks, and failures returned instead of raised.

A plugin may raise anything, `SystemExit` too, and may hang. `bounded` ends a synchronous hook, `guarded` a coroutine.
Code that blocks the event loop without ever waiting is the watchdog's matter.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Generic, NamedTuple, TypeVar

import structlog

log = structlog.get_logger("bedside.guard")

T = TypeVar("T")

REPEAT_SECONDS = 0.5
"""A hook that swallows `HookTimeout` gets the next one after this time."""
GRACE_SECONDS = 2.0
"""How long a cancelled coroutine may take to clean up before it is left to itself."""

_PASSED_THROUGH = sys.stdlib_module_names | {"bedside_core", "asyncpg", "piccolo", "uvloop"}
"""Packages in which something fails for the sake of their caller: the caller's place is told."""


class HookTimeout(BaseException):
    """A hook took longer than it may. A sibling of KeyboardInterrupt: a hook's `except Exception` must not catch it."""


class bounded:
    """Context manager that ends the block by raising `HookTimeout` into it after a time.

    Python can interrupt its main thread only. On another thread the block is not ended: once the time is over it is
    named in the log, with the place where it is. C code that never returns to Python can't be interrupted either.

    It takes SIGALRM and the real-time timer for the time of the block and gives both back as they were; a timer that
    would have gone off meanwhile goes off at once afterwards.

    Args:
        seconds: longest time the block may take.
        what: what the block does, for the message.

    Raises:
        HookTimeout: in the block, when the time is over.
    """

    def __init__(self, seconds: float, what: str = "hook") -> None:
        self._seconds = seconds
        self._what = what

    def __enter__(self) -> None:
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._entered = time.monotonic()
            self._handler = signal.signal(signal.SIGALRM, self._alarm)
            self._timer = signal.setitimer(signal.ITIMER_REAL, self._seconds, REPEAT_SECONDS)
        else:
            self._naming = threading.Timer(self._seconds, self._name, (threading.get_ident(),))
            self._naming.daemon = True
            self._naming.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._main:
            self._naming.cancel()
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._handler)
        left, interval = self._timer
        if left:
            passed = time.monotonic() - self._entered
            signal.setitimer(signal.ITIMER_REAL, max(left - passed, 0.001), interval)

    def _alarm(self, _signal: int, frame: FrameType | None) -> None:
        # Between the end of the block and that of the timer there is nothing left to end; raising would lose the rest
        # of __exit__. The timer repeats, so nothing is missed where this skips a nested block's.
        if frame is not None and frame.f_globals.get("__name__") != __name__:
            raise HookTimeout(f"{self._what} took longer than {self._seconds:g} s")

    def _name(self, thread: int) -> None:
        frame = thread_frame(thread)
        where = telling_place(_places_of_frame(frame)) if frame else ""
        log.error("hook takes too long and can't be ended on this thread", what=self._what, where=where)


@dataclass(frozen=True)
class Failure:
    """What went wrong in guarded code. As text it names kind and place, never the message: it may hold health data.

    Args:
        error: what was raised; `TimeoutError` where the time was over.
        where: `module:function:line`, the deepest that belongs neither to core nor to the standard library.
    """

    error: BaseException
    where: str

    def __str__(self) -> str:
        kind = type(self.error).__name__
        return f"{kind} at {self.where}" if self.where else kind


class Outcome(NamedTuple, Generic[T]):
    """How guarded code ended: with a value, or with a failure."""

    value: T | None
    failure: Failure | None


async def guarded(awaitable: Awaitable[T], seconds: float) -> Outcome[T]:
    """Await something and return how it ended, whatever that is.

    It runs in a task of its own, with the caller's context variables, so that neither a cancellation it raises nor a
    deadline it ignores reaches the caller. What does not end within two seconds of being cancelled is left to itself.

    Args:
        awaitable: what to await.
        seconds: longest time it may take.

    Returns:
        Value and failure, one of them None. Any BaseException is a failure, `SystemExit` too.

    Raises:
        asyncio.CancelledError: the caller itself was cancelled; the guarded code was cancelled before.
        KeyboardInterrupt: the operator pressed Ctrl-C.
    """
    task = asyncio.create_task(contained(awaitable))
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        await end(task)
        raise
    if done:
        return task.result()
    where = _place_of_task(task)
    await end(task)
    return Outcome(None, Failure(TimeoutError(f"took longer than {seconds:g} s"), where))


async def contained(awaitable: Awaitable[T]) -> Outcome[T]:
    """Await something and return how it ended; what a task that runs foreign code runs.

    asyncio lets SystemExit out of a task into the event loop, which would end the process.
    """
    try:
        return Outcome(await awaitable, None)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Outcome(None, Failure(error, place_of(error)))


_left: set[asyncio.Task[Any]] = set()
"""Tasks that ignored their cancellation; held here, for the event loop holds its tasks weakly."""


async def end(task: asyncio.Task[Outcome[T]]) -> None:
    """Cancel a task and wait for its end; one that goes on for two seconds more is left to itself and named."""
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=GRACE_SECONDS)
    if not done:
        _left.add(task)
        task.add_done_callback(_left.discard)
        log.error("cancelled code goes on", where=_place_of_task(task))


def place(frame: FrameType, line: int | None = None) -> str:
    """Return where a frame is, as `module:function:line`."""
    module = frame.f_globals.get("__name__", "?")
    return f"{module}:{frame.f_code.co_name}:{frame.f_lineno if line is None else line}"


def telling_place(places: Iterable[str]) -> str:
    """Return the last place that belongs neither to core nor to the standard library, else the last, else nothing.

    Args:
        places: `module:function:line` each, the outermost first.
    """
    known = list(places)
    told = [item for item in known if item.split(":")[0].split(".")[0] not in _PASSED_THROUGH]
    return (told or known or [""])[-1]


def place_of(error: BaseException) -> str:
    """Return where an exception was raised, as `telling_place` sees it."""
    return telling_place(place(frame, line) for frame, line in traceback.walk_tb(error.__traceback__))


def thread_frame(thread: int) -> FrameType | None:
    """Return the frame that a thread is in; None where the thread has ended."""
    return sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage] - documented, for debugging


def _places_of_frame(frame: FrameType) -> list[str]:
    return [place(item, line) for item, line in traceback.walk_stack(frame)][::-1]


def _place_of_task(task: asyncio.Task[Outcome[T]]) -> str:
    """Follow what a suspended task waits for, coroutine by coroutine."""
    places: list[str] = []
    waiting: Any = task.get_coro()
    while (frame := getattr(waiting, "cr_frame", None)) is not None:
        places.append(place(frame))
        waiting = waiting.cr_await
    return telling_place(places)
