"""`python -m benchmarks query|chat|schedule|media|startup|limits|all`: measures, prints, and with --write keeps it."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop

from . import chat, limits, media, query, results, schedule, startup

QUIET = 0.5
"""Load average below which a machine counts as quiet."""


def _query(given: argparse.Namespace) -> Awaitable[str]:
    options = query.Options(explain=given.explain)
    if given.quick:
        options = dataclasses.replace(options, sizes=(1_000, 10_000), own=(query.OWN, 300), rounds=2, seconds=1.0)
    return query.run(options)


def _chat(given: argparse.Namespace) -> Awaitable[str]:
    options = chat.Options()
    if given.quick:
        options = dataclasses.replace(options, messages=(10_000, 50_000), rounds=2, times=20)
    return chat.run(options)


def _schedule(given: argparse.Namespace) -> Awaitable[str]:
    options = schedule.Options()
    if given.quick:
        options = dataclasses.replace(options, appointments=(1_000, 5_000), rounds=2, times=5)
    return schedule.run(options)


def _startup(given: argparse.Namespace) -> Awaitable[str]:
    return startup.run(runs=2 if given.quick else 5)


def _limits(given: argparse.Namespace) -> Awaitable[str]:
    return limits.run(runs=2 if given.quick else 5)


def _media(given: argparse.Namespace) -> Awaitable[str]:
    options = media.Options()
    if given.quick:
        options = dataclasses.replace(options, calls=((1, 1), (1, 3)), seconds=3.0, rounds=1)
    return media.run(options)


BENCHMARKS: dict[str, Callable[[argparse.Namespace], Awaitable[str]]] = {
    "query": _query,
    "chat": _chat,
    "schedule": _schedule,
    "media": _media,
    "startup": _startup,
    "limits": _limits,
}


def main() -> None:
    """Run one benchmark or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=[*BENCHMARKS, "all"])
    parser.add_argument("--quick", action="store_true", help="few and short rounds, to see that it works")
    parser.add_argument("--write", action="store_true", help="put what was found into benchmarks/RESULTS.md")
    parser.add_argument("--explain", action="store_true", help="show PostgreSQL's plans of the query in any case")
    parser.add_argument("--quiet", type=float, default=0, metavar="MINUTES", help="wait so long for a quiet machine")
    given = parser.parse_args()
    for name in BENCHMARKS if given.name == "all" else (given.name,):
        _wait(given.quiet)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            section = runner.run(_section(name, given))
        print(f"\n## {name}\n\n{section}\n")
        if given.write:
            results.write(name, section)


async def _section(name: str, given: argparse.Namespace) -> str:
    return await BENCHMARKS[name](given)


def _wait(minutes: float) -> None:
    """Wait until the machine is quiet, or so many minutes."""
    until = time.monotonic() + 60 * minutes
    while os.getloadavg()[0] >= QUIET and time.monotonic() < until:
        print(f"load average {os.getloadavg()[0]:.2f}, waiting", file=sys.stderr)
        time.sleep(15)


if __name__ == "__main__":
    main()
