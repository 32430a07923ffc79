"""Notices code that blocks the event loop, names whose it is, and interrupts it where it is a plugin's.

The loop beats; a thread watches. When the beat is overdue, the main thread's stack tells which plugin's code runs. The
thread then sends the main thread a signal, whose handler raises `Blocked` into that code: `while True: pass` and
`time.sleep(60)` end alike, and whoever called the plugin sees it fail. Never is anything raised while the event loop,
core, a database driver or an import is at work on the plugin's behalf; the plugin is named then, and tried again later.

C code that keeps the interpreter to itself can be named only after it returns, and not be interrupted.

`/health/live` should answer 503 while `alive` is false: more than `LIMIT` faults within a minute. While the loop is
blocked nobody can answer at all, so a probe with a timeout sees code that can't be interrupted too. An orchestrator
restarts the process in both cases. `/health/ready` names the `faults`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from types import FrameType

import structlog

from bedside_core.guard import place, thread_frame

log = structlog.get_logger("bedside.watchdog")

LIMIT = 5
"""Most faults within a minute with which the process still counts as alive."""
KEPT = 100
"""Faults that are remembered in full."""
CORE = "core"
"""What code that is no plugin's is named by."""

PROTECTED = frozenset(
    {
        "bedside_core", "bedside_graphql", "asyncio", "uvloop", "asyncpg", "piccolo", "pgqueuer", "anyio", "contextlib",
        "importlib", "litestar", "strawberry", "graphql", "uvicorn", "websockets", "pluggy",
    }
)  # fmt: skip
"""Packages into which nothing is raised, nor into what they call: they would be left in a broken state."""

_LOOP = frozenset({"asyncio", "selectors", "uvloop", "uvicorn"})
"""Where the main thread is when nothing blocks it, only the machine is slow."""


class Blocked(BaseException):
    """Raised into code that blocks the event loop. A sibling of KeyboardInterrupt: `except Exception` must miss it."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One time that the event loop was blocked.

    Args:
        plugin: whose code it was; `core` where no plugin's was running.
        where: `module:function:line` of that plugin's deepest frame.
        seconds: how long the loop was blocked, or has been so far.
        at: when it was noticed.
    """

    plugin: str
    where: str
    seconds: float
    at: datetime


@dataclass
class _Aim:
    """What an interruption is meant for: the call of a plugin's code, as long as the loop has not beaten since."""

    plugin: str
    entrance: FrameType
    beats: int


class Watchdog:
    """Watches one event loop.

    Args:
        packages: package -> the plugin it belongs to; dotted names are allowed.
        seconds: how long code may block the loop.
        now: the product's time.
        interrupts: the signal to use; on another thread than the main one nothing is interrupted.
    """

    def __init__(
        self,
        packages: Mapping[str, str],
        *,
        seconds: float,
        now: Callable[[], datetime],
        interrupts: signal.Signals = signal.SIGUSR2,
    ) -> None:
        self._packages = dict(packages)
        self._seconds = seconds
        self._period = seconds / 5
        self._now = now
        self._signal = interrupts
        self._beats = 0
        self._beaten = 0.0
        self._aim: _Aim | None = None
        self._seen: FrameType | None = None
        self._faults: deque[Fault] = deque(maxlen=KEPT)
        self._recent: deque[float] = deque(maxlen=LIMIT + 1)
        self._counts: Counter[str] = Counter()
        self._stop = threading.Event()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The latest faults, the newest last."""
        return tuple(self._faults)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many faults each plugin has had since the start."""
        return dict(self._counts)

    @property
    def alive(self) -> bool:
        """False after more than `LIMIT` faults within a minute: the process should be restarted."""
        return len(self._recent) <= LIMIT or time.monotonic() - self._recent[0] > 60

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Watch the running event loop during the block."""
        loop = asyncio.get_running_loop()
        main = threading.current_thread() is threading.main_thread()
        before = signal.signal(self._signal, self._interrupt) if main else None
        handle: asyncio.TimerHandle | None = None

        def beat() -> None:
            nonlocal handle
            self._beaten = time.monotonic()
            self._beats += 1
            handle = loop.call_later(self._period, beat)

        beat()
        self._stop.clear()
        thread = threading.Thread(target=self._watch, args=(threading.get_ident(), main), name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()  # it wakes at once
            if handle:
                handle.cancel()
            if main:
                signal.signal(self._signal, before)

    # -- on the watching thread ------------------------------------------------------------------------------------

    def _watch(self, thread: int, main: bool) -> None:
        blocked_at = -1  # the beat after which a fault was noticed that is not over
        looked, worked = time.monotonic(), time.process_time()
        while not self._stop.wait(self._period):
            now, work = time.monotonic(), time.process_time()
            slept = now - looked > self._seconds and work - worked < (now - looked) / 2
            looked, worked = now, work
            if slept:  # the process, or the machine, was suspended; that is nobody's fault
                self._beaten = now
            overdue = now - self._beaten
            if blocked_at >= 0 and blocked_at != self._beats:
                blocked_at = -1
            if overdue > self._seconds:
                try:
                    if self._look(thread, main, overdue, first=blocked_at < 0):
                        blocked_at = self._beats
                except Exception:
                    log.exception("the watchdog could not look")
            else:
                self._aim = self._seen = None  # they hold a frame, and with that its variables

    def _look(self, thread: int, main: bool, overdue: float, *, first: bool) -> bool:
        """Name what blocks and interrupt it if that may be done. Tells whether anything blocks."""
        frame = thread_frame(thread)
        beats = self._beats
        if frame is None:
            return False
        stack = list(_outwards(frame))
        plugin = next((owner for item in stack if (owner := self._owner(item))), None)
        if plugin is None and _root(frame) in _LOOP:
            return False
        own = [item for item in stack if self._owner(item) == plugin] if plugin else [frame]
        fault = Fault(plugin=plugin or CORE, where=place(own[0]), seconds=overdue, at=self._now())
        if first:
            self._faults.append(fault)
            self._recent.append(time.monotonic())
            self._counts[fault.plugin] += 1
            log.error("event loop blocked", plugin=fault.plugin, where=fault.where, seconds=round(overdue, 2))
        else:
            self._faults[-1] = dataclasses.replace(self._faults[-1], seconds=overdue)
        # A call that has just begun may pay for none before it: it is interrupted once it was seen at two looks.
        seen, self._seen = self._seen, own[-1]
        if plugin and main and own[-1] is seen:
            self._aim = _Aim(plugin, own[-1], beats)
            if beats == self._beats:
                signal.pthread_kill(thread, self._signal)
        return True

    # -- on the main thread ----------------------------------------------------------------------------------------

    def _interrupt(self, _signal: int, frame: FrameType | None) -> None:
        aim, self._aim = self._aim, None
        if aim is None or frame is None or aim.beats != self._beats:
            return
        stack = list(_outwards(frame))
        if aim.entrance not in stack:
            return
        for item in stack:
            if self._owner(item) == aim.plugin and _root(item) not in PROTECTED:
                raise Blocked(f"{place(item)} blocked the event loop for more than {self._seconds:g} s")
            if _root(item) in PROTECTED or self._owner(item):
                return

    def _owner(self, frame: FrameType) -> str | None:
        name = _module(frame)
        while name:
            if name in self._packages:
                return self._packages[name]
            name = name.rpartition(".")[0]
        return None


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _root(frame: FrameType) -> str:
    return _module(frame).partition(".")[0]
