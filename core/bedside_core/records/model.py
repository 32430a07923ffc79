"""What an export is: its states and facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

OWNER_KIND = "data_export"
"""Kind of file owner: an export."""
PATIENT_PERMISSION = "exports.patient"
PRACTICE_PERMISSION = "exports.practice"
LASTS = timedelta(days=7)
"""How long an export can be downloaded."""
PATIENCE = timedelta(hours=12)
"""How long an export is waited for; by then its job has failed for the last time, or is lost."""
MOST_WAITING = 3
"""Exports that one person may wait for."""


class ExportState(StrEnum):
    """How far an export is."""

    WAITING = "waiting"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class DataExport:
    """An export of all data of a patient, or of a practice.

    Args:
        id: opaque.
        made_by: the member who asked for it.
        patient_id: whose data; None is all of the practice's.
        state: how far it is.
        reason: why it failed.
        file_id: the archive, while it is ready.
        size: its bytes.
        created_at: when it was asked for.
        ended_at: when it was ready.
        expires_at: until when it can be downloaded.
    """

    id: UUID
    made_by: UUID
    patient_id: UUID | None
    state: ExportState
    reason: str | None
    file_id: UUID | None
    size: int | None
    created_at: datetime
    ended_at: datetime | None
    expires_at: datetime | None


def permission_of(patient_id: UUID | None) -> str:
    """Return what one needs to export a patient, or else the practice."""
    return PRACTICE_PERMISSION if patient_id is None else PATIENT_PERMISSION
