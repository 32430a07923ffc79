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
from bedside_core.notify import Channel, Language, Part
from bedside_core.people import ConnectionState, PersonKind, Visibility
from bedside_core.plugins import Status
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
            Role.OWNER: "Owns the practice, and may do what a manager may.",
            Role.MANAGER: "Leads the practice: its people and its settings.",
            Role.PRACTITIONER: "Treats the practice's patients.",
            Role.STAFF: "Works for the practice without treating.",
            Role.PATIENT: "Is in the practice's care, and acts for a patient in the portal.",
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
