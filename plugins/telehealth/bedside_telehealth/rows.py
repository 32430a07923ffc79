"""How telehealth's rows are read, and become what services hand out."""

from __future__ import annotations

from typing import Any

from bedside_core.api import Row
from bedside_telehealth.api import Place, Session, SessionAccess, SessionPerson, SessionPersonKind, SessionRole

MISSING = "There is no session with this id that you may see."
NOBODY = "There is nobody with this id in the session."

SESSION = """s.id, s.practice_id, s.name, s.access, s.about_patient_id, s.host_id, s.link_version, s.created_by,
    s.created_at, s.ended_at, s."position", s.changed"""
"""The columns of a session `s`."""
PERSON = """p.id, p.session_id, p.kind, p.person_id, p.home_id, p.shown_name, p.role, p.listed, p.place,
    p.waiting_since, p.joined_at, p.left_at, p.seat, p.changed"""
"""The columns of a participant `p`."""

OWN = """ s.id = p.session_id AND p.person_id = (SELECT $1::uuid) AND p.place NOT IN ('declined', 'removed')"""
"""Where person $1 takes part as `p`."""

VISIBLE = """(p.id = v.id OR CASE
    WHEN v.role = 'chair' THEN p.listed OR p.place <> 'out' OR p.joined_at IS NOT NULL
    WHEN v.kind = 'member' OR v.place IN ('in', 'away')
        THEN p.place IN ('in', 'away') OR p.listed AND p.place IN ('listed', 'out')
    ELSE false END)"""
"""Which participants `p` are shown to `v`: who waits is seen by chairs alone, and sees nobody (T15)."""


def session_of(row: Row) -> Session:
    """Return a session out of its row."""
    values: dict[str, Any] = {name: row[name] for name in Session.__dataclass_fields__}
    values["access"] = SessionAccess(row["access"])
    return Session(**values)


def person_of(row: Row, prefix: str = "") -> SessionPerson:
    """Return a participant out of their row.

    Args:
        row: with their columns.
        prefix: what stands before the columns' names.
    """
    values: dict[str, Any] = {name: row[f"{prefix}{name}"] for name in SessionPerson.__dataclass_fields__}
    values["kind"] = SessionPersonKind(values["kind"])
    values["role"] = SessionRole(values["role"])
    values["place"] = Place(values["place"])
    return SessionPerson(**values)


def aliased(columns: str, prefix: str) -> str:
    """Return columns of one table under names with a prefix, for statements that read two."""
    names = [each.strip() for each in columns.split(",")]
    return ", ".join(f"{name} AS {prefix}{name.split('.')[-1].strip(chr(34))}" for name in names)
