"""Portal accounts as they are read: one statement for any number of patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from bedside_core.api import DB, Row
from bedside_portal.api import (
    Holder,
    HolderState,
    Invitation,
    InvitationChannel,
    InvitationState,
    PortalAccount,
    PortalState,
)

MOST_FAILURES = 5
"""How often the date of birth may be wrong before an invitation is void (S9)."""

HOLDER = """SELECT h.id, h.patient_id, h.account_id, h.relationship, h.channel, h.address, h.sent_at, h.expires_at,
    h.failures, h.registered_at, h.removed_at, h.ends_on,
    coalesce(h.first_name, p.first_name) AS first_name, coalesce(h.last_name, p.last_name) AS last_name
    FROM portal_holder h JOIN patient p ON p.practice_id = h.practice_id AND p.id = h.patient_id"""

_ACCOUNTS = f"""SELECT wanted.id AS wanted_id, s.suspended_at, b.allowed, held.*
    FROM unnest($1::uuid[]) AS wanted(id)
    LEFT JOIN portal_suspension s ON s.patient_id = wanted.id
    LEFT JOIN portal_booking b ON b.patient_id = wanted.id
    LEFT JOIN ({HOLDER} WHERE h.patient_id = ANY($1) AND h.removed_at IS NULL
        AND ($2::timestamptz IS NULL OR h.ends_on IS NULL OR h.ends_on >= (
            SELECT ($2 AT TIME ZONE z.zone)::date FROM practice_by_id(app_practice()) AS z))
    ) held ON held.patient_id = wanted.id
    ORDER BY held.relationship IS NOT NULL, held.id"""


async def accounts_of(
    patient_ids: Sequence[UUID], now: datetime, *, written: bool = False
) -> Mapping[UUID, PortalAccount]:
    """Return the portal accounts of patients of the acting practice, in one statement; every id is in the answer.

    Args:
        patient_ids: of whom.
        now: by which invitations expire, and a guardian's last day is over, where the practice is.
        written: with those whose last day is over and who are not written down as removed yet.
    """
    suspended: dict[UUID, datetime | None] = {}
    booking: dict[UUID, bool | None] = {}
    holders: dict[UUID, list[Holder]] = {patient_id: [] for patient_id in patient_ids}
    for row in await DB.fetch(_ACCOUNTS, list(holders), None if written else now):
        suspended[row["wanted_id"]], booking[row["wanted_id"]] = row["suspended_at"], row["allowed"]
        if row["id"] is not None:
            holders[row["wanted_id"]].append(holder_of(row, now))
    return {
        patient_id: PortalAccount(
            patient_id=patient_id,
            state=state_of(found, suspended=suspended.get(patient_id) is not None),
            suspended_at=suspended.get(patient_id),
            holders=found,
            booking=booking.get(patient_id),
        )
        for patient_id, found in holders.items()
    }


def state_of(holders: Sequence[Holder], *, suspended: bool) -> PortalState:
    """Return what a portal account is, by those who act or are invited to."""
    if suspended:
        return PortalState.SUSPENDED
    states = {holder.state for holder in holders}
    if HolderState.ACTIVE in states:
        return PortalState.ACTIVE
    return PortalState.INVITED if HolderState.INVITED in states else PortalState.NONE


def holder_of(row: Row, now: datetime) -> Holder:
    """Return the holder in a row of `HOLDER`."""
    state = HolderState.ACTIVE if row["registered_at"] is not None else HolderState.INVITED
    if row["removed_at"] is not None:
        state = HolderState.REMOVED
    return Holder(
        id=row["id"],
        patient_id=row["patient_id"],
        account_id=row["account_id"],
        name=f"{row['first_name']} {row['last_name']}",
        relationship=row["relationship"],
        state=state,
        invitation=_invitation(row, now) if state is HolderState.INVITED else None,
        registered_at=row["registered_at"],
        until=row["ends_on"],
    )


def _invitation(row: Row, now: datetime) -> Invitation:
    left = max(0, MOST_FAILURES - row["failures"])
    state = InvitationState.OPEN if row["expires_at"] > now else InvitationState.EXPIRED
    return Invitation(
        channel=InvitationChannel(row["channel"]),
        address=row["address"],
        sent_at=row["sent_at"],
        expires_at=row["expires_at"],
        attempts_left=left,
        state=state if left else InvitationState.VOID,
    )
