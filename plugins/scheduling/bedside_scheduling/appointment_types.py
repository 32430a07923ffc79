"""What appointments can be about: their length, buffers, kinds, whether patients book them, and with whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bedside_core.api import (
    DB,
    Actor,
    Conflict,
    InvalidInput,
    NotFound,
    Page,
    Row,
    Work,
    audit,
    key_of,
    page_of,
    page_size,
    unit,
)
from bedside_scheduling.api import Mode
from bedside_scheduling.settings import SchedulingSettings
from bedside_scheduling.waking import wake

if TYPE_CHECKING:
    from bedside_core.api import Platform

LONGEST_NAME = 80
LONGEST_DESCRIPTION = 1_000
MOST = 200
"""Types of a practice that are not archived."""
MOST_MEMBERS = 100
MISSING = "There is no type of appointment with this id that you may see."
_LIMITS = {"minutes": (5, 720), "buffer_before": (0, 240), "buffer_after": (0, 240), "capacity": (1, 100)}

_COLUMNS = """SELECT t.*, lower(t.name) AS sort, ARRAY(
    SELECT m.member_id FROM appointment_type_member m WHERE m.type_id = t.id ORDER BY m.member_id
) AS member_ids FROM appointment_type t"""
# Patients are shown what they can book: by themselves, and with somebody.
_PAGE = f"""{_COLUMNS} WHERE ($2 OR t.archived_at IS NULL)
    AND ($3::text IS NULL OR (lower(t.name), t.id) > ($3, $4::uuid))
    AND (NOT $5 OR (t.self_scheduling AND t.capacity = 1 AND EXISTS (
        SELECT FROM appointment_type_member m JOIN member p ON p.id = m.member_id
        WHERE m.type_id = t.id AND p.active)))
    ORDER BY lower(t.name), t.id LIMIT $1"""


@dataclass(frozen=True, kw_only=True)
class TypeTerms:
    """What can be said of a type of appointment.

    Args:
        name: what it is called, 1 to 80 characters.
        description: what patients read of it, at most 1,000 characters.
        minutes: its length, 5 to 720; None is the practice's usual one.
        buffer_before: minutes that patients leave free before it, 0 to 240; None is the practitioner's or practice's.
        buffer_after: minutes that patients leave free after it.
        mode: which kinds of appointment it is for.
        self_scheduling: whether patients book it by themselves (S4).
        capacity: most patients of one appointment, 1 to 100; 1 is no group.
        member_ids: who sees patients for it; nobody else is offered.
    """

    name: str
    description: str = ""
    minutes: int | None = None
    buffer_before: int | None = None
    buffer_after: int | None = None
    mode: Mode = Mode.BOTH
    self_scheduling: bool = False
    capacity: int = 1
    member_ids: Sequence[UUID] = ()


@dataclass(frozen=True, kw_only=True)
class AppointmentType(TypeTerms):
    """A type of appointment.

    Args:
        id: the type.
        practice_id: whose.
        archived_at: since when nothing new is booked as it.
        sort: where it stands in lists.
    """

    id: UUID
    practice_id: UUID
    archived_at: datetime | None
    sort: str

    @property
    def bookable(self) -> bool:
        """Whether patients book it by themselves; groups are put together by the practice."""
        return self.self_scheduling and self.archived_at is None and self.capacity == 1


class AppointmentTypes:
    """Keeps the types of appointments of practices.

    Args:
        platform: access, people and clock.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def by_id(self, type_ids: Sequence[UUID]) -> Mapping[UUID, AppointmentType]:
        """Return types of the acting practice, archived ones too, in one statement; missing ones are left out."""
        return {row["id"]: _type(row) for row in await DB.fetch(f"{_COLUMNS} WHERE t.id = ANY($1)", list(type_ids))}

    async def usual_minutes(self, practice_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the usual length of an appointment of the acting practice, in minutes."""
        settings = await self._platform.settings.read(SchedulingSettings)
        return dict.fromkeys(practice_ids, settings.usual_minutes)

    async def page(
        self, actor: Actor, *, archived: bool, first: int | None, after: str | None
    ) -> Page[AppointmentType]:
        """Return types by name: for patients those they can book by themselves.

        Args:
            actor: who asks.
            archived: whether archived ones are among them, for the practice's people.
            first: how many.
            after: cursor after which the page begins.

        Raises:
            Problem: a patient asks who may not book by themselves.
        """
        patient = actor.patient_id is not None
        if patient:
            await self._platform.access.require(actor, "scheduling.self_schedule")
        size, key = page_size(first), key_of(after, str, UUID)
        rows = await DB.fetch(_PAGE, size + 1, archived and not patient, *(key or (None, None)), patient)
        return page_of([_type(row) for row in rows], size, lambda each: (each.sort, str(each.id)), after=after)

    async def create(self, actor: Actor, wanted: TypeTerms, client_id: str) -> AppointmentType:
        """Make a type.

        Args:
            actor: a leader of the practice.
            wanted: what it is.
            client_id: the client's own id of it; a retry returns the first one (G9).

        Raises:
            InvalidInput: a value can't be used.
            NotFound: a member is not of the practice.
            Conflict: there are too many, or the client id has made another.
        """
        practice_id, member_id = actor.in_practice()
        await self._platform.access.require(actor, "scheduling.types")
        terms = _checked(wanted)
        await self._known(terms.member_ids)

        async def make(new_id: UUID, work: Work) -> UUID:
            await self._room(practice_id)
            await DB.execute(
                """INSERT INTO appointment_type (id, practice_id, name, description, minutes, buffer_before,
                    buffer_after, mode, self_scheduling, capacity, created_at, created_by, client_id)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)""",
                new_id, practice_id, *_values(terms), self._platform.clock.now(), member_id, client_id,
            )  # fmt: skip
            await self._set_members(new_id, terms.member_ids)
            audit.did("scheduling.types", kind="appointment_type", target=new_id)
            return new_id

        content = [str(each) if isinstance(each, UUID) else each for each in (*_values(terms), *terms.member_ids)]
        made = await self._platform.people.once(actor, "scheduling.type", client_id, content, make)
        return await self._one(made)

    async def change(self, actor: Actor, type_id: UUID, changes: Mapping[str, Any]) -> AppointmentType:
        """Change a type; appointments that are booked stay as they are.

        Args:
            actor: a leader of the practice.
            type_id: the type.
            changes: name of an attribute of `TypeTerms` -> new value; the others stay.

        Raises:
            NotFound: there is no such type, or a member is not of the practice.
            InvalidInput: a value can't be used.
        """
        practice_id, _ = actor.in_practice()
        await self._platform.access.require(actor, "scheduling.types")
        async with unit() as work:
            await DB.fetchval("SELECT id FROM appointment_type WHERE id = $1 FOR UPDATE", type_id)
            before = await self._one(type_id)
            terms = _checked(replace(before, **changes))
            await self._known([each for each in terms.member_ids if each not in before.member_ids])
            await DB.execute(
                """UPDATE appointment_type SET name = $2, description = $3, minutes = $4, buffer_before = $5,
                    buffer_after = $6, mode = $7, self_scheduling = $8, capacity = $9 WHERE id = $1""",
                type_id,
                *_values(terms),
            )
            await self._set_members(type_id, terms.member_ids)
            audit.did("scheduling.types", kind="appointment_type", target=type_id, detail={"changed": sorted(changes)})
            if not changes.keys() <= {"name", "description"}:
                await wake(self._platform, work, practice_id, type_id=type_id)
        return await self._one(type_id)

    async def archive(self, actor: Actor, type_id: UUID, *, archived: bool) -> AppointmentType:
        """Have nothing new be booked as a type, or take that back.

        Raises:
            NotFound: there is no such type.
            Conflict: there are too many for it to come back.
        """
        practice_id, _ = actor.in_practice()
        await self._platform.access.require(actor, "scheduling.types")
        async with unit() as work:
            before = await self._one(type_id)
            if archived is (before.archived_at is not None):
                return before
            if not archived:
                await self._room(practice_id)
            await DB.execute(
                "UPDATE appointment_type SET archived_at = $2 WHERE id = $1",
                type_id,
                self._platform.clock.now() if archived else None,
            )
            audit.did("scheduling.types", kind="appointment_type", target=type_id, detail={"changed": ["archived_at"]})
            if not archived:
                await wake(self._platform, work, practice_id, type_id=type_id)
        return await self._one(type_id)

    async def _room(self, practice_id: UUID) -> None:
        await DB.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"appointment_type:{practice_id}")
        if await DB.fetchval("SELECT count(*) FROM appointment_type WHERE archived_at IS NULL") >= MOST:
            raise Conflict(f"There are {MOST} types of appointments already.", way_on="Archive those nobody uses.")

    async def _known(self, member_ids: Sequence[UUID]) -> None:
        if len(await self._platform.people.members_by_id(member_ids)) < len(member_ids):
            raise NotFound("There is no member with this id that you may see.", field=("memberIds",))

    async def _set_members(self, type_id: UUID, member_ids: Sequence[UUID]) -> None:
        await DB.execute(
            "DELETE FROM appointment_type_member WHERE type_id = $1 AND member_id <> ALL($2)", type_id, list(member_ids)
        )
        await DB.execute(
            """INSERT INTO appointment_type_member (type_id, member_id, practice_id)
            SELECT $1, unnest($2::uuid[]), app_practice() ON CONFLICT DO NOTHING""",
            type_id,
            list(member_ids),
        )

    async def _one(self, type_id: UUID) -> AppointmentType:
        found = (await self.by_id([type_id])).get(type_id)
        if found is None:
            raise NotFound(MISSING)
        return found


def _values(terms: TypeTerms) -> tuple[Any, ...]:
    """Return the columns of `appointment_type` that can be changed, in their order."""
    return tuple(value for name, value in asdict(terms).items() if name in _CHANGED)


_CHANGED = (
    "name", "description", "minutes", "buffer_before", "buffer_after", "mode", "self_scheduling", "capacity",
)  # fmt: skip


def _checked(terms: TypeTerms) -> TypeTerms:
    name = " ".join(terms.name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidInput(f"A name has 1 to {LONGEST_NAME} characters.", field=("input", "name"))
    description = terms.description.strip()
    if len(description) > LONGEST_DESCRIPTION or "\0" in description:
        raise InvalidInput(f"At most {LONGEST_DESCRIPTION:,} characters.", field=("input", "description"))
    for each, (least, most) in _LIMITS.items():
        value = getattr(terms, each)
        if value is not None and not least <= value <= most:
            first, *rest = each.split("_")
            camel = first + "".join(word.capitalize() for word in rest)
            raise InvalidInput(f"The value is from {least} to {most}.", field=("input", camel))
    member_ids = tuple(sorted(set(terms.member_ids)))
    if len(member_ids) > MOST_MEMBERS:
        raise InvalidInput(f"At most {MOST_MEMBERS} members.", field=("input", "memberIds"))
    return replace(terms, name=name, description=description, member_ids=member_ids)


def _type(row: Row) -> AppointmentType:
    stored: dict[str, Any] = {name: row[name] for name in AppointmentType.__dataclass_fields__}
    stored |= {"mode": Mode(row["mode"]), "member_ids": tuple(row["member_ids"])}
    return AppointmentType(**stored)
