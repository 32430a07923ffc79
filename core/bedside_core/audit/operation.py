"""What an operation saw and did, entered in the audit trail in its transaction or before its answer leaves (A14)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID
from weakref import WeakKeyDictionary

import structlog

from bedside_core.audit.entries import Detail, Entry, Via, write
from bedside_core.clock import Clock
from bedside_core.database import DB, Work, acting, current_scope, present_work
from bedside_core.ids import uuid7

if TYPE_CHECKING:
    from bedside_core.auth import Actor

log = structlog.get_logger("bedside.audit")

READ = "patients.read"
"""The action of an operation that returned patients' data and did nothing else."""


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something that was done, still to be entered."""

    practice_id: UUID
    action: str
    kind: str | None
    target: str | None
    patients: tuple[UUID, ...]
    detail: Detail
    actor: Actor | None


@dataclass(eq=False)
class Operation:
    """One operation: who, how, and what of it is not entered yet.

    Args:
        actor: who acts; None is nobody who is signed in.
        via: by which entrance.
        request_id: names the request in answers and logs; empty where there is none.
        detail: names of what runs, such as the fields of a query or the name of a job.
        operator: whether it is the deployment's operator, where no actor says so: a command on the machine.
    """

    actor: Actor | None = None
    via: Via = Via.SYSTEM
    request_id: str = ""
    detail: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict[str, "str | tuple[str, ...]"])
    operator: bool = False

    def __post_init__(self) -> None:
        self._seen: dict[UUID, dict[UUID, None]] = {}
        """Practice -> the patients that no entry of this operation names yet, in the order in which they were seen."""
        self._as: dict[UUID, Actor] = {}
        """Practice -> as whom they were seen, where that is not who acts."""
        self._named: dict[UUID, set[UUID]] = {}
        """Practice -> those that one names."""
        self._deeds: list[Deed] = []
        self.over = False
        """Whether its answer has left; tasks that it started may still hold it."""

    @property
    def owes(self) -> bool:
        """Whether something is still to be entered before anything may leave."""
        return bool(self._deeds or self._seen)

    def see(self, practice_id: UUID, patient_ids: Iterable[UUID], actor: Actor | None = None) -> None:
        """Note patients whose data is to be returned, to the operation's own actor or to another."""
        named = self._named.get(practice_id, frozenset[UUID]())
        if new := [patient_id for patient_id in patient_ids if patient_id not in named]:
            self._seen.setdefault(practice_id, {}).update(dict.fromkeys(new))
            if actor is not None:
                self._as[practice_id] = actor

    def note(self, deed: Deed) -> None:
        """Note what was done outside of any unit of work."""
        self._deeds.append(deed)

    def forget(self) -> None:
        """Drop what is not entered: nothing of it is returned."""
        self._seen.clear()
        self._deeds.clear()

    async def settle(self) -> None:
        """Enter what remains, in one statement for each practice, which is one; nothing may leave before.

        Raises:
            Unavailable: it can't be entered.
        """
        while self.owes:
            practice_id = self._deeds[0].practice_id if self._deeds else next(iter(self._seen))
            deeds = [deed for deed in self._deeds if deed.practice_id == practice_id]
            entries = self.entries(practice_id, deeds)
            with DB.outside(), acting(practice_id):
                await write(entries)
            self._deeds = [deed for deed in self._deeds if deed.practice_id != practice_id]
            self.entered(entries)

    def entries(self, practice_id: UUID, deeds: Iterable[Deed]) -> list[Entry]:
        """Return the entries of what was done; the first, or one of its own, names the patients only seen so far."""
        deeds = list(deeds)
        treated = {patient_id for deed in deeds for patient_id in deed.patients}
        seen = tuple(patient_id for patient_id in self._seen.get(practice_id, ()) if patient_id not in treated)
        made = [
            self._entry(deed, (*deed.patients, *(seen if number == 0 else ()))) for number, deed in enumerate(deeds)
        ]
        if not made and seen:
            reading = Deed(
                practice_id=practice_id, action=READ, kind=None, target=None, patients=(), detail={},
                actor=self._as.get(practice_id),
            )  # fmt: skip
            made = [self._entry(reading, seen)]
        return made

    def entered(self, entries: Iterable[Entry]) -> None:
        """Note that entries are in the trail: whom they name needs no further one in this operation."""
        for entry in entries:
            self._named.setdefault(entry.practice_id, set()).update(entry.patients)
            waiting = self._seen.get(entry.practice_id, {})
            for patient_id in entry.patients:
                waiting.pop(patient_id, None)
            if not waiting:
                self._seen.pop(entry.practice_id, None)

    def _entry(self, deed: Deed, patients: Iterable[UUID]) -> Entry:
        actor = deed.actor or self.actor
        return Entry(
            id=uuid7(),
            practice_id=deed.practice_id,
            at=_now.now(),
            account_id=actor.account_id if actor and actor.guest is None else None,
            person_id=actor.person_id if actor else None,
            role=actor.role.value if actor else None,
            key_id=actor.key_id if actor else None,
            operator=self.operator or (actor is not None and actor.role == "operator"),
            action=deed.action,
            kind=deed.kind,
            target=deed.target,
            patients=list(dict.fromkeys(patients)),
            request_id=self.request_id,
            via=self.via,
            detail={
                **self.detail,
                **({"application": str(actor.application_id)} if actor and actor.application_id else {}),
                **deed.detail,
            },
        )


_running: ContextVar[Operation | None] = ContextVar("audit_operation", default=None)
_ledgers: WeakKeyDictionary[Work, list[Deed]] = WeakKeyDictionary()
_now: Clock = Clock()


def use(clock: Clock) -> None:
    """Take the time from a platform's clock."""
    global _now
    _now = clock


@contextmanager
def within(running: Operation) -> Generator[Operation]:
    """Have the block's work belong to an operation, whose end the caller settles before the answer leaves."""
    before = _running.get()
    _running.set(running)
    try:
        yield running
    finally:
        running.over = True
        _running.set(before)


@asynccontextmanager
async def operation(
    actor: Actor | None = None,
    *,
    via: Via = Via.SYSTEM,
    request_id: str = "",
    detail: Mapping[str, str | tuple[str, ...]] | None = None,
    operator: bool = False,
) -> AsyncGenerator[Operation]:
    """Make the block one operation: one entry names what it did and every patient whose data it returned.

    The entrances do so for requests, events and jobs. Where the block raises nothing is returned, so only what its
    units of work have committed is entered.

    Args:
        actor: who acts; None is nobody who is signed in.
        via: by which entrance.
        request_id: names the request in answers and logs (G3).
        detail: names of what runs.
        operator: whether it is the deployment's operator, where no actor says so.

    Raises:
        Unavailable: the entry can't be written; the block's result must not leave.
    """
    running = Operation(actor, via, request_id, detail or {}, operator)
    with within(running):
        try:
            yield running
        except BaseException:
            running.forget()
            raise
        await running.settle()


def saw(patient_ids: Iterable[UUID], *, practice_id: UUID | None = None, actor: Actor | None = None) -> None:
    """Note that the running operation returns data of these patients of the acting practice.

    `People` does so for every patient it returns. A service does for what it reads from tables of its own, event by
    event where it is a stream.

    Args:
        patient_ids: whose data; those that an entry of the operation names already cost nothing more.
        practice_id: whose patients, where they are another's than the acting practice's.
        actor: who is told, as that practice knows them, where that is not the operation's own.
    """
    practice_id = practice_id or current_scope().practice_id
    if practice_id is None:
        return
    running = _running.get()
    if running is not None and not running.over:
        running.see(practice_id, patient_ids, actor)
    elif any(True for _ in patient_ids):
        log.warning("patients were read outside of any operation", practice=str(practice_id))


def did(
    action: str,
    *,
    kind: str | None = None,
    target: object = None,
    patients: Iterable[UUID] = (),
    detail: Detail | None = None,
    actor: Actor | None = None,
    practice_id: UUID | None = None,
) -> None:
    """Enter what the running operation does, for the acting practice or `DEPLOYMENT`.

    Inside a unit of work the entry is part of it: both are committed, or neither. Outside of one it is written before
    the operation's answer leaves.

    Args:
        action: what is done, `<subject>.<verb>`, by the permission's key where there is one.
        kind: the kind of thing it is done to.
        target: the thing's id or name.
        patients: whose data it is.
        detail: ids and names of fields; never values.
        actor: who, where that is not the operation's own: somebody who signs in.
        practice_id: whose trail, where it is another's than the acting practice's.

    Raises:
        RuntimeError: nobody is acted for, or neither a unit of work nor an operation is open.
    """
    acting_for = current_scope().practice_id
    if acting_for is None:
        raise RuntimeError("an audit entry belongs to a practice: act for one, or for audit.DEPLOYMENT")
    deed = Deed(
        practice_id=practice_id or acting_for,
        action=action,
        kind=kind,
        target=None if target is None else str(target),
        patients=tuple(patients),
        detail=detail or {},
        actor=actor,
    )
    work, running = present_work(), _running.get()
    if work is not None:
        if work not in _ledgers:
            _ledgers[work] = []
            _close_with(work, running or Operation())
        _ledgers[work].append(deed)
    elif running is not None and not running.over:
        running.note(deed)
    else:
        raise RuntimeError("nothing is entered outside of unit() and audit.operation()")


def _close_with(work: Work, running: Operation) -> None:
    """Write a unit's entries as its last statement."""
    entries: list[Entry] = []

    async def enter() -> None:
        deeds = _ledgers.pop(work)
        for practice_id in dict.fromkeys(deed.practice_id for deed in deeds):
            entries.extend(running.entries(practice_id, [deed for deed in deeds if deed.practice_id == practice_id]))
        await write(entries)

    work.at_the_end(enter)
    work.once_committed(lambda: running.entered(entries))
