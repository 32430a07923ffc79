"""What a person is told who follows their inbox, and where in it they are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from bedside_core.database import DB
from bedside_core.paging import cursor_of, key_of

BATCH = 100
"""Things told of at once."""

# One statement, so that places and things are of one moment: whatever is not in it has a later place.
_READ = """
SELECT coalesce(i."position", 0) AS reached, coalesce(i.floor, 0) AS floor, p."position" AS practice,
    t.kind, t.subject_id, t."position" AS place
FROM practice_positions(ARRAY[$1::uuid]) p
LEFT JOIN inbox i ON i.person_id = $2
LEFT JOIN LATERAL (
    SELECT kind, subject_id, "position" FROM inbox_item
    WHERE person_id = $2 AND "position" > $3 AND kind = ANY($4) ORDER BY "position" LIMIT $5
) t ON true ORDER BY t."position"
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """How far somebody has been told.

    Args:
        person_id: whose inbox it is.
        things: position in the inbox.
        practice: position of their practice's plan and rights.
    """

    person_id: UUID
    things: int
    practice: int

    @property
    def cursor(self) -> str:
        """The place as clients keep it."""
        return cursor_of(str(self.person_id), self.things, self.practice)


def place_of(cursor: str | None) -> Place | None:
    """Return the place in a cursor.

    Raises:
        errors.InvalidInput: it is none of an inbox.
    """
    key = key_of(cursor, UUID, int, int)
    return Place(person_id=key[0], things=key[1], practice=key[2]) if key else None


@dataclass(frozen=True, kw_only=True)
class Item:
    """A thing that has changed.

    Args:
        kind: what kind of thing, as its plugin has named it.
        subject_id: which.
        cursor: the place of its last change.
    """

    kind: str
    subject_id: UUID
    cursor: str


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Whatever happens from now on will be told; what is fetched after this misses nothing (promise D7)."""

    cursor: str


@dataclass(frozen=True, kw_only=True)
class Gap:
    """What happened since the client's cursor can't be told: it is to reload all, and goes on from here."""

    cursor: str


@dataclass(frozen=True, kw_only=True)
class PracticeMoved:
    """The practice's plan, or its people's rights, have changed."""

    cursor: str


@dataclass(frozen=True, kw_only=True)
class Items:
    """Things that have changed, in the order of their last changes.

    Args:
        items: at least one.
    """

    items: tuple[Item, ...]


Happened = Opened | Gap | PracticeMoved | Items


@dataclass(frozen=True, kw_only=True)
class Found:
    """What an inbox holds beyond a place.

    Args:
        end: where inbox and practice are.
        floor: who has been told less is to reload.
        things: kind, id and position of each, in order, at most `BATCH`.
    """

    end: Place
    floor: int
    things: tuple[tuple[str, UUID, int], ...]


async def read(practice_id: UUID, person_id: UUID, beyond: int, kinds: Collection[str], size: int = BATCH) -> Found:
    """Return what an inbox holds beyond a position, in one statement.

    Args:
        practice_id: the person's practice.
        person_id: whose inbox.
        beyond: a position.
        kinds: kinds of things that somebody can load.
        size: how many things at most.
    """
    rows = await DB.fetch(_READ, practice_id, person_id, beyond, list(kinds), size)
    if not rows:
        raise RuntimeError("a person's practice is gone")
    first = rows[0]
    return Found(
        end=Place(person_id=person_id, things=first["reached"], practice=first["practice"]),
        floor=first["floor"],
        things=tuple((row["kind"], row["subject_id"], row["place"]) for row in rows if row["kind"] is not None),
    )
