"""Core's own parts of the schema, composed like a plugin's."""

from bedside_graphql import enums as enums  # before the types that show them
from bedside_graphql.platform import deployment, files, people, session
from bedside_graphql.platform.files import File, file_type
from bedside_graphql.platform.people import Member, Patient, Practice, member_of, patient_type

PARTS = (session.PART, people.PART, deployment.PART, files.PART)
"""Every part of core's, in order."""

__all__ = ["PARTS", "File", "Member", "Patient", "Practice", "file_type", "member_of", "patient_type"]
