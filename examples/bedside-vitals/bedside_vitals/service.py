"""The verbs of vitals: record, read, follow, export and sum up; the only writer of its tables."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from bedside_core.api import (
    DB,
    Actor,
    Conflict,
    InvalidInput,
    Member,
    NotFound,
    Page,
    Patient,
    Platform,
    Row,
    Topic,
    audit,
    follow,
    key_of,
    page_of,
    page_size,
    unit,
    uuid7,
)
from bedside_vitals.api import VITALS_STREAM, Vitals, VitalsDay, VitalsRecorded
from bedside_vitals.settings import VitalsSettings

RANGES = {"systolic": (40, 300), "diastolic": (20, 200), "pulse": (20, 300)}
"""What can be measured, in mmHg and beats per minute; anything else is a slip of the pen."""
LONGEST_NOTE = 500
LONGEST_EXPORT_DAYS = 3650
DAYS_SHOWN = 30
BATCH = 500
"""Recordings read at once, by an export and by a replay."""

_COLUMNS = 'id, patient_id, "position", systolic, diastolic, pulse, note, recorded_by, recorded_at'
_LAST = 2**63 - 1
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class PageOf(NamedTuple):
    """A page of a patient's recordings, the newest first: what a DataLoader is asked for."""

    patient_id: UUID
    size: int
    after: str | None
    below: int
    """Only positions below this one."""

    @classmethod
    def wanted(cls, patient_id: UUID, first: int | None, after: str | None) -> PageOf:
        """Return the page that a client asks for.

        Raises:
            InvalidInput: no such page size, or a foreign cursor.
        """
        key = key_of(after, int)
        return cls(patient_id, page_size(first), after, int(key[0]) if key else _LAST)


class Exported(NamedTuple):
    """A recording with the people it concerns."""

    vitals: Vitals
    patient: Patient
    recorded_by: Member | None


class VitalsService:
    """What can be done with vitals. Row-level security confines every statement to the acting practice.

    Args:
        platform: for the time, the people, the settings, who may do what, and live streams.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def record(
        self, actor: Actor, patient_id: UUID, *, systolic: int, diastolic: int, pulse: int, note: str, client_id: str
    ) -> Vitals:
        """Record a patient's vitals; a retry with the same client id returns the first recording (G9).

        Args:
            actor: who measured.
            patient_id: a patient of the actor's practice.
            systolic: mmHg.
            diastolic: mmHg, lower than `systolic`.
            pulse: beats per minute.
            note: at most 500 characters, or empty.
            client_id: the recorder's own id of this recording.

        Raises:
            InvalidInput: a value out of range.
            NotFound: the practice has no such patient.
            Conflict: the client id has recorded something else.
        """
        practice_id, person_id = actor.in_practice()
        values: dict[str, Any] = {"systolic": systolic, "diastolic": diastolic, "pulse": pulse, "note": note}
        _check(values)
        await self._must_know(patient_id)
        first = await DB.fetchrow(
            f"SELECT {_COLUMNS} FROM vitals WHERE recorded_by = $1 AND client_id = $2", person_id, client_id
        )
        row = first or await self._insert(practice_id, patient_id, person_id, client_id, values)
        if {"patient_id": patient_id, **values} != {name: row[name] for name in ("patient_id", *values)}:
            raise Conflict("This clientId has recorded something else.", field=("clientId",))
        return _vitals(row, await self._limit())

    async def _insert(
        self, practice_id: UUID, patient_id: UUID, person_id: UUID, client_id: str, values: Mapping[str, Any]
    ) -> Row:
        vitals_id = uuid7()
        async with unit() as work:
            await self._platform.people.hold_patient(patient_id)  # a merge comes before or after
            # The lock on the stream's row makes the order of commits that of positions, so that nobody who follows the
            # stream can be past a position whose recording is still to be committed.
            position: int = await DB.fetchval(
                """INSERT INTO vitals_stream (practice_id, patient_id, "position") VALUES ($1, $2, 1)
                ON CONFLICT (patient_id, practice_id) DO UPDATE SET "position" = vitals_stream."position" + 1
                RETURNING "position" """,
                practice_id,
                patient_id,
            )
            # The same client id twice at once: the second one waits here and is given the first one's row.
            [row] = await DB.fetch(
                f"""INSERT INTO vitals (practice_id, client_id, {_COLUMNS})
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                ON CONFLICT (practice_id, recorded_by, client_id) DO UPDATE SET client_id = EXCLUDED.client_id
                RETURNING {_COLUMNS}""",
                practice_id,
                client_id,
                vitals_id,
                patient_id,
                position,
                *(values[name] for name in ("systolic", "diastolic", "pulse", "note")),
                person_id,
                self._platform.clock.now(),
            )
            if row["id"] == vitals_id:
                audit.did("vitals.record", kind="vitals", target=vitals_id, patients=[patient_id])
                work.emit(
                    VitalsRecorded(
                        practice_id=practice_id,
                        patient_id=patient_id,
                        vitals_id=vitals_id,
                        recorded_by=person_id,
                        position=position,
                    )
                )
                work.publish(Topic(VITALS_STREAM, patient_id), position)
        return row

    async def pages(self, wanted: Sequence[PageOf]) -> Mapping[PageOf, Page[Vitals]]:
        """Return many pages in one statement: a list of patients with the vitals of each costs no more than one."""
        limit = await self._limit()
        rows = await DB.fetch(
            f"""SELECT wanted.page, v.*
            FROM unnest($1::uuid[], $2::bigint[], $3::integer[]) WITH ORDINALITY AS wanted (patient, below, size, page)
            CROSS JOIN LATERAL (
                SELECT {_COLUMNS} FROM vitals WHERE patient_id = wanted.patient AND "position" < wanted.below
                ORDER BY "position" DESC LIMIT wanted.size
            ) v ORDER BY wanted.page, v."position" DESC""",
            [page.patient_id for page in wanted],
            [page.below for page in wanted],
            [page.size + 1 for page in wanted],  # one more than asked for tells whether there are more
        )
        audit.saw(page.patient_id for page in wanted)
        found: dict[PageOf, list[Vitals]] = {page: [] for page in wanted}
        for row in rows:
            found[wanted[row["page"] - 1]].append(_vitals(row, limit))
        return {
            page: page_of(vitals, page.size, lambda item: (item.position,), after=page.after)
            for page, vitals in found.items()
        }

    async def days(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[VitalsDay]]:
        """Return the last thirty summed-up days of each patient, the newest first."""
        rows = await DB.fetch(
            """SELECT wanted.patient, d.* FROM unnest($1::uuid[]) AS wanted (patient) CROSS JOIN LATERAL (
                SELECT day, recordings, lowest_systolic, highest_systolic, average_pulse FROM vitals_daily
                WHERE patient_id = wanted.patient ORDER BY day DESC LIMIT $2
            ) d ORDER BY d.day DESC""",
            list(patient_ids),
            DAYS_SHOWN,
        )
        audit.saw(patient_ids)
        found: dict[UUID, list[VitalsDay]] = {patient_id: [] for patient_id in patient_ids}
        for row in rows:
            found[row["patient"]].append(VitalsDay(**{name: row[name] for name in VitalsDay.__dataclass_fields__}))
        return found

    async def recorded(self, actor: Actor, patient_id: UUID, after: str | None) -> AsyncGenerator[Vitals, None]:
        """Return what follows a patient live: a replay of what came after the cursor, then each new recording.

        Args:
            actor: who follows; whether they may is asked anew before anything is handed out.
            patient_id: a patient of the actor's practice.
            after: cursor of the last recording that the client has; without it, begin with the next one.

        Raises:
            NotFound: the practice has no such patient.
            InvalidInput: a foreign cursor.
        """
        await self._must_know(patient_id)
        key = key_of(after, int)
        cursor = int(key[0]) if key else (await self.positions([patient_id])).get(patient_id, 0)

        async def read(position: int) -> list[tuple[int, Vitals]]:
            await self._platform.access.require(actor, "vitals.read")
            limit = await self._limit()
            rows = await DB.fetch(
                f"""SELECT {_COLUMNS} FROM vitals WHERE patient_id = $1 AND "position" > $2
                ORDER BY "position" LIMIT $3""",
                patient_id,
                position,
                BATCH,
            )
            return [(row["position"], _vitals(row, limit)) for row in rows]

        return _seen(patient_id, follow(self._platform.live, Topic(VITALS_STREAM, patient_id), read, cursor))

    async def positions(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return how far the streams of these patients have come, across practices; for whoever follows them."""
        rows = await DB.fetch("SELECT * FROM vitals_positions($1)", list(patient_ids))
        return {row["id"]: row["position"] for row in rows}

    async def export(self, actor: Actor) -> AsyncGenerator[Exported, None]:
        """Return the practice's recordings, the oldest first, as far back as the actor's settings reach."""
        _, person_id = actor.in_practice()
        settings = await self._platform.settings.read(VitalsSettings, member_id=person_id)
        days = max(1, min(settings.export_days, LONGEST_EXPORT_DAYS))
        since = self._platform.clock.now() - timedelta(days=days)
        # All of them at once, though the rows come in batches: an export is one entry of the audit trail.
        patients = await DB.fetch("SELECT DISTINCT patient_id FROM vitals WHERE recorded_at > $1", since)
        audit.did("vitals.export", patients=[row["patient_id"] for row in patients])
        return self._export(since, settings.alert_systolic)

    async def _export(self, since: datetime, limit: int) -> AsyncGenerator[Exported, None]:
        people = self._platform.people
        place: tuple[datetime, UUID] = (since, UUID(int=0))
        while rows := await DB.fetch(
            f"""SELECT {_COLUMNS} FROM vitals WHERE (recorded_at, id) > ($1, $2) ORDER BY recorded_at, id LIMIT $3""",
            *place,
            BATCH,
        ):
            patients = await people.patients_by_id([row["patient_id"] for row in rows])
            members = await people.members_by_id([row["recorded_by"] for row in rows])
            for row in rows:
                yield Exported(_vitals(row, limit), patients[row["patient_id"]], members.get(row["recorded_by"]))
            place = (rows[-1]["recorded_at"], rows[-1]["id"])

    async def summarise(self, practice_id: UUID) -> None:
        """Sum up the days that are over and not summed up yet, so that a night without worker is made up for."""
        practice = await self._platform.people.practice(practice_id)
        if practice is None:
            return
        zone = ZoneInfo(practice.zone)
        today = self._platform.clock.now().astimezone(zone).date()
        await DB.execute(
            """INSERT INTO vitals_daily (practice_id, patient_id, day, recordings, lowest_systolic, highest_systolic,
                average_pulse)
            SELECT practice_id, patient_id, (recorded_at AT TIME ZONE $1)::date AS day, count(*), min(systolic),
                max(systolic), avg(pulse)
            FROM vitals
            WHERE recorded_at >= coalesce((SELECT max(day) + 1 FROM vitals_daily)::timestamp AT TIME ZONE $1, $3)
            AND recorded_at < $2::date::timestamp AT TIME ZONE $1
            GROUP BY practice_id, patient_id, day
            ON CONFLICT (patient_id, day, practice_id) DO UPDATE SET recordings = EXCLUDED.recordings,
                lowest_systolic = EXCLUDED.lowest_systolic, highest_systolic = EXCLUDED.highest_systolic,
                average_pulse = EXCLUDED.average_pulse""",
            practice.zone,
            today,
            _BEFORE_ALL,
        )

    async def _must_know(self, patient_id: UUID) -> None:
        if patient_id not in await self._platform.people.patients_by_id([patient_id]):
            raise NotFound("There is no patient with this id that you may see.")

    async def _limit(self) -> int:
        return (await self._platform.settings.read(VitalsSettings)).alert_systolic


async def _seen(patient_id: UUID, stream: AsyncGenerator[Vitals, None]) -> AsyncGenerator[Vitals, None]:
    """Hand a stream on, each recording known to the audit trail before it leaves."""
    async with aclosing(stream):
        async for vitals in stream:
            audit.saw([patient_id])
            yield vitals


def _vitals(row: Row, limit: int) -> Vitals:
    stored = {name: row[name] for name in Vitals.__dataclass_fields__ if name != "alert"}
    return Vitals(**stored, alert=row["systolic"] >= limit)


def _check(values: Mapping[str, Any]) -> None:
    for name, (lowest, highest) in RANGES.items():
        if not lowest <= values[name] <= highest:
            raise InvalidInput(f"This is between {lowest} and {highest}.", field=(name,))
    if values["diastolic"] >= values["systolic"]:
        raise InvalidInput("The lower blood pressure is lower than the upper one.", field=("diastolic",))
    if len(values["note"]) > LONGEST_NOTE:
        raise InvalidInput(f"A note has at most {LONGEST_NOTE} characters.", field=("note",))
