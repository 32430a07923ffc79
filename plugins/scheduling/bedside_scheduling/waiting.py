"""The waiting list: who waits for which time, put on it by themselves or by the practice (S7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import (
    DB,
    Actor,
    Conflict,
    InvalidInput,
    NotFound,
    Page,
    Row,
    SwitchedOff,
    audit,
    key_of,
    page_of,
    page_size,
    unit,
    uuid7,
)
from bedside_scheduling.api import AppointmentKind
from bedside_scheduling.appointment_types import AppointmentTypes
from bedside_scheduling.consequences import waiting_changed
from bedside_scheduling.offers import Offers
from bedside_scheduling.rules import require_own
from bedside_scheduling.settings import SchedulingSettings
from bedside_scheduling.wanted import hold_patients

if TYPE_CHECKING:
    from bedside_core.api import Platform

MOST = 10
"""Entries of one patient that are open at once."""
LONGEST = timedelta(days=731)
MISSING = "There is no entry of the waiting list with this id that you may see."
_NO_PATIENT = "There is no patient with this id that you may see."

_ENTRIES = """SELECT e.*, o.id AS offer_id, o.appointment_id, o.offered_at, o.expires_at
FROM waiting_entry e LEFT JOIN waiting_offer o ON o.entry_id = e.id AND o.state = 'open' AND o.expires_at > $1"""
_PAGE = f"""{_ENTRIES} WHERE ($3::uuid IS NULL OR e.patient_id = $3) AND ($4 OR e.closed_at IS NULL)
    AND ($5::timestamptz IS NULL OR (e.created_at, e.id) > ($5, $6::uuid))
ORDER BY e.created_at, e.id LIMIT $2"""
_JOIN = """INSERT INTO waiting_entry (id, practice_id, patient_id, type_id, member_id, kind, earliest, latest,
    created_at, created_by, client_id)
VALUES ($1, app_practice(), $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
_ONE_PATIENT = "SELECT pg_advisory_xact_lock(hashtextextended('waits ' || $1, 0))"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody waits for.

    Args:
        patient_id: who waits, said by a member; a patient waits for themselves.
        type_id: what the appointment is about.
        member_id: with whom; None is any practitioner of the type.
        kind: where people meet; None is either.
        earliest: it begins then or later; None is from now on.
        latest: it begins before then, and the waiting is over.
    """

    patient_id: UUID | None
    type_id: UUID
    member_id: UUID | None
    kind: AppointmentKind | None
    earliest: datetime | None
    latest: datetime


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A time that is held for somebody who waits.

    Args:
        id: the offer.
        appointment_id: the held appointment.
        offered_at: since when.
        expires_at: until when it can be accepted.
    """

    id: UUID
    appointment_id: UUID
    offered_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry of the waiting list.

    Args:
        id: the entry.
        patient_id: who waits.
        type_id: what the appointment is about.
        member_id: with whom; None is any practitioner of the type.
        kind: where people meet; None is either.
        earliest: it begins then or later.
        latest: it begins before then.
        created_at: since when they wait.
        closed_at: since when they do not any more.
        outcome: `booked`, `left` or `over`, once they do not.
        offer: what they are offered now.
    """

    id: UUID
    patient_id: UUID
    type_id: UUID
    member_id: UUID | None
    kind: AppointmentKind | None
    earliest: datetime
    latest: datetime
    created_at: datetime
    closed_at: datetime | None
    outcome: str | None
    offer: Offer | None


class Waiting:
    """Keeps the waiting list.

    Args:
        platform: people, permissions, settings, inbox and clock.
        types: what can be waited for.
        offers: an offer goes with the entry.
    """

    def __init__(self, platform: Platform, types: AppointmentTypes, offers: Offers) -> None:
        self._platform = platform
        self._types = types
        self._offers = offers

    async def page(
        self,
        actor: Actor,
        *,
        patient_id: UUID | None = None,
        closed: bool = False,
        first: int | None = None,
        after: str | None = None,
    ) -> Page[Entry]:
        """Return the waiting list, whoever waits longest first: a patient's own, the practice's for its members.

        Args:
            actor: who asks.
            patient_id: this patient's entries only.
            closed: whether those that are closed are in it, too.
            first: how many.
            after: cursor after which the page begins.

        Raises:
            NotFound: a patient asks for another's.
        """
        actor.as_person()
        await self._platform.access.require(actor, "scheduling.read")
        if actor.patient_id is not None:
            if patient_id not in (None, actor.patient_id):
                raise NotFound(_NO_PATIENT, field=("patientId",))
            patient_id = actor.patient_id
        size, key = page_size(first), key_of(after, datetime, UUID)
        now = self._platform.clock.now()
        rows = await DB.fetch(_PAGE, now, size + 1, patient_id, closed, *(key or (None, None)))
        found = [entry_of(row) for row in rows]
        audit.saw(each.patient_id for each in found[:size])
        return page_of(found, size, lambda each: (each.created_at.isoformat(), str(each.id)), after=after)

    async def present(self, actor: Actor, entry_ids: Sequence[UUID]) -> Mapping[UUID, Entry]:
        """Return those of the entries that the actor may see, as they are now, in one statement."""
        actor.as_person()
        await self._platform.access.require(actor, "scheduling.read")
        found = await entries_of(entry_ids, self._platform.clock.now())
        seen = {each.id: each for each in found.values() if actor.patient_id in (None, each.patient_id)}
        audit.saw(each.patient_id for each in seen.values())
        return seen

    async def one(self, actor: Actor, entry_id: UUID) -> Entry:
        """Return an entry.

        Raises:
            NotFound: there is none that the actor may see.
        """
        found = (await self.present(actor, [entry_id])).get(entry_id)
        if found is None:
            raise NotFound(MISSING)
        return found

    async def join(self, actor: Actor, wish: Wish, client_id: str) -> Entry:
        """Put a patient on the waiting list; a retry with the same client id returns the first entry (G9).

        Args:
            actor: a member, or the patient who waits.
            wish: what for.
            client_id: the client's own id of it.

        Raises:
            SwitchedOff: the practice keeps no waiting list.
            NotFound: a patient, type or practitioner that there is not, or that patients can't book.
            InvalidInput: nothing of it could ever be offered.
            Conflict: the patient waits for too much already, or the client id was used with other content.
        """
        _, person_id = actor.as_person()
        await require_own(self._platform, actor, "scheduling.book")
        if actor.patient_id is not None and wish.patient_id not in (None, actor.patient_id):
            raise NotFound(_NO_PATIENT, field=("input", "patientId"))
        patient_id = wish.patient_id or actor.patient_id
        if patient_id is None:
            raise InvalidInput("Who waits?", field=("input", "patientId"))
        now = self._platform.clock.now()
        async with unit() as work:
            # One after the other, so that a retry finds what the first has made, and two at once do not both find room.
            await DB.execute(_ONE_PATIENT, str(patient_id))
            if (first := await self._before(person_id, client_id, patient_id, wish)) is not None:
                return await self.one(actor, first)
            if not (await self._platform.settings.read(SchedulingSettings)).waiting_list:
                raise SwitchedOff("Your practice keeps no waiting list.", way_on="Book one of the free times.")
            wish = replace(wish, earliest=max(wish.earliest or now, now))
            await self._must_be_possible(actor, wish, now)
            await hold_patients([patient_id], ("input", "patientId"))
            waits = await DB.fetchval(
                "SELECT count(*) FROM waiting_entry WHERE patient_id = $1 AND closed_at IS NULL", patient_id
            )
            if waits >= MOST:
                raise Conflict(f"This patient waits for {MOST} appointments already.", way_on="Leave one of them.")
            entry_id = uuid7()
            await DB.execute(
                _JOIN,
                entry_id,
                patient_id,
                wish.type_id,
                wish.member_id,
                wish.kind,
                wish.earliest,
                wish.latest,
                now,
                person_id,
                client_id,
            )
            waiting_changed(self._platform, work, entry_id, patient_id)
            audit.did("scheduling.wait", kind="waiting_entry", target=entry_id, patients=[patient_id])
        return await self.one(actor, entry_id)

    async def leave(self, actor: Actor, entry_id: UUID) -> Entry:
        """Take somebody off the waiting list, with what they are offered; repeating it changes nothing.

        Raises:
            NotFound: there is no entry that the actor may see.
        """
        await self._platform.access.require(actor, "scheduling.cancel")
        before = await self.one(actor, entry_id)
        if before.closed_at is None:
            await self._offers.close(entry_id, "left")
        return await self.one(actor, entry_id)

    async def _must_be_possible(self, actor: Actor, wish: Wish, now: datetime) -> None:
        kept = (await self._types.by_id([wish.type_id])).get(wish.type_id)
        # Groups are joined, not booked; both are waited for.
        is_open = kept is not None and kept.self_scheduling and kept.archived_at is None
        if kept is None or kept.archived_at is not None or (actor.patient_id is not None and not is_open):
            raise NotFound("There is no type of appointment with this id that you may see.", field=("input", "typeId"))
        if not is_open:
            raise InvalidInput(
                "Patients do not book this type by themselves, so that no time of it can be offered.",
                way_on="Open the type to self-scheduling.",
                field=("input", "typeId"),
            )
        if wish.member_id is not None:
            member = (await self._platform.people.members_by_id([wish.member_id])).get(wish.member_id)
            if wish.member_id not in kept.member_ids or member is None or not member.active:
                raise NotFound("There is no member with this id that you may see.", field=("input", "memberId"))
        if wish.kind is not None and not kept.mode.allows(wish.kind):
            raise InvalidInput("This type of appointment is not for this kind.", field=("input", "kind"))
        if wish.latest <= (wish.earliest or now) or wish.latest > now + LONGEST:
            raise InvalidInput("One waits for a time to come, two years at most.", field=("input", "until"))

    async def _before(self, person_id: UUID, client_id: str, patient_id: UUID, wish: Wish) -> UUID | None:
        row = await DB.fetchrow(
            "SELECT * FROM waiting_entry WHERE created_by = $1 AND client_id = $2", person_id, client_id
        )
        if row is None:
            return None
        said = (patient_id, wish.type_id, wish.member_id, wish.kind, wish.latest)
        known = (row["patient_id"], row["type_id"], row["member_id"], row["kind"], row["latest"])
        # The first of two equal wishes may have begun with its own present instant.
        if said != known or (wish.earliest is not None and max(wish.earliest, row["created_at"]) != row["earliest"]):
            raise Conflict("This clientId was used with other content.", field=("clientId",))
        return row["id"]


async def entries_of(entry_ids: Sequence[UUID], now: datetime) -> Mapping[UUID, Entry]:
    """Return entries of the acting practice as they are now, in one statement; rights are the asker's to check."""
    rows = await DB.fetch(f"{_ENTRIES} WHERE e.id = ANY($2)", now, list(entry_ids))
    return {row["id"]: entry_of(row) for row in rows}


def entry_of(row: Row) -> Entry:
    """Return an entry from a row of it and of what is offered."""
    offer = None
    if row["offer_id"] is not None:
        offer = Offer(
            id=row["offer_id"],
            appointment_id=row["appointment_id"],
            offered_at=row["offered_at"],
            expires_at=row["expires_at"],
        )
    return Entry(
        id=row["id"],
        patient_id=row["patient_id"],
        type_id=row["type_id"],
        member_id=row["member_id"],
        kind=AppointmentKind(row["kind"]) if row["kind"] else None,
        earliest=row["earliest"],
        latest=row["latest"],
        created_at=row["created_at"],
        closed_at=row["closed_at"],
        outcome=row["outcome"],
        offer=offer,
    )
