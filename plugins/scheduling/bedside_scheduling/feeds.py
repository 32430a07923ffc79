"""Calendar feeds: secret addresses at which calendar applications read a person's appointments (S8).

The secret stands in the path, for those applications can only fetch a URL; it is shown once and kept as a hash. Whoever
reads a feed is asked anew each time whether its person may sign in: a feed shows nothing that they could not see.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import (
    DB,
    Actor,
    Conflict,
    Forbidden,
    Language,
    Listener,
    NotFound,
    PatientPersonas,
    Role,
    Row,
    acting,
    audit,
    language_of,
    on,
    unit,
    uuid7,
)
from bedside_graphql.api import PerMinute
from bedside_portal.api import HolderState, PortalHolderChanged
from bedside_scheduling.api import Appointment
from bedside_scheduling.calendars import discreet, links, named, organizer, recurrences
from bedside_scheduling.ical import Method, Sheet
from bedside_scheduling.rows import COLUMNS, appointment_of
from bedside_scheduling.settings import SchedulingSettings

if TYPE_CHECKING:
    from bedside_core.api import Platform

PATH = "/scheduling/calendar"
"""Below it, `<secret>.ics`."""
MOST_FEEDS = 10
"""Feeds that are open for one person and account."""
BACK, AHEAD = timedelta(days=90), timedelta(days=730)
"""What a feed shows, counted from now; of a series that reaches into it, everything."""
READS, MISSES = "calendar feed", "calendar address"
"""How often one feed is read, and how often one network address asks for what there is not."""
_LIMITS = {READS: 30, MISSES: 60}
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")

_MINE = """SELECT id, created_at, read_at, client_id FROM calendar_feed
WHERE account_id = $1 AND person_id = $2 AND revoked_at IS NULL"""
_READ = """UPDATE calendar_feed SET read_at = $2
WHERE id = $1 AND coalesce(read_at < $2::timestamptz - interval '1 minute', true)"""
_MINE_NOW = """mine AS MATERIALIZED (
    SELECT a.id, a.series_id, a.starts_at < $3 AND a.ends_at > $2 AS within FROM appointment a
    WHERE a.id IN (SELECT o.appointment_id FROM on_it o) AND a.state IN ('booked', 'completed', 'no_show')
)"""
_SHOWN = f"""SELECT {COLUMNS} FROM appointment a WHERE a.id IN (
    SELECT m.id FROM mine m
    WHERE m.within OR m.series_id IN (SELECT o.series_id FROM mine o WHERE o.within AND o.series_id IS NOT NULL)
) ORDER BY a.starts_at, a.id"""
_OF_MEMBER = f"""WITH on_it AS (SELECT m.appointment_id FROM appointment_member m WHERE m.member_id = $1),
{_MINE_NOW} {_SHOWN}"""
_OF_PATIENT = f"""WITH on_it AS (
    SELECT p.appointment_id FROM appointment_patient p WHERE p.patient_id = $1 AND p.cancelled_at IS NULL
), {_MINE_NOW} {_SHOWN}"""


@dataclass(frozen=True, kw_only=True)
class CalendarFeed:
    """A feed, without its secret.

    Args:
        id: the feed's.
        created_at: when it was made.
        read_at: when it was read last, to a minute.
    """

    id: UUID
    created_at: datetime
    read_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Whose calendar a secret opens, now.

    Args:
        feed_id: the feed.
        actor: the person, as who they are in the practice today.
    """

    feed_id: UUID
    actor: Actor


class Feeds:
    """Makes, lists, revokes and opens feeds.

    Args:
        platform: access, people, settings, notifications' address and clock.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.limits = PerMinute(_LIMITS)
        """Of this process: `READS` by feed, `MISSES` by network address."""

    async def mine(self, actor: Actor) -> Sequence[CalendarFeed]:
        """Return the feeds that are open of the person whom the actor acts as, and that their account made."""
        _, person_id = actor.as_person()
        return [_feed(row) for row in await DB.fetch(f"{_MINE} ORDER BY id", actor.account_id, person_id)]

    async def make(self, actor: Actor, client_id: str) -> tuple[CalendarFeed, str | None]:
        """Make a feed of the person whom the actor acts as.

        Args:
            actor: a member or a patient, in our own client.
            client_id: the client's own id of it (G9).

        Returns:
            The feed and its address, told this once: None where the client id was used before.

        Raises:
            Forbidden: a key or another application acts: the address would outlast it (A13).
            Conflict: the client id was used for another, or there are too many.
        """
        practice_id, person_id = actor.as_person()
        if actor.key_id is not None or actor.application_id is not None:
            raise Forbidden(
                "A calendar's address outlasts keys and applications, which therefore can't make one.",
                way_on="Make it in our own client.",
            )
        feed_id, secret = uuid7(), secrets.token_urlsafe(32)
        async with unit():
            # One account's are made one after the other, so that two at once don't both find room.
            await DB.execute("SELECT pg_advisory_xact_lock(hashtextextended('feeds ' || $1, 0))", str(actor.account_id))
            first = await DB.fetchrow(
                "SELECT * FROM calendar_feed WHERE account_id = $1 AND client_id = $2", actor.account_id, client_id
            )
            if first is not None:
                if first["person_id"] != person_id or first["revoked_at"] is not None:
                    raise Conflict("This clientId was used for another feed.", field=("clientId",))
                return _feed(first), None
            open_ones = await DB.fetchval(f"SELECT count(*) FROM ({_MINE}) o", actor.account_id, person_id)
            if open_ones >= MOST_FEEDS:
                raise Conflict(f"You have {MOST_FEEDS} feeds already.", way_on="Revoke one first.")
            row = await DB.fetchrow(
                """INSERT INTO calendar_feed
                    (id, practice_id, person_kind, person_id, account_id, secret_hash, created_at, client_id)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *""",
                feed_id, practice_id, _kind(actor), person_id, actor.account_id, _hash(secret),
                self._platform.clock.now(), client_id,
            )  # fmt: skip
            assert row is not None
            _enter("scheduling.make_feed", actor, feed_id)
        return _feed(row), self._platform.notify.url(f"{PATH}/{secret}.ics")

    async def revoke(self, actor: Actor, feed_id: UUID) -> None:
        """End a feed; it is read no more from this moment on.

        Raises:
            NotFound: it is none of the actor's.
        """
        _, person_id = actor.as_person()
        async with unit():
            ended = await DB.fetchval(
                """UPDATE calendar_feed SET revoked_at = $4
                WHERE id = $1 AND account_id = $2 AND person_id = $3 AND revoked_at IS NULL RETURNING true""",
                feed_id,
                actor.account_id,
                person_id,
                self._platform.clock.now(),
            )
            if not ended:
                raise NotFound("There is no calendar feed with this id that you may see.")
            _enter("scheduling.revoke_feed", actor, feed_id)

    async def open(self, secret: str) -> Reader | None:
        """Return whose calendar a secret opens; None where it opens none, for whatever reason.

        It opens none where it is wrong or revoked, where the member is deactivated, the patient's portal account
        suspended or erased, or a guardian acts for the patient no more.
        """
        if not _SECRET.fullmatch(secret):
            return None
        row = await DB.fetchrow("SELECT * FROM scheduling_feed($1)", _hash(secret))
        if row is None:
            return None
        with acting(row["practice_id"], row["person_id"]):
            actor = await self._actor(row)
            if actor is None or await self._platform.access.why_not(actor, "scheduling.read") is not None:
                return None
        return Reader(feed_id=row["id"], actor=actor)

    async def _actor(self, row: Row) -> Actor | None:
        """Return a feed's person as who they are now, in one statement."""
        account_id, person_id = row["account_id"], row["person_id"]
        if row["person_kind"] == "patient":
            if not await self._platform.service(PatientPersonas).active(account_id, person_id):
                return None
            role, member_id, patient_id = Role.PATIENT, None, person_id
        else:
            member = (await self._platform.people.members_by_id([person_id])).get(person_id)
            if member is None or not member.active:
                return None
            role, member_id, patient_id = member.role, person_id, None
        return Actor(
            account_id=account_id,
            session_id=row["id"],
            role=role,
            practice_id=row["practice_id"],
            member_id=member_id,
            patient_id=patient_id,
        )

    async def sheet(self, reader: Reader) -> Sheet:
        """Return what a feed tells now, in a fixed number of statements; its practice is acted for."""
        platform, actor = self._platform, reader.actor
        practice_id, person_id = actor.as_person()
        practice = await platform.people.practice(practice_id)
        if practice is None:
            raise NotFound("There is no such practice.")
        language, now = await language_of(platform, person_id), platform.clock.now()
        span = (person_id, now - BACK, now + AHEAD)
        rows = await (DB.fetch(_OF_PATIENT, *span) if actor.member_id is None else DB.fetch(_OF_MEMBER, *span))
        shown = [appointment_of(row) for row in rows]
        return Sheet(
            method=Method.PUBLISH,
            appointments=shown,
            series=await recurrences(shown),
            summaries=await self._summaries(actor, shown, practice.name, language),
            links=links(platform, shown),
            organizer=organizer(platform, practice.name),
            name=practice.name,
        )

    async def _summaries(
        self, actor: Actor, shown: Sequence[Appointment], practice: str, language: Language
    ) -> Mapping[UUID, str]:
        """Return what appointments are called; patients are named to members alone, where it is so set (N4)."""
        settings = await self._platform.settings.read(SchedulingSettings)
        if actor.member_id is None or not settings.names_in_feeds:
            return discreet(shown, practice, language)
        return await named(self._platform, shown, practice, language)

    async def handed_out(self, reader: Reader) -> None:
        """Enter in the audit trail that a feed's content leaves the house (A14), for the practice acted for."""
        _enter("scheduling.read_feed", reader.actor, reader.feed_id)

    async def read(self, reader: Reader) -> None:
        """Note when a feed was read last, to a minute."""
        await DB.execute(_READ, reader.feed_id, self._platform.clock.now())


def feed_listeners(platform: Platform) -> Iterable[Listener]:
    """Return the listener by which a guardian's addresses end for good, though they may be let in again (A10, S11)."""

    async def removed(event: PortalHolderChanged) -> None:
        if event.state == HolderState.REMOVED and event.account_id is not None:
            await end_feeds(platform, event.patient_id, event.account_id)

    return [on(PortalHolderChanged, removed, durable=True)]


async def end_feeds(platform: Platform, person_id: UUID, account_id: UUID | None) -> None:
    """End the feeds of a member or a patient for good: those that an account made, or all."""
    await DB.execute(
        """UPDATE calendar_feed SET revoked_at = $3
        WHERE person_id = $1 AND ($2::uuid IS NULL OR account_id = $2) AND revoked_at IS NULL""",
        person_id,
        account_id,
        platform.clock.now(),
    )


def _enter(action: str, actor: Actor, feed_id: UUID) -> None:
    patients = [actor.patient_id] if actor.patient_id is not None else []
    audit.did(action, kind="calendar_feed", target=feed_id, patients=patients, actor=actor)


def _kind(actor: Actor) -> str:
    return "member" if actor.member_id is not None else "patient"


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _feed(row: Row) -> CalendarFeed:
    return CalendarFeed(id=row["id"], created_at=row["created_at"], read_at=row["read_at"])
