"""Finding people by name, over everybody whom the practice may see (P7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from bedside_core import errors
from bedside_core.auth import Actor
from bedside_core.database import DB, current_scope
from bedside_core.paging import Page, key_of, page_of, page_size
from bedside_core.people.contacts import Contacts
from bedside_core.people.model import Contact, Found, Listed, Patient, PersonKind, found
from bedside_core.people.patients import Patients

LONGEST_TEXT = 200
"""Characters of a search."""
MOST_WORDS = 8

SEARCH = """
WITH asked AS MATERIALIZED (SELECT (person_words($1))[1:$2] AS words),
own AS (
    SELECT DISTINCT w.person_id AS id, w.kind, w.sort FROM person_word w
    WHERE w.word >= (SELECT words[1] FROM asked) AND w.word < (SELECT words[1] || chr(1114111) FROM asked)
    AND w.kind = ANY($3::text[]) AND w.kind <> 'member'
    AND ($4::text IS NULL OR (w.sort, w.person_id) > ($4 COLLATE "C", $5::uuid))
    AND ($7::uuid IS NULL OR $7 = app_practice())
    AND NOT EXISTS (
        SELECT FROM (SELECT unnest(words[2:]) AS word FROM asked) AS other WHERE NOT EXISTS (
            SELECT FROM person_word o WHERE o.practice_id = w.practice_id AND o.person_id = w.person_id
            AND o.word >= other.word AND o.word < other.word || chr(1114111)))
)
SELECT id, kind, sort FROM (
    SELECT id, kind, sort FROM own UNION ALL
    SELECT d.id, 'member', d.sort FROM asked, directory_search(asked.words, $6, $4, $5, $7) AS d
    WHERE 'member' = ANY($3::text[]) AND cardinality(asked.words) > 0
) AS found ORDER BY sort COLLATE "C", id LIMIT $6
"""
"""$1 the text, $2 the most words, $3 the kinds, $4 and $5 the key, $6 the size, $7 the only practice. Patients and
contacts come from the acting practice by row-level security, members from the directory. The first word is longest."""


class Search(Patients, Contacts):
    """Finds people."""

    async def known(self, ids: Sequence[UUID]) -> Mapping[UUID, Found]:
        """Return those of the people, of whatever kind, that the acting practice sees; three statements at most."""
        practice_id = current_scope().practice_id
        if practice_id is None:
            return {}
        seen: dict[UUID, Patient | Contact | Listed] = {**await self.directory(ids)}
        for others in (self.present_patients, self.contacts_by_id):
            if rest := [each for each in ids if each not in seen]:
                seen |= await others(rest)
        return {key: found(who, practice_id) for key, who in seen.items()}

    async def search(
        self,
        actor: Actor,
        text: str,
        kinds: Collection[PersonKind],
        *,
        practice_id: UUID | None = None,
        first: int | None,
        after: str | None,
    ) -> Page[Found]:
        """Return the people whose names have words that begin with each word of a text, by name; four statements.

        Neither case nor accents count. Members are those of the own and of connected practices; patients in the
        archive and members who were deactivated are not found.

        Args:
            actor: who searches.
            text: one or more beginnings of first or last names, in any order.
            kinds: which kinds of people.
            practice_id: the own or a connected practice, to find its people alone; in any other is nobody (C7).
            first: how many.
            after: cursor after which the page begins.

        Raises:
            errors.InvalidInput: the text is too long.
        """
        own_id, _ = actor.in_practice()
        if len(text) > LONGEST_TEXT:
            raise errors.InvalidInput(f"A search has at most {LONGEST_TEXT} characters.", field=("text",))
        size, key = page_size(first), key_of(after, str, UUID)
        wanted = sorted(kind.value for kind in kinds)
        rows = await DB.fetch(SEARCH, text, MOST_WORDS, wanted, *(key or (None, None)), size + 1, practice_id)
        ids: dict[str, list[UUID]] = {kind: [] for kind in PersonKind}
        for row in rows[:size]:  # of the one too many nothing is read, for nothing of it is returned (A14)
            ids[row["kind"]].append(row["id"])
        people: dict[UUID, Patient | Contact | Listed] = {
            **await self.patients_by_id(ids[PersonKind.PATIENT]),
            **await self.contacts_by_id(ids[PersonKind.CONTACT]),
            **await self.directory(ids[PersonKind.MEMBER]),
        }
        shown = [found(people[row["id"]], own_id, sort=row["sort"]) for row in rows if row["id"] in people]
        more = len(rows) > size
        return page_of(shown, size, lambda item: (item.sort, str(item.person.id)), after=after, more=more)
