"""What every change of an appointment begins with: it is locked, seen, and as new as whoever changes it thinks."""

from __future__ import annotations

from uuid import UUID

from bedside_core.api import DB, Actor, Conflict, InvalidInput, NotFound
from bedside_scheduling.api import Appointment
from bedside_scheduling.rows import appointments, sees
from bedside_scheduling.standing import MISSING

LONGEST_REASON = 500

_LOCK = "SELECT true FROM appointment WHERE id = $1 FOR NO KEY UPDATE"


async def locked(actor: Actor, appointment_id: UUID) -> Appointment:
    """Return an appointment that the actor sees, kept from others' changes until the unit ends.

    Raises:
        NotFound: there is none that they see.
    """
    # In two statements: what belongs to it is read once it is locked.
    found = None
    if await DB.fetchval(_LOCK, appointment_id):
        found = (await appointments([appointment_id])).get(appointment_id)
    if found is None or not sees(actor, found):
        raise NotFound(MISSING)
    return found


def seen_at(appointment: Appointment, version: int | None) -> None:
    """Look whether an appointment is as whoever changes it has seen it; None is that it does not matter.

    Raises:
        Conflict: it was changed since.
    """
    if version is not None and version != appointment.version:
        raise changed_meanwhile(appointment)


def changed_meanwhile(appointment: Appointment) -> Conflict:
    """Return the refusal of a change of what looks different by now."""
    return Conflict(
        "The appointment was changed meanwhile.",
        way_on="Look at it, and try again.",
        field=("version",),
        detail={"version": appointment.version},
    )


def reason_of(text: str | None) -> str | None:
    """Return a reason as it is kept; None for none.

    Raises:
        InvalidInput: it is too long, or has NUL in it.
    """
    said = (text or "").strip()
    if len(said) > LONGEST_REASON or "\0" in said:
        raise InvalidInput(f"A reason has at most {LONGEST_REASON} characters, none of them NUL.", field=("reason",))
    return said or None
