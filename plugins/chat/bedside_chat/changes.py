"""What has changed in a conversation since a position: messages, people, and the conversation itself, as they are now.

Each row has the position of its last change, and each change takes a new position of the conversation in its own
transaction. So what is read is complete, nothing is kept twice, and what was deleted is nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from bedside_chat.api import Conversation, Message, Participant
from bedside_chat.rows import CONVERSATIONS, MESSAGES, PARTICIPANT, conversation_of, message_of, participant_of
from bedside_core.api import DB

_CHANGED = """
SELECT what, id, changed FROM (
    (SELECT 'message' AS what, id, changed FROM message
        WHERE conversation_id = $1 AND changed > $2 ORDER BY changed LIMIT $3)
    UNION ALL
    (SELECT 'participant', person_id, changed FROM participant
        WHERE conversation_id = $1 AND changed > $2 ORDER BY changed LIMIT $3)
    UNION ALL
    SELECT 'conversation', id, changed FROM conversation WHERE id = $1 AND changed > $2
) AS found ORDER BY changed LIMIT $3
"""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that has changed; of message, participant and conversation one is there.

    Args:
        position: position of the change.
        after: the position beyond which was asked: what was sent before it the reader knows.
        message: a message that was sent, or has changed: reactions, acknowledgements, deletion.
        participant: somebody who joined, left, or has read further.
        conversation: the conversation, whose name, description or privacy has changed.
    """

    position: int
    after: int
    message: Message | None = None
    participant: Participant | None = None
    conversation: Conversation | None = None


async def changes_after(conversation_id: UUID, person_id: UUID | None, position: int, size: int) -> list[Change]:
    """Return what has changed beyond a position, in order; two statements where one kind of thing has.

    Args:
        conversation_id: a conversation that the reader takes part in.
        person_id: the reader.
        position: position of the last change the reader has.
        size: how many at most.
    """
    listed = await DB.fetch(_CHANGED, conversation_id, position, size)
    ids: dict[str, list[UUID]] = {}
    for row in listed:
        ids.setdefault(row["what"], []).append(row["id"])
    found: list[Change] = []
    if wanted := ids.get("message"):
        for row in await DB.fetch(f"{MESSAGES} WHERE id = ANY($1)", wanted):
            found.append(Change(position=row["changed"], after=position, message=message_of(row)))
    if wanted := ids.get("participant"):
        for row in await DB.fetch(
            f"SELECT {PARTICIPANT} FROM participant p WHERE p.conversation_id = $1 AND p.person_id = ANY($2)",
            conversation_id,
            wanted,
        ):
            found.append(Change(position=row["changed"], after=position, participant=participant_of(row)))
    if "conversation" in ids:
        row = await DB.fetchrow(f"{CONVERSATIONS} AND c.id = $2", person_id, conversation_id)
        if row is not None:
            found.append(Change(position=row["changed"], after=position, conversation=conversation_of(row)))
    # What has changed again since it was listed comes at its new place, with the next page.
    places = {row["changed"] for row in listed}
    return sorted((change for change in found if change.position in places), key=lambda change: change.position)
