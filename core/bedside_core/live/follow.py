"""Reads a stream's items from a cursor on, without gap or duplicate: first what there is, then what comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import TypeVar
from uuid import UUID

from bedside_core.live.hub import Live
from bedside_core.live.streams import UNKNOWN

T = TypeVar("T")

Read = Callable[[int], Awaitable[Sequence[tuple[int, T]]]]
"""Reads a page: positions and items beyond a cursor, in order; empty when there is nothing beyond it."""


async def follow(
    live: Live,
    topic: tuple[str, UUID],
    read: Read[T],
    cursor: int,
    *,
    also: Iterable[tuple[str, UUID]] = (),
) -> AsyncGenerator[T, None]:
    """Yield every item beyond a cursor once and in order, for ever; `aclose()` detaches.

    Args:
        live: where the stream is announced.
        topic: the stream.
        read: reads a page from the database. What it raises ends the generator; the client resumes from its cursor.
        cursor: the position of the last item the reader has; 0 for none.
        also: further streams at whose moves is read again, since `read` may refuse from then on: the practice's,
            whose plan can change (L4).

    Raises:
        LookupError: there is no such kind of stream.
        ValueError: a page's positions don't strictly increase, so that an item would be lost or told twice.
    """
    bell, newest, poked = asyncio.Event(), UNKNOWN, False

    def moved(position: int) -> None:
        nonlocal newest
        newest = position
        bell.set()

    def poke(position: int) -> None:
        nonlocal poked
        poked = True
        bell.set()

    with ExitStack() as attached:
        attached.callback(live.watch(topic, moved, after=cursor).close)
        for other in also:
            attached.callback(live.watch(other, poke).close)
        told: int | None = None  # None while replaying: until a page comes back empty
        while True:
            before, last, seen, poked = cursor, None, newest, False
            for position, item in await read(cursor):
                if last is not None and position <= last:
                    raise ValueError(f"positions of a {topic[0]} must strictly increase: {position} came after {last}")
                last = position
                if position > cursor:
                    cursor = position
                    yield item
            if cursor == before or (told is not None and cursor >= told):
                known = max(seen, cursor) if last is None else cursor  # a page may be full before the newest
                while not poked and newest <= known:
                    bell.clear()
                    await bell.wait()
                told = newest
