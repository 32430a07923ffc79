"""Who is put on a session's list: found, checked against its access, and entered (T9, T10, T12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, InvalidInput, NotFound, uuid7
from bedside_telehealth.api import Session, SessionPersonKind, SessionRole
from bedside_telehealth.rules import qualifies

if TYPE_CHECKING:
    from bedside_core.api import Platform

MOST_AT_ONCE = 100
"""People who can be added at once."""

# Who was kept out is let back by being added; who is in it already stays as they are.
_ENTER = """
INSERT INTO video_participant AS p (id, practice_id, session_id, kind, person_id, home_id, shown_name, role, listed,
    added_by, added_at, place, changed)
SELECT each.id, $1, $2, each.kind, each.person, each.home, each.name, each.role, true, $9, $10, 'listed',
    $11 + each.number
FROM unnest($3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[])
    WITH ORDINALITY AS each(id, kind, person, home, name, role, number)
ON CONFLICT (practice_id, session_id, person_id) DO UPDATE SET listed = true, role = excluded.role,
    place = CASE WHEN p.place IN ('declined', 'removed') THEN 'listed' ELSE p.place END, changed = excluded.changed
WHERE NOT p.listed OR p.place IN ('declined', 'removed')
RETURNING p.id, p.person_id"""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Somebody who is to be on the list.

    Args:
        person_id: a member of the own or a connected practice, or a patient.
        role: what they do.
    """

    person_id: UUID
    role: SessionRole


@dataclass(frozen=True, kw_only=True)
class Someone:
    """Somebody as a session knows them.

    Args:
        person_id: the member or patient.
        kind: what they are to the owning practice.
        home_id: their practice.
        name: as it is shown.
        role: what they do.
    """

    person_id: UUID
    kind: SessionPersonKind
    home_id: UUID
    name: str
    role: SessionRole


async def found(platform: Platform, wanted: Sequence[Wanted], field: tuple[str, ...]) -> list[Someone]:
    """Return people whom the acting practice sees, each once, in this order; two statements.

    Args:
        platform: people.
        wanted: who.
        field: the input that named them.

    Raises:
        InvalidInput: too many, or a chair who is no member of the practice.
        NotFound: one of them is nobody that the actor sees, or a member who is not active.
    """
    if len(wanted) > MOST_AT_ONCE:
        raise InvalidInput(f"At most {MOST_AT_ONCE} people are added at once.", field=field)
    roles: Mapping[UUID, SessionRole] = {each.person_id: each.role for each in wanted}
    if not roles:
        return []
    people = {
        key: Someone(
            person_id=key,
            kind=SessionPersonKind.MEMBER,
            home_id=listed.member.practice_id,
            name=listed.member.name,
            role=roles[key],
        )
        for key, listed in (await platform.people.directory(list(roles))).items()
        if listed.member.active
    }
    if rest := [each for each in roles if each not in people]:
        for key, patient in (await platform.people.patients_by_id(rest)).items():
            people[key] = Someone(
                person_id=key,
                kind=SessionPersonKind.PATIENT,
                home_id=patient.practice_id,
                name=patient.name,
                role=roles[key],
            )
    if len(people) != len(roles):
        raise NotFound("There is nobody with this id whom you could add.", field=field)
    return [people[each] for each in roles]


def check(session: Session, people: Sequence[Someone], field: tuple[str, ...]) -> None:
    """Refuse people whom a session's access does not let in, and chairs of elsewhere.

    Raises:
        InvalidInput: one of them can't be on the list so.
    """
    for each in people:
        if not qualifies(session, each.kind, each.home_id, listed=True):
            raise InvalidInput(
                "Only members of your practice can be in this session.",
                way_on="Make it an Invitation session.",
                field=field,
            )
        may_chair(session, each.kind, each.home_id, each.role, field)


def may_chair(
    session: Session, kind: SessionPersonKind, home_id: UUID, role: SessionRole, field: tuple[str, ...]
) -> None:
    """Refuse a chair who is no member of the practice that owns the session.

    Raises:
        InvalidInput: they are none.
    """
    if role is SessionRole.CHAIR and (kind is not SessionPersonKind.MEMBER or home_id != session.practice_id):
        raise InvalidInput("A chair is a member of the practice whose session it is.", field=field)


async def enter(
    session: Session, people: Sequence[Someone], added_by: UUID, now: datetime, position: int
) -> dict[UUID, UUID]:
    """Put people on a session's list within the caller's unit, each at a position of their own; one statement.

    Args:
        session: locked, or new.
        people: who, as `check` has let them.
        added_by: the chair.
        now: the product's time.
        position: the session's last one; the caller raises it by as many as there are people.

    Returns:
        Participant -> person of those who were not on it, or were kept out.
    """
    rows = await DB.fetch(
        _ENTER,
        session.practice_id,
        session.id,
        [uuid7() for _ in people],
        [each.kind.value for each in people],
        [each.person_id for each in people],
        [each.home_id for each in people],
        [each.name for each in people],
        [each.role.value for each in people],
        added_by,
        now,
        position,
    )
    return {row["id"]: row["person_id"] for row in rows}
