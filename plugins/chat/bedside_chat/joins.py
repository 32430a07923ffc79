"""Who is to take part in a conversation: found, checked against the practice's rules, and entered (C6, C7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.guest_links import GuestLink, GuestLinks
from bedside_chat.inbox import CONVERSATION_KIND
from bedside_chat.reading import Reading
from bedside_chat.settings import ChatSettings
from bedside_core.api import DB, Contact, Listed, NotFound, Patient, PersonKind, Row, SwitchedOff, Work

if TYPE_CHECKING:
    from bedside_core.api import Platform

# Each who joins has a position of the conversation, by which live readers hear of it. Who is in it already stays so.
_JOIN = """
WITH moved AS (
    UPDATE conversation SET "position" = "position" + cardinality($2::uuid[]) WHERE id = $1
    RETURNING id, practice_id, "position", last_position, messages
)
INSERT INTO participant AS p (practice_id, conversation_id, person_id, kind, home_id, shown_name, shown_practice,
    by_link, added_by, joined_at, read_position, read_number, changed)
SELECT m.practice_id, m.id, j.person, j.kind, j.home, j.name, j.practice, j.by_link, $8, $9, m.last_position,
    m.messages, m."position" - cardinality($2::uuid[]) + j.number
FROM moved m, unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::boolean[])
    WITH ORDINALITY AS j(person, kind, home, name, practice, by_link, number)
ON CONFLICT (conversation_id, person_id) DO UPDATE SET left_at = NULL, removed = false, joined_at = excluded.joined_at,
    added_by = excluded.added_by, by_link = excluded.by_link, shown_name = excluded.shown_name,
    shown_practice = excluded.shown_practice, read_position = excluded.read_position,
    read_number = excluded.read_number, changed = excluded.changed
WHERE p.left_at IS NOT NULL
RETURNING p.person_id, p.changed
"""


@dataclass(frozen=True, kw_only=True)
class Joining:
    """Somebody who is to take part.

    Args:
        person_id: the member, patient or contact.
        kind: what they are to the practice.
        home_id: their practice.
        name: as it is shown.
        practice: what their practice is called.
        by_link: whether they are reached through a link (C6).
    """

    person_id: UUID
    kind: PersonKind
    home_id: UUID
    name: str
    practice: str
    by_link: bool = False


class Joins(Reading):
    """Finds who is to take part, and enters them.

    Args:
        platform: people, settings, and links for those without an account.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._links = GuestLinks(platform)

    async def guest_links(self, keys: Sequence[tuple[UUID, UUID]]) -> Mapping[tuple[UUID, UUID], GuestLink]:
        """Return the links that participants without an account were sent last, by conversation and person."""
        return await self._links.of(keys)

    async def _members(self, ids: Sequence[UUID]) -> list[Joining]:
        """Return members whom the actor sees, in this order.

        Raises:
            NotFound: one of them is none.
        """
        found = await self._platform.people.directory(ids)
        if set(found) != set(ids):
            raise NotFound("There is no member with this id that you may see.", field=("memberId",))
        return [_member(found[each]) for each in ids]

    async def _invited(self, practice_id: UUID, ids: Collection[UUID]) -> list[Joining]:
        """Return members and contacts who may be in the practice's groups (C7), each of them once.

        A contact who is a member of the own or a connected practice by now takes part as that member (C6).

        Raises:
            NotFound: one of them is nobody that the actor sees, or a member who is not active.
            SwitchedOff: outsiders are not allowed.
        """
        if not ids:
            return []
        found = await self._active(ids)
        if rest := [each for each in ids if each not in found]:
            reached = await self._platform.people.contacts_reached(rest)
            if reached:
                members = await self._active(set(reached.values()))
                found |= {key: members[member] for key, member in reached.items() if member in members}
            practice = await self._platform.people.practice(practice_id)
            for key, contact in (await self._platform.people.contacts_by_id(rest)).items():
                found.setdefault(key, outsider(contact, practice.name if practice else "", by_link=True))
        if len(found) != len(set(ids)):
            raise NotFound("There is nobody with this id whom you could add.", field=("personIds",))
        if any(each.kind is not PersonKind.MEMBER or each.home_id != practice_id for each in found.values()):
            await check_outsiders(self._platform, "personIds")
        return list({found[each].person_id: found[each] for each in ids}.values())

    async def _active(self, ids: Collection[UUID]) -> dict[UUID, Joining]:
        """Return those of the members who are active, and whom the actor sees."""
        listed = await self._platform.people.directory(list(ids))
        return {key: _member(each) for key, each in listed.items() if each.member.active}

    async def _enter(
        self, conversation_id: UUID, joining: Sequence[Joining], added_by: UUID, now: datetime
    ) -> dict[UUID, int]:
        """Have people take part, in the caller's unit of work.

        Returns:
            Who did not before -> position of their joining.
        """
        rows: list[Row] = await DB.fetch(
            _JOIN,
            conversation_id,
            [each.person_id for each in joining],
            [each.kind.value for each in joining],
            [each.home_id for each in joining],
            [each.name for each in joining],
            [each.practice for each in joining],
            [each.by_link for each in joining],
            added_by,
            now,
        )
        return {row["person_id"]: row["changed"] for row in rows}

    def _tell_inboxes(self, work: Work, conversation_id: UUID, person_ids: Iterable[UUID]) -> None:
        """Tell people that a conversation has changed in their lists or badges (C16)."""
        self._platform.inbox.tell(work, CONVERSATION_KIND, conversation_id, person_ids)


async def check_outsiders(platform: Platform, field: str) -> None:
    """Ask the practice's switch for people from outside in groups (C7).

    Args:
        platform: for the settings.
        field: the input that named somebody from outside.

    Raises:
        SwitchedOff: they are not allowed.
    """
    if not (await platform.settings.read(ChatSettings)).outsiders_in_groups:
        raise SwitchedOff(
            "Your practice does not allow people from outside in groups.",
            way_on="Ask an owner or manager to allow it in the chat settings.",
            field=(field,),
        )


def _member(listed: Listed) -> Joining:
    return Joining(
        person_id=listed.member.id,
        kind=PersonKind.MEMBER,
        home_id=listed.member.practice_id,
        name=listed.member.name,
        practice=listed.practice_name,
    )


def outsider(person: Patient | Contact, practice: str, *, by_link: bool) -> Joining:
    """Return a patient or contact of the practice as somebody who is to take part."""
    return Joining(
        person_id=person.id,
        kind=PersonKind.PATIENT if isinstance(person, Patient) else PersonKind.CONTACT,
        home_id=person.practice_id,
        name=person.name,
        practice=practice,
        by_link=by_link,
    )
