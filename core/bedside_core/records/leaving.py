"""A practice that leaves: asked for by its name, waited for, exported first, and then erased for good."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from bedside_core import audit, errors
from bedside_core.access import Permission
from bedside_core.audit.anchor import Anchor, Head
from bedside_core.audit.sealer import Sealer
from bedside_core.auth import SESSION_STREAM, Role
from bedside_core.database import DB, Row, acting, unit
from bedside_core.files.store import INCOMING, WHOLE, prefix_of
from bedside_core.ids import uuid7
from bedside_core.jobs.declared import Job, JobRun
from bedside_core.live import Topic
from bedside_core.notify.kinds import Channel, Fact, Language, NotificationKind, Part, Recipient

if TYPE_CHECKING:
    from bedside_core.platform import Platform

log = structlog.get_logger("bedside.records")

WAITING = timedelta(days=30)
"""Time between asking and erasing, in which it can be called off."""
EXPORTED = timedelta(days=30)
"""How old the export may be that is made before."""

PERMISSIONS = (
    Permission(
        key="practice.erase", doc="Have the practice erased for good, or call it off.", roles=frozenset({Role.OWNER})
    ),
)

_TEXTS: Mapping[Language, Mapping[Part, str]] = {
    Language.ENGLISH: {
        Part.SUBJECT: "{{ practice }} is going to be erased",
        Part.IN_APP: "{{ practice }} is going to be erased for good on {{ time }}. Any owner can call it off until "
        "then.",
        Part.BODY: "It was asked that {{ practice }} be erased.\n\n"
        "On {{ time }} all its data is deleted for good. Any owner can call it off until then.",
    },
    Language.SPANISH: {
        Part.SUBJECT: "{{ practice }} se va a borrar",
        Part.IN_APP: "{{ practice }} se borrará definitivamente el {{ time }}. Cualquier propietario puede cancelarlo "
        "hasta entonces.",
        Part.BODY: "Se ha pedido que se borre {{ practice }}.\n\n"
        "El {{ time }} se eliminan definitivamente todos sus datos. Cualquier propietario puede cancelarlo hasta "
        "entonces.",
    },
}

NOTIFICATION = NotificationKind(
    key="core.practice_leaves",
    doc="The practice is going to be erased for good.",
    facts=(Fact.TIME, Fact.LINK),
    channels=(Channel.IN_APP, Channel.EMAIL),
    required=(Channel.EMAIL,),
    urgent=True,
    texts=_TEXTS,
)


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """A practice's erasure that is asked for.

    Args:
        id: opaque.
        asked_at: when it was asked for.
        due_at: when it is done, unless it is called off.
    """

    id: UUID
    asked_at: datetime
    due_at: datetime


async def ask(platform: Platform, practice_id: UUID, name: str, by: UUID | None, *, exported: bool = True) -> Erasure:
    """Ask that the acting practice be erased after a month; asked for already, that is returned.

    Args:
        platform: people, clock and notifications; owners are told.
        practice_id: the practice.
        name: its name, typed by who asks.
        by: the member who asks; None is the operator.
        exported: whether an export of the practice has to have been made lately.

    Raises:
        errors.InvalidInput: the name is another.
        errors.Conflict: no export was made in the last month.
    """
    practice = await platform.people.practice(practice_id)
    if practice is None or practice.name != " ".join(name.split()):
        raise errors.InvalidInput(
            "This is not the practice's name.", way_on="Type it as it is shown.", field=("practiceName",)
        )
    now = platform.clock.now()
    if exported and not await DB.fetchval(
        """SELECT EXISTS (SELECT FROM data_export WHERE patient_id IS NULL AND state IN ('ready', 'expired')
            AND ended_at > $1)""",
        now - EXPORTED,
    ):
        raise errors.Conflict(
            "The practice was not exported in the last month.", way_on="Export it by exportPractice, and keep the file."
        )
    async with unit() as work:
        row = await DB.fetchrow("SELECT * FROM practice_erasure_ask($1, $2, $3, $4)", uuid7(), by, now, now + WAITING)
        if row is None:
            raise errors.Conflict("It was asked for at this moment.", way_on="Look again.")
        if row["fresh"]:
            for owner in await DB.fetch("SELECT id FROM member WHERE role = 'owner' AND active"):
                await platform.notify.send(
                    work,
                    NOTIFICATION.key,
                    to=Recipient.member(owner["id"], practice_id),
                    data={Fact.TIME: row["due_at"], Fact.LINK: "/"},
                    dedupe=str(row["id"]),
                )
            audit.did("practice.erase", kind="practice", target=practice_id, detail={"erasure": str(row["id"])})
    return _erasure(row)


async def present() -> Erasure | None:
    """Return the acting practice's erasure, where one is asked for."""
    row = await DB.fetchrow("SELECT * FROM practice_erasure_present()")
    return _erasure(row) if row else None


async def cancel(platform: Platform, practice_id: UUID) -> bool:
    """Call the acting practice's erasure off; tells whether one was asked for."""
    async with unit():
        cancelled = await DB.fetch("SELECT practice_erasure_cancel($1)", platform.clock.now())
        if cancelled:
            audit.did("practice.stay", kind="practice", target=practice_id)
    return bool(cancelled)


async def erase_practice(run: JobRun) -> None:
    """Erase the practice, if that was asked for and its time has come. Whatever it is stopped at, it is done again.

    Bytes go before rows, for nobody looks for those of a practice that is not there; and once more after them, for what
    came meanwhile.
    """
    platform, practice_id = run.platform, run.practice_id
    asked = await present()
    if asked is None or asked.due_at > platform.clock.now():
        return
    async with unit() as work:
        for row in await DB.fetch("SELECT * FROM practice_end_sessions($1)", platform.clock.now()):
            work.publish(Topic(SESSION_STREAM, row["id"]), row["position"])
    await _remove_bytes(platform, practice_id)
    anchor = Anchor(platform.config.anchor)
    with DB.outside(), acting(None):
        await Sealer(anchor).seal()
    async with DB.transaction():
        if not await DB.fetchval("SELECT practice_erase($1, $2)", uuid7(), platform.clock.now()):
            raise errors.Unavailable("Audit entries wait for their seal.")  # the job runs again
        [end] = await DB.fetch("SELECT entries, head FROM practices_erased() WHERE practice_id = $1", practice_id)
        # Before it is committed: without this line whoever verifies the trail takes it for removed.
        await asyncio.to_thread(anchor.write, [Head(practice_id, end["entries"], end["head"])], erased=True)
    await _remove_bytes(platform, practice_id)
    log.info("a practice was erased", practice=str(practice_id))


async def _remove_bytes(platform: Platform, practice_id: UUID) -> None:
    for area in (INCOMING, WHOLE):
        async for page in platform.files.store.keys(prefix_of(area, practice_id)):
            await platform.files.store.remove([key for key, _ in page])


def _erasure(row: Row) -> Erasure:
    return Erasure(id=row["id"], asked_at=row["asked_at"], due_at=row["due_at"])


JOBS = (
    Job(
        name="erase_practice",
        function=erase_practice,
        doc="Erases a practice that leaves, a month after that was asked for.",
        schedule="31 * * * *",
        public=True,
    ),
)
