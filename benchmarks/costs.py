"""What operations cost while what is stored grows: time, and processor time of the server and of PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from .machine import Tree

FLAT = 1.25
"""What counts as flat: no more than this times the cost at the smallest size."""


@dataclass(frozen=True)
class Cost:
    """What an operation costs.

    Args:
        p50: half the answers to one client came within this, in milliseconds.
        server: the server's processor time for an operation, in milliseconds.
        database: PostgreSQL's.
    """

    p50: float
    server: float
    database: float


async def cost(server: Tree, database: Tree, times: int, do: Callable[[int], Awaitable[object]]) -> Cost:
    """Do an operation again and again, and return what it costs.

    Args:
        server: the server's processes.
        database: PostgreSQL's.
        times: how often.
        do: does it, told how often it was done before.
    """
    taken: list[float] = []
    before = server.cpu_seconds(), database.cpu_seconds()
    for number in range(times):
        began = time.perf_counter()
        await do(number)
        taken.append(time.perf_counter() - began)
    used = server.cpu_seconds() - before[0], database.cpu_seconds() - before[1]
    return Cost(p50=median(taken) * 1e3, server=used[0] / times * 1e3, database=used[1] / times * 1e3)


def medians(rounds: Sequence[Mapping[str, Cost]]) -> dict[str, Cost]:
    """Return what each operation costs by the rounds in which it was measured."""
    return {
        name: Cost(
            p50=median(each[name].p50 for each in rounds),
            server=median(each[name].server for each in rounds),
            database=median(each[name].database for each in rounds),
        )
        for name in rounds[0]
    }


def growth(small: Cost, large: Cost) -> list[str]:
    """Return how an operation's time and processor time have grown, and whether that is flat."""
    slower = large.p50 / small.p50
    work = (large.server + large.database) / (small.server + small.database)
    return [f"{slower:.2f}", f"{work:.2f}", "flat" if slower <= FLAT else "not flat"]
