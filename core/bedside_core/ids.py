"""Identifiers that sort by the moment they were made: UUID version 7 (RFC 9562, 5.7)."""

from __future__ import annotations

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def uuid7() -> uuid.UUID:
    """Return a new UUID version 7, greater than every one made before in this process.

    48 bits of milliseconds, 12 bits of their fraction (RFC 9562, 6.2, method 3, as PostgreSQL 18's `uuidv7()` does) and
    62 random bits. The machine's clock is meant here, not the product's: an id tells order, never the time of anything.
    """
    global _last
    with _lock:
        # 256 ns is just over one step of the 12 bit fraction, so two ids of the same tick still differ in order.
        nanoseconds = _last = max(time.time_ns(), _last + 256)
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return uuid.UUID(int=(milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | random)
