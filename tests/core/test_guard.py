"""Time limits for hooks, and failures of coroutines returned instead of raised."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
import time
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from bedside_core.guard import GRACE_SECONDS, HookTimeout, bounded, guarded, place_of

BRIEF = 0.1
LONG = 30.0


def spin() -> None:
    while True:
        pass


def doze() -> None:
    time.sleep(LONG)


def swallow() -> None:
    """A hook that will not be told the first three times."""
    for _ in range(3):
        try:
            spin()
        except BaseException:
            continue
    doze()


class Odd(BaseException):
    """Not an Exception."""


# bounded


@pytest.mark.promise("P1")
@pytest.mark.parametrize("hook", [spin, doze, swallow])
def test_a_hook_that_hangs_is_ended(hook: Callable[[], None]) -> None:
    began = time.monotonic()
    with (
        pytest.raises(HookTimeout, match=r"^hook of vitals took longer than 0\.1 s$"),
        bounded(BRIEF, "hook of vitals"),
    ):
        hook()
    assert time.monotonic() - began < LONG / 2


def test_a_hook_in_time_is_left_alone() -> None:
    with bounded(BRIEF):
        value = 7
    time.sleep(2 * BRIEF)
    assert value == 7


def test_what_a_hook_raises_comes_through() -> None:
    with pytest.raises(Odd), bounded(BRIEF):
        raise Odd


def test_handler_and_timer_are_given_back() -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _frame: rung.append(number))
    timer = signal.setitimer(signal.ITIMER_REAL, LONG)
    try:
        handler = signal.getsignal(signal.SIGALRM)
        with bounded(BRIEF):
            pass
        assert signal.getsignal(signal.SIGALRM) is handler
        assert LONG - 5 < signal.getitimer(signal.ITIMER_REAL)[0] <= LONG

        signal.setitimer(signal.ITIMER_REAL, BRIEF / 2)
        with pytest.raises(HookTimeout), bounded(BRIEF):
            doze()
        deadline = time.monotonic() + LONG  # the timer that was due meanwhile goes off now
        while not rung and time.monotonic() < deadline:
            signal.sigtimedwait((), 0.01)
        assert rung == [signal.SIGALRM]
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def test_the_outer_limit_holds_inside_an_inner_one() -> None:
    began = time.monotonic()
    with pytest.raises(HookTimeout, match="outer"), bounded(2 * BRIEF, "outer"):
        with pytest.raises(HookTimeout, match="inner"), bounded(BRIEF, "inner"):
            doze()
        doze()
    assert time.monotonic() - began < LONG / 2


def test_on_another_thread_a_hook_is_named_but_not_ended() -> None:
    named = threading.Event()
    ended: list[str] = []

    def hang_until_named() -> None:
        assert named.wait(LONG)

    def run() -> None:
        with bounded(BRIEF, "hook of vitals"):
            hang_until_named()
        ended.append("by itself")

    with capture_logs() as logs:
        thread = threading.Thread(target=run)
        thread.start()
        deadline = time.monotonic() + LONG
        while not logs and time.monotonic() < deadline:
            thread.join(0.01)
        named.set()
        thread.join(LONG)
    assert ended == ["by itself"]
    assert [(line["log_level"], line["what"]) for line in logs] == [("error", "hook of vitals")]
    assert "hang_until_named" in logs[0]["where"]


# guarded


async def test_a_value_comes_back() -> None:
    async def seven() -> int:
        return 7

    assert await guarded(seven(), LONG) == (7, None)


@pytest.mark.promise("P1")
@pytest.mark.parametrize(
    "kind", [ValueError, SystemExit, GeneratorExit, asyncio.CancelledError, StopAsyncIteration, Odd]
)
async def test_whatever_is_raised_comes_back_as_a_failure(kind: type[BaseException]) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise kind("canary")

    value, failure = await guarded(fail(), LONG)
    assert value is None
    assert failure is not None
    assert type(failure.error) is kind
    assert failure.where.startswith(f"{__name__}:fail:")
    assert str(failure) == f"{kind.__name__} at {failure.where}"
    assert "canary" not in str(failure)


async def test_a_failure_in_a_library_is_placed_where_it_was_called() -> None:
    async def call() -> None:
        await asyncio.wait_for(asyncio.get_running_loop().create_future(), timeout=0.01)

    _, failure = await guarded(call(), LONG)
    assert failure is not None
    assert failure.where.startswith(f"{__name__}:call:")


async def test_what_hangs_is_cancelled_and_placed() -> None:
    cancelled = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            cancelled.set()

    value, failure = await guarded(hang(), BRIEF)
    assert (value, failure is not None and type(failure.error)) == (None, TimeoutError)
    assert failure is not None
    assert failure.where.startswith(f"{__name__}:hang:")
    assert cancelled.is_set()


@pytest.mark.promise("P1")
async def test_what_ignores_its_cancellation_does_not_hold_the_caller() -> None:
    go = asyncio.Event()
    over = asyncio.Event()

    async def stubborn() -> None:
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue
        over.set()

    began = time.monotonic()
    with capture_logs() as logs:
        _, failure = await guarded(stubborn(), BRIEF)
    assert failure is not None
    assert type(failure.error) is TimeoutError
    assert time.monotonic() - began < GRACE_SECONDS + 5
    assert [line["event"] for line in logs] == ["cancelled code goes on"]
    go.set()
    await asyncio.wait_for(over.wait(), LONG)


async def test_cancelling_the_caller_cancels_the_guarded_code() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def inner() -> None:
        started.set()
        try:
            await asyncio.sleep(LONG)
        finally:
            ended.set()

    caller = asyncio.create_task(guarded(inner(), LONG))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()


async def test_context_variables_are_the_callers() -> None:
    scope: contextvars.ContextVar[str] = contextvars.ContextVar("scope")
    scope.set("east")

    async def read() -> str:
        return scope.get()

    assert await guarded(read(), LONG) == ("east", None)


def test_ctrl_c_still_ends_the_process() -> None:
    async def interrupted() -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        await guarded(interrupted(), LONG)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())


async def test_an_awaitable_that_is_no_coroutine_is_guarded_too() -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(3)
    awaitable: Awaitable[int] = future
    assert await guarded(awaitable, LONG) == (3, None)


def test_an_exception_never_raised_has_no_place() -> None:
    assert place_of(ValueError()) == ""
