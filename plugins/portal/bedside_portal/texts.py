"""The portal's notifications: invitations of patients and of guardians, without a word on health (N4)."""

from __future__ import annotations

from bedside_core.api import Channel, Fact, Language, NotificationKind, Part

INVITATION = NotificationKind(
    key="portal.invitation",
    doc="A patient is invited to the patient portal.",
    facts=(Fact.LINK,),
    channels=(Channel.EMAIL,),
    instead=(Channel.SMS,),
    urgent=True,
    secret=True,
    texts={
        Language.ENGLISH: {
            Part.SUBJECT: "{{ practice }} invites you to its patient portal",
            Part.BODY: "{{ practice }} invites you to an account of your own in its patient portal.\n\n"
            "The link asks for your date of birth and can be used for 21 days.",
            Part.SMS: "{{ practice }} invites you to its patient portal: {{ link }}",
        },
        Language.SPANISH: {
            Part.SUBJECT: "{{ practice }} le invita a su portal de pacientes",
            Part.BODY: "{{ practice }} le invita a tener una cuenta propia en su portal de pacientes.\n\n"
            "El enlace le pedirá su fecha de nacimiento y puede usarse durante 21 días.",
            Part.SMS: "{{ practice }} le invita a su portal de pacientes: {{ link }}",
        },
    },
)

GUARDIAN_INVITATION = NotificationKind(
    key="portal.guardian_invitation",
    doc="Somebody is invited to act for a patient in the patient portal.",
    facts=(Fact.LINK,),
    channels=(Channel.EMAIL,),
    instead=(Channel.SMS,),
    urgent=True,
    secret=True,
    texts={
        Language.ENGLISH: {
            Part.SUBJECT: "{{ practice }} invites you to its patient portal as a guardian",
            Part.BODY: "{{ practice }} invites you to act for somebody in its patient portal.\n\n"
            "The link asks for that person's date of birth and can be used for 21 days.",
            Part.SMS: "{{ practice }} invites you to act for somebody in its patient portal: {{ link }}",
        },
        Language.SPANISH: {
            Part.SUBJECT: "{{ practice }} le invita a su portal de pacientes como tutor",
            Part.BODY: "{{ practice }} le invita a actuar en nombre de otra persona en su portal de pacientes.\n\n"
            "El enlace le pedirá la fecha de nacimiento de esa persona y puede usarse durante 21 días.",
            Part.SMS: "{{ practice }} le invita a actuar por otra persona en su portal: {{ link }}",
        },
    },
)

NOTIFICATIONS = (INVITATION, GUARDIAN_INVITATION)
"""Every kind."""
