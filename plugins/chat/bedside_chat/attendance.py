"""Pages of who takes part in conversations: one statement for a list of them, however many people each has (G2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from bedside_chat.api import Participant
from bedside_chat.reading import instant_of
from bedside_chat.rows import EPOCH, PARTICIPANT, participant_of
from bedside_core.api import DB, Page, PersonKind, key_of, page_of, page_size

_ORDER = "p.kind = 'member', p.joined_at, p.person_id"
# Patients and contacts come first, so that whom a conversation is with stands on its first page, however many members
# were added, and though they came back to it last. Those of one conversation are hundreds: the primary key finds them,
# and to sort them costs less than one more index would at each message.
_PAGES = f"""
SELECT p.* FROM unnest($1::uuid[]) AS wanted(id) CROSS JOIN LATERAL (
    SELECT {PARTICIPANT} FROM participant p WHERE p.conversation_id = wanted.id AND p.left_at IS NULL
        AND ($3::timestamptz IS NULL OR ({_ORDER}) > ($2::boolean, $3, $4::uuid))
    ORDER BY {_ORDER} LIMIT $5
) AS p ORDER BY {_ORDER}"""


@dataclass(frozen=True)
class ParticipantPages:
    """Loads a page of who takes part in each of some conversations; the same for the same page.

    Args:
        size: most people of a page.
        after: the cursor after which the page begins.
    """

    size: int
    after: str | None

    @classmethod
    def of(cls, *, first: int | None, after: str | None) -> ParticipantPages:
        """Return what loads these pages.

        Args:
            first: how many people.
            after: cursor after which the page begins.

        Raises:
            InvalidInput: less than one, or a foreign cursor.
        """
        _place(after)
        return cls(page_size(first), after)

    async def __call__(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Page[Participant]]:
        """Return the page of each conversation that the caller was given: patients and contacts, then members."""
        rows = await DB.fetch(_PAGES, list(conversation_ids), *_place(self.after), self.size + 1)
        found: dict[UUID, list[Participant]] = {each: [] for each in conversation_ids}
        for row in rows:
            found[row["conversation_id"]].append(participant_of(row))
        return {each: page_of(people, self.size, _key, after=self.after) for each, people in found.items()}


async def attendance(conversation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """Return how many take part in each conversation that the caller was given."""
    rows = await DB.fetch(
        """SELECT conversation_id, count(*) AS people FROM participant
        WHERE conversation_id = ANY($1) AND left_at IS NULL GROUP BY conversation_id""",
        list(conversation_ids),
    )
    return {row["conversation_id"]: row["people"] for row in rows}


def _key(participant: Participant) -> tuple[int, int, str]:
    joined = (participant.joined_at - EPOCH) // timedelta(microseconds=1)
    return int(participant.kind is PersonKind.MEMBER), joined, str(participant.person_id)


def _place(after: str | None) -> tuple[bool | None, datetime | None, UUID | None]:
    """Return what a page begins after.

    Raises:
        InvalidInput: a foreign cursor.
    """
    key = key_of(after, int, int, UUID)
    return (bool(key[0]), instant_of(key[1]), key[2]) if key else (None, None, None)
