"""Uploads, files, and the Files of a patient as GraphQL shows them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from bedside_core import files, people
from bedside_core.files import patients
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.platform.members import Member, member_of
from bedside_graphql.types import After, ClientId, Connection, First, client_id_of, connection, uuid_of


@strawberry.type(description="Why the content of an upload was refused.")
class UploadRefusal:
    """A refusal, as `PUT` told it."""

    code: str = strawberry.field(description="An error code.")
    message: str = strawberry.field(description="Why, for a person.")
    way_on: str | None = strawberry.field(description="What can be done about it.")


@strawberry.type(description="Who has put a file where it is.")
class FileSharer:
    """A person as others see them."""

    id: strawberry.ID = strawberry.field(description="The id of the member, patient or contact.")
    kind: people.PersonKind = strawberry.field(description="What the person is to the practice.")
    name: str = strawberry.field(description="The name as it is shown.")
    label: str | None = strawberry.field(
        description="What stands under the name: null for one's own practice, the practice's name for a member of a "
        'connected one, "Patient", "(External)" (P7).'
    )


@strawberry.type(description="A file. Of a deleted one only a tombstone is left, with nothing of what it was.")
class File:
    """A file or its tombstone."""

    id: strawberry.ID = strawberry.field(description="Opaque id, the same as its upload's.")
    state: files.FileState = strawberry.field(description="How far it has come.")
    name: str | None = strawberry.field(description="What it is called; null once it is deleted.")
    media_type: str | None = strawberry.field(description="What it is, found from its content.")
    megabytes: float | None = strawberry.field(description="Its length, in megabytes of a million bytes.")
    url: str | None = strawberry.field(description="Where it is downloaded here; null while it can't be.")
    preview_url: str | None = strawberry.field(description="Where a small picture of it is, if it is a photo.")
    attached_at: datetime | None = strawberry.field(description="When it was put where it is.")
    deleted_at: datetime | None = strawberry.field(description="When it was deleted for good.")
    made_by: strawberry.Private[UUID]
    deleted_by_id: strawberry.Private[object]

    @strawberry.field(description="Who uploaded it; null where it is nobody of this practice.")
    async def uploaded_by(self, info: Info) -> Member | None:
        """Return who uploaded it."""
        return await member_of(info, self.made_by)

    @strawberry.field(
        description="Who has put it where it is: a member, a patient or a contact; null where the viewer does not see "
        "them any more (P8)."
    )
    async def shared_by(self, info: Info) -> FileSharer | None:
        """Return who shared it."""
        found = await info.context.loader(info.context.platform.people.known).load(self.made_by)
        if found is None:
            return None
        who = found.person
        return FileSharer(id=strawberry.ID(str(who.id)), kind=found.kind, name=who.name, label=found.label)

    @strawberry.field(description="Who deleted it, if it is deleted.")
    async def deleted_by(self, info: Info) -> Member | None:
        """Return who deleted it."""
        return await member_of(info, self.deleted_by_id) if self.deleted_by_id else None


@strawberry.type(description="An upload, from its announcement until the file is attached.")
class Upload:
    """An upload."""

    id: strawberry.ID = strawberry.field(description="Opaque id; the file keeps it.")
    state: files.FileState = strawberry.field(description="How far it has come.")
    name: str = strawberry.field(description="The name under which it is kept: cleaned, with an ending of its type.")
    url: str = strawberry.field(description="Where its bytes go by PUT, on this deployment.")
    progress: float = strawberry.field(description="The share of its bytes that has arrived, from 0 to 1.")
    expires_at: datetime | None = strawberry.field(description="When it goes by itself, unless it is attached by then.")
    refusal: UploadRefusal | None = strawberry.field(description="Why its content was refused, if it was.")


def file_type(file: files.StoredFile) -> File:
    """Return a file as GraphQL shows one; for plugins whose fields lead to files."""
    there = file.state in {files.FileState.STORED, files.FileState.ATTACHED}
    return File(
        id=strawberry.ID(str(file.id)),
        state=file.state,
        name=file.name,
        media_type=file.media_type.partition(";")[0] if file.media_type else None,
        megabytes=file.size / 1_000_000 if file.size else None,
        url=f"/files/{file.id}" if there else None,
        preview_url=f"/files/{file.id}/preview" if there and file.has_preview else None,
        attached_at=file.attached_at,
        deleted_at=file.deleted_at,
        made_by=file.made_by,
        deleted_by_id=file.deleted_by,
    )


def _upload(file: files.StoredFile) -> Upload:
    refusal = file.refusal
    return Upload(
        id=strawberry.ID(str(file.id)),
        state=file.state,
        name=file.name or "",
        url=f"/files/uploads/{file.id}",
        progress=file.received / file.upload_size,
        expires_at=file.expires_at,
        refusal=UploadRefusal(code=refusal["code"], message=refusal["message"], way_on=refusal["way_on"])
        if refusal
        else None,
    )


UploadId = Annotated[strawberry.ID, strawberry.argument(description="The upload's id.")]
FileId = Annotated[strawberry.ID, strawberry.argument(description="The file's id.")]
PatientId = Annotated[strawberry.ID, strawberry.argument(description="The patient's id.")]


@strawberry.type
class FilesQuery:
    """Queries of files."""

    @strawberry.field(description="An upload of one's own: how far it is.", extensions=[gate("files.upload")])
    async def upload(self, info: Info, id: UploadId) -> Upload | None:
        """Return an upload."""
        return _upload(await info.context.platform.files.uploads.of(info.context.acting(), uuid_of(id)))

    @strawberry.field(
        description="A file that one may see, or the tombstone of one that was deleted.",
        extensions=[gate("files.download")],
    )
    async def file(self, info: Info, id: FileId) -> File | None:
        """Return a file."""
        return file_type(await info.context.platform.files.file(info.context.acting(), uuid_of(id)))

    @strawberry.field(
        description="A patient's files, the latest first: those with the patient, and those shared in conversations "
        "with them that one takes part in (P8).",
        extensions=[gate("files.read")],
    )
    async def patient_files(
        self, info: Info, patient_id: PatientId, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[File] | None:
        """Return a page of a patient's files."""
        page = await patients.patient_files(
            info.context.platform, info.context.signed_in(), uuid_of(patient_id), first=first, after=after
        )
        return connection(page, file_type)


@strawberry.type
class FilesMutation:
    """Mutations of files."""

    @strawberry.mutation(
        description="Announce an upload; its bytes then go by PUT to its `url`, in one body or in several.",
        extensions=[gate("files.upload")],
    )
    async def create_upload(
        self,
        info: Info,
        name: Annotated[str, strawberry.argument(description="What it is called; it is cleaned.")],
        size: Annotated[int, strawberry.argument(description="Its length in bytes.")],
        sha256: Annotated[str, strawberry.argument(description="SHA-256 of its bytes, 64 hexadecimal digits.")],
        client_id: ClientId,
    ) -> Upload | None:
        """Announce an upload."""
        actor, client = info.context.acting(), client_id_of(client_id)
        return _upload(await info.context.platform.files.uploads.create(actor, name, size, sha256, client))

    @strawberry.mutation(
        description="Cancel an upload that is attached to nothing; what arrived of it goes at once.",
        extensions=[gate("files.upload")],
    )
    async def cancel_upload(self, info: Info, id: UploadId) -> bool | None:
        """Cancel an upload."""
        return await info.context.platform.files.uploads.cancel(info.context.acting(), uuid_of(id))

    @strawberry.mutation(
        description="Put a finished upload with a patient. A retry returns the same file.",
        extensions=[gate("files.attach")],
    )
    async def attach_to_patient(self, info: Info, upload_id: UploadId, patient_id: PatientId) -> File | None:
        """Attach an upload to a patient."""
        actor = info.context.signed_in()
        return file_type(
            await patients.attach_to_patient(info.context.platform, actor, uuid_of(upload_id), uuid_of(patient_id))
        )

    @strawberry.mutation(
        description="Delete a file for good: nobody can bring it back. A tombstone remains.",
        extensions=[gate("files.delete")],
    )
    async def delete_file(self, info: Info, id: FileId) -> File | None:
        """Delete a file."""
        return file_type(await info.context.platform.files.delete(info.context.acting(), uuid_of(id)))


PART = GraphQLPart(query=FilesQuery, mutation=FilesMutation)
