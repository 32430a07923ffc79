"""What core itself keeps of practices and patients."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.database import DB
from bedside_core.records.declared import DataContribution, Further, KeptTable
from bedside_core.records.joining import merge_people

if TYPE_CHECKING:
    from bedside_core.platform import Platform

_NOTIFIED = (
    "t.notification_id IN (SELECT n.id FROM notification n WHERE n.recipient = 'patient' AND n.recipient_id = $1)"
)
_TRIED = """t.delivery_id IN (SELECT d.id FROM notification_delivery d JOIN notification n ON n.id = d.notification_id
    WHERE n.recipient = 'patient' AND n.recipient_id = $1)"""


async def _further(platform: Platform, patient_id: UUID | None) -> Further:
    """Yield the practice itself, its connections, its members' addresses and its API keys; of a patient, nothing."""
    if patient_id is None:
        for row in await DB.fetch("SELECT name, content FROM record_practice()"):
            yield row["name"], row["content"]


CONTRIBUTION = DataContribution(
    tables=(
        KeptTable(name="member", doc="The practice's members."),
        KeptTable(
            name="patient",
            doc="Patients, and records that were merged with theirs.",
            patient="t.id = $1 OR t.merged_into = $1",
            active="t.merged_into = $1 AND t.merged_at >= $2",
        ),
        KeptTable(name="invitation", doc="Invitations of members.", hidden=("client_id", "accepted_client_id")),
        KeptTable(
            name="application", doc="Not exported: applications that sign people in are set up anew.", exported=False
        ),
        KeptTable(
            name="webhook_endpoint", doc="Not exported: endpoints have secrets and are set up anew.", exported=False
        ),
        KeptTable(name="webhook_delivery", doc="Not exported: what was sent there holds ids alone.", exported=False),
        KeptTable(name="contact", doc="External contacts."),
        KeptTable(name="setting", doc="What the practice and its members have set."),
        KeptTable(name="patient_setting", doc="What patients have set.", patient="t.patient_id = $1"),
        KeptTable(
            name="creation",
            doc="Not exported: which retries are retries.",
            patient="t.action = 'patient' AND (t.made_id = $1 OR t.made_id IN (SELECT p.id FROM patient p "
            "WHERE p.merged_into = $1))",
            exported=False,
        ),
        KeptTable(
            name="person_word",
            doc="Not exported: words of names, by which search finds people.",
            patient="t.person_id = $1",
            exported=False,
        ),
        KeptTable(
            name="file",
            doc="Files; their content is in the folder `files`.",
            patient="t.owner_kind = 'patient' AND t.owner_id = $1",
            moves="owner_id",
            active="t.owner_kind = 'patient' AND t.owner_id = $1 AND t.attached_at >= $2",
        ),
        KeptTable(name="file_object", doc="Not exported: where in the store bytes are.", exported=False),
        KeptTable(
            name="audit_entry",
            doc="Who saw and did what.",
            patient="t.patients && ARRAY(SELECT p.id FROM patient p WHERE p.id = $1 OR p.merged_into = $1)",
            of_others=("patients",),
            erased=False,
        ),
        KeptTable(name="audit_seal", doc="The chain over these entries."),
        KeptTable(name="audit_unsealed", doc="Not exported: entries that wait for their seal.", exported=False),
        KeptTable(
            name="notification",
            doc="Notifications that were sent or wait.",
            patient="t.recipient = 'patient' AND t.recipient_id = $1",
            hidden=("facts", "item_facts"),
        ),
        KeptTable(name="notification_delivery", doc="Their deliveries.", patient=_NOTIFIED),
        KeptTable(name="notification_attempt", doc="The attempts at these.", patient=_TRIED),
        KeptTable(
            name="notification_shown",
            doc="Notifications shown in the application.",
            patient="t.person_id = $1",
            hidden=("facts",),
        ),
        KeptTable(
            name="notification_box",
            doc="Not exported: how far a person's notifications have come.",
            patient="t.person_id = $1",
            exported=False,
        ),
        KeptTable(
            name="inbox",
            doc="Not exported: how far a person's inbox has come.",
            patient="t.person_id = $1",
            exported=False,
        ),
        KeptTable(
            name="inbox_item",
            doc="Not exported: which things in it have changed when.",
            patient="t.person_id = $1",
            exported=False,
        ),
        KeptTable(name="notification_preference", doc="How notifications are to come.", patient="t.person_id = $1"),
        KeptTable(
            name="notification_opt_out",
            doc="Numbers that have written STOP.",
            patient="""(t.person_id = $1 OR t.address IN (SELECT p.phone FROM patient p WHERE p.id = $1))
                AND NOT EXISTS (SELECT FROM patient o WHERE o.practice_id = t.practice_id AND o.phone = t.address
                    AND o.id <> $1 AND o.merged_into IS DISTINCT FROM $1)""",
            moves="person_id",
        ),
        KeptTable(name="notification_text", doc="The practice's own texts of notifications."),
        KeptTable(
            name="push_subscription",
            doc="Browsers that notifications are pushed to.",
            patient="t.person_id = $1",
            hidden=("endpoint", "public_key", "secret"),
        ),
        KeptTable(name="patient_import", doc="Imports of patients.", hidden=("asked_by",)),
        KeptTable(name="patient_import_refusal", doc="Rows that imports refused."),
        KeptTable(
            name="data_export",
            doc="Exports such as this one.",
            patient="t.patient_id = $1",
            moves="patient_id",
            hidden=("asked_by", "contained"),
        ),
        KeptTable(
            name="api_key", doc="Not exported from here: `api_keys` has them without their hashes.", exported=False
        ),
        KeptTable(
            name="session",
            doc="Not exported: who is signed in belongs to accounts.",
            patient="t.patient_id = $1",
            exported=False,
            erased=False,
        ),
        KeptTable(
            name="guest_session",
            doc="Not exported: who is in by a link. They end with what they are bound to.",
            patient="t.person_id = $1",
            exported=False,
            erased=False,
        ),
        KeptTable(name="practice_erasure", doc="Not exported: whether the practice leaves.", exported=False),
        KeptTable(name="retention_due", doc="Patients whose records' time is over.", patient="t.patient_id = $1"),
    ),
    files=(
        "t.owner_kind = 'patient' AND t.owner_id = $1",
        "t.owner_kind = 'data_export' AND t.owner_id IN (SELECT e.id FROM data_export e WHERE e.patient_id = $1)",
    ),
    further=_further,
    merge=merge_people,
)
