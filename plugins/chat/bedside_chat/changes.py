"""What has changed in a conversation since a position: messages, people, and the conversation itself, as they are now.

Each row has the position of its last change, and each change takes a new position of the conversation in its own
transaction. So what is read is complete, nothing is kept twice, and what was deleted is nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from bedside_chat.api import Conversation, Message, Participant
from bedside_chat.receipts import TOLD
from bedside_chat.rows import CONVERSATION, MESSAGE, PARTICIPANT, conversation_of, message_of, participant_of
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
# Of whoever sees no receipts of members: each thing at its last change that was none.
_CHANGED_BUT_RECEIPTS = f"""
SELECT what, id, told AS changed FROM (
    SELECT 'message' AS what, id, {TOLD} AS told FROM message WHERE conversation_id = $1 AND changed > $2
    UNION ALL
    SELECT 'participant', person_id, {TOLD} FROM participant WHERE conversation_id = $1 AND changed > $2
    UNION ALL
    SELECT 'conversation', id, changed FROM conversation WHERE id = $1 AND changed > $2
) AS found WHERE told > $2 ORDER BY told LIMIT $3
"""
# With the place of each in the stream, for who sees receipts of members and for who does not.
_MESSAGES = f"SELECT {MESSAGE}, changed AS place FROM message WHERE id = ANY($1)"
_MESSAGES_BUT_RECEIPTS = f"SELECT {MESSAGE}, {TOLD} AS place FROM message WHERE id = ANY($1)"
_OF_PEOPLE = "FROM participant p WHERE p.conversation_id = $1 AND p.person_id = ANY($2)"
_PEOPLE = f"SELECT {PARTICIPANT}, changed AS place {_OF_PEOPLE}"
_PEOPLE_BUT_RECEIPTS = f"SELECT {PARTICIPANT}, {TOLD} AS place {_OF_PEOPLE}"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that has changed; of message, participant and conversation one is there.

    Args:
        position: position of the change.
        added: whether it is a message that the reader was not told of before.
        message: a message that was sent, or has changed: reactions, acknowledgements, deletion.
        participant: somebody who joined, left, or has read further.
        conversation: the conversation, whose name, description or privacy has changed.
    """

    position: int
    added: bool = False
    message: Message | None = None
    participant: Participant | None = None
    conversation: Conversation | None = None


class Told:
    """What one reader has been told of, from a cursor on: which messages are new to them.

    A message that has changed comes at its last change: an old one may come late in a replay of several pages, and be
    new nevertheless.

    Args:
        cursor: position of the last change the reader had at first: messages up to there they know.
    """

    def __init__(self, cursor: int) -> None:
        self._known = cursor
        self._ids: set[UUID] = set()
        """Of messages beyond what is known: those told of since."""

    def mark(self, changes: Sequence[Change], *, whole: bool) -> list[Change]:
        """Return changes with what is new marked, each time for what is told of next.

        Args:
            changes: a page of changes, in order.
            whole: whether there were no others at that time: then all up to its end is known.
        """
        marked: list[Change] = []
        for change in changes:
            message = change.message
            new = message is not None and message.position > self._known and message.id not in self._ids
            if message is not None and new:
                self._ids.add(message.id)
            marked.append(replace(change, added=new))
        if whole and changes:
            self._known = changes[-1].position
            self._ids.clear()
        return marked


async def changes_after(
    conversation_id: UUID, person_id: UUID | None, position: int, size: int, *, receipts: bool
) -> tuple[list[Change], bool]:
    """Return what has changed beyond a position, in order; two statements where one kind of thing has.

    Args:
        conversation_id: a conversation that the reader takes part in.
        person_id: the reader.
        position: position of the last change the reader has.
        size: how many at most.
        receipts: whether the reader sees what members have read and acknowledged (C14).

    Returns:
        The changes, and whether these were all.
    """
    listed = await DB.fetch(_CHANGED if receipts else _CHANGED_BUT_RECEIPTS, conversation_id, position, size)
    ids: dict[str, list[UUID]] = {}
    for row in listed:
        ids.setdefault(row["what"], []).append(row["id"])
    found: list[Change] = []
    if wanted := ids.get("message"):
        for row in await DB.fetch(_MESSAGES if receipts else _MESSAGES_BUT_RECEIPTS, wanted):
            found.append(Change(position=row["place"], message=message_of(row)))
    if wanted := ids.get("participant"):
        for row in await DB.fetch(_PEOPLE if receipts else _PEOPLE_BUT_RECEIPTS, conversation_id, wanted):
            found.append(Change(position=row["place"], participant=participant_of(row)))
    if "conversation" in ids:
        row = await DB.fetchrow(CONVERSATION, person_id, conversation_id)
        if row is not None:
            found.append(Change(position=row["changed"], conversation=conversation_of(row)))
    # What has changed again since it was listed comes at its new place, with the next page.
    places = {row["changed"] for row in listed}
    changes = sorted((change for change in found if change.position in places), key=lambda change: change.position)
    return changes, len(changes) == len(listed) < size
