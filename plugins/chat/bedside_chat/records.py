"""What chat keeps of practices and patients."""

from __future__ import annotations

from uuid import UUID

from bedside_chat import telling
from bedside_chat.exported import take_away
from bedside_chat.guest_links import PURPOSE, GuestLinks
from bedside_chat.inbox import CONVERSATION_KIND
from bedside_chat.texts import GUEST_LINK
from bedside_core.api import DB, DataContribution, KeptTable, Platform, unit

_TAKES_PART = """t.conversation_id IN (SELECT p.conversation_id FROM participant p
    WHERE p.person_id = $1 AND p.practice_id = t.practice_id)"""
_WRITTEN = f"t.sent_at >= $2 AND {_TAKES_PART}"
_FILES = """t.owner_kind = 'chat_message' AND t.owner_id IN (SELECT m.id FROM message m
    JOIN participant p ON p.conversation_id = m.conversation_id AND p.practice_id = m.practice_id
    WHERE p.person_id = $1)"""

# A member who wrote with both records has two conversations with the one patient: they stay two, and the key of the
# second is that of the merged record, so that the one with the kept record is found when somebody starts.
_SUBJECTS = """UPDATE conversation c SET subject_id = $1::uuid,
    only_key = CASE WHEN EXISTS (SELECT FROM conversation o WHERE o.only_key = moved.key) THEN c.only_key
        ELSE moved.key END
FROM (SELECT id, (SELECT string_agg(part, '/' ORDER BY part) FROM unnest(
        array_replace(string_to_array(only_key, '/'), $2::uuid::text, $1::uuid::text)) AS part) AS key
    FROM conversation WHERE subject_id = $2::uuid) AS moved
WHERE c.id = moved.id"""
_PARTICIPANTS = """INSERT INTO participant (practice_id, conversation_id, person_id, kind, home_id, shown_name,
    shown_practice, by_link, added_by, joined_at, left_at, removed, read_position, read_number, changed)
SELECT practice_id, conversation_id, $1::uuid, kind, home_id, shown_name, shown_practice, by_link, added_by, joined_at,
    left_at, removed, read_position, read_number, changed FROM participant WHERE person_id = $2
ON CONFLICT DO NOTHING"""

# By the rows what was sent by them is found when the kept patient is erased.
_LINKS = """UPDATE guest_link SET person_id = $1, revoked_at = coalesce(revoked_at, $3) WHERE person_id = $2
RETURNING id, practice_id, conversation_id"""

# The first letters with links are kept by the links' ids, later ones by the conversations'.
_SENT = "SELECT id FROM guest_link WHERE person_id = $1 OR conversation_id = ANY($2)"


async def _merge(platform: Platform, kept: UUID, merged: UUID) -> None:
    """Have the kept patient take part wherever the merged one did, and be who wrote and marked what they did."""
    await DB.execute(_SUBJECTS, kept, merged)
    await DB.execute(_PARTICIPANTS, kept, merged)
    await DB.execute("UPDATE message SET sender_id = $1 WHERE sender_id = $2", kept, merged)
    await DB.execute("UPDATE message_reaction SET person_id = $1 WHERE person_id = $2", kept, merged)
    await DB.execute("UPDATE urgent_recipient SET person_id = $1 WHERE person_id = $2", kept, merged)
    await DB.execute(
        "UPDATE conversation_export SET made_by = $1, client_id = id::text WHERE made_by = $2", kept, merged
    )
    await DB.execute("DELETE FROM participant WHERE person_id = $1", merged)
    async with unit() as work:  # whoever came by the merged record's links is put out; new ones can be sent
        await platform.auth.guests.end(work, person_id=merged)
        for row in await DB.fetch(_LINKS, kept, merged, platform.clock.now()):
            await platform.links.void(work, PURPOSE, row["id"])
            who = telling.recipient("patient", row["practice_id"], merged, by_link=True)
            await telling.left(platform, work, row["conversation_id"], who)
            await platform.notify.cancel(work, GUEST_LINK.key, key=str(row["id"]))
    await GuestLinks(platform).all_over(kept)
    await DB.execute("DELETE FROM conversation_start WHERE person_id = $1", merged)


async def _erase(platform: Platform, patient_id: UUID) -> None:
    """Take away the conversations that a patient takes part in, with all that was written there by anybody.

    What others were told of them names the patient, and goes, too, and so do exports of them.
    """
    there = await DB.fetch(
        "SELECT DISTINCT conversation_id AS id FROM participant WHERE person_id = $1 ORDER BY conversation_id",
        patient_id,
    )
    for row in there:
        await take_away(platform, row["id"])
        await DB.execute("DELETE FROM conversation_export WHERE conversation_id = $1", row["id"])
    async with unit() as work:
        for row in there:  # guests of those conversations, the patient among them, hear nothing from then on
            await platform.auth.guests.end(work, bound_to=row["id"])
        sent = await DB.fetch(_SENT, patient_id, [row["id"] for row in there])
        await platform.notify.erase(work, [str(row["id"]) for row in (*there, *sent)])
    rows = await DB.fetch(
        """DELETE FROM conversation c USING participant p
        WHERE p.conversation_id = c.id AND p.practice_id = c.practice_id AND p.person_id = $1
        RETURNING c.id, ARRAY(SELECT o.person_id FROM participant o WHERE o.conversation_id = c.id
            AND o.person_id <> $1 AND o.left_at IS NULL) AS persons""",
        patient_id,
    )
    async with unit() as work:
        for row in rows:
            platform.inbox.tell(work, CONVERSATION_KIND, row["id"], row["persons"])


RECORDS = DataContribution(
    tables=(
        KeptTable(
            name="conversation",
            doc="Conversations that the practice owns.",
            patient="""t.id IN (SELECT p.conversation_id FROM participant p
                WHERE p.person_id = $1 AND p.practice_id = t.practice_id)""",
            hidden=("only_key",),
        ),
        KeptTable(
            name="participant",
            doc="Who takes part in them, or did.",
            patient=_TAKES_PART,
            hidden=("email_reminded", "sms_reminded", "receipt_at", "told_at"),
        ),
        KeptTable(
            name="message",
            doc="Their messages.",
            patient=_TAKES_PART,
            hidden=("client_id", "words", "receipt_at", "told_at"),
            active=_WRITTEN,
        ),
        KeptTable(name="message_reaction", doc="Emojis at messages.", patient=_TAKES_PART),
        KeptTable(name="message_attachment", doc="Which files are at which messages.", patient=_TAKES_PART),
        KeptTable(
            name="urgent_recipient",
            doc="Who is to acknowledge urgent messages, and who has.",
            patient=_TAKES_PART,
            hidden=("reminded", "remind_at"),
        ),
        KeptTable(name="quick_text", doc="Quick texts, of the practice and of its members."),
        KeptTable(
            name="conversation_export",
            doc="Which exports of conversations were asked for, and by whom.",
            patient=_TAKES_PART.replace(" AND p.practice_id = t.practice_id", ""),
            hidden=("client_id", "asked_by"),
        ),
        KeptTable(
            name="conversation_start",
            doc="Not exported: which retries are retries.",
            patient="t.person_id = $1",
            exported=False,
        ),
        KeptTable(
            name="guest_link",
            doc="Links that people without an account were sent.",
            patient="t.person_id = $1",
        ),
    ),
    files=(_FILES,),
    merge=_merge,
    erase=_erase,
)
"""Contributed by the manifest."""
