"""Notifications: put into an outbox with what they are about, delivered by a worker on every channel a person has.

`send` writes a row in the caller's transaction (N3, N5). When it is due, a job plans it: who is reached where, in which
language, what is switched off (N2), what quiet hours hold back (N6). Each channel's job then delivers, at least once.
Texts are templates that can hold nothing but the facts of N4.
"""

from __future__ import annotations

from bedside_core.access import EVERYONE, LEADERS, PATIENTS, Permission
from bedside_core.notify.attachments import CalendarAttachments, CalendarFile
from bedside_core.notify.channels import Letter, Permanent, Receipt, Temporary, Way
from bedside_core.notify.kinds import DEPLOYMENT, Channel, Fact, Language, NotificationKind, Part, Recipient
from bedside_core.notify.preferences import language_of
from bedside_core.notify.reach import PatientReach, Reached
from bedside_core.notify.service import Notify
from bedside_core.notify.settings import NotificationSettings
from bedside_core.notify.standard import NOTIFICATIONS

PERMISSIONS = (
    Permission(
        key="notifications.own", doc="See one's notifications, and choose how they come.", roles=EVERYONE | PATIENTS
    ),
    Permission(key="notifications.log", doc="See what was sent to whom, and what became of it.", roles=LEADERS),
    Permission(key="notifications.texts", doc="Change the practice's texts of notifications.", roles=LEADERS),
    Permission(key="notifications.trial", doc="Try whether notifications arrive.", roles=LEADERS),
)

__all__ = [
    "DEPLOYMENT",
    "NOTIFICATIONS",
    "PERMISSIONS",
    "CalendarAttachments",
    "CalendarFile",
    "Channel",
    "Fact",
    "Language",
    "Letter",
    "NotificationKind",
    "NotificationSettings",
    "Notify",
    "Part",
    "PatientReach",
    "Permanent",
    "Reached",
    "Receipt",
    "Recipient",
    "Temporary",
    "Way",
    "language_of",
]
