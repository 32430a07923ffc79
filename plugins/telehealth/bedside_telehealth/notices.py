"""Telehealth's notifications: that a session awaits, who invites, and where; never a session's name (T12, N4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bedside_core.api import Channel, Fact, Language, NotificationKind, Part, Recipient, Work
from bedside_telehealth.api import Session, SessionPerson, SessionPersonKind
from bedside_telehealth.links import PAGE
from bedside_telehealth.people import Someone

if TYPE_CHECKING:
    from bedside_core.api import Platform

INVITED = NotificationKind(
    key="telehealth.invited",
    doc="Somebody was put on the list of a telehealth session, which they find among their sessions (T12).",
    facts=(Fact.SENDER, Fact.LINK),
    channels=(Channel.IN_APP, Channel.PUSH),
    texts={
        Language.ENGLISH: {
            Part.SUBJECT: "A video session at {{ practice }}",
            Part.PUSH: "{{ practice }}: a video session awaits you.",
            Part.IN_APP: "{{ sender }} has invited you to a video session.",
        },
        Language.SPANISH: {
            Part.SUBJECT: "Una sesión de vídeo en {{ practice }}",
            Part.PUSH: "{{ practice }}: le espera una sesión de vídeo.",
            Part.IN_APP: "{{ sender }} le ha invitado a una sesión de vídeo.",
        },
    },
)

NOTIFICATIONS = (INVITED,)
"""Every kind."""


async def invite(platform: Platform, work: Work, session: Session, people: Sequence[Someone], sender: str) -> None:
    """Notify people that they are on a session's list now, if the unit is committed: one statement.

    Args:
        platform: notifications.
        work: the unit of work in which they were put on it.
        session: the session.
        people: members and patients.
        sender: the name of who put them on it.
    """
    data = {Fact.SENDER: sender, Fact.LINK: f"{PAGE}/{session.id}"}
    to = [_recipient(each) for each in people]
    await platform.notify.send_all(work, INVITED.key, to=to, data=data, key=str(session.id))


async def call_off(platform: Platform, work: Work, session: Session, person: SessionPerson | None = None) -> None:
    """Take back that a session awaits somebody, or everybody (N3).

    Args:
        platform: notifications.
        work: the unit of work in which it ends, or they are removed.
        session: the session.
        person: one participant; None is everybody.
    """
    to = None if person is None else _recipient(person)
    await platform.notify.cancel(work, INVITED.key, key=str(session.id), to=to)


def _recipient(person: Someone | SessionPerson) -> Recipient:
    make = Recipient.patient if person.kind is SessionPersonKind.PATIENT else Recipient.member
    return make(person.person_id, person.home_id)
