"""Chat's notifications: that a message awaits, from whom, and where; never a word of it, nor a group's name (N4)."""

from __future__ import annotations

from bedside_core.api import Channel, Fact, Language, NotificationKind, Part

_WAYS = (Channel.IN_APP, Channel.EMAIL, Channel.SMS, Channel.PUSH)
_FACTS = (Fact.SENDER, Fact.LINK)

MESSAGE = NotificationKind(
    key="chat.message",
    doc="Somebody has written in a conversation. Several messages in a short time make one (N3).",
    facts=_FACTS,
    channels=_WAYS,
    required=(Channel.EMAIL,),
    texts={
        Language.ENGLISH: {
            Part.SUBJECT: "A new message from {{ sender }}",
            Part.BODY: "{{ sender }} has written to you at {{ practice }}.\n\nSign in to read it and to answer.",
            Part.SMS: "{{ practice }}: a new message from {{ sender }}. {{ link }}",
            Part.PUSH: "{{ practice }}: a message awaits you.",
            Part.IN_APP: "{{ sender }} has written to you.",
        },
        Language.SPANISH: {
            Part.SUBJECT: "Un mensaje nuevo de {{ sender }}",
            Part.BODY: "{{ sender }} le ha escrito en {{ practice }}.\n\nInicie sesión para leerlo y responder.",
            Part.SMS: "{{ practice }}: un mensaje nuevo de {{ sender }}. {{ link }}",
            Part.PUSH: "{{ practice }}: le espera un mensaje.",
            Part.IN_APP: "{{ sender }} le ha escrito.",
        },
    },
)

URGENT = NotificationKind(
    key="chat.urgent",
    doc="Somebody has written an urgent message, which is to be acknowledged. Sent at once, in quiet hours too (C10).",
    facts=_FACTS,
    channels=_WAYS,
    required=(Channel.EMAIL,),
    urgent=True,
    texts={
        Language.ENGLISH: {
            Part.SUBJECT: "An urgent message from {{ sender }}",
            Part.BODY: "{{ sender }} has sent you an urgent message at {{ practice }}.\n\n"
            "Sign in to read it, and acknowledge it.",
            Part.SMS: "{{ practice }}: an urgent message from {{ sender }}. Please acknowledge it: {{ link }}",
            Part.PUSH: "{{ practice }}: an urgent message awaits you.",
            Part.IN_APP: "{{ sender }} has sent you an urgent message. Please acknowledge it.",
        },
        Language.SPANISH: {
            Part.SUBJECT: "Un mensaje urgente de {{ sender }}",
            Part.BODY: "{{ sender }} le ha enviado un mensaje urgente en {{ practice }}.\n\n"
            "Inicie sesión para leerlo y confirme que lo ha visto.",
            Part.SMS: "{{ practice }}: un mensaje urgente de {{ sender }}. Confirme que lo ha visto: {{ link }}",
            Part.PUSH: "{{ practice }}: le espera un mensaje urgente.",
            Part.IN_APP: "{{ sender }} le ha enviado un mensaje urgente. Confirme que lo ha visto.",
        },
    },
)

URGENT_REMINDER = NotificationKind(
    key="chat.urgent_reminder",
    doc="An urgent message was not acknowledged: every 5 minutes, six times at most, for who has it switched on (N6).",
    facts=_FACTS,
    channels=(Channel.EMAIL, Channel.SMS, Channel.PUSH),
    urgent=True,
    texts={
        Language.ENGLISH: {
            Part.SUBJECT: "Reminder: an urgent message from {{ sender }}",
            Part.BODY: "An urgent message from {{ sender }} at {{ practice }} still awaits you.\n\n"
            "Sign in to read it, and acknowledge it.",
            Part.SMS: "{{ practice }}: an urgent message from {{ sender }} still awaits you. {{ link }}",
            Part.PUSH: "{{ practice }}: an urgent message still awaits you.",
        },
        Language.SPANISH: {
            Part.SUBJECT: "Recordatorio: un mensaje urgente de {{ sender }}",
            Part.BODY: "Un mensaje urgente de {{ sender }} en {{ practice }} le espera todavía.\n\n"
            "Inicie sesión para leerlo y confirme que lo ha visto.",
            Part.SMS: "{{ practice }}: un mensaje urgente de {{ sender }} le espera todavía. {{ link }}",
            Part.PUSH: "{{ practice }}: un mensaje urgente le espera todavía.",
        },
    },
)

_UNREAD = {
    Language.ENGLISH: {
        Part.SUBJECT: "Reminder: an unread message from {{ sender }}",
        Part.BODY: "A message from {{ sender }} at {{ practice }} is still unread.\n\n"
        "You get this reminder because you have set it in your own settings of chat.",
        Part.SMS: "{{ practice }}: a message from {{ sender }} is still unread. {{ link }}",
    },
    Language.SPANISH: {
        Part.SUBJECT: "Recordatorio: un mensaje sin leer de {{ sender }}",
        Part.BODY: "Un mensaje de {{ sender }} en {{ practice }} sigue sin leer.\n\n"
        "Recibe este recordatorio porque así lo ha elegido en sus ajustes del chat.",
        Part.SMS: "{{ practice }}: un mensaje de {{ sender }} sigue sin leer. {{ link }}",
    },
}

UNREAD_EMAIL = NotificationKind(
    key="chat.unread_email",
    doc="A message was not read for as long as the person has set, by e-mail (N6).",
    facts=_FACTS,
    channels=(Channel.EMAIL,),
    texts=_UNREAD,
)

UNREAD_SMS = NotificationKind(
    key="chat.unread_sms",
    doc="A message was not read for as long as the person has set, by SMS (N6).",
    facts=_FACTS,
    channels=(Channel.SMS,),
    texts=_UNREAD,
)

NOTIFICATIONS = (MESSAGE, URGENT, URGENT_REMINDER, UNREAD_EMAIL, UNREAD_SMS)
"""Every kind."""
