"""What a session or an address may spend in a minute, counted in the cost of its operations (G4).

The arithmetic is the library `limits`' sliding window counter. Its own memory storage looks through every key at every
hit, so the counters are kept here; they belong to one process, and two processes allow twice the budget.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.aio.storage.base import SlidingWindowCounterSupport, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from bedside_core import errors
from bedside_graphql.config import GraphQLConfig

MINUTE = 60
ADDRESS = "sign-in address"
"""The policy by which the sign-ins of a network address are counted."""
ACCOUNT = "sign-in account"
"""The policy by which the sign-ins with one user name are counted; those on one known device apart from the others."""
RESET = "password reset account"
"""The policy by which the requests for a new password for one user name are counted."""
_SWEEP = 10_000


class Counters(Storage, SlidingWindowCounterSupport):
    """Counters of the present and the previous window by key, in memory; those that are over are dropped in bulk.

    Args:
        now: seconds since the epoch.
    """

    STORAGE_SCHEME = None

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._now = now
        self._counts: dict[str, tuple[int, int, int]] = {}
        self._sweep_at = _SWEEP

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """Nothing here fails."""
        return ()

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return count and seconds left of the previous window, and of the present one."""
        window, into = divmod(self._now(), expiry)
        counted, previous, current = self._counts.get(key, (0, 0, 0))
        if counted == window - 1:
            previous, current = current, 0
        elif counted != window:
            previous = current = 0
        return previous, expiry - into, current, 2 * expiry - into

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount`, unless the weighted count of both windows would pass the limit."""
        previous, left, current, _ = await self.get_sliding_window(key, expiry)
        if math.floor(previous * left / expiry + current) + amount > limit:
            return False
        self._counts[key] = int(self._now() // expiry), previous, current + amount
        if len(self._counts) > self._sweep_at:
            self._sweep(expiry)
        return True

    def _sweep(self, expiry: int) -> None:
        oldest = self._now() // expiry - 1
        self._counts = {key: counts for key, counts in self._counts.items() if counts[0] >= oldest}
        self._sweep_at = max(_SWEEP, 2 * len(self._counts))

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget a key."""
        self._counts.pop(key, None)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count without a limit."""
        await self.acquire_sliding_window_entry(key, 2**63, expiry, amount)
        return await self.get(key)

    async def get(self, key: str) -> int:
        """Return what was counted last."""
        return self._counts.get(key, (0, 0, 0))[2]

    async def get_expiry(self, key: str) -> float:
        """Return when the present minute ends."""
        return (self._now() // MINUTE + 1) * MINUTE

    async def check(self) -> bool:
        """Memory is always there."""
        return True

    async def reset(self) -> int | None:
        """Forget every key."""
        count = len(self._counts)
        self._counts.clear()
        return count

    async def clear(self, key: str) -> None:
        """Forget a key."""
        self._counts.pop(key, None)


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left after an operation.

    Args:
        policy: whose budget it is, "session" or "address".
        limit: the whole of it, in cost units a minute.
        remaining: what is left now.
        reset: seconds until all of it is there again, if nothing more is spent.
    """

    policy: str
    limit: int
    remaining: int
    reset: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers, structured fields)."""
        return [
            (b"ratelimit-policy", f'"{self.policy}";q={self.limit};w={MINUTE}'.encode()),
            (b"ratelimit", f'"{self.policy}";r={self.remaining};t={self.reset}'.encode()),
        ]


class PerMinute:
    """Budgets of a minute, each of many keys.

    Args:
        budgets: policy -> what each of its keys may spend in a minute.
        now: seconds since the epoch.
    """

    def __init__(self, budgets: Mapping[str, int], now: Callable[[], float] = time.time) -> None:
        self._items = {policy: RateLimitItemPerMinute(amount, namespace=policy) for policy, amount in budgets.items()}
        self._storage = Counters(now)
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    async def spend(self, policy: str, key: str, cost: int) -> None:
        """Take an operation's cost from a budget.

        Args:
            policy: one of those given.
            key: which of them.
            cost: what to take.

        Raises:
            errors.RateLimited: it does not cover the cost; `retryAfter` tells in how many seconds it will.
        """
        item = self._items[policy]
        if not await self._limiter.hit(item, key, cost=cost):
            raise await self._refused(item, key, cost)

    async def check(self, policy: str, key: str, cost: int) -> None:
        """Take nothing, but refuse as `spend` would.

        Raises:
            errors.RateLimited: the budget does not cover the cost.
        """
        item = self._items[policy]
        if not await self._limiter.test(item, key, cost=cost):
            raise await self._refused(item, key, cost)

    async def _refused(self, item: RateLimitItemPerMinute, key: str, cost: int) -> errors.RateLimited:
        previous, left, current, _ = await self._storage.get_sliding_window(item.key_for(key), MINUTE)
        wait = wait_seconds(previous, left, current, item.amount - cost)
        return errors.RateLimited(
            "Too much was asked within a minute.", way_on=f"Wait {wait} seconds.", detail={"retryAfter": wait}
        )

    async def left(self, policy: str, key: str) -> Budget:
        """Return what is left of a budget."""
        item = self._items[policy]
        previous, left, current, ends = await self._storage.get_sliding_window(item.key_for(key), MINUTE)
        weighted = math.floor(previous * left / MINUTE + current)
        reset = math.ceil(ends if current else left if previous else 0)
        return Budget(policy, item.amount, max(0, item.amount - weighted), reset)


class RateLimits(PerMinute):
    """The budgets of sessions and of addresses, and how many sign-ins they have room for.

    Args:
        config: how large they are.
        now: seconds since the epoch.
    """

    def __init__(self, config: GraphQLConfig, now: Callable[[], float] = time.time) -> None:
        budgets = {
            "session": config.session_budget,
            "address": config.address_budget,
            ADDRESS: config.sign_ins_per_address,
            ACCOUNT: config.sign_ins_per_account,
            RESET: config.sign_ins_per_account,
        }
        super().__init__(budgets, now)


def wait_seconds(previous: int, left: float, current: int, room: int) -> int:
    """Return in how many whole seconds no more than `room` will be counted.

    Args:
        previous: count of the window before.
        left: seconds until the present window ends, and with it the weight of the one before.
        current: count of the present window.
        room: what may be counted for the next operation to fit, in cost units.
    """
    if current <= room:  # the window before weighs less by the second, until it is gone
        wait = left - (room - current) * MINUTE / previous if previous else 0.0
    else:  # the present window has to become the one before first
        wait = left + MINUTE * (1 - max(room, 0) / current)
    return max(1, math.ceil(wait))
