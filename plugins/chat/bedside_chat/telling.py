"""Tells people of messages outside the application, in the transaction of the message, and takes back what is settled.

Each notification is about a conversation, with the message as its item: several in a short time make one (N3), and what
was read, acknowledged, deleted or left is told of no more. Fetching, following and typing settle nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bedside_chat.api import Message
from bedside_chat.guest_links import PAGE, PURPOSE, GuestLinks, LinkChannel, masked
from bedside_chat.notices import MESSAGE, NOTIFICATIONS, UNREAD_EMAIL, UNREAD_SMS, URGENT, URGENT_REMINDER
from bedside_chat.texts import GUEST_MESSAGE_EMAIL, GUEST_MESSAGE_SMS
from bedside_core.api import DB, Fact, Recipient, Row, Work

if TYPE_CHECKING:
    from bedside_core.api import Platform

_TO_GUESTS = (GUEST_MESSAGE_EMAIL.key, GUEST_MESSAGE_SMS.key)
_EVERY = (*(kind.key for kind in NOTIFICATIONS), *_TO_GUESTS)
_OF_UNREAD = (MESSAGE.key, URGENT.key, UNREAD_EMAIL.key, UNREAD_SMS.key, *_TO_GUESTS)
_OF_URGENT = (URGENT.key, URGENT_REMINDER.key, *_TO_GUESTS)
_MOST_KEPT = 1000
"""Unread messages whose notifications are kept one by one: what is further back is told of by these."""
FRESH = timedelta(minutes=2)
"""So long the letter with a link that nobody has opened stands for the messages written meanwhile, too."""


async def sent(platform: Platform, work: Work, message: Message) -> None:
    """Notify everybody else who takes part of a message, in its transaction: two statements, however many they are.

    Members and patients are told, each by the settings of their own practice, unless that is connected no longer (P2).
    Who is reached by a link (C6) is sent another one to the same conversation, good for as long as the first: a
    statement more unless letters with links wait, and one for each channel.
    """
    rows = await DB.fetch(
        """SELECT * FROM chat_told($1, $2, $3, $4, $5) t
        WHERE NOT EXISTS (SELECT FROM chat_parted(ARRAY[$1]::uuid[]) p WHERE p.person_id = t.person_id)""",
        message.conversation_id,
        message.sender_id,
        platform.clock.now(),
        FRESH,
        list(_TO_GUESTS),
    )
    if not rows:
        return
    guests = [row for row in rows if row["link_id"] is not None]
    await platform.notify.send_all(
        work,
        URGENT.key if message.urgent else MESSAGE.key,
        to=[recipient(row["kind"], row["home_id"], row["person_id"]) for row in rows if row["link_id"] is None],
        data=facts(message.conversation_id, rows[0]["sender"]),
        key=str(message.conversation_id),
        item=str(message.id),
    )
    if guests:
        await _tell_guests(platform, work, message, guests)


async def _tell_guests(platform: Platform, work: Work, message: Message, rows: Sequence[Row]) -> None:
    """Send letters with links; one that waits still keeps the link that it has, and tells of this message, too."""
    reached = {row["person_id"]: at for row in rows if (at := _reached(row)) is not None}
    rows = [row for row in rows if row["person_id"] in reached]
    links = GuestLinks(platform)
    for row in rows:
        channel, address = reached[row["person_id"]]
        if (row["went_channel"], row["went_to"]) != (channel, masked(address)):
            who = recipient(row["kind"], message.practice_id, row["person_id"], by_link=True)
            await platform.notify.cancel_all(work, _TO_GUESTS, key=str(message.conversation_id), to=who)
            await links.moved(
                work, message.conversation_id, row["person_id"], channel, address, patient=row["kind"] == "patient"
            )
    lacking = [row["link_id"] for row in rows if row["waiting"] is None]
    pages: dict[UUID, str | None] = {row["link_id"]: row["waiting"] for row in rows}
    if lacking:
        secrets = await platform.links.add(work, PURPOSE, lacking)
        pages |= {link_id: f"{PAGE}#{secret}" for link_id, secret in secrets.items()}
    for channel, kind in ((LinkChannel.EMAIL, GUEST_MESSAGE_EMAIL), (LinkChannel.SMS, GUEST_MESSAGE_SMS)):
        letters = [
            (
                Recipient.guest(
                    row["person_id"],
                    message.practice_id,
                    email=address if channel is LinkChannel.EMAIL else None,
                    phone=address if channel is LinkChannel.SMS else None,
                ),
                {Fact.SENDER: row["sender"], Fact.LINK: pages[row["link_id"]]},
            )
            for row in rows
            for by, address in (reached[row["person_id"]],)
            if by is channel and pages[row["link_id"]] is not None
        ]
        await platform.notify.send_each(
            work,
            kind.key,
            letters,
            key=str(message.conversation_id),
            item=str(message.id),
            after=timedelta() if message.urgent else None,
        )


def _reached(row: Row) -> tuple[LinkChannel, str] | None:
    """Return where somebody is told: as the newest letter went, or else by the other channel; None is nowhere.

    A phone that is not to be used, since SMS are switched off and there is an e-mail address (N2), is none in the row.
    """
    ways = [(LinkChannel.EMAIL, row["email"]), (LinkChannel.SMS, row["phone"])]
    if row["went_channel"] == LinkChannel.SMS:
        ways.reverse()
    return next(((channel, address) for channel, address in ways if address), None)


async def read(
    platform: Platform, work: Work, conversation_id: UUID, reader: Recipient, *, unread_after: int | None
) -> None:
    """Take back what somebody has read meanwhile; what is unread stays. An urgent message's reminders stay, too.

    Args:
        platform: for the notifications.
        work: the unit of work in which they have read.
        conversation_id: where.
        reader: who.
        unread_after: position of the last message read, where there are later ones; None where all is read.
    """
    kept: list[str] = []
    if unread_after is not None:
        rows = await DB.fetch(
            """SELECT id::text FROM message WHERE conversation_id = $1 AND "position" > $2
            ORDER BY "position" DESC LIMIT $3""",
            conversation_id,
            unread_after,
            _MOST_KEPT,
        )
        kept = [row["id"] for row in rows]
    await platform.notify.cancel_all(work, _OF_UNREAD, key=str(conversation_id), to=reader, kept=kept)


async def acknowledged(platform: Platform, work: Work, message: Message, by: Recipient) -> None:
    """Take back what tells somebody of an urgent message that they have acknowledged."""
    await platform.notify.cancel_all(work, _OF_URGENT, key=str(message.conversation_id), to=by, items=[str(message.id)])


async def deleted(platform: Platform, work: Work, message: Message) -> None:
    """Take back whatever tells anybody of a message that is deleted (C11)."""
    await platform.notify.cancel_all(work, _EVERY, key=str(message.conversation_id), items=[str(message.id)])


async def left(platform: Platform, work: Work, conversation_id: UUID, who: Recipient) -> None:
    """Take back whatever tells somebody of a conversation in which they take part no more."""
    await platform.notify.cancel_all(work, _EVERY, key=str(conversation_id), to=who)


def recipient(kind: str, home_id: UUID, person_id: UUID, *, by_link: bool = False) -> Recipient:
    """Return somebody who takes part as a recipient, in their own practice; who came by a link has no account."""
    if by_link:
        return Recipient.guest(person_id, home_id)
    return Recipient(kind=kind, practice_id=home_id, id=person_id)


def facts(conversation_id: UUID, sender: str | None) -> Mapping[Fact, Any]:
    """Return what a notification of a message tells: who wrote, and where it is read (N4)."""
    return {Fact.SENDER: sender or "?", Fact.LINK: f"/chat/{conversation_id}"}
