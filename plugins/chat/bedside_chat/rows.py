"""How chat's rows are read, and become what services hand out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bedside_chat.api import Conversation, Message, Participant
from bedside_chat.kinds import ConversationKind
from bedside_core.api import PersonKind, Row

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MISSING = "There is no conversation with this id that you may see."
NO_MESSAGE = "There is no message with this id that you may see."

_MESSAGE = (
    "id",
    "conversation_id",
    "practice_id",
    '"position"',
    "number",
    "changed",
    "sender_id",
    "body",
    "urgent",
    "automatic",
    "attached",
    "reply_to",
    "sent_at",
    "deleted_at",
    "deleted_by",
)
MESSAGE = ", ".join(_MESSAGE)
"""The columns of a message."""
MESSAGES = f"SELECT {MESSAGE} FROM message"

PARTICIPANT = """p.conversation_id, p.person_id, p.kind, p.home_id, p.shown_name, p.shown_practice, p.by_link,
    p.joined_at, p.left_at, p.removed, p.read_position, p.changed"""
"""The columns of a participant `p`."""

# What was deleted is unread no more, and what the practice wrote by itself members have not to read (C17); there is
# little of either, and an index finds it.
# A practice that is connected no longer has not more to read than there was then (P2).
_OWN = "c.practice_id = (SELECT app_practice())"
_MESSAGES = f"CASE WHEN {_OWN} THEN c.messages ELSE chat_messages(c.id, c.messages) END"
UNREAD = f"""CASE WHEN c.messages > p.read_number THEN greatest(0, {_MESSAGES} - p.read_number)
    - (SELECT count(*) FROM message d WHERE d.conversation_id = c.id AND (d.deleted_at IS NOT NULL OR d.automatic)
        AND (d.deleted_at IS NOT NULL OR p.kind = 'member') AND d.number > p.read_number) ELSE 0 END"""
"""How many messages of conversation `c` participant `p` has not read."""

OF_PERSON = """FROM participant p JOIN conversation c ON c.id = p.conversation_id
    WHERE p.person_id = (SELECT $1::uuid) AND p.left_at IS NULL"""
"""Where person $1 takes part. PostgreSQL is not to know who that is when it plans: for a person with fewer
conversations than others a plan of their own would look cheaper each time, and planning takes longer than the rest."""


def conversations(condition: str, *, order: str = "", limit: str = "") -> str:
    """Return the SQL of conversations in which the person $1 takes part.

    Args:
        condition: which of them, `c`.
        order: columns of `c`.
        limit: how many.
    """
    order, limit = f"ORDER BY {order}" if order else "", f"LIMIT {limit}" if limit else ""
    # Last messages are looked up for those conversations alone that are handed out.
    return f"""
SELECT c.*, {", ".join(f"m.{name} AS message_{name.strip(chr(34))}" for name in ("id", *_MESSAGE[3:]))}
FROM (SELECT c.id, c.practice_id, c.kind, c.name, c.description, c.private, c.subject_id, c."position", c.changed,
        c.created_by, c.created_at, c.active_at,
        CASE WHEN {_OWN} THEN c.last_position ELSE chat_last(c.id, c.last_position) END AS last_position,
        {UNREAD} AS unread,
        (SELECT count(*) FROM urgent_recipient u WHERE u.person_id = p.person_id AND u.conversation_id = c.id
            AND u.acknowledged_at IS NULL) AS urgent_open
    {OF_PERSON} AND {condition} {order} {limit}) AS c
LEFT JOIN message m ON m.conversation_id = c.id AND m."position" = c.last_position {order}"""


# Names are those of today where they are the practice's to know, else those of when people joined.
_NAMED = """(chat_named(c.name, $6) AND c.name IS NOT NULL OR EXISTS (SELECT FROM participant o
    LEFT JOIN member s ON o.kind = 'member' AND s.id = o.person_id
    LEFT JOIN patient t ON o.kind = 'patient' AND t.id = o.person_id
    LEFT JOIN contact k ON o.kind = 'contact' AND k.id = o.person_id
    WHERE o.conversation_id = c.id AND o.person_id <> $1 AND o.left_at IS NULL AND c.kind <> 'team' AND chat_named(
        coalesce(s.first_name || ' ' || s.last_name, t.first_name || ' ' || t.last_name,
            k.first_name || ' ' || k.last_name, o.shown_name), $6)))"""
_PAGE = "($3::timestamptz IS NULL OR (c.active_at, c.id) < ($3, $4::uuid)) AND ($5::uuid IS NULL OR c.id = $5)"
_LATEST_FIRST = "c.active_at DESC, c.id DESC"

CONVERSATION = conversations("c.id = $2")
"""The conversation $2 of the person $1."""
CONVERSATIONS_BY_ID = conversations("c.id = ANY($2)")
"""Those conversations $2 of the person $1."""
# Two statements: with the search in it, the plan that PostgreSQL keeps would look dearer the more conversations the
# practice has, and it would plan anew each time instead.
LISTED = conversations(_PAGE, order=_LATEST_FIRST, limit="$2")
"""$2 conversations of the person $1, those after the time $3 and id $4 where they are given, $5 alone where it is."""
FOUND = conversations(f"{_PAGE} AND {_NAMED}", order=_LATEST_FIRST, limit="$2")
"""The same of those that are called $6, or have somebody in them who is: beginnings of words."""


def message_of(row: Row) -> Message:
    """Return a message out of its row."""
    return Message(**{name: row[name] for name in Message.__dataclass_fields__})


def participant_of(row: Row) -> Participant:
    """Return a participant out of their row."""
    values: dict[str, Any] = {name: row[name] for name in Participant.__dataclass_fields__}
    values["kind"] = PersonKind(row["kind"])
    return Participant(**values)


def conversation_of(row: Row) -> Conversation:
    """Return a conversation out of its row."""
    last = None
    if row["message_id"] is not None:
        own = {"id": row["message_id"], "conversation_id": row["id"], "practice_id": row["practice_id"]}
        names = [name for name in Message.__dataclass_fields__ if name not in own]
        last = Message(**own, **{name: row[f"message_{name}"] for name in names})
    return Conversation(
        id=row["id"],
        practice_id=row["practice_id"],
        kind=ConversationKind(row["kind"]),
        name=row["name"],
        description=row["description"],
        private=row["private"],
        subject_id=row["subject_id"],
        position=row["position"],
        changed=row["changed"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        active_at=row["active_at"],
        unread=row["unread"],
        urgent=row["urgent_open"],
        last_message=last,
    )
