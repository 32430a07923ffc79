"""A patient's timeline: what core and plugins know of a patient, each its part, put in one order (P9)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import errors
from bedside_core.access import EVERYONE, PATIENTS, Permission
from bedside_core.auth import Actor
from bedside_core.database import DB
from bedside_core.files.facts import PATIENT
from bedside_core.paging import Page, key_of, page_of, page_size

if TYPE_CHECKING:
    from bedside_core.platform import Platform

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PERMISSIONS = (
    Permission(key="timeline.read", doc="See a patient's timeline, as a patient one's own.", roles=EVERYONE | PATIENTS),
)
CREATED, FILE = "core.patient_created", "core.file_added"


@dataclass(frozen=True, kw_only=True)
class TimelineEntry:
    """Something that happened with a patient.

    Args:
        kind: one of the kinds of a `TimelinePart`.
        id: what it is about, such as a message; no two entries have the same.
        at: when.
        by: the member, patient or contact who did it; None where nobody is known.
    """

    kind: str
    id: UUID
    at: datetime
    by: UUID | None = None


TimelineReader = Callable[
    ["Platform", Actor, UUID, "tuple[datetime, UUID] | None", int], Awaitable[Sequence[TimelineEntry]]
]
"""Given the platform, the viewer, the patient, (at, id) of an entry and a number, returns that many entries before that
one at most, or the newest, the newest first and among equals the highest id; only what the viewer may see, in a
constant number of statements."""


@dataclass(frozen=True, kw_only=True)
class TimelinePart:
    """What core or a plugin contributes to timelines; a plugin's stand in its manifest.

    Args:
        kinds: each kind of entry, with what it tells of; a plugin's begin with its name and a dot.
        read: reads entries.
    """

    kinds: Mapping[str, str]
    read: TimelineReader


async def _read(
    platform: Platform, actor: Actor, patient_id: UUID, before: tuple[datetime, UUID] | None, size: int
) -> Sequence[TimelineEntry]:
    """Return that the patient came, and the files that were put with them."""
    rows = await DB.fetch(
        """SELECT * FROM (
            SELECT $5 AS kind, id, attached_at AS at, made_by AS by FROM file
            WHERE owner_kind = $7 AND owner_id = $1 AND state = 'attached'
            UNION ALL SELECT $6, id, created_at, NULL FROM patient WHERE id = $1
        ) AS found WHERE ($2::timestamptz IS NULL OR (at, id) < ($2, $3)) ORDER BY at DESC, id DESC LIMIT $4""",
        patient_id,
        *(before or (None, None)),
        size,
        FILE,
        CREATED,
        PATIENT,
    )
    return [TimelineEntry(kind=row["kind"], id=row["id"], at=row["at"], by=row["by"]) for row in rows]


CORE = TimelinePart(
    kinds={CREATED: "The patient was created.", FILE: "A file was put with the patient."},
    read=_read,
)


def parts(platform: Platform) -> list[TimelinePart]:
    """Return what core and the active plugins contribute."""
    return [CORE, *(part for manifest in platform.plugins.manifests.values() for part in manifest.timeline)]


async def timeline(
    platform: Platform, actor: Actor, patient_id: UUID, *, first: int | None, after: str | None
) -> Page[TimelineEntry]:
    """Return what happened with a patient as far as the viewer may see it, the newest first (P9).

    Args:
        platform: the assembled platform.
        actor: a member of the patient's practice, or the patient in the portal.
        patient_id: the patient.
        first: how many.
        after: cursor after which the page begins.

    Raises:
        errors.NotFound: no such patient that the actor may see.
        errors.InvalidInput: a foreign cursor.
    """
    await platform.access.require(actor, "timeline.read")
    own = actor.patient_id is None or actor.patient_id == patient_id
    if not own or patient_id not in await platform.people.patients_by_id([patient_id]):
        raise errors.NotFound("There is no patient with this id that you may see.")
    size, key = page_size(first), key_of(after, int, UUID)
    before = (_instant(key[0]), key[1]) if key else None
    read = await asyncio.gather(*(part.read(platform, actor, patient_id, before, size + 1) for part in parts(platform)))
    entries = sorted((entry for each in read for entry in each), key=lambda entry: (entry.at, entry.id), reverse=True)
    return page_of(
        entries[: size + 1],
        size,
        lambda entry: ((entry.at - _EPOCH) // timedelta(microseconds=1), str(entry.id)),
        after=after,
    )


def _instant(microseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise errors.InvalidInput("This is not a cursor of this list.", field=("after",)) from None
