"""Files: what was uploaded, where its bytes are, and what remains of what was deleted."""

from __future__ import annotations

from bedside_core.database import practice_table, sql_migration

ID = "core_2026_11_22t01_40"
VERSION = "1.38.0"
DESCRIPTION = "Files, uploads and the objects that hold their bytes."

# A tombstone says who put which file where and who deleted it, and nothing of what it was (C11).
TABLES = """
CREATE TABLE file (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    made_by uuid NOT NULL,
    client_id text,
    state text NOT NULL CHECK (state IN ('uploading', 'refused', 'stored', 'attached', 'deleted')),
    name text,
    media_type text,
    size bigint CHECK (size > 0),
    upload_size bigint CHECK (upload_size > 0),
    upload_sha256 bytea CHECK (octet_length(upload_sha256) = 32),
    refusal jsonb,
    owner_kind text,
    owner_id uuid,
    lost boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    attached_at timestamptz,
    deleted_at timestamptz,
    deleted_by uuid,
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, made_by, client_id),
    CHECK ((owner_kind IS NULL) = (owner_id IS NULL) AND (owner_id IS NULL) = (attached_at IS NULL)),
    CHECK ((state IN ('attached', 'deleted')) = (owner_id IS NOT NULL)),
    CHECK ((state IN ('attached', 'deleted')) = (expires_at IS NULL)),
    CHECK ((state = 'refused') = (refusal IS NOT NULL)),
    CHECK ((state = 'deleted') = (deleted_at IS NOT NULL)),
    CHECK (state <> 'deleted' OR num_nonnulls(client_id, name, media_type, size, upload_size, upload_sha256) = 0),
    CHECK (state = 'deleted' OR num_nulls(client_id, name, upload_size, upload_sha256) = 0),
    CHECK ((state IN ('stored', 'attached')) = (media_type IS NOT NULL AND size IS NOT NULL))
);
CREATE INDEX file_by_owner ON file (practice_id, owner_kind, owner_id, attached_at DESC, id DESC)
    WHERE owner_id IS NOT NULL;
CREATE INDEX file_by_expiry ON file (practice_id, expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE file_object (
    key text PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    file_id uuid,
    kind text NOT NULL CHECK (kind IN ('part', 'content', 'preview')),
    "position" bigint NOT NULL DEFAULT 0,
    size bigint NOT NULL CHECK (size > 0),
    created_at timestamptz NOT NULL,
    seen_by uuid,
    FOREIGN KEY (practice_id, file_id) REFERENCES file (practice_id, id) ON DELETE SET NULL (file_id),
    UNIQUE (practice_id, file_id, kind, "position")
);
CREATE INDEX file_object_doomed ON file_object (practice_id) WHERE file_id IS NULL;
"""


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [TABLES, *practice_table("file"), *practice_table("file_object")],
    )
