"""Core's own parts of the schema, composed like a plugin's."""

from bedside_graphql import enums as enums  # before the types that show them
from bedside_graphql.platform import (
    accounts,
    applications,
    audit,
    connections,
    deliveries,
    deployment,
    exports,
    files,
    imports,
    inbox,
    invitations,
    leaving,
    members,
    notify,
    patients,
    practices,
    registration,
    retention,
    review,
    sandbox,
    search,
    session,
    terms,
    timeline,
    webhooks,
)
from bedside_graphql.platform.files import File, file_type
from bedside_graphql.platform.members import Member, member_of
from bedside_graphql.platform.patients import Patient, patient_type
from bedside_graphql.platform.practices import Practice

PARTS = (
    session.PART,
    accounts.PART,
    applications.PART,
    registration.PART,
    invitations.PART,
    review.PART,
    terms.PART,
    practices.PART,
    members.PART,
    patients.PART,
    connections.PART,
    search.PART,
    audit.PART,
    inbox.PART,
    notify.PART,
    deliveries.PART,
    files.PART,
    imports.PART,
    exports.PART,
    timeline.PART,
    retention.PART,
    leaving.PART,
    webhooks.PART,
    sandbox.PART,
    deployment.PART,
)
"""Every part of core's, in order."""

__all__ = ["PARTS", "File", "Member", "Patient", "Practice", "file_type", "member_of", "patient_type"]
