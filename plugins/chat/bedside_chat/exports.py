"""Exports of conversations as they are asked for, looked at and downloaded (C15)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from bedside_chat.exported import MAKE_JOB, OWNER_KIND, PERMISSION, ConversationExport, ExportForm
from bedside_chat.reading import instant_of
from bedside_chat.rows import EPOCH
from bedside_chat.rules import standing_of
from bedside_core.api import (
    DB,
    Actor,
    Conflict,
    ExportState,
    FileOwner,
    InvalidInput,
    NotFound,
    Page,
    RateLimited,
    Refusal,
    Row,
    Rule,
    StoredFile,
    audit,
    key_of,
    page_of,
    page_size,
    unit,
    uuid7,
)

if TYPE_CHECKING:
    from bedside_core.api import Platform

MOST_WAITING = 3
"""Exports that one person may wait for."""
LONGEST_PURPOSE = 500

_SELECT = """SELECT id, conversation_id, made_by, form, state, reason, file_id, size, created_at, ended_at, expires_at
    FROM conversation_export"""
_NO_FILE = "There is no file with this id that you may see."


class Exports:
    """The exports of conversations that a person has asked for.

    Args:
        platform: access and clock.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def begin(
        self, actor: Actor, conversation_id: UUID, form: ExportForm, client_id: str, purpose: str | None = None
    ) -> ConversationExport:
        """Have a conversation written into a file by a job (C15, G9).

        Args:
            actor: who takes part in it, or an owner of the practice whose it is.
            conversation_id: the conversation.
            form: as what.
            client_id: the client's own id of it; a retry returns the first one.
            purpose: why an owner who is not in it exports it, at most 500 characters; it stands in the trail.

        Raises:
            NotFound: none that the actor takes part in, or owns.
            InvalidInput: an owner who is not in it does not say why, or somebody says too much.
            Conflict: the client id has begun another.
            RateLimited: the actor waits for too many already.
        """
        practice_id, person_id = actor.as_person()
        await self._platform.access.require(actor, PERMISSION, conversation_id)
        outside = await standing_of(self._platform, actor, conversation_id) is None
        said = _purpose(purpose, needed=outside)
        async with unit() as work:
            # One person's are asked for one after the other, so that two at once don't both find room.
            await DB.execute("SELECT pg_advisory_xact_lock(hashtextextended('chat export ' || $1, 0))", str(person_id))
            first = await DB.fetchrow(f"{_SELECT} WHERE made_by = $1 AND client_id = $2", person_id, client_id)
            if first is not None:
                if (first["conversation_id"], first["form"]) != (conversation_id, form):
                    raise Conflict("This clientId was used with other content.", field=("clientId",))
                return _export(first)
            waiting = await DB.fetchval(
                "SELECT count(*) FROM conversation_export WHERE made_by = $1 AND state IN ('waiting', 'running')",
                person_id,
            )
            if waiting >= MOST_WAITING:
                raise RateLimited("You wait for several exports already.", way_on="Wait until one is ready.")
            export_id = uuid7()
            await DB.execute(
                """INSERT INTO conversation_export
                    (id, practice_id, conversation_id, made_by, client_id, asked_by, form, purpose, state, created_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $9)""",
                export_id, practice_id, conversation_id, person_id, client_id, msgspec.json.encode(actor).decode(),
                form, said, self._platform.clock.now(),
            )  # fmt: skip
            await work.enqueue(MAKE_JOB, {"export_id": str(export_id)})
            audit.did(
                "chat.export_as_owner" if outside else "chat.export",
                kind="conversation",
                target=conversation_id,
                patients=await subjects(conversation_id),
                detail={"form": form.value, **({"purpose": said} if said else {})},
            )
            return await self.of(actor, export_id)

    async def of(self, actor: Actor, export_id: UUID) -> ConversationExport:
        """Return an export that the actor has asked for.

        Raises:
            NotFound: none of theirs.
        """
        _, person_id = actor.as_person()
        row = await DB.fetchrow(f"{_SELECT} WHERE id = $1 AND made_by = $2", export_id, person_id)
        if row is None:
            raise NotFound("There is no export with this id that you may see.")
        return _export(row)

    async def page(self, actor: Actor, *, first: int | None, after: str | None) -> Page[ConversationExport]:
        """Return the exports that the actor has asked for, the newest first."""
        _, person_id = actor.as_person()
        size, key = page_size(first), key_of(after, int, UUID)
        rows = await DB.fetch(
            f"""{_SELECT} WHERE made_by = $1 AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4))
            ORDER BY created_at DESC, id DESC LIMIT $2""",
            person_id,
            size + 1,
            instant_of(key[0]) if key else None,
            key[1] if key else None,
        )
        return page_of([_export(row) for row in rows], size, _place, after=after)


async def subjects(conversation_id: UUID) -> list[UUID]:
    """Return the patient whom a conversation is with, for the trail."""
    subject = await DB.fetchval(
        "SELECT subject_id FROM conversation WHERE id = $1 AND kind = 'patient'", conversation_id
    )
    return [subject] if subject is not None else []


async def _may(platform: Platform, actor: Actor, file: StoredFile) -> Refusal | None:
    """Let who asked for an export have it, while they may still ask for it and nothing in it was deleted."""
    row = await DB.fetchrow(
        """SELECT made_by, conversation_id, chat_export_is_stale(conversation_id, "position") AS stale
        FROM conversation_export WHERE id = $1""",
        file.owner_id,
    )
    if row is None or row["made_by"] != actor.person_id or row["stale"]:
        return Refusal(rule=Rule.MEMBERSHIP, message=_NO_FILE)
    return await platform.access.why_not(actor, PERMISSION, row["conversation_id"])


async def _patients(platform: Platform, file: StoredFile) -> Collection[UUID]:
    conversation_id = await DB.fetchval("SELECT conversation_id FROM conversation_export WHERE id = $1", file.owner_id)
    return await subjects(conversation_id) if conversation_id is not None else []


EXPORT_FILES = FileOwner(
    kind=OWNER_KIND,
    doc="Exports of conversations: for who asked, seven days, or until something in the conversation is deleted.",
    may_read=_may,
    may_delete=_may,
    patients=_patients,
)
"""Contributed by the manifest."""


def _place(export: ConversationExport) -> tuple[int, str]:
    return (export.created_at - EPOCH) // timedelta(microseconds=1), str(export.id)


def _purpose(purpose: str | None, *, needed: bool) -> str | None:
    said = (purpose or "").strip()
    if needed and not said:
        raise InvalidInput(
            "You are not in this conversation: say why you export it.",
            field=("purpose",),
            way_on="It stands in the audit trail.",
        )
    if len(said) > LONGEST_PURPOSE:
        raise InvalidInput(f"At most {LONGEST_PURPOSE} characters.", field=("purpose",))
    return said or None


def _export(row: Row) -> ConversationExport:
    stored = {name: row[name] for name in ConversationExport.__dataclass_fields__}
    stored["form"], stored["state"] = ExportForm(row["form"]), ExportState(row["state"])
    return ConversationExport(**stored)
