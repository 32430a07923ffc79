"""What vitals keeps of patients: exported with them, and joined when two records are one patient's."""

from __future__ import annotations

from uuid import UUID

from bedside_core.api import DB, DataContribution, KeptTable, Platform


async def _merge(platform: Platform, kept: UUID, merged: UUID) -> None:
    """Put the merged patient's recordings behind the kept one's, and have their days summed up anew."""
    await DB.execute(
        """INSERT INTO vitals_stream (practice_id, patient_id, "position")
        SELECT practice_id, $1::uuid, 0 FROM vitals_stream WHERE patient_id = $2 ON CONFLICT DO NOTHING""",
        kept,
        merged,
    )
    await DB.execute(
        """UPDATE vitals v SET patient_id = $1, "position" = v."position" + s."position"
        FROM vitals_stream s WHERE s.patient_id = $1 AND v.patient_id = $2""",
        kept,
        merged,
    )
    await DB.execute(
        """UPDATE vitals_stream s SET "position" = s."position" + m."position"
        FROM vitals_stream m WHERE s.patient_id = $1 AND m.patient_id = $2""",
        kept,
        merged,
    )
    await DB.execute("DELETE FROM vitals_stream WHERE patient_id = $1", merged)
    # A day on which both were measured is summed up out of the recordings of both.
    await DB.execute(
        """INSERT INTO vitals_daily (practice_id, patient_id, day, recordings, lowest_systolic, highest_systolic,
            average_pulse)
        SELECT practice_id, $1::uuid, day, recordings, lowest_systolic, highest_systolic, average_pulse
        FROM vitals_daily WHERE patient_id = $2
        ON CONFLICT (patient_id, day, practice_id) DO UPDATE SET
            recordings = vitals_daily.recordings + EXCLUDED.recordings,
            lowest_systolic = least(vitals_daily.lowest_systolic, EXCLUDED.lowest_systolic),
            highest_systolic = greatest(vitals_daily.highest_systolic, EXCLUDED.highest_systolic),
            average_pulse = (vitals_daily.average_pulse * vitals_daily.recordings
                + EXCLUDED.average_pulse * EXCLUDED.recordings) / (vitals_daily.recordings + EXCLUDED.recordings)""",
        kept,
        merged,
    )
    await DB.execute("DELETE FROM vitals_daily WHERE patient_id = $1", merged)


RECORDS = DataContribution(
    tables=(
        KeptTable(
            name="vitals",
            doc="Blood pressure and pulse.",
            patient="t.patient_id = $1",
            hidden=("client_id",),
            active="t.patient_id = $1 AND t.recorded_at >= $2",
        ),
        KeptTable(
            name="vitals_stream",
            doc="Not exported: how many recordings there are.",
            patient="t.patient_id = $1",
            exported=False,
        ),
        KeptTable(name="vitals_daily", doc="The recordings of each day, summed up.", patient="t.patient_id = $1"),
    ),
    merge=_merge,
)
"""Contributed by the manifest."""
