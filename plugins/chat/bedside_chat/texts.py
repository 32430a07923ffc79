"""Chat's letters to people without an account, without a word of what was written (N4)."""

from __future__ import annotations

from bedside_core.api import Channel, Fact, Language, NotificationKind, Part

GUEST_LINK = NotificationKind(
    key="chat.guest_link",
    doc="Somebody without an account is sent the link to a conversation.",
    facts=(Fact.SENDER, Fact.LINK),
    channels=(Channel.EMAIL,),
    instead=(Channel.SMS,),
    required=(Channel.EMAIL, Channel.SMS),  # SMS goes where it is the only way, or not switched off (N2)
    urgent=True,
    secret=True,
    texts={
        Language.ENGLISH: {
            Part.SUBJECT: "{{ sender }} of {{ practice }} would like to write with you",
            Part.BODY: "{{ sender }} of {{ practice }} has opened a secure conversation with you. You need no "
            "account.\n\nThe link is for you alone and works for a limited time. Please do not pass it on.",
            Part.SMS: "{{ sender }}, {{ practice }}: open our secure conversation: {{ link }}",
        },
        Language.SPANISH: {
            Part.SUBJECT: "{{ sender }}, de {{ practice }}, quiere escribirse con usted",
            Part.BODY: "{{ sender }}, de {{ practice }}, ha abierto una conversación segura con usted. No necesita "
            "cuenta.\n\nEl enlace es solo para usted y vale por tiempo limitado. Por favor, no lo comparta.",
            Part.SMS: "{{ sender }}, {{ practice }}: abra nuestra conversación segura: {{ link }}",
        },
    },
)

_MESSAGE_TEXTS = {
    Language.ENGLISH: {
        Part.SUBJECT: "A new message from {{ sender }}",
        Part.BODY: "{{ sender }} has written to you in your secure conversation with {{ practice }}. You need no "
        "account to read it and to answer.\n\nThe link is for you alone and works for a limited time. Please do not "
        "pass it on.",
        Part.SMS: "{{ practice }}: a new message from {{ sender }}. {{ link }}",
    },
    Language.SPANISH: {
        Part.SUBJECT: "Un mensaje nuevo de {{ sender }}",
        Part.BODY: "{{ sender }} le ha escrito en su conversación segura con {{ practice }}. No necesita cuenta para "
        "leerlo y responder.\n\nEl enlace es solo para usted y vale por tiempo limitado. Por favor, no lo comparta.",
        Part.SMS: "{{ practice }}: un mensaje nuevo de {{ sender }}. {{ link }}",
    },
}

GUEST_MESSAGE_EMAIL = NotificationKind(
    key="chat.guest_message_email",
    doc="Somebody has written to a person without an account, who was sent the link by e-mail (C6, N3).",
    facts=(Fact.SENDER, Fact.LINK),
    channels=(Channel.EMAIL,),
    required=(Channel.EMAIL,),
    secret=True,
    texts=_MESSAGE_TEXTS,
)

GUEST_MESSAGE_SMS = NotificationKind(
    key="chat.guest_message_sms",
    doc="Somebody has written to a person without an account, who was sent the link by SMS (C6, N3).",
    facts=(Fact.SENDER, Fact.LINK),
    channels=(Channel.SMS,),
    required=(Channel.SMS,),
    secret=True,
    texts=_MESSAGE_TEXTS,
)

LETTERS = (GUEST_LINK, GUEST_MESSAGE_EMAIL, GUEST_MESSAGE_SMS)
"""Every kind."""
