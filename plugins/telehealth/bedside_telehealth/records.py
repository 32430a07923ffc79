"""What telehealth keeps of practices and patients: exported, merged and erased with them."""

from __future__ import annotations

from uuid import UUID

from bedside_core.api import DB, DataContribution, KeptTable, Platform, unit
from bedside_telehealth.changing import tell

_TAKES_PART = """{} IN (SELECT p.session_id FROM video_participant p
    WHERE p.practice_id = t.practice_id AND p.kind = 'patient' AND p.person_id = $1)"""
_ABOUT = f"(t.about_patient_id = $1 OR {_TAKES_PART.format('t.id')})"
_OF_SESSION = f"""(t.person_id = $1 OR t.session_id IN (SELECT s.id FROM video_session s
    WHERE s.practice_id = t.practice_id AND s.about_patient_id = $1) OR {_TAKES_PART.format("t.session_id")})"""

# Of two places in one session the kept record's stays.
_TWICE = """DELETE FROM video_participant t WHERE t.person_id = $2 AND EXISTS (
    SELECT FROM video_participant o WHERE o.session_id = t.session_id AND o.person_id = $1)"""
# A session with others of outside in it is theirs, too, and stays without the patient.
_THERE = """SELECT s.id FROM video_session s WHERE s.about_patient_id = $1 OR EXISTS (
    SELECT FROM video_participant p WHERE p.session_id = s.id AND p.person_id = $1)
    AND NOT EXISTS (SELECT FROM video_participant o WHERE o.session_id = s.id AND o.kind <> 'member'
        AND o.person_id <> $1)
ORDER BY s.id"""


async def _merge(platform: Platform, kept: UUID, merged: UUID) -> None:
    """Have the kept patient stand wherever the merged one did."""
    await DB.execute("UPDATE video_session SET about_patient_id = $1 WHERE about_patient_id = $2", kept, merged)
    await DB.execute(_TWICE, kept, merged)
    await DB.execute("UPDATE video_participant SET person_id = $1 WHERE person_id = $2", kept, merged)


async def _erase(platform: Platform, patient_id: UUID) -> None:
    """Take away the sessions that were about a patient or with nobody else of outside; guests reach nothing more."""
    ids = [row["id"] for row in await DB.fetch(_THERE, patient_id)]
    async with unit() as work:
        for session_id in ids:
            await platform.auth.guests.end(work, bound_to=session_id)
            rows = await DB.fetch(
                "DELETE FROM video_participant WHERE session_id = $1 RETURNING person_id, kind", session_id
            )
            persons = [row["person_id"] for row in rows if row["kind"] != "guest" and row["person_id"] != patient_id]
            tell(platform, work, session_id, persons)
        await platform.notify.erase(work, [str(each) for each in ids])
        await DB.execute("DELETE FROM video_session WHERE id = ANY($1)", ids)
        await DB.execute("DELETE FROM video_participant WHERE person_id = $1", patient_id)


RECORDS = DataContribution(
    tables=(
        KeptTable(
            name="video_session",
            doc="Telehealth sessions.",
            patient=_ABOUT,
            active=f"t.created_at >= $2 AND {_ABOUT}",
        ),
        KeptTable(
            name="video_participant",
            doc="Who took part in them.",
            patient=_OF_SESSION,
            hidden=("seat", "rejoin_hash", "rejoin_before"),
            active="t.person_id = $1 AND greatest(t.joined_at, t.left_at) >= $2",
        ),
    ),
    merge=_merge,
    erase=_erase,
)
"""Contributed by the manifest."""
