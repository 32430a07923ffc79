"""Code that blocks the event loop is named, and interrupted where it is a plugin's; on asyncio's loop and on uvloop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import uvloop

from bedside_core.clock import Clock
from bedside_core.guard import Failure, guarded
from bedside_core.watchdog import LIMIT, Blocked, Fault, Watchdog

SECONDS = 0.1
LONG = 30.0

PLUGIN = """
import asyncio, contextlib, importlib, queue, time

def spin():
    while True:
        pass

def spin_for(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass

async def loops():
    spin()

async def sleeps():
    time.sleep(60)

async def waits_for_a_thread():
    queue.Queue().get()

async def loops_in_a_task():
    await asyncio.create_task(loops())

swallowed = 0

async def swallows():
    global swallowed
    while swallowed < 3:
        try:
            spin()
        except BaseException:
            swallowed += 1

async def calls(function):
    function()

cleaned = []

async def cleans_up():
    try:
        spin()
    finally:
        cleaned.append(True)

async def waits_between(first, second):
    first()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second()

async def imports(name):
    importlib.import_module(name)
"""


def module(name: str, source: str = PLUGIN) -> Any:
    """A module whose code reports to be of that package."""
    made = ModuleType(name)
    exec(compile(source, f"<{name}>", "exec"), made.__dict__)
    return made


NOTHING = (None, None)
"""How guarded code ends that returns nothing and does not fail."""

Loop = Callable[[], asyncio.AbstractEventLoop]
both = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


def watching() -> Watchdog:
    return Watchdog({"bedside_vitals": "vitals", "acme.wards": "wards"}, seconds=SECONDS, now=Clock().now)


def run(loop: Loop, watchdog: Watchdog, main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine under a watchdog, on this thread, with a neighbour that must go on."""
    turns = 0

    async def neighbour() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(SECONDS / 10)

    async def watched() -> Any:
        async with watchdog.running():
            task = asyncio.create_task(neighbour())
            result = await main()
            before = turns
            async with asyncio.timeout(LONG):
                while turns < before + 2:  # noqa: ASYNC110
                    await asyncio.sleep(SECONDS / 10)
            task.cancel()
            return result

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(watched())


def of(watchdog: Watchdog, plugin: str) -> list[Fault]:
    return [fault for fault in watchdog.faults if fault.plugin == plugin]


@both
@pytest.mark.promise("P1")
@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("loops", "bedside_vitals:spin:"),
        ("sleeps", "bedside_vitals:sleeps:"),
        ("waits_for_a_thread", "bedside_vitals:waits_for_a_thread:"),
        ("loops_in_a_task", "bedside_vitals:spin:"),
    ],
)
def test_blocking_code_is_named_and_interrupted_and_the_rest_goes_on(loop: Loop, name: str, where: str) -> None:
    watchdog, plugin = watching(), module("bedside_vitals")
    began = time.monotonic()
    _, failure = run(loop, watchdog, lambda: guarded(getattr(plugin, name)(), LONG))
    assert time.monotonic() - began < LONG / 2
    assert isinstance(failure, Failure)
    assert type(failure.error) is Blocked
    assert failure.where.startswith(where)
    [fault] = of(watchdog, "vitals")
    assert fault.where.startswith(where)
    assert SECONDS < fault.seconds < LONG / 2
    assert watchdog.counts["vitals"] == 1
    assert watchdog.alive


@both
def test_code_that_swallows_the_interruption_is_interrupted_again(loop: Loop) -> None:
    watchdog, plugin = watching(), module("bedside_vitals")
    assert run(loop, watchdog, lambda: guarded(plugin.swallows(), LONG)) == NOTHING
    assert plugin.swallowed == 3
    assert watchdog.counts["vitals"] == 1  # it was one time that the loop was blocked


@both
def test_the_interrupted_code_may_clean_up(loop: Loop) -> None:
    watchdog, plugin = watching(), module("bedside_vitals")
    run(loop, watchdog, lambda: guarded(plugin.cleans_up(), LONG))
    assert plugin.cleaned == [True]


@both
def test_a_plain_callback_is_interrupted_too(loop: Loop) -> None:
    watchdog, plugin = watching(), module("bedside_vitals")
    reported: list[BaseException] = []

    async def main() -> None:
        running = asyncio.get_running_loop()
        running.set_exception_handler(lambda _, context: reported.append(context["exception"]))
        running.call_soon(plugin.spin)
        async with asyncio.timeout(LONG):
            while not reported:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    run(loop, watchdog, main)
    assert [type(error) for error in reported] == [Blocked]
    assert len(of(watchdog, "vitals")) == 1


def test_the_plugin_that_is_deepest_is_named() -> None:
    watchdog, caller, called = watching(), module("bedside_vitals"), module("acme.wards.rooms")
    _, failure = run(asyncio.new_event_loop, watchdog, lambda: guarded(caller.calls(called.spin), LONG))
    assert type(failure.error) is Blocked
    assert of(watchdog, "vitals") == []
    [fault] = of(watchdog, "wards")
    assert fault.where.startswith("acme.wards.rooms:spin:")


@pytest.mark.parametrize("protected", ["bedside_core.access", "asyncpg.protocol", "asyncio.events"])
def test_nothing_is_raised_into_core_or_a_driver_at_work_for_a_plugin(protected: str) -> None:
    watchdog, plugin, inside = watching(), module("bedside_vitals"), module(protected)

    def work() -> Awaitable[Any]:
        return guarded(plugin.calls(lambda: inside.spin_for(5 * SECONDS)), LONG)

    assert run(asyncio.new_event_loop, watchdog, lambda: work()) == NOTHING  # type: ignore[arg-type, return-value]
    assert [fault.where.split(":")[1] for fault in of(watchdog, "vitals")] == ["calls"]


def test_a_slow_import_is_named_and_finishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text(f"import time\ntime.sleep({5 * SECONDS})\ndone = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    watchdog, plugin = watching(), module("bedside_vitals")
    assert run(asyncio.new_event_loop, watchdog, lambda: guarded(plugin.imports("slow_to_import"), LONG)) == NOTHING
    assert sys.modules.pop("slow_to_import").done
    assert [fault.where.split(":")[1] for fault in of(watchdog, "vitals")] == ["imports"]


def test_code_of_no_plugin_is_named_as_core_and_finishes() -> None:
    watchdog, other = watching(), module("bedside_core.access")
    assert (
        run(asyncio.new_event_loop, watchdog, lambda: guarded(other.calls(lambda: other.spin_for(5 * SECONDS)), LONG))
        == NOTHING
    )
    faults = of(watchdog, "core")
    assert faults
    assert all(fault.where for fault in faults)
    assert of(watchdog, "vitals") == []


def test_on_another_thread_code_is_named_and_not_interrupted() -> None:
    watchdog, plugin = watching(), module("bedside_vitals")
    results: list[Any] = []

    def elsewhere() -> None:
        main = lambda: guarded(plugin.calls(lambda: plugin.spin_for(5 * SECONDS)), LONG)  # noqa: E731
        results.append(run(asyncio.new_event_loop, watchdog, main))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(LONG)
    assert results == [NOTHING]
    [fault] = of(watchdog, "vitals")
    assert fault.where.startswith("bedside_vitals:spin_for:")


def test_the_process_no_longer_counts_as_alive_after_more_than_five_faults_in_a_minute() -> None:
    watchdog, plugin = watching(), module("bedside_vitals")
    alive: list[bool] = []

    async def main() -> None:
        for _ in range(LIMIT + 1):
            await guarded(plugin.loops(), LONG)
            await asyncio.sleep(2 * SECONDS)  # a beat in between, or it would be one fault
            alive.append(watchdog.alive)

    run(asyncio.new_event_loop, watchdog, main)
    assert watchdog.counts["vitals"] == LIMIT + 1
    assert alive == [True] * LIMIT + [False]


@both
def test_a_signal_out_of_the_blue_interrupts_nothing(loop: Loop) -> None:
    watchdog, plugin = watching(), module("bedside_vitals")

    def stray() -> None:
        os.kill(os.getpid(), signal.SIGUSR2)
        plugin.spin_for(SECONDS / 10)

    assert run(loop, watchdog, lambda: guarded(plugin.calls(stray), LONG)) == NOTHING
    assert of(watchdog, "vitals") == []


@both
def test_an_idle_loop_has_no_faults_and_the_signal_is_given_back(loop: Loop) -> None:
    watchdog = watching()
    before = signal.getsignal(signal.SIGUSR2)
    run(loop, watchdog, lambda: asyncio.sleep(5 * SECONDS))
    assert watchdog.faults == ()
    assert signal.getsignal(signal.SIGUSR2) == before
    assert not [thread for thread in threading.enumerate() if thread.name == "watchdog"]


def test_a_suspended_process_is_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen by the watching thread itself having slept too long without the process having worked."""
    watchdog, plugin = watching(), module("bedside_vitals")
    jump, looks = 0.0, 0

    def monotonic() -> float:
        nonlocal looks
        looks += threading.current_thread().name == "watchdog"
        return time.monotonic() + jump

    monkeypatch.setattr("bedside_core.watchdog.time", SimpleNamespace(monotonic=monotonic, process_time=lambda: 0.0))

    def sleep_of_the_machine() -> None:
        nonlocal jump
        jump += 3600
        before = looks
        while looks < before + 2:
            plugin.spin_for(SECONDS / 100)

    assert run(asyncio.new_event_loop, watchdog, lambda: guarded(plugin.calls(sleep_of_the_machine), LONG)) == NOTHING
    assert watchdog.faults == ()


def test_a_late_beat_of_a_loop_that_waits_is_nobodys_fault() -> None:
    """As on a machine with too much to do."""

    class LateLoop(asyncio.SelectorEventLoop):
        def call_later(self, delay: float, callback: Callable[..., object], *args: Any, **options: Any) -> Any:
            late = callback.__module__ == Watchdog.__module__
            return super().call_later(delay + 3 * SECONDS if late else delay, callback, *args, **options)

    watchdog = watching()
    run(LateLoop, watchdog, lambda: asyncio.sleep(6 * SECONDS))
    assert watchdog.faults == ()


class Delayed:
    """Keeps the watchdog's signals back, to be sent when what they were meant for is over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kept = 0
        monkeypatch.setattr(signal, "pthread_kill", self._keep)

    def _keep(self, _thread: int, _signal: int) -> None:
        self.kept += 1

    def send(self) -> None:
        assert self.kept
        signal.raise_signal(signal.SIGUSR2)


def test_an_interruption_that_comes_late_does_not_hit_the_same_code_later(monkeypatch: pytest.MonkeyPatch) -> None:
    watchdog, plugin, delayed = watching(), module("bedside_vitals"), Delayed(monkeypatch)

    def work() -> None:
        plugin.spin_for(3 * SECONDS)

    assert (
        run(asyncio.new_event_loop, watchdog, lambda: guarded(plugin.waits_between(work, delayed.send), LONG))
        == NOTHING
    )
    assert delayed.kept


def test_an_interruption_that_comes_late_does_not_hit_another_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same plugin, before the loop has beaten again."""
    watchdog, plugin, delayed = watching(), module("bedside_vitals"), Delayed(monkeypatch)

    async def main() -> Any:
        # Both are ready in one turn of the loop, and the beat is not before the next.
        first = asyncio.ensure_future(guarded(plugin.calls(lambda: plugin.spin_for(3 * SECONDS)), LONG))
        second = asyncio.ensure_future(guarded(plugin.calls(delayed.send), LONG))
        return await first, await second

    assert run(asyncio.new_event_loop, watchdog, main) == (NOTHING, NOTHING)
    assert delayed.kept
