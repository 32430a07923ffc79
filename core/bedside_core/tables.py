"""Core's tables as Piccolo knows them; the migrations make them, and a test compares the two."""

from __future__ import annotations

from piccolo.columns import JSONB, UUID, BigInt, Boolean, Date, DoublePrecision, Integer, Text, Timestamptz
from piccolo.table import Table

from bedside_core.accounts import tables as accounts
from bedside_core.accounts.tables import (
    EmailChange,
    Invitation,
    Link,
    SecurityAnswer,
    Terms,
    TermsAcceptance,
)
from bedside_core.applications.tables import TABLE_KINDS as APPLICATION_KINDS
from bedside_core.applications.tables import Application, ApplicationCode, ApplicationToken
from bedside_core.audit.tables import TABLE_KINDS as AUDIT_KINDS
from bedside_core.audit.tables import AuditEntry as AuditEntry
from bedside_core.audit.tables import AuditSeal as AuditSeal
from bedside_core.audit.tables import AuditUnsealed as AuditUnsealed
from bedside_core.auth.tables import TABLE_KINDS as AUTH_KINDS
from bedside_core.auth.tables import (
    ApiKey,
    Attempt,
    Device,
    GuestSession,
    Passkey,
    PasskeyChallenge,
    RecoveryCode,
    Session,
    Totp,
)
from bedside_core.database import DB, Kind
from bedside_core.files import tables as files
from bedside_core.files.tables import File as File
from bedside_core.files.tables import FileObject as FileObject
from bedside_core.imports import tables as imports
from bedside_core.imports.tables import ImportRefusal as ImportRefusal
from bedside_core.imports.tables import ImportRow as ImportRow
from bedside_core.inbox import tables as inbox
from bedside_core.inbox.tables import InboxItem as InboxItem
from bedside_core.inbox.tables import InboxRow as InboxRow
from bedside_core.notify.tables import TABLE_KINDS as NOTIFY_KINDS
from bedside_core.notify.tables import (
    Notification,
    NotificationAttempt,
    NotificationBox,
    NotificationDelivery,
    NotificationOptOut,
    NotificationPreference,
    NotificationShown,
    NotificationText,
    OutboxLetter,
    PushSubscription,
)
from bedside_core.people.tables import TABLE_KINDS as PEOPLE_KINDS
from bedside_core.people.tables import Connection as Connection
from bedside_core.people.tables import Contact as Contact
from bedside_core.people.tables import Creation as Creation
from bedside_core.people.tables import PersonWord as PersonWord
from bedside_core.records import tables as records
from bedside_core.records.tables import DataExport as DataExport
from bedside_core.records.tables import PracticeErasure as PracticeErasure
from bedside_core.records.tables import RetentionDue as RetentionDue
from bedside_core.webhooks.tables import TABLE_KINDS as WEBHOOK_KINDS
from bedside_core.webhooks.tables import WebhookDelivery, WebhookEndpoint

__all__ = [
    "TABLE_KINDS",
    "Account",
    "ApiKey",
    "Application",
    "ApplicationCode",
    "ApplicationToken",
    "Attempt",
    "AuditEntry",
    "AuditSeal",
    "AuditUnsealed",
    "ClockRow",
    "Connection",
    "Contact",
    "Creation",
    "Credential",
    "DataExport",
    "Device",
    "EmailChange",
    "File",
    "FileObject",
    "GuestSession",
    "ImportRefusal",
    "ImportRow",
    "Invitation",
    "JobAttempt",
    "JobSchedule",
    "Link",
    "Member",
    "Notification",
    "NotificationAttempt",
    "NotificationBox",
    "NotificationDelivery",
    "NotificationOptOut",
    "NotificationPreference",
    "NotificationShown",
    "NotificationText",
    "OutboxLetter",
    "Passkey",
    "PasskeyChallenge",
    "Patient",
    "PersonWord",
    "Practice",
    "PracticeErasure",
    "PushSubscription",
    "RecoveryCode",
    "RetentionDue",
    "SecurityAnswer",
    "Session",
    "Setting",
    "Terms",
    "TermsAcceptance",
    "Totp",
    "WebhookDelivery",
    "WebhookEndpoint",
]


class Practice(Table, tablename="practice", db=DB):
    """A practice, the tenant (P1)."""

    id = UUID(primary_key=True, default=None)
    name = Text()
    zone = Text(help_text="IANA time zone.")
    position = BigInt(help_text="Grows with each change of its plan, its people's rights or its connections.")
    created_at = Timestamptz()
    handle = Text(help_text="By what another practice asks for a connection.")
    created_by = UUID(null=True, help_text="The operator's account; none where a command made it.")
    client_id = Text(null=True, help_text="The operator's own id of it (G9).")
    sandbox = Boolean(help_text="Whether it is the deployment's one sandbox (G8).")


class Account(Table, tablename="account", db=DB):
    """Somebody who can sign in (A4), to one or several practices (A15)."""

    id = UUID(primary_key=True, default=None)
    email = Text(help_text="The user name; compared without case.")
    operator = Boolean(help_text="Whether it is the deployment's operator.")
    sandbox = Boolean(help_text="Whether it is of the sandbox, and so of no practice (G8).")
    created_at = Timestamptz()


class Credential(Table, tablename="credential", db=DB):
    """An account's password, as argon2id hash."""

    account_id = UUID(primary_key=True, default=None)
    password_hash = Text()


class Member(Table, tablename="member", db=DB):
    """A person who signs in for a practice (A12)."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    account_id = UUID()
    first_name = Text()
    last_name = Text()
    role = Text()
    active = Boolean()
    created_at = Timestamptz()
    phone = Text(null=True, help_text="E.164.")
    video_host = Boolean(help_text="Whether the member may host video (T1).")
    email_for = Text(help_text="Who may see the address: `connected`, `practice` or `nobody` (A8).")
    phone_for = Text(help_text="Who may see the number.")
    title = Text(null=True, help_text="What stands with the name, such as MD.")
    settings_reviewed_at = Timestamptz(null=True, help_text="When the member looked their settings over (A8).")


class Patient(Table, tablename="patient", db=DB):
    """A person in the practice's care (P3)."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    first_name = Text()
    last_name = Text()
    date_of_birth = Date()
    mrn = Text(help_text="Medical record number, unique within the practice.")
    gender = Text()
    phone = Text(null=True, help_text="E.164.")
    email = Text(null=True)
    created_at = Timestamptz()
    archived_at = Timestamptz(null=True)
    merged_into = UUID(null=True, help_text="The record that was kept where this one was merged.")
    merged_at = Timestamptz(null=True)
    changed_at = Timestamptz(help_text="When the record was last changed, kept by a trigger.")


class Setting(Table, tablename="setting", db=DB):
    """What a practice, or one of its members, has set of a plugin's settings."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    plugin = Text()
    member_id = UUID(null=True, help_text="Whose own values; none for the practice's.")
    stored = JSONB(help_text="Setting name -> value.")


class PatientSetting(Table, tablename="patient_setting", db=DB):
    """What a patient has set of a plugin's settings, or who acts for them."""

    practice_id = UUID()
    plugin = Text()
    patient_id = UUID(primary_key=True, default=None)
    stored = JSONB(help_text="Setting name -> value.")


class ClockRow(Table, tablename="clock", db=DB):
    """The one row by which demo and tests move time."""

    one = Boolean(primary_key=True)
    offset_seconds = DoublePrecision()
    position = BigInt()


class JobAttempt(Table, tablename="job_attempt", db=DB):
    """How often a queued job was started; it survives the worker that the job kills."""

    job_id = BigInt(primary_key=True)
    number = Integer()
    running = Boolean(help_text="Whether the last start has had no end yet.")
    reason = Text(help_text="Kind and place of the last failure.")


class JobSchedule(Table, tablename="job_schedule", db=DB):
    """When a scheduled job is due next, by the product's clock."""

    name = Text(primary_key=True)
    cron = Text(help_text="Five fields, UTC.")
    due_at = Timestamptz()


TABLE_KINDS = {
    "practice": Kind.DEPLOYMENT,
    "account": Kind.DEPLOYMENT,
    "credential": Kind.DEPLOYMENT,
    **AUTH_KINDS,
    "clock": Kind.DEPLOYMENT,
    "job_attempt": Kind.DEPLOYMENT,
    "job_schedule": Kind.DEPLOYMENT,
    "member": Kind.PRACTICE,
    "patient": Kind.PRACTICE,
    "setting": Kind.PRACTICE,
    "patient_setting": Kind.PRACTICE,
    **APPLICATION_KINDS,
    **AUDIT_KINDS,
    **PEOPLE_KINDS,
    **NOTIFY_KINDS,
    **files.TABLE_KINDS,
    **imports.TABLE_KINDS,
    **inbox.TABLE_KINDS,
    **records.TABLE_KINDS,
    **WEBHOOK_KINDS,
    **accounts.TABLE_KINDS,
}
