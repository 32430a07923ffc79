"""Core's own notifications."""

from __future__ import annotations

from collections.abc import Sequence

from bedside_core.notify.kinds import Channel, Fact, Language, NotificationKind, Part

TRIAL = NotificationKind(
    key="core.trial",
    doc="Somebody of the practice has tried whether notifications arrive.",
    facts=(Fact.SENDER, Fact.TIME, Fact.LINK),
    channels=tuple(Channel),
    urgent=True,
    texts={
        Language.ENGLISH: {
            Part.SUBJECT: "A trial from {{ practice }}",
            Part.BODY: "{{ sender }} has tried on {{ time }} whether notifications arrive. This one did.",
            Part.SMS: "{{ practice }}: a trial by {{ sender }}.",
            Part.VOICE: "This is a trial from {{ practice }}, by {{ sender }}. Good bye.",
            Part.PUSH: "{{ sender }} has tried whether notifications arrive.",
            Part.IN_APP: "{{ sender }} has tried whether notifications arrive.",
        },
        Language.SPANISH: {
            Part.SUBJECT: "Una prueba de {{ practice }}",
            Part.BODY: "{{ sender }} ha probado el {{ time }} si llegan las notificaciones. Esta ha llegado.",
            Part.SMS: "{{ practice }}: una prueba de {{ sender }}.",
            Part.VOICE: "Esto es una prueba de {{ practice }}, de {{ sender }}. Adiós.",
            Part.PUSH: "{{ sender }} ha probado si llegan las notificaciones.",
            Part.IN_APP: "{{ sender }} ha probado si llegan las notificaciones.",
        },
    },
)

NOTIFICATIONS: Sequence[NotificationKind] = (TRIAL,)
"""What core itself notifies of."""
