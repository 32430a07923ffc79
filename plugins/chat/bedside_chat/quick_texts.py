"""Quick texts: what a practice or a member writes often, with placeholders, kept and put into a conversation (C18)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from bedside_chat.placeholders import fault_of, filled, names_in
from bedside_chat.rules import not_there, standing_of
from bedside_chat.standing import Standing
from bedside_core.api import (
    DB,
    Actor,
    Conflict,
    Contact,
    InvalidInput,
    NotFound,
    Page,
    Patient,
    Work,
    audit,
    key_of,
    page_of,
    page_size,
    unit,
)

if TYPE_CHECKING:
    from bedside_core.api import Platform

LONGEST_TITLE = 80
LONGEST_BODY = 5_000
MOST = 200
"""Quick texts of a practice, and of each member."""
MISSING = "There is no quick text with this id that you may see."

_COLUMNS = "SELECT id, practice_id, member_id, title, body, lower(title) AS sort FROM quick_text"
_SEEN = "(member_id IS NULL OR member_id = $1)"


@dataclass(frozen=True, kw_only=True)
class QuickText:
    """A quick text.

    Args:
        id: the text.
        title: by which it is found.
        body: with placeholders.
        member_id: whose own it is; None for the practice's.
        sort: where it stands in lists.
    """

    id: UUID
    title: str
    body: str
    member_id: UUID | None
    sort: str


class QuickTexts:
    """Keeps and renders quick texts; the only writer of their table.

    Args:
        platform: people, permissions and clock.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def page(self, actor: Actor, *, first: int | None, after: str | None) -> Page[QuickText]:
        """Return the actor's own quick texts and the practice's, by title."""
        _, member_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.own_quick_texts")
        size, key = page_size(first), key_of(after, str, UUID)
        rows = await DB.fetch(
            f"""{_COLUMNS} WHERE {_SEEN} AND ($2::text IS NULL OR (lower(title), id) > ($2, $3))
            ORDER BY lower(title), id LIMIT $4""",
            member_id,
            *(key or (None, None)),
            size + 1,
        )
        return page_of([_text(row) for row in rows], size, lambda item: (item.sort, str(item.id)), after=after)

    async def create(self, actor: Actor, title: str, body: str, client_id: str, *, own: bool) -> QuickText:
        """Keep a new quick text; a retry with the same client id returns the first (G9).

        Args:
            actor: a member; for the practice's one with the permission `chat.quick_texts`.
            title: up to 80 characters.
            body: up to 5,000 characters, with placeholders.
            client_id: the client's own id of it.
            own: whether it is the actor's own, or the practice's.

        Raises:
            Forbidden: the practice's are not theirs to keep.
            InvalidInput: a title or text that can't be, or a placeholder that there is not.
            Conflict: there are too many, or the client id was used with other content.
            NotFound: it is a retry, and the first was deleted since.
        """
        practice_id, member_id = actor.in_practice()
        await self._require(actor, own=own)
        title, body = _title(title), _body(body)

        async def make(new_id: UUID, work: Work) -> UUID:
            owner = member_id if own else None
            await DB.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"quick_text:{owner or practice_id}"
            )
            made = await DB.fetchval(
                """INSERT INTO quick_text (id, practice_id, member_id, title, body, made_at)
                SELECT $1, $2, $3, $4, $5, $6
                WHERE (SELECT count(*) FROM quick_text q
                    WHERE q.practice_id = $2 AND q.member_id IS NOT DISTINCT FROM $3) < $7
                RETURNING id""",
                new_id,
                practice_id,
                owner,
                title,
                body,
                self._platform.clock.now(),
                MOST,
            )
            if made is None:
                raise Conflict(f"There are {MOST} quick texts already.", way_on="Delete those that nobody uses.")
            if not own:
                audit.did("chat.quick_texts", kind="quick_text", target=new_id)
            return new_id

        made = await self._platform.people.once(actor, "chat.quick_text", client_id, [title, body, own], make)
        return await self._one(member_id, made)

    async def change(self, actor: Actor, text_id: UUID, *, title: str | None, body: str | None) -> QuickText:
        """Change a quick text; what is None stays.

        Raises:
            NotFound: none that the actor sees.
            Forbidden: it is the practice's, and not theirs to change.
            InvalidInput: as `create`.
        """
        _, member_id = actor.in_practice()
        before = await self._changeable(actor, member_id, text_id)
        async with unit():
            await DB.execute(
                "UPDATE quick_text SET title = $2, body = $3 WHERE id = $1",
                text_id,
                before.title if title is None else _title(title),
                before.body if body is None else _body(body),
            )
            if before.member_id is None:
                audit.did("chat.quick_texts", kind="quick_text", target=text_id)
        return await self._one(member_id, text_id)

    async def delete(self, actor: Actor, text_id: UUID) -> bool:
        """Delete a quick text; what was sent with it stays as it was sent.

        Returns:
            True.

        Raises:
            NotFound: none that the actor sees.
            Forbidden: it is the practice's, and not theirs to delete.
        """
        _, member_id = actor.in_practice()
        before = await self._changeable(actor, member_id, text_id)
        async with unit():
            await DB.execute("DELETE FROM quick_text WHERE id = $1", text_id)
            if before.member_id is None:
                audit.did("chat.quick_texts", kind="quick_text", target=text_id)
        return True

    async def render(self, actor: Actor, text_id: UUID, conversation_id: UUID) -> str:
        """Return a quick text with values in the place of its placeholders, for the actor to look over and send.

        Raises:
            NotFound: no such text, or none of the actor's conversations.
            InvalidInput: it names a patient, and the conversation is with none.
        """
        _, member_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.own_quick_texts")
        text = await self._one(member_id, text_id)
        standing = await standing_of(self._platform, actor, conversation_id)
        if standing is None:
            raise not_there().problem()
        return filled(text.body, await self._values(actor, standing, names_in(text.body)))

    async def _values(self, actor: Actor, standing: Standing, names: list[str]) -> Mapping[str, str]:
        practice_id, member_id = actor.in_practice()
        values: dict[str, str] = {}
        people = self._platform.people
        if any(name.startswith("patient.") for name in names):
            person = await self._subject(standing)
            if person is None:
                raise InvalidInput(
                    "This quick text names a patient, and the conversation is with none that you see.",
                    way_on="Use another one here.",
                    field=("conversationId",),
                )
            values |= {"patient.firstName": person.first_name, "patient.lastName": person.last_name}
            values["patient.name"] = person.name
        if any(name.startswith("member.") for name in names):
            member = (await people.members_by_id([member_id]))[member_id]
            values |= {"member.firstName": member.first_name, "member.lastName": member.last_name}
            values["member.name"] = member.name
        if any(name in {"practice.name", "date"} for name in names):
            practice = await people.practice(practice_id)
            values["practice.name"] = practice.name if practice else ""
            zone = ZoneInfo(practice.zone if practice else "UTC")
            values["date"] = self._platform.clock.now().astimezone(zone).date().isoformat()
        return values

    async def _subject(self, standing: Standing) -> Patient | Contact | None:
        """Return the patient or contact whom a conversation is with."""
        if standing.subject_id is None:
            return None
        ids, people = [standing.subject_id], self._platform.people
        found = (await people.present_patients(ids)).get(standing.subject_id)
        return found or (await people.contacts_by_id(ids)).get(standing.subject_id)

    async def _require(self, actor: Actor, *, own: bool) -> None:
        await self._platform.access.require(actor, "chat.own_quick_texts" if own else "chat.quick_texts")

    async def _changeable(self, actor: Actor, member_id: UUID, text_id: UUID) -> QuickText:
        await self._require(actor, own=True)
        text = await self._one(member_id, text_id)
        await self._require(actor, own=text.member_id is not None)
        return text

    async def _one(self, member_id: UUID, text_id: UUID) -> QuickText:
        row = await DB.fetchrow(f"{_COLUMNS} WHERE {_SEEN} AND id = $2", member_id, text_id)
        if row is None:
            raise NotFound(MISSING)
        return _text(row)


def _text(row: Mapping[str, object]) -> QuickText:
    return QuickText(**{name: row[name] for name in QuickText.__dataclass_fields__})  # pyright: ignore[reportArgumentType]


def _title(text: str) -> str:
    tidy = " ".join(text.split())
    if not tidy or len(tidy) > LONGEST_TITLE or not tidy.isprintable():
        raise InvalidInput(f"A title has 1 to {LONGEST_TITLE} characters.", field=("title",))
    return tidy


def _body(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_BODY or "\0" in text:
        raise InvalidInput(f"A quick text has 1 to {LONGEST_BODY:,} characters.", field=("body",))
    if fault := fault_of(text):
        raise InvalidInput(fault, field=("body",))
    return text
