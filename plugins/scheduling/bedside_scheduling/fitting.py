"""Which of the times that are free fits somebody who waits: pure functions (S7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bedside_core.api import Row
from bedside_scheduling.api import AppointmentKind
from bedside_scheduling.slots import Slot


@dataclass(frozen=True)
class Found:
    """A slot that fits somebody who waits."""

    slot: Slot
    kind: AppointmentKind


def fitting(entry: Mapping[str, object], slots: Sequence[Slot], had: Sequence[Row]) -> Found | None:
    """Return the first slot that somebody waits for and was not offered before, nor one that overlaps it."""
    member_id, kind, earliest, latest = entry["member_id"], entry["kind"], entry["earliest"], entry["latest"]
    assert isinstance(earliest, datetime) and isinstance(latest, datetime)
    for slot in slots:
        kinds = [each for each in slot.kinds if kind in (None, each.value)]
        refused = any(
            each["member_id"] == slot.member_id
            and each["starts_at"] < slot.ends_at
            and each["ends_at"] > slot.starts_at
            for each in had
        )
        if kinds and member_id in (None, slot.member_id) and earliest <= slot.starts_at < latest and not refused:
            return Found(slot, kinds[0])
    return None
