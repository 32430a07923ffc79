"""A patient's timeline as GraphQL shows it (P9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import strawberry

from bedside_core import timeline
from bedside_core.paging import USUAL_PAGE
from bedside_core.platform import Platform
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.platform.files import File, file_type
from bedside_graphql.types import After, Connection, First, connection, uuid_of


@dataclass(frozen=True)
class _Names:
    """Returns the names of people by their ids, in three statements at most; the same for the same platform."""

    platform: Platform = field(compare=False)

    async def __call__(self, person_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        people = self.platform.people
        names = {key: listed.member.name for key, listed in (await people.directory(list(person_ids))).items()}
        if rest := [each for each in person_ids if each not in names]:
            names |= {key: patient.name for key, patient in (await people.present_patients(rest)).items()}
        if rest := [each for each in person_ids if each not in names]:
            names |= {key: contact.name for key, contact in (await people.contacts_by_id(rest)).items()}
        return names


@strawberry.type(description="Who did something that a timeline tells of.")
class TimelinePerson:
    """A person."""

    id: strawberry.ID = strawberry.field(description="The id of the member, patient or contact.")
    name: str = strawberry.field(description="The name as it is shown.")


@strawberry.type(
    description="Something that happened with a patient. What it is about stands in the field of its kind."
)
class TimelineEntry:
    """An entry."""

    id: strawberry.ID = strawberry.field(description="What it is about: a message's id, a file's, …")
    kind: str = strawberry.field(description="For example `core.file_added` or `chat.message`.")
    at: datetime = strawberry.field(description="When.")
    by_id: strawberry.Private[UUID | None]

    @strawberry.field(description="Who did it; null where nobody is known, or seen.")
    async def by(self, info: Info) -> TimelinePerson | None:
        """Return who did it."""
        if self.by_id is None:
            return None
        name = await info.context.loader(_Names(info.context.platform)).load(self.by_id)
        return TimelinePerson(id=strawberry.ID(str(self.by_id)), name=name) if name else None

    @strawberry.field(description="The file, of `core.file_added`.")
    async def file(self, info: Info) -> File | None:
        """Return the file."""
        if self.kind != timeline.FILE:
            return None
        found = await info.context.loader(info.context.platform.files.by_id).load(uuid_of(self.id))
        return file_type(found) if found else None


@strawberry.type(name="Patient")
class PatientTimeline:
    """What the timeline adds to a patient."""

    id: strawberry.Private[strawberry.ID]

    @strawberry.field(
        description="What happened with the patient as far as one may see it, the newest first: files, messages of "
        "one's conversations with them, and what else plugins know (P9).",
        extensions=[gate("timeline.read")],
    )
    async def timeline(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[TimelineEntry] | None:
        """Return a page of the timeline."""
        page = await timeline.timeline(
            info.context.platform, info.context.signed_in(), uuid_of(self.id), first=first, after=after
        )
        return connection(page, _entry)


def _entry(entry: timeline.TimelineEntry) -> TimelineEntry:
    return TimelineEntry(id=strawberry.ID(str(entry.id)), kind=entry.kind, at=entry.at, by_id=entry.by)


PART = GraphQLPart(extend=(PatientTimeline,))
"""The timeline's part of the schema."""
