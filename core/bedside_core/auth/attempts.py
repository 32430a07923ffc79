"""Counts failed attempts in a row, over all processes, and locks for a while after the sixth (A5, A6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import errors
from bedside_core.clock import Clock
from bedside_core.database import DB, acting, unit
from bedside_core.events import Event, fact
from bedside_core.ids import uuid7

if TYPE_CHECKING:
    from bedside_core.jobs import JobRun

MOST_FAILURES = 6
"""The failed attempt in a row that locks."""
LOCKED = timedelta(minutes=15)
"""How long; further attempts never extend it."""
NOBODY = UUID(int=0)
"""The practice of what belongs to none, as the operator's account does: no row has it."""
TELL = "core.account_locked"
"""Full name of the job that finds out whose lock it is."""


class Locked(errors.Problem):
    """There were too many failed attempts."""

    code = "SIGN_IN_LOCKED"
    meaning = (
        "Six attempts in a row have failed, and for 15 minutes none is heard, right or wrong; `retryAfter` tells the "
        "seconds left. Addresses that are nobody's are locked alike."
    )
    retryable = True
    status = 429


@dataclass(frozen=True, kw_only=True)
class AccountLocked(Event):
    """An account, or one device of its owner's, was locked after six failed attempts in a row (A5).

    The practice is the first that the account belongs to; NOBODY (all zeros) for the operator.
    """

    account_id: UUID = fact("Whose.")
    lock_id: UUID = fact("Which lock: its owner is told of it once.")
    until: datetime = fact("When it ends.")


class Attempts:
    """Settles attempts one after the other, whatever comes at once.

    Args:
        clock: the product's time.
        way_on: what a person can do who is locked out.
    """

    def __init__(self, clock: Clock, way_on: str) -> None:
        self._clock = clock
        self._way_on = way_on

    async def settle(self, named: str, right: bool, *, account: UUID | None, also: str = "") -> bool:
        """Count an attempt whose outcome is known; it is one statement, whatever comes of it.

        Args:
            named: what is counted: an address, a device, an account's second factor.
            right: whether the attempt was right.
            account: whose it is; None where the address is nobody's.
            also: what else a right one ends the row of; a lock there goes on.

        Returns:
            Whether it was right.

        Raises:
            Locked: it is not heard, or it was the wrong one that locks.
        """
        now, lock = self._clock.now(), uuid7()
        # The job is the same for an address that is nobody's, so that neither time nor statements tell them apart.
        with acting(NOBODY):
            async with unit() as work:
                row = await DB.fetchrow(
                    "SELECT * FROM attempt_settle($1, $2, $3, $4, $5, $6, $7)",
                    named, right, now, int(LOCKED.total_seconds()), MOST_FAILURES, lock, also or named,
                )  # fmt: skip
                if row is None:
                    raise RuntimeError("attempt_settle gave no row")
                if row["locked_now"]:
                    told = {"account": account, "lock": lock, "until": row["until"]}
                    await work.enqueue(TELL, told)
        if row["until"] is not None:
            left = max(1, int((row["until"] - now).total_seconds() + 0.999))
            raise Locked(
                "There were too many failed attempts.",
                way_on=f"Wait until the 15 minutes are over. {self._way_on}".strip(),
                detail={"retryAfter": left},
            )
        return right


async def tell(run: JobRun) -> None:
    """Tell the listeners of AccountLocked whose account was locked, if it is anybody's; once for each lock."""
    lock = UUID(run.payload["lock"])
    account = UUID(run.payload["account"]) if run.payload["account"] else None
    async with unit() as work:
        row = await DB.fetchrow("SELECT * FROM attempt_tell($1, $2)", lock, account)
        if row is not None:
            work.emit(
                AccountLocked(
                    practice_id=row["practice_id"] or NOBODY,
                    account_id=row["account_id"],
                    lock_id=lock,
                    until=datetime.fromisoformat(run.payload["until"]),
                )
            )
