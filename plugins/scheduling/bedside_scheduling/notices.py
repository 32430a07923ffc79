"""Scheduling's notifications: that an appointment awaits, when, and where it is seen; never what it is about (N4)."""

from __future__ import annotations

from collections.abc import Mapping

from bedside_core.api import Channel, Fact, Language, NotificationKind, Part

_FACTS = (Fact.TIME, Fact.LINK)
_TO_PATIENTS = (Channel.IN_APP, Channel.EMAIL, Channel.SMS, Channel.PUSH)
_TO_MEMBERS = (Channel.IN_APP, Channel.EMAIL, Channel.PUSH)


def _texts(subject: str, body: str, short: str) -> Mapping[Part, str]:
    """Return the parts of a text: title, mail, and what is said on a small screen."""
    return {
        Part.SUBJECT: subject,
        Part.BODY: body,
        Part.SMS: f"{{{{ practice }}}}: {short} {{{{ link }}}}",
        Part.PUSH: f"{{{{ practice }}}}: {short}",
        Part.IN_APP: short[0].upper() + short[1:],
    }


def _to_patients(
    name: str,
    doc: str,
    english: Mapping[Part, str],
    spanish: Mapping[Part, str],
    *,
    calendar: bool = True,
    urgent: bool = True,
) -> NotificationKind:
    """Return a kind that concerns patients, which quiet hours don't hold back: it may be about tomorrow morning."""
    return NotificationKind(
        key=f"scheduling.{name}",
        doc=doc,
        facts=_FACTS,
        channels=_TO_PATIENTS,
        urgent=urgent,
        calendar=calendar,
        texts={Language.ENGLISH: english, Language.SPANISH: spanish},
    )


def _to_members(name: str, doc: str, english: Mapping[Part, str], spanish: Mapping[Part, str]) -> NotificationKind:
    return NotificationKind(
        key=f"scheduling.{name}",
        doc=doc,
        facts=_FACTS,
        channels=_TO_MEMBERS,
        texts={Language.ENGLISH: english, Language.SPANISH: spanish},
    )


BOOKED = _to_patients(
    "booked",
    "An appointment was booked for a patient, by themselves or by the practice. One for a series: its first.",
    _texts(
        "Your appointment at {{ practice }}",
        "Your appointment at {{ practice }} is on {{ time }}.\n\nSign in to see, move or cancel it.",
        "your appointment is on {{ time }}.",
    ),
    _texts(
        "Su cita en {{ practice }}",
        "Su cita en {{ practice }} es el {{ time }}.\n\nInicie sesión para verla, cambiarla o cancelarla.",
        "su cita es el {{ time }}.",
    ),
)

MOVED = _to_patients(
    "moved",
    "An appointment has another time, or other practitioners.",
    _texts(
        "Your appointment at {{ practice }} has changed",
        "Your appointment at {{ practice }} has changed. It is on {{ time }} now.\n\nSign in to see it.",
        "your appointment has changed. It is on {{ time }} now.",
    ),
    _texts(
        "Su cita en {{ practice }} ha cambiado",
        "Su cita en {{ practice }} ha cambiado. Ahora es el {{ time }}.\n\nInicie sesión para verla.",
        "su cita ha cambiado. Ahora es el {{ time }}.",
    ),
)

BY_VIDEO = _to_patients(
    "by_video",
    "An appointment in person became one by telehealth.",
    _texts(
        "Your appointment at {{ practice }} takes place by video",
        "Your appointment at {{ practice }} on {{ time }} takes place by video: there is no need to come.\n\n"
        "Sign in to join it when it is time.",
        "your appointment on {{ time }} takes place by video.",
    ),
    _texts(
        "Su cita en {{ practice }} será por video",
        "Su cita en {{ practice }} del {{ time }} será por video: no hace falta que venga.\n\n"
        "Inicie sesión para unirse cuando llegue la hora.",
        "su cita del {{ time }} será por video.",
    ),
)

IN_PERSON = _to_patients(
    "in_person",
    "An appointment by telehealth became one in person.",
    _texts(
        "Your appointment at {{ practice }} takes place at the practice",
        "Your appointment at {{ practice }} on {{ time }} takes place at the practice, not by video: please come "
        "there.\n\nSign in to see it.",
        "your appointment on {{ time }} takes place at the practice, not by video.",
    ),
    _texts(
        "Su cita en {{ practice }} será en el consultorio",
        "Su cita en {{ practice }} del {{ time }} será en el consultorio y no por video: por favor, venga."
        "\n\nInicie sesión para verla.",
        "su cita del {{ time }} será en el consultorio y no por video.",
    ),
)

CANCELLED = _to_patients(
    "cancelled",
    "An appointment was cancelled, or a patient comes to it no more.",
    _texts(
        "Your appointment at {{ practice }} is cancelled",
        "Your appointment at {{ practice }} on {{ time }} is cancelled.\n\nSign in to book another one.",
        "your appointment on {{ time }} is cancelled.",
    ),
    _texts(
        "Su cita en {{ practice }} está cancelada",
        "Su cita en {{ practice }} del {{ time }} está cancelada.\n\nInicie sesión para pedir otra.",
        "su cita del {{ time }} está cancelada.",
    ),
)

OFFERED = _to_patients(
    "offered",
    "A time that has become free is offered to a patient who waits for one (S7). Sent at once, but in quiet hours.",
    _texts(
        "An appointment at {{ practice }} has become free",
        "An appointment at {{ practice }} has become free: on {{ time }}. It is held for you for a short time.\n\n"
        "Sign in to take it, or to let it go.",
        "an appointment has become free: {{ time }}. It is held for you for a short time.",
    ),
    _texts(
        "Ha quedado libre una cita en {{ practice }}",
        "Ha quedado libre una cita en {{ practice }}: el {{ time }}. Se la reservamos por poco tiempo.\n\n"
        "Inicie sesión para aceptarla o rechazarla.",
        "ha quedado libre una cita: el {{ time }}. Se la reservamos por poco tiempo.",
    ),
    calendar=False,
    urgent=False,  # it stands until the morning
)

REMINDER = _to_patients(
    "reminder",
    "An appointment is near: as many hours before as the practice has set (N7).",
    _texts(
        "Reminder: your appointment at {{ practice }}",
        "Your appointment at {{ practice }} is on {{ time }}.\n\nSign in to see it.",
        "a reminder of your appointment on {{ time }}.",
    ),
    _texts(
        "Recordatorio: su cita en {{ practice }}",
        "Su cita en {{ practice }} es el {{ time }}.\n\nInicie sesión para verla.",
        "le recordamos su cita del {{ time }}.",
    ),
    calendar=False,
)

TELEHEALTH_REMINDER = NotificationKind(
    key="scheduling.telehealth_reminder",
    doc="An appointment by telehealth begins in half an hour, or was made so later than that. Calls who has chosen it "
    "(N7).",
    facts=_FACTS,
    channels=(*_TO_PATIENTS, Channel.VOICE),
    urgent=True,
    texts={
        Language.ENGLISH: {
            **_texts(
                "Your video appointment at {{ practice }} begins soon",
                "Your video appointment at {{ practice }} begins on {{ time }}.\n\nSign in to join it.",
                "your video appointment begins on {{ time }}. Join here:",
            ),
            Part.PUSH: "{{ practice }}: your video appointment begins soon.",
            Part.IN_APP: "Your video appointment begins on {{ time }}.",
            Part.VOICE: "This is a call from {{ practice }}. Your video appointment begins on {{ time }}. "
            "Please sign in to join it. Good bye.",
        },
        Language.SPANISH: {
            **_texts(
                "Su cita por video en {{ practice }} empieza pronto",
                "Su cita por video en {{ practice }} empieza el {{ time }}.\n\nInicie sesión para unirse.",
                "su cita por video empieza el {{ time }}. Únase aquí:",
            ),
            Part.PUSH: "{{ practice }}: su cita por video empieza pronto.",
            Part.IN_APP: "Su cita por video empieza el {{ time }}.",
            Part.VOICE: "Le llamamos de {{ practice }}. Su cita por video empieza el {{ time }}. "
            "Por favor, inicie sesión para unirse. Adiós.",
        },
    },
)

PATIENT_BOOKED = _to_members(
    "patient_booked",
    "A patient has booked with a practitioner.",
    _texts(
        "A patient has booked with you",
        "A patient of {{ practice }} has booked an appointment with you on {{ time }}.\n\nSign in to see it.",
        "a patient has booked an appointment with you on {{ time }}.",
    ),
    _texts(
        "Un paciente ha pedido cita con usted",
        "Un paciente de {{ practice }} ha pedido cita con usted para el {{ time }}.\n\nInicie sesión para verla.",
        "un paciente ha pedido cita con usted para el {{ time }}.",
    ),
)

PATIENT_MOVED = _to_members(
    "patient_moved",
    "A patient has moved their appointment with a practitioner.",
    _texts(
        "A patient has moved their appointment",
        "A patient of {{ practice }} has moved their appointment with you. It is on {{ time }} now.\n\n"
        "Sign in to see it.",
        "a patient has moved their appointment with you. It is on {{ time }} now.",
    ),
    _texts(
        "Un paciente ha cambiado su cita",
        "Un paciente de {{ practice }} ha cambiado su cita con usted. Ahora es el {{ time }}.\n\n"
        "Inicie sesión para verla.",
        "un paciente ha cambiado su cita con usted. Ahora es el {{ time }}.",
    ),
)

PATIENT_CANCELLED = _to_members(
    "patient_cancelled",
    "A patient has cancelled their appointment with a practitioner.",
    _texts(
        "A patient has cancelled their appointment",
        "A patient of {{ practice }} has cancelled their appointment with you on {{ time }}.\n\n"
        "Sign in to see your day.",
        "a patient has cancelled their appointment with you on {{ time }}.",
    ),
    _texts(
        "Un paciente ha cancelado su cita",
        "Un paciente de {{ practice }} ha cancelado su cita con usted del {{ time }}.\n\n"
        "Inicie sesión para ver su agenda.",
        "un paciente ha cancelado su cita con usted del {{ time }}.",
    ),
)

UNATTENDED = _to_members(
    "unattended",
    "A practitioner was deactivated, and appointments that are to come have nobody else; told to owners, managers and "
    "staff with the time of the first.",
    _texts(
        "Appointments without a practitioner",
        "A practitioner of {{ practice }} was deactivated, and appointments have nobody else who sees the patient. "
        "The first is on {{ time }}.\n\nSign in to give them to somebody else, or to cancel them.",
        "appointments have no practitioner any more, the first on {{ time }}.",
    ),
    _texts(
        "Citas sin profesional",
        "Se ha dado de baja a un profesional de {{ practice }} y hay citas que nadie más atiende. La primera es el "
        "{{ time }}.\n\nInicie sesión para asignarlas a otra persona o cancelarlas.",
        "hay citas que ya no tienen profesional; la primera es el {{ time }}.",
    ),
)

NOTIFICATIONS = (
    BOOKED,
    MOVED,
    BY_VIDEO,
    IN_PERSON,
    CANCELLED,
    OFFERED,
    REMINDER,
    TELEHEALTH_REMINDER,
    PATIENT_BOOKED,
    PATIENT_MOVED,
    PATIENT_CANCELLED,
    UNATTENDED,
)
"""Every kind."""
