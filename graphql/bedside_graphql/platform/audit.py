"""The audit trail as GraphQL shows it: to owners, who saw and did what, and who saw a patient (A14)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from bedside_core import audit, auth, errors
from bedside_core.audit.trail import Wanted
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.platform.members import Member, member_of
from bedside_graphql.types import After, Connection, First, connection, uuid_of

_OUTSIDE = frozenset({auth.Role.PATIENT, auth.Role.GUEST})
NOBODY = UUID(int=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF)
"""The id that nothing has (RFC 9562, 5.10)."""


@strawberry.type(description="A fact of an audit entry: ids and names of fields, never values.")
class AuditDetail:
    """A fact of an entry."""

    name: str = strawberry.field(description="What it is, for example `fields`.")
    values: list[str] = strawberry.field(description="Names or ids.")


@strawberry.type(description="What one operation did, or whose data it returned. It can't be changed.")
class AuditEntry:
    """An entry."""

    id: strawberry.ID = strawberry.field(description="Opaque id, by which `bedside audit verify` names it too.")
    at: datetime = strawberry.field(description="When.")
    action: str = strawberry.field(description="What was done, for example `patients.read`.")
    role: auth.Role | None = strawberry.field(description="In which role; null where nobody was signed in.")
    operator: bool = strawberry.field(description="Whether the deployment's operator did it.")
    member_id: strawberry.ID | None = strawberry.field(description="Id of the member who did it, if a member did.")
    kind: str | None = strawberry.field(description="The kind of thing it was done to.")
    target: str | None = strawberry.field(description="Id or name of that thing.")
    patient_ids: list[strawberry.ID] = strawberry.field(description="Whose data was returned or changed.")
    request_id: str | None = strawberry.field(description="The request's id in answers and logs.")
    via: str = strawberry.field(description="By which entrance: graphql, rest, job, listener, command or system.")
    details: list[AuditDetail] = strawberry.field(description="Further facts.")
    account_id: strawberry.Private[UUID | None]
    person_id: strawberry.Private[UUID | None]

    @strawberry.field(description="The member who did it; null where it was nobody of the practice.")
    async def member(self, info: Info) -> Member | None:
        """Return the member, through the operation's DataLoader."""
        return None if self.person_id is None or self.role in _OUTSIDE else await member_of(info, self.person_id)


def _entry(entry: audit.Entry) -> AuditEntry:
    return AuditEntry(
        id=strawberry.ID(str(entry.id)),
        at=entry.at,
        action=entry.action,
        role=auth.Role(entry.role) if entry.role else None,
        operator=entry.operator,
        member_id=strawberry.ID(str(entry.person_id)) if entry.person_id and entry.role not in _OUTSIDE else None,
        kind=entry.kind,
        target=entry.target,
        patient_ids=[strawberry.ID(str(patient_id)) for patient_id in entry.patients],
        request_id=entry.request_id or None,
        via=entry.via,
        details=[AuditDetail(name=name, values=_listed(value)) for name, value in sorted(entry.detail.items())],
        account_id=entry.account_id,
        person_id=entry.person_id,
    )


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _id_of(id: strawberry.ID | None) -> UUID | None:
    """Return the id to look for; what is none of ours finds as little as one that is nobody's (promise A1)."""
    if id is None:
        return None
    try:
        return uuid_of(id)
    except errors.NotFound:
        return NOBODY


@strawberry.type
class AuditQuery:
    """Queries of the audit trail."""

    @strawberry.field(
        description="The practice's audit trail, the newest first. Reading it is entered in it.",
        extensions=[gate("audit.read")],
    )
    async def audit_entries(
        self,
        info: Info,
        first: First = USUAL_PAGE,
        after: After = None,
        patient_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Entries that name this patient.")
        ] = None,
        member_id: Annotated[strawberry.ID | None, strawberry.argument(description="What this member did.")] = None,
        action: Annotated[str | None, strawberry.argument(description="Entries of this action.")] = None,
        since: Annotated[datetime | None, strawberry.argument(description="From then on.")] = None,
        until: Annotated[datetime | None, strawberry.argument(description="Before then.")] = None,
    ) -> Connection[AuditEntry] | None:
        """Return a page of entries."""
        info.context.signed_in().in_practice()
        wanted = Wanted(
            patient_id=_id_of(patient_id), person_id=_id_of(member_id), action=action, since=since, until=until
        )
        page = await info.context.platform.audit.entries(wanted, first=first, after=after)
        return connection(page, _entry)

    @strawberry.field(
        description="Who saw or changed a patient's data, the newest first. Reading it is entered in the audit trail.",
        extensions=[gate("audit.read")],
    )
    async def patient_accesses(
        self,
        info: Info,
        patient_id: Annotated[strawberry.ID, strawberry.argument(description="A patient of the practice.")],
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[AuditEntry] | None:
        """Return a page of entries.

        Raises:
            errors.NotFound: there is no such patient that the actor may see.
        """
        info.context.signed_in().in_practice()
        page = await info.context.platform.audit.accesses(uuid_of(patient_id), first=first, after=after)
        return connection(page, _entry)


PART = GraphQLPart(query=AuditQuery)
