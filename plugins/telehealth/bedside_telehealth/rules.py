"""Who may host, see, join and chair sessions, which `access` asks wherever it is asked for (L3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, Refusal, Rule
from bedside_telehealth.api import Place, Session, SessionAccess, SessionPerson, SessionPersonKind, SessionRole
from bedside_telehealth.rows import MISSING, PERSON, SESSION, aliased, person_of, session_of

if TYPE_CHECKING:
    from bedside_core.api import Platform

TELEHEALTH = "telehealth"
"""The feature of meeting by video."""
GROUPS = "group_sessions"
"""The feature of sessions of more than two people."""
KEPT_OUT = frozenset({Place.DECLINED, Place.REMOVED})
"""Who is there may not come back by themselves."""
INSIDE = frozenset({Place.IN, Place.AWAY})
"""Who is there has a place in the session, and counts (L6)."""

_STANDING = f"""SELECT {SESSION}, {aliased(PERSON, "own_")} FROM video_session s
LEFT JOIN video_participant p ON p.session_id = s.id AND p.person_id = $2 WHERE s.id = $1"""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where somebody stands with a session.

    Args:
        session: the session.
        person: they as its participant; None where they are not.
    """

    session: Session
    person: SessionPerson | None


def qualifies(session: Session, kind: SessionPersonKind, home_id: UUID, *, listed: bool) -> bool:
    """Tell whether somebody may be in a session by its access (T10).

    Args:
        session: the session.
        kind: what they are to the practice that owns it.
        home_id: their practice.
        listed: whether they are on its list.
    """
    if session.access is SessionAccess.INVITATION:
        return True
    colleague = kind is SessionPersonKind.MEMBER and home_id == session.practice_id
    return colleague and (listed or session.access is SessionAccess.INTERNAL)


async def standing_of(actor: Actor, session_id: UUID) -> Standing | None:
    """Return where an actor stands with a session; None where there is none within their reach."""
    if actor.bound_to is not None and actor.bound_to != session_id:
        return None
    row = await DB.fetchrow(_STANDING, session_id, actor.person_id)
    if row is None:
        return None
    return Standing(session=session_of(row), person=person_of(row, "own_") if row["own_id"] is not None else None)


def not_there() -> Refusal:
    """Return the refusal of a session that is none of the actor's, told as if there were none (promise A1)."""
    return Refusal(rule=Rule.MEMBERSHIP, message=MISSING)


async def may_host(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why a member can't create sessions: they are no telehealth host (T1)."""
    if actor.member_id is not None:
        member = (await platform.people.members_by_id([actor.member_id])).get(actor.member_id)
        if member is not None and member.video_host:
            return None
    return Refusal(
        rule=Rule.ROLE,
        message="You are not set up to host video.",
        way_on="Ask an owner or manager of your practice to make you a Video Chat User.",
        permission="telehealth.host",
    )


async def may_see(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't see a session: they take no part, or are kept out (A12)."""
    if target is None:
        return None
    standing = await standing_of(actor, target)
    seen = standing is not None and standing.person is not None and standing.person.place not in KEPT_OUT
    return None if seen else not_there()


async def may_join(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't come to a session: none that they take part in, nor that is open to them (T10)."""
    if target is None:
        return None
    standing = await standing_of(actor, target)
    if standing is None:
        return not_there()
    if standing.person is not None:  # who is kept out of it may know so
        return None
    if actor.practice_id is None or actor.practice_id != standing.session.practice_id:
        return not_there()
    kind = SessionPersonKind.MEMBER if actor.member_id else SessionPersonKind.PATIENT
    return None if qualifies(standing.session, kind, actor.practice_id, listed=False) else not_there()


async def may_chair(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Return why an actor can't act as a chair of a session: none of theirs, or another role (T9)."""
    if target is None:
        return None
    standing = await standing_of(actor, target)
    if standing is None or standing.person is None or standing.person.place in KEPT_OUT:
        return not_there()
    if standing.person.role is SessionRole.CHAIR:
        return None
    return Refusal(
        rule=Rule.ROLE,
        message="Only a chair of the session does this.",
        way_on="Ask a chair of the session.",
        permission="telehealth.chair",
    )


async def may_set(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
    """Refuse who is no member of the acting practice, as if there were none (promise A1)."""
    if target is None or await platform.people.members_by_id([target]):
        return None
    return Refusal(rule=Rule.MEMBERSHIP, message="There is no member with this id that you may see.")
