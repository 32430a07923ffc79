"""Makes one record out of two of the same patient, in one transaction over core and all plugins."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.access import LEADERS, Permission
from bedside_core.auth import SESSION_STREAM, Actor
from bedside_core.database import DB, Row, Work
from bedside_core.imports.columns import Field
from bedside_core.live import Topic
from bedside_core.people.model import Patient, PatientsMerged
from bedside_core.records.catalogue import contributions

if TYPE_CHECKING:
    from bedside_core.platform import Platform

PERMISSIONS = (Permission(key="patients.merge", doc="Merge two records of one patient for good.", roles=LEADERS),)

_MISSING = "There is no patient with this id that you may see."


async def merge_patients(
    platform: Platform, actor: Actor, keep: UUID, merge: UUID, choices: Collection[Field], client_id: str
) -> Patient:
    """Merge two records of one patient; what points to the merged one points to the kept one then.

    The merged record stays as it was, as a pointer: its id answers with the kept record, and its MRN is nobody else's.
    It can't be undone, for nothing says any more which of the two a row came from.

    Args:
        platform: people, clock, and the plugins' contributions.
        actor: who merges, whose right is the caller's to have asked.
        keep: the record that stays.
        merge: the record that becomes a pointer.
        choices: the fields whose values the kept record takes over from the merged one; MRNs change places then.
        client_id: the client's own id of it; a retry returns the kept record (G9).

    Raises:
        errors.NotFound: the practice has no such patient, or one of them was merged already.
        errors.InvalidInput: the two are the same, or the choices leave neither phone nor e-mail.
        errors.Conflict: the kept record is in the archive, or the client id has merged others.
    """
    practice_id, _ = actor.in_practice()
    if keep == merge:
        raise errors.InvalidInput("A record can't be merged with itself.", field=("mergeId",))

    async def make(new_id: UUID, work: Work) -> UUID:
        kept, merged = await _both(keep, merge)
        await _take_over(kept, merged, frozenset(choices))
        await _move(platform, keep, merge)
        now = platform.clock.now()
        await DB.execute(
            """UPDATE patient SET merged_into = $2, merged_at = $3, archived_at = coalesce(archived_at, $3)
            WHERE id = $1""",
            merge,
            keep,
            now,
        )
        await DB.execute("UPDATE patient SET merged_into = $2 WHERE merged_into = $1", merge, keep)
        for row in await DB.fetch("SELECT * FROM patient_end_sessions($1, $2)", merge, now):
            work.publish(Topic(SESSION_STREAM, row["id"]), row["position"])
        work.emit(PatientsMerged(practice_id=practice_id, kept_id=keep, merged_id=merge))
        audit.did(
            "patients.merge",
            kind="patient",
            target=keep,
            patients=[keep, merge],
            detail={"merged": str(merge), "choices": sorted(choices)},
        )
        return keep

    content = [str(keep), str(merge), sorted(choices)]
    await platform.people.once(actor, "merge", client_id, content, make)
    found = (await platform.people.present_patients([keep])).get(keep)
    if found is None:
        raise errors.NotFound(_MISSING)
    return found


async def _both(keep: UUID, merge: UUID) -> tuple[Row, Row]:
    """Return both records, locked in the order of their ids."""
    rows = {
        row["id"]: row
        for row in await DB.fetch(
            "SELECT * FROM patient WHERE id = ANY($1) AND merged_into IS NULL ORDER BY id FOR UPDATE", [keep, merge]
        )
    }
    for id in (keep, merge):
        if id not in rows:
            raise errors.NotFound(_MISSING)
    if rows[keep]["archived_at"] is not None:
        raise errors.Conflict("The record to keep is in the archive.", way_on="Take it back first.", field=("keepId",))
    return rows[keep], rows[merge]


async def _take_over(kept: Row, merged: Row, choices: Collection[Field]) -> None:
    """Give the kept record the values of the merged one that were chosen."""
    values = {field: (merged if field in choices else kept)[field.value] for field in Field}
    if values[Field.PHONE] is None and values[Field.EMAIL] is None:
        raise errors.InvalidInput("A phone number or an e-mail address is required.", field=("choices",))
    if Field.MRN in choices:  # they change places, by way of one that nobody has
        await DB.execute("UPDATE patient SET mrn = 'merging ' || id WHERE id = $1", merged["id"])
    await DB.execute(
        """UPDATE patient SET first_name = $2, last_name = $3, date_of_birth = $4, mrn = $5, gender = $6, phone = $7,
            email = $8
        WHERE id = $1""",
        kept["id"],
        *values.values(),
    )
    if Field.MRN in choices:
        await DB.execute("UPDATE patient SET mrn = $2 WHERE id = $1", merged["id"], kept["mrn"])


async def _move(platform: Platform, keep: UUID, merge: UUID) -> None:
    """Have everything about the merged patient be about the kept one, as core and each plugin declare."""
    for _, data in contributions(platform):
        if data.merge is not None:
            await data.merge(platform, keep, merge)
        for table in data.tables:
            if table.moves is not None:
                await DB.fetchval(
                    "SELECT record_move($1, $2, $3, $4, $5)", table.name, table.moves, table.patient, merge, keep
                )
