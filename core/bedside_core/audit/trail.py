"""Reads the audit trail for those who may: a practice's owners, and the patients whom it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bedside_core import errors
from bedside_core.access import Permission
from bedside_core.audit.entries import Entry, entry_of
from bedside_core.audit.operation import did
from bedside_core.auth.actor import Role
from bedside_core.database import DB
from bedside_core.paging import Page, key_of, page_of, page_size

PERMISSIONS = (
    Permission(key="audit.read", doc="Read who saw and did what in the practice.", roles=frozenset({Role.OWNER})),
)

_PAGE = """
SELECT * FROM audit_entry
WHERE ($1::uuid IS NULL OR person_id = $1) AND ($2::text IS NULL OR action = $2)
AND ($3::timestamptz IS NULL OR at >= $3) AND ($4::timestamptz IS NULL OR at < $4)
AND ($5::timestamptz IS NULL OR (at, id) < ($5, $6)) ORDER BY at DESC, id DESC LIMIT $7
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which entries are asked for; None is no condition.

    Args:
        patient_id: that name this patient.
        person_id: of this person's acts.
        action: of this action.
        since: from then on.
        until: before then.
    """

    patient_id: UUID | None = None
    person_id: UUID | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Trail:
    """Reads the acting practice's trail. Reading is entered in it too."""

    async def entries(self, wanted: Wanted, *, first: int | None, after: str | None) -> Page[Entry]:
        """Return entries, the newest first; for owners, whose right is the caller's to have asked (`audit.read`).

        Raises:
            errors.InvalidInput: no such page size, or a foreign cursor.
        """
        page = await self._page(wanted, first=first, after=after)
        patients = () if wanted.patient_id is None else (wanted.patient_id,)
        did("audit.read", kind="patient" if patients else None, target=wanted.patient_id, patients=patients)
        return page

    async def accesses(self, patient_id: UUID, *, first: int | None, after: str | None) -> Page[Entry]:
        """Return who saw or changed a patient's data, the newest first.

        For owners, and for the patient, whose right is the caller's to have asked. Reading is entered too.

        Raises:
            errors.NotFound: the acting practice has no such patient.
            errors.InvalidInput: no such page size, or a foreign cursor.
        """
        if not await DB.fetchval("SELECT EXISTS (SELECT FROM patient WHERE id = $1)", patient_id):
            raise errors.NotFound("There is no patient with this id that you may see.")
        return await self.entries(Wanted(patient_id=patient_id), first=first, after=after)

    async def _page(self, wanted: Wanted, *, first: int | None, after: str | None) -> Page[Entry]:
        size, key = page_size(first), key_of(after, int, UUID)
        at, id = (_instant(key[0]), key[1]) if key else (None, None)
        narrowed = (wanted.person_id, wanted.action, wanted.since, wanted.until, at, id, size + 1)
        if wanted.patient_id is not None:
            rows = await DB.fetch(
                "SELECT * FROM audit_of_patient($1, $2, $3, $4, $5, $6, $7, $8)", wanted.patient_id, *narrowed
            )
        else:
            rows = await DB.fetch(_PAGE, *narrowed)
        return page_of(
            [entry_of(row) for row in rows],
            size,
            lambda entry: ((entry.at - _EPOCH) // _MICROSECOND, str(entry.id)),
            after=after,
        )


def _instant(microseconds: int) -> datetime:
    """Return the instant in a cursor.

    Raises:
        errors.InvalidInput: nothing was entered so late.
    """
    try:
        return _EPOCH + microseconds * _MICROSECOND
    except OverflowError:
        raise errors.InvalidInput("This is not a cursor of this list.", field=("after",)) from None
