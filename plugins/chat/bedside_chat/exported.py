"""What an export of a conversation is, and how it goes: with its time, or with the first deletion in it (F2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, ExportState, audit, unit

if TYPE_CHECKING:
    from bedside_core.api import Platform

OWNER_KIND = "conversation_export"
"""Kind of file owner: an export of a conversation."""
PERMISSION = "chat.export"
LASTS = timedelta(days=7)
"""How long an export can be downloaded."""
PATIENCE = timedelta(hours=3)
"""How long an export is waited for; by then its job has failed for the last time, or is lost."""
MAKE_JOB = "chat.export_conversation"
EXPIRE_JOB = "chat.expire_exports"


class ExportForm(StrEnum):
    """What an export is written as."""

    PDF = "pdf"
    JSON = "json"


@dataclass(frozen=True, kw_only=True)
class ConversationExport:
    """An export of a conversation.

    Args:
        id: opaque.
        conversation_id: of which.
        made_by: the person who asked for it.
        form: what it is written as.
        state: how far it is.
        reason: why it failed.
        file_id: the file, while it is ready.
        size: its bytes.
        created_at: when it was asked for.
        ended_at: when it was ready.
        expires_at: until when it can be downloaded.
    """

    id: UUID
    conversation_id: UUID
    made_by: UUID
    form: ExportForm
    state: ExportState
    reason: str | None
    file_id: UUID | None
    size: int | None
    created_at: datetime
    ended_at: datetime | None
    expires_at: datetime | None


async def take_away(platform: Platform, conversation_id: UUID) -> None:
    """Take away the exports of a conversation, in the unit that deletes something in it.

    Those of other practices' people nobody can download from its commit on; their bytes are taken away by a job.
    """
    for row in await DB.fetch(
        "SELECT id FROM conversation_export WHERE conversation_id = $1 AND state = 'ready' ORDER BY id FOR UPDATE",
        conversation_id,
    ):
        await _expire(platform, row["id"])
    for row in await DB.fetch("SELECT * FROM chat_exporting_practices($1) AS other (id)", conversation_id):
        async with DB.connection() as connection:
            await platform.jobs.enqueue(connection, EXPIRE_JOB, {}, row["id"])


async def take_away_old(platform: Platform) -> None:
    """Take away the acting practice's exports whose time is over, and those with something that was deleted."""
    for old in await DB.fetch(
        """SELECT id FROM conversation_export WHERE state = 'ready'
        AND (expires_at <= $1 OR chat_export_is_stale(conversation_id, "position"))""",
        platform.clock.now(),
    ):
        async with unit():
            if await DB.fetchval(
                "SELECT true FROM conversation_export WHERE id = $1 AND state = 'ready' FOR UPDATE", old["id"]
            ):
                await _expire(platform, old["id"])


async def give_up(platform: Platform) -> None:
    """Fail the acting practice's exports that were asked for long ago and are still not made, whatever the reason."""
    async with unit():
        for row in await DB.fetch(
            """UPDATE conversation_export SET state = 'failed', reason = $1
            WHERE state IN ('waiting', 'running') AND created_at <= $2 RETURNING conversation_id""",
            "It could not be made. Ask for another one.",
            platform.clock.now() - PATIENCE,
        ):
            audit.did("chat.export_failed", kind="conversation", target=row["conversation_id"])


async def _expire(platform: Platform, export_id: UUID) -> None:
    """Delete an export's file; that it was made stays on record."""
    await platform.files.delete_owned(None, OWNER_KIND, export_id)
    await DB.execute(
        """UPDATE conversation_export SET state = $2, file_id = NULL, expires_at = least(expires_at, $3)
        WHERE id = $1""",
        export_id,
        ExportState.EXPIRED,
        platform.clock.now(),
    )
