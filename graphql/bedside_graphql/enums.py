"""Core's enums as GraphQL shows them, each value described; core itself knows no GraphQL."""

from collections.abc import Mapping
from enum import Enum
from typing import Literal, TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from bedside_core.access import Reason, Rule, Tier
from bedside_core.accounts.model import InvitationState
from bedside_core.auth import Pending, Role
from bedside_core.files import FileState
from bedside_core.imports import Dates, Encoding, FaultCode, ProblemCode, State
from bedside_core.imports import Field as PatientField
from bedside_core.notify import Channel, Language, Part
from bedside_core.people import ConnectionState, PersonKind, Visibility
from bedside_core.plugins import Status
from bedside_core.records.model import ExportState
from bedside_core.webhooks import DeliveryState

E = TypeVar("E", bound=Enum)


def _show(
    kind: type[E],
    name: str,
    description: str,
    values: Mapping[E, str],
    *,
    named_by: Literal["key", "value"] = "key",
) -> None:
    """Make an enum of core's one of the schema.

    Args:
        kind: the enum.
        name: what it is called in the schema.
        description: what it tells.
        values: what each of its values tells.
        named_by: which side of a member its name in the schema is.
    """
    strawberry.enum(kind, name=name, description=description, graphql_name_from=named_by)
    definition: StrawberryEnumDefinition = getattr(kind, "__strawberry_definition__")  # noqa: B009 - Strawberry put it there
    for value in definition.values:
        value.description = values[kind(value.value)]


def _show_enums() -> None:
    """Make core's enums part of the schema; once, before types are built that use them."""
    _show(
        Role,
        "Role",
        "What a person is in a practice, or the deployment's operator.",
        {
            Role.OWNER: "Owns the practice, and may do what managers and practitioners may: also alone.",
            Role.MANAGER: "Leads the practice: its people and its settings.",
            Role.PRACTITIONER: "Treats the practice's patients.",
            Role.STAFF: "Works for the practice without treating.",
            Role.PATIENT: "Is in the practice's care, and acts for a patient in the portal.",
            Role.GUEST: "Came by a link and has no account: reaches one conversation, and nothing else.",
            Role.OPERATOR: "Runs the deployment: practices and plans, and no patient's data.",
        },
    )
    _show(
        DeliveryState,
        "WebhookDeliveryState",
        "How a delivery to a webhook's receiver fares.",
        {
            DeliveryState.WAITING: "It is to be sent, or sent again.",
            DeliveryState.DELIVERED: "The receiver has taken it.",
            DeliveryState.FAILED: "It was given up; it can be replayed.",
        },
    )
    _show(
        Pending,
        "PendingFactor",
        "What a sign-in lacks before anything can be done with it.",
        {
            Pending.FACTOR: "The second factor is to be shown: `verifyCode` or `verifyPasskey`.",
            Pending.SET_UP: "The practice demands a second factor: `beginTotp` or `beginPasskey` sets one up.",
        },
    )
    _show(
        InvitationState,
        "InvitationState",
        "How far an invitation has come.",
        {
            InvitationState.OPEN: "Its link works.",
            InvitationState.EXPIRED: "Its link has expired; send it again.",
            InvitationState.ACCEPTED: "The person has registered.",
            InvitationState.REVOKED: "It was called off.",
        },
    )
    _show(
        FileState,
        "FileState",
        "How far a file has come.",
        {
            FileState.UPLOADING: "Its bytes are arriving.",
            FileState.REFUSED: "Its content was refused; send another.",
            FileState.STORED: "It was examined and is kept, attached to nothing yet.",
            FileState.ATTACHED: "It belongs to something.",
            FileState.DELETED: "It was deleted for good.",
        },
    )
    _show(
        ExportState,
        "ExportState",
        "How far an export is.",
        {
            ExportState.WAITING: "It waits for its turn.",
            ExportState.RUNNING: "It is written.",
            ExportState.READY: "It can be downloaded.",
            ExportState.FAILED: "It could not be made; `reason` tells why.",
            ExportState.EXPIRED: "Its time is over, and its file is deleted.",
        },
    )
    _show(
        State,
        "ImportState",
        "How far an import is.",
        {
            State.WAITING: "It waits for its turn.",
            State.CHECKING: "Its rows are looked at.",
            State.IMPORTING: "All rows were looked at, and patients are created.",
            State.DONE: "It has ended well; after a dry run, a real one would.",
            State.REFUSED: "It has ended, and nothing was imported; `problem` tells why.",
        },
    )
    _show(
        PatientField,
        "PatientField",
        "What is said of a patient.",
        {
            PatientField.FIRST_NAME: "First name.",
            PatientField.LAST_NAME: "Last name.",
            PatientField.DATE_OF_BIRTH: "Date of birth.",
            PatientField.MRN: "Medical record number.",
            PatientField.GENDER: "Gender.",
            PatientField.PHONE: "Telephone number.",
            PatientField.EMAIL: "E-mail address.",
        },
    )
    _show(
        Dates,
        "ImportDates",
        "How the dates of an import are written.",
        {
            Dates.ISO: "YYYY-MM-DD.",
            Dates.MONTH_FIRST: "MM/DD/YYYY, also with dots or dashes.",
            Dates.DAY_FIRST: "DD/MM/YYYY, also with dots or dashes.",
        },
    )
    _show(
        Encoding,
        "ImportEncoding",
        "In what a file is written.",
        {
            Encoding.UTF_8: "UTF-8, with or without a byte order mark.",
            Encoding.WINDOWS_1252: "Windows-1252, as older spreadsheets write it.",
        },
    )
    _show(
        FaultCode,
        "ImportFaultCode",
        "Why a row of an import is refused.",
        {
            FaultCode.INVALID_INPUT: "`createPatient` would refuse it.",
            FaultCode.DATE_FORMAT: "It is no day in the format that was told.",
            FaultCode.MRN_TAKEN: "The practice already has a patient with this MRN.",
            FaultCode.MRN_TWICE: "An earlier line has the same MRN.",
            FaultCode.ROW_MALFORMED: "Its cells can't be told apart, or are more than the header's.",
        },
    )
    _show(
        ProblemCode,
        "ImportProblemCode",
        "Why nothing of a file was imported.",
        {
            ProblemCode.EMPTY: "There are no patients in it.",
            ProblemCode.ENCODING: "It is not in the encoding that was told, or in none that is read.",
            ProblemCode.COLUMNS_MISSING: "Its header lacks columns that are needed.",
            ProblemCode.COLUMNS_UNCLEAR: "Several columns could be the same field, or the mapping fits no column.",
            ProblemCode.TOO_LONG: "It has more bytes or rows than are imported at once.",
            ProblemCode.FILE_GONE: "It was deleted, or its time was over, before it was read.",
            ProblemCode.NOT_ALLOWED: "Who asked for the import may not import patients any more.",
            ProblemCode.ROWS_REFUSED: "Rows were refused, and `skipRefused` was not asked for.",
        },
    )
    _show(
        Reason,
        "FeatureReason",
        "Why a feature is on or off.",
        {
            Reason.INCLUDED: "On: the plan's tier includes it.",
            Reason.OVERRIDE: "On: the operator has switched it on for this practice.",
            Reason.ADD_ON: "On: the practice has it besides those of its tier.",
            Reason.TRIAL: "On: the tier that the practice tries includes it.",
            Reason.NO_PLANS: "On: this deployment has no plans, so every feature is.",
            Reason.NOT_IN_TIER: "Off: it takes a higher tier.",
            Reason.SWITCHED_OFF: "Off: the operator has switched it off for this practice.",
            Reason.PLAN_UNKNOWN: "Off: the plan can't be told at the moment.",
        },
    )
    _show(
        Tier,
        "PlanTier",
        "The tiers of a plan, from low to high.",
        {
            Tier.STARTER: "The lowest, which every practice has at least.",
            Tier.ENHANCED: "The middle one: what starter has, and more.",
            Tier.PREMIUM: "The highest: what enhanced has, and more.",
        },
        named_by="value",
    )
    _show(
        Rule,
        "BlockingRule",
        "Which kind of rule stands in the way.",
        {
            Rule.SIGN_IN: "Nobody is signed in.",
            Rule.FACTOR: "The sign-in waits for the second factor.",
            Rule.PLAN: "The practice's plan lacks the feature.",
            Rule.ROLE: "The viewer's role does not allow it.",
            Rule.MEMBERSHIP: "The target is none for the viewer: not there, or told as if it were not.",
            Rule.SWITCH: "A setting of the practice or of a person switches it off.",
            Rule.PORTAL: "The patient has no active portal account.",
            Rule.AVAILABILITY: "The other person does not take it now.",
        },
    )
    _show(
        Channel,
        "NotificationChannel",
        "The ways on which a notification reaches a person.",
        {
            Channel.IN_APP: "In the application.",
            Channel.EMAIL: "By mail.",
            Channel.SMS: "By text message.",
            Channel.VOICE: "By a call.",
            Channel.PUSH: "By a push to a browser.",
        },
    )
    _show(
        Language,
        "NotificationLanguage",
        "The languages of notifications.",
        {Language.ENGLISH: "English.", Language.SPANISH: "Spanish."},
    )
    _show(
        Part,
        "NotificationPart",
        "The parts of a notification's text.",
        {
            Part.SUBJECT: "The title: subject of the mail, and of what is shown.",
            Part.BODY: "What the mail says; paragraphs are apart by an empty line.",
            Part.HTML: "The mail as HTML, where it is to look otherwise than the usual frame.",
            Part.SMS: "The text message.",
            Part.VOICE: "What is said in a call.",
            Part.PUSH: "What a push says.",
            Part.IN_APP: "What is shown in the application.",
        },
    )
    _show(
        Status,
        "PluginStatus",
        "How a plugin fares.",
        {
            Status.ACTIVE: "It works.",
            Status.DISABLED: "It is installed, and the operator has not enabled it.",
            Status.FAILED: "It is enabled and can't work; the reason says why.",
        },
    )
    _show(
        Visibility,
        "Visibility",
        "Who may see something of a member.",
        {
            Visibility.CONNECTED: "Everyone in one's own and in connected practices.",
            Visibility.PRACTICE: "Everyone in one's own practice.",
            Visibility.NOBODY: "Nobody but oneself.",
        },
    )
    _show(
        PersonKind,
        "PersonKind",
        "What somebody is to a practice.",
        {
            PersonKind.MEMBER: "Signs in for the practice, or for one connected to it.",
            PersonKind.PATIENT: "Is in the practice's care.",
            PersonKind.CONTACT: "An outside person reached by e-mail or mobile number.",
        },
    )
    _show(
        ConnectionState,
        "PracticeConnectionState",
        "How far two practices are with being connected.",
        {
            ConnectionState.ASKED: "One has asked, the other has not answered.",
            ConnectionState.ACCEPTED: "Connected: members of both find each other.",
            ConnectionState.DECLINED: "The one that was asked has declined.",
            ConnectionState.ENDED: "It was ended, or taken back by who asked.",
        },
    )


_show_enums()
