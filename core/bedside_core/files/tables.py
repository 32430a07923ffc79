"""The tables of files as Piccolo knows them."""

from __future__ import annotations

from piccolo.columns import JSONB, UUID, BigInt, Boolean, Bytea, Text, Timestamptz
from piccolo.table import Table

from bedside_core.database import DB, Kind


class File(Table, tablename="file", db=DB):
    """A file, from the announcement of its upload to the tombstone that its deletion leaves (C11)."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    made_by = UUID(help_text="Whose upload it is.")
    bound_to = UUID(null=True, help_text="Of a guest's upload: the one thing that their link leads to.")
    client_id = Text(null=True)
    state = Text(help_text="A value of `FileState`.")
    name = Text(null=True, help_text="What it is called to people, cleaned; never part of a key or path.")
    media_type = Text(null=True, help_text="Found from its content.")
    size = BigInt(null=True, help_text="Bytes of what is stored; a photo without its position data is shorter.")
    upload_size = BigInt(null=True, help_text="Bytes that the client announced.")
    upload_sha256 = Bytea(null=True, help_text="Hash that the client announced.")
    refusal = JSONB(null=True, help_text="Code, message and way on, where the content was refused.")
    owner_kind = Text(null=True)
    owner_id = UUID(null=True, help_text="What it is attached to.")
    lost = Boolean(help_text="Whether the store has no bytes for it, found by the sweep.")
    created_at = Timestamptz()
    expires_at = Timestamptz(null=True, help_text="When it goes by itself if it is attached to nothing by then.")
    attached_at = Timestamptz(null=True)
    deleted_at = Timestamptz(null=True)
    deleted_by = UUID(null=True)


class FileObject(Table, tablename="file_object", db=DB):
    """One key in the store. Without a file its bytes are to be removed, and then the row."""

    key = Text(primary_key=True)
    practice_id = UUID()
    file_id = UUID(null=True)
    kind = Text(help_text="part, content or preview.")
    position = BigInt(help_text="Of a part: where it begins, in bytes.")
    size = BigInt()
    created_at = Timestamptz()
    seen_by = UUID(null=True, help_text="The sweep that last met the key in the store.")


TABLE_KINDS = {"file": Kind.PRACTICE, "file_object": Kind.PRACTICE}
