"""Core's own events that webhooks may be told of."""

from __future__ import annotations

from collections.abc import Sequence

from bedside_core.files.facts import FileAttached, FileDeleted
from bedside_core.notify.kinds import Channel, Fact, Language, NotificationKind, Part
from bedside_core.people.model import (
    ConnectionEnded,
    ContactAdded,
    MemberChanged,
    MemberDeactivated,
    MemberReactivated,
    PatientArchived,
    PatientChanged,
    PatientCreated,
    PracticesConnected,
)
from bedside_core.webhooks.declared import PublicEvent

PUBLIC_EVENTS: Sequence[PublicEvent] = (
    PublicEvent(key="patient.created", event=PatientCreated, doc="A patient was created.", ids=("patient_id",)),
    PublicEvent(key="patient.changed", event=PatientChanged, doc="A patient was changed.", ids=("patient_id",)),
    PublicEvent(
        key="patient.archived",
        event=PatientArchived,
        doc="A patient was archived, or taken out of the archive.",
        ids=("patient_id",),
    ),
    PublicEvent(key="contact.added", event=ContactAdded, doc="An external contact was added.", ids=("contact_id",)),
    PublicEvent(key="member.changed", event=MemberChanged, doc="A member was changed.", ids=("member_id",)),
    PublicEvent(key="member.deactivated", event=MemberDeactivated, doc="A member was deactivated.", ids=("member_id",)),
    PublicEvent(
        key="member.reactivated",
        event=MemberReactivated,
        doc="A deactivated member may sign in again.",
        ids=("member_id",),
    ),
    PublicEvent(
        key="file.attached",
        event=FileAttached,
        doc="A file was attached, to a patient for example.",
        ids=("file_id", "owner_id", "attached_by"),
    ),
    PublicEvent(
        key="file.deleted",
        event=FileDeleted,
        doc="A file was deleted for good.",
        ids=("file_id", "owner_id", "deleted_by"),
    ),
    PublicEvent(
        key="practice.connected",
        event=PracticesConnected,
        doc="The practice was connected with another.",
        ids=("connection_id", "other_practice_id"),
    ),
    PublicEvent(
        key="practice.disconnected",
        event=ConnectionEnded,
        doc="The connection with another practice was ended.",
        ids=("connection_id", "other_practice_id"),
    ),
)

DISABLED = NotificationKind(
    key="core.webhook_disabled",
    doc="A webhook of the practice was switched off because its receiver failed for days.",
    facts=(Fact.TIME,),
    channels=(Channel.IN_APP, Channel.EMAIL),
    texts={
        Language.ENGLISH: {
            Part.SUBJECT: "A webhook of {{ practice }} was switched off",
            Part.BODY: "The receiver of one of the webhooks of {{ practice }} has failed for days, so it was switched "
            "off on {{ time }}.\n\nThe delivery log tells why. Switch it on again once the receiver is mended, and "
            "replay what it has missed.",
            Part.IN_APP: "The receiver of a webhook has failed for days, so it was switched off. The log tells why.",
        },
        Language.SPANISH: {
            Part.SUBJECT: "Se ha desactivado un webhook de {{ practice }}",
            Part.BODY: "El receptor de uno de los webhooks de {{ practice }} ha fallado durante días, por lo que se ha "
            "desactivado el {{ time }}.\n\nEl registro de entregas dice por qué. Actívelo de nuevo cuando el receptor "
            "esté arreglado y repita lo que ha perdido.",
            Part.IN_APP: "El receptor de un webhook ha fallado durante días y se ha desactivado. El registro dice por "
            "qué.",
        },
    },
)
"""Told to the practice's owners."""
