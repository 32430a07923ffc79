"""Offers times that have become free to those who wait, whoever waits longest first, and books what they accept (S7).

A freed time is held for one person at a time. Whoever offers, accepts or lets go has first the practitioners' calendars
and then the entry of the waiting list: a listener that runs twice, or two processes at once, find the time taken.
Between them an offer has the patient's row: merging has that first too, and suspending waits for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, Conflict, InvalidInput, NotFound, Row, Work, audit, unit, uuid7
from bedside_portal.api import PortalAccountChanged, PortalState
from bedside_scheduling import telling
from bedside_scheduling.answering import answer_until
from bedside_scheduling.api import Appointment, AppointmentBooked, AppointmentState, HoldOver
from bedside_scheduling.consequences import changed, waiting_changed
from bedside_scheduling.fitting import Found, fitting
from bedside_scheduling.groups import put_on
from bedside_scheduling.keeping import NewAppointment, freed, hold_calendars, put
from bedside_scheduling.offering import Offering
from bedside_scheduling.rows import ATTENDED, appointments
from bedside_scheduling.rules import SCHEDULING, require_own
from bedside_scheduling.settings import SchedulingSettings
from bedside_scheduling.slots import Slot
from bedside_scheduling.waking import let_in, wake
from bedside_scheduling.wanted import hold_patients, practitioners

if TYPE_CHECKING:
    from bedside_core.api import Platform

MOST_LOOKED_AT = 1_000
"""Entries that one freed time is looked at for."""
MISSING = "There is no offer with this id that you may see."
_LONGEST = timedelta(hours=12)

# Open entries that could have some of the time, and are offered nothing else; whoever waits longest first.
_CANDIDATES = """SELECT e.* FROM waiting_entry e
WHERE e.closed_at IS NULL AND e.latest > $2 AND e.earliest < $3 AND (e.member_id IS NULL OR e.member_id = ANY($1))
    AND EXISTS (SELECT FROM appointment_type_member m WHERE m.type_id = e.type_id AND m.member_id = ANY($1))
    AND NOT EXISTS (SELECT FROM waiting_offer o WHERE o.entry_id = e.id AND o.state = 'open')
ORDER BY e.created_at, e.id LIMIT $4"""
# What the practice has taken back does not count as had.
_HAD = """SELECT o.entry_id, m.member_id, a.starts_at, a.ends_at FROM waiting_offer o
JOIN appointment a ON a.id = o.appointment_id JOIN appointment_member m ON m.appointment_id = a.id
WHERE o.entry_id = ANY($1) AND o.state IN ('declined', 'over') AND a.starts_at < $3 AND a.ends_at > $2"""
LOCK = "SELECT true FROM waiting_entry WHERE id = $1 FOR UPDATE"
_WAITS = """SELECT EXISTS (SELECT FROM waiting_entry e WHERE e.id = $1 AND e.closed_at IS NULL
    AND NOT EXISTS (SELECT FROM waiting_offer o WHERE o.entry_id = e.id AND o.state = 'open'))"""
OFFER = """INSERT INTO waiting_offer (id, practice_id, entry_id, appointment_id, offered_at, expires_at, state)
VALUES ($1, app_practice(), $2, $3, $4, $5, 'open')"""
_OFFERED = """SELECT o.id, o.entry_id, o.appointment_id, o.expires_at, o.state, e.patient_id, e.closed_at
FROM waiting_offer o JOIN waiting_entry e ON e.id = o.entry_id"""
_IS_ATTENDED = f"SELECT {ATTENDED} FROM appointment a WHERE a.id = $1"
_MEMBERS = "SELECT m.member_id FROM appointment_member m WHERE m.appointment_id = $1"
ROW = "SELECT true FROM appointment WHERE id = $1 FOR NO KEY UPDATE"
_CLOSE = """UPDATE waiting_entry SET closed_at = $2, outcome = $3 WHERE id = $1 AND closed_at IS NULL
RETURNING patient_id"""
_STATE = "UPDATE waiting_offer SET state = $2 WHERE id = $1"
_BOOK = "UPDATE appointment SET state = 'booked', held_until = NULL, version = version + 1 WHERE id = $1"
_LAPSE = "UPDATE appointment SET state = 'lapsed', version = version + 1 WHERE id = $1"
# What is offered is a time that is held, or a place of a group that is booked.
_DUE = f"""{_OFFERED} JOIN appointment a ON a.id = o.appointment_id
WHERE o.state = 'open' AND (o.expires_at <= $1 OR e.closed_at IS NOT NULL
    OR a.state <> CASE WHEN a.capacity > 1 THEN 'booked' ELSE 'held' END OR (a.capacity > 1 AND a.taken = a.capacity))
ORDER BY o.expires_at, o.id LIMIT $2"""
_OPEN_OF_PATIENT = f"{_OFFERED} WHERE e.patient_id = $1 AND o.state = 'open'"
_UNATTENDED = f"""{_OFFERED} JOIN appointment a ON a.id = o.appointment_id
JOIN appointment_member w ON w.appointment_id = a.id AND w.member_id = $1
WHERE o.state = 'open' AND NOT {ATTENDED} ORDER BY o.id"""
_OVER = """SELECT id FROM waiting_entry WHERE closed_at IS NULL AND latest <= $1 ORDER BY latest, id LIMIT $2"""
# What somebody waits for is theirs with any appointment that is it, however they came by it.
_SATISFIED = """SELECT e.id FROM appointment a JOIN appointment_patient p ON p.appointment_id = a.id
JOIN waiting_entry e ON e.patient_id = p.patient_id AND e.type_id = a.type_id AND e.closed_at IS NULL
WHERE a.id = $1 AND a.state = 'booked' AND p.cancelled_at IS NULL AND a.starts_at >= e.earliest
    AND a.starts_at < e.latest AND (e.kind IS NULL OR e.kind = a.kind)
    AND (e.member_id IS NULL OR EXISTS (SELECT FROM appointment_member m
        WHERE m.appointment_id = a.id AND m.member_id = e.member_id))
ORDER BY e.created_at, e.id"""


class Offers:
    """Offers freed times, and does what comes of it; the only writer of offers.

    Args:
        platform: people, permissions, settings, inbox and clock.
        offering: what patients are offered.
    """

    def __init__(self, platform: Platform, offering: Offering) -> None:
        self._platform = platform
        self._offering = offering

    async def time_freed(
        self, practice_id: UUID, member_ids: Sequence[UUID], starts_at: datetime, ends_at: datetime
    ) -> int:
        """Offer a time that has become free to those who wait for one; doing so again offers nothing anew.

        Args:
            practice_id: the acting practice.
            member_ids: whose time.
            starts_at: from when.
            ends_at: until when.

        Returns:
            How many people are offered a part of it.
        """
        settings = await self._platform.settings.read(SchedulingSettings)
        if not settings.waiting_list or await self._platform.access.lacks(practice_id, SCHEDULING):
            return 0
        now, made = self._platform.clock.now(), 0
        async with unit() as work:
            span = (max(starts_at - _LONGEST, now), ends_at)
            waiting = await DB.fetch(_CANDIDATES, list(member_ids), *span, MOST_LOOKED_AT)
            waiting = await let_in(self._platform, waiting)
            if not waiting or ends_at <= now:
                return 0
            await hold_calendars(self._platform, work, member_ids)
            had: defaultdict[UUID, list[Row]] = defaultdict(list)
            for row in await DB.fetch(_HAD, [entry["id"] for entry in waiting], *span):
                had[row["entry_id"]].append(row)
            free: dict[UUID, Sequence[Slot]] = {}
            for entry in waiting:
                type_id = entry["type_id"]
                if type_id not in free:
                    slots = await self._offering.between(type_id, member_ids, *span)
                    free[type_id] = [slot for slot in slots if slot.ends_at > starts_at]
                found = fitting(entry, free[type_id], had[entry["id"]])
                if found is not None and await self._is_offered(work, entry, found, settings.offer_minutes):
                    free.clear()
                    made += 1
        return made

    async def accept(self, actor: Actor, offer_id: UUID) -> UUID:
        """Book what somebody is offered; repeating it changes nothing.

        Args:
            actor: the patient, or a member for them.
            offer_id: the offer.

        Returns:
            The appointment's id.

        Raises:
            NotFound: there is none that the actor may see.
            HoldOver: it was declined or taken back, or is over.
            TelehealthNotOffered: none of its practitioners may host video any more.
        """
        practice_id, _ = actor.as_person()
        await require_own(self._platform, actor, "scheduling.book")
        await self._seen(actor, offer_id)
        async with unit() as work:
            offer = await self._held(work, offer_id)
            appointment_id: UUID = offer["appointment_id"]
            if offer["state"] == "taken":
                return appointment_id
            held = (await appointments([appointment_id]))[appointment_id]
            on_it = held.capacity > 1 and offer["patient_id"] in held.patient_ids
            kept = on_it or (_is_kept(held) and await DB.fetchval(_IS_ATTENDED, appointment_id))
            if offer["state"] != "open" or self._is_over(offer) or not kept:
                raise HoldOver("The time is not held for you any more.", way_on="Wait for another one, or choose one.")
            if held.capacity > 1 and not on_it:
                await put_on(self._platform, work, held, offer["patient_id"])
            elif not on_it:
                await practitioners(self._platform, held.member_ids, held.kind, ("id",))
                await DB.execute(_BOOK, appointment_id)
                changed(self._platform, work, appointment_id)
                work.emit(
                    AppointmentBooked(practice_id=practice_id, appointment_id=appointment_id, kind=held.kind.value)
                )
                audit.did("scheduling.book", kind="appointment", target=appointment_id, patients=[offer["patient_id"]])
            await self._end(work, offer, held, "taken")
            await self._closed(work, offer["entry_id"], "booked")
        return appointment_id

    async def decline(self, actor: Actor, offer_id: UUID) -> UUID:
        """Let go what somebody is offered: the next one gets it. They go on waiting, for other times.

        Args:
            actor: the patient, or a member for them.
            offer_id: the offer.

        Returns:
            The entry's id.

        Raises:
            NotFound: there is none that the actor may see.
            Conflict: it is booked by now.
        """
        await self._platform.access.require(actor, "scheduling.cancel")
        await self._seen(actor, offer_id)
        async with unit() as work:
            offer = await self._held(work, offer_id)
            if offer["state"] == "taken":
                raise Conflict("The time is booked.", way_on="Cancel the appointment.")
            if offer["state"] == "open":
                await self._let_go(work, offer, "declined")
            return offer["entry_id"]

    async def close(self, entry_id: UUID, outcome: str) -> None:
        """Close an entry, and let go what is offered; one that is closed stays as it is.

        Args:
            entry_id: the entry.
            outcome: `left`, `over` or `booked`.
        """
        async with unit() as work:
            open_ids = await DB.fetch(f"{_OFFERED} WHERE o.entry_id = $1 AND o.state = 'open'", entry_id)
            for row in open_ids:
                offer = await self._held(work, row["id"])
                if offer["state"] == "open":
                    await self._let_go(work, offer, "declined" if outcome == "left" else "over")
            await DB.fetchval(LOCK, entry_id)
            await self._closed(work, entry_id, outcome)

    async def booked(self, appointment_id: UUID) -> None:
        """Close the entries of those who have what they wait for by an appointment, and end what they are offered."""
        taken = await DB.fetch(f"{_OFFERED} WHERE o.appointment_id = $1 AND o.state = 'open'", appointment_id)
        for row in taken:
            await self._settle(row["id"])
        for row in await DB.fetch(_SATISFIED, appointment_id):
            await self.close(row["id"], "booked")

    async def portal_changed(self, event: PortalAccountChanged) -> None:
        """Take back what is offered to who is suspended; once they are let in again, they can have it after all."""
        if not await let_in(self._platform, [{"patient_id": event.patient_id}]):
            await self._take_back(await DB.fetch(_OPEN_OF_PATIENT, event.patient_id))
        elif event.before == PortalState.SUSPENDED:
            async with unit() as work:
                await wake(self._platform, work, event.practice_id, patient_id=event.patient_id)

    async def unattended(self, member_id: UUID) -> None:
        """End what is offered with a practitioner who sees nobody any more, where nobody else is there either."""
        await self._take_back(await DB.fetch(_UNATTENDED, member_id))

    async def _take_back(self, offers: Sequence[Row]) -> None:
        """Withdraw offers that are still open, each in a unit of its own: they can have the same again."""
        for row in offers:
            async with unit() as work:
                offer = await self._held(work, row["id"])
                if offer["state"] == "open":
                    await self._let_go(work, offer, "withdrawn")

    async def look(self, most: int = 200) -> bool:
        """End the offers whose time is over, and the entries that waited in vain.

        Returns:
            Whether there may be more.
        """
        now = self._platform.clock.now()
        due = await DB.fetch(_DUE, now, most)
        for row in due:
            await self._settle(row["id"])
        over = await DB.fetch(_OVER, now, most)
        for row in over:
            await self.close(row["id"], "over")
        return len(due) == most or len(over) == most

    async def _settle(self, offer_id: UUID) -> None:
        """End one open offer as its appointment and its entry are: it was booked otherwise, or is over."""
        async with unit() as work:
            offer = await self._held(work, offer_id)
            if offer["state"] != "open":
                return
            held = (await appointments([offer["appointment_id"]]))[offer["appointment_id"]]
            if held.capacity > 1:
                taken = offer["patient_id"] in held.patient_ids
            else:
                taken = held.state not in (AppointmentState.HELD, AppointmentState.LAPSED)
            if taken:
                await self._end(work, offer, held, "taken")
                await self._closed(work, offer["entry_id"], "booked")
            elif not _is_kept(held) or offer["closed_at"] or self._is_over(offer):
                await self._let_go(work, offer, "over")

    def _is_over(self, offer: Row) -> bool:
        return offer["expires_at"] <= self._platform.clock.now()

    async def _is_offered(self, work: Work, entry: Row, found: Found, minutes: int) -> bool:
        """Hold a slot for somebody and tell them; tells whether they still wait, and can be told."""
        entry_id, patient_id, slot = entry["id"], entry["patient_id"], found.slot
        try:
            await hold_patients([patient_id], ("patientId",), portal=True)
        except (NotFound, InvalidInput):  # merged, erased or in the archive meanwhile
            return False
        await DB.fetchval(LOCK, entry_id)
        if not (await DB.fetchval(_WAITS, entry_id) and await let_in(self._platform, [entry])):
            return False
        offer_id, now = uuid7(), self._platform.clock.now()
        practice = await self._platform.people.practice(entry["practice_id"])
        zone = practice.zone if practice else "UTC"
        until = answer_until(now, minutes, zone, slot.starts_at)
        appointment_id = await put(
            self._platform,
            work,
            NewAppointment(
                type_id=entry["type_id"],
                kind=found.kind,
                starts_at=slot.starts_at,
                ends_at=slot.ends_at,
                zone=zone,
                member_ids=[slot.member_id],
                patient_ids=[patient_id],
                capacity=1,
                booked_by=patient_id,
                by_patient=True,
                client_id=f"offer/{offer_id}",
                held_until=until,
            ),
        )
        await DB.execute(OFFER, offer_id, entry_id, appointment_id, now, until)
        await telling.offered(self._platform, work, (await appointments([appointment_id]))[appointment_id], patient_id)
        waiting_changed(self._platform, work, entry_id, patient_id)
        audit.did("scheduling.offer", kind="waiting_offer", target=offer_id, patients=[patient_id])
        return True

    async def _seen(self, actor: Actor, offer_id: UUID) -> None:
        row = await DB.fetchrow(f"{_OFFERED} WHERE o.id = $1", offer_id)
        if row is None or actor.patient_id not in (None, row["patient_id"]):
            raise NotFound(MISSING)

    async def _held(self, work: Work, offer_id: UUID) -> Row:
        """Return an offer that there is, with the calendars of its practitioners and its entry held."""
        row = await DB.fetchrow(f"{_OFFERED} WHERE o.id = $1", offer_id)
        if row is None:
            raise NotFound(MISSING)
        members = await DB.fetch(_MEMBERS, row["appointment_id"])
        await hold_calendars(self._platform, work, [each["member_id"] for each in members])
        await DB.fetchval(ROW, row["appointment_id"])  # whose places are counted
        await DB.fetchval(LOCK, row["entry_id"])
        held = await DB.fetchrow(f"{_OFFERED} WHERE o.id = $1", offer_id)
        if held is None:
            raise NotFound(MISSING)
        return held

    async def _let_go(self, work: Work, offer: Row, state: str) -> None:
        """End an offer, and free the time where it is still held."""
        held = (await appointments([offer["appointment_id"]]))[offer["appointment_id"]]
        if held.state is AppointmentState.HELD:
            await DB.execute(_LAPSE, held.id)
            changed(self._platform, work, held.id)
            freed(work, held.practice_id, held.member_ids, held.starts_at, held.ends_at)
        await self._end(work, offer, held, state)
        audit.did(f"scheduling.offer_{state}", kind="waiting_offer", target=offer["id"], patients=[offer["patient_id"]])

    async def _end(self, work: Work, offer: Row, held: Appointment, state: str) -> None:
        await DB.execute(_STATE, offer["id"], state)
        await telling.offer_over(self._platform, work, held, offer["patient_id"])
        waiting_changed(self._platform, work, offer["entry_id"], offer["patient_id"])

    async def _closed(self, work: Work, entry_id: UUID, outcome: str) -> None:
        patient_id = await DB.fetchval(_CLOSE, entry_id, self._platform.clock.now(), outcome)
        if patient_id is not None:
            waiting_changed(self._platform, work, entry_id, patient_id)
            audit.did(f"scheduling.waiting_{outcome}", kind="waiting_entry", target=entry_id, patients=[patient_id])


def _is_kept(held: Appointment) -> bool:
    """Tell whether a time is still held, or a group still has the place and has not begun."""
    if held.capacity == 1:
        return held.state is AppointmentState.HELD
    is_to_come = held.state is AppointmentState.BOOKED and held.started_at is None
    return is_to_come and len(held.patient_ids) < held.capacity
