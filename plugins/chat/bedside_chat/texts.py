"""Chat's notifications, without a word of what was written (N4)."""

from __future__ import annotations

from bedside_core.api import Channel, Fact, Language, NotificationKind, Part

GUEST_LINK = NotificationKind(
    key="chat.guest_link",
    doc="Somebody without an account is sent the link to a conversation.",
    facts=(Fact.SENDER, Fact.LINK),
    channels=(Channel.EMAIL,),
    instead=(Channel.SMS,),
    required=(Channel.EMAIL, Channel.SMS),
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
