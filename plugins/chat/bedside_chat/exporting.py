"""The job that makes an export of a conversation, and the one that takes old ones away (C15)."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from bedside_chat.exported import LASTS, OWNER_KIND, PERMISSION, ExportForm, give_up, take_away_old
from bedside_chat.exports import subjects
from bedside_chat.receipts import sees_members
from bedside_chat.transcript import Transcript, Written
from bedside_core.api import (
    DB,
    Actor,
    ExportState,
    Job,
    JobRun,
    acting,
    attach_made,
    audit,
    keep_made,
    room,
    still_may,
    unit,
)
from bedside_portal.api import PortalAccounts

if TYPE_CHECKING:
    from bedside_core.api import Platform

TRIES = 3
"""How often an export is made anew, since something in the conversation was deleted meanwhile."""
MOST_ON_PAPER = 20_000
"""Messages of a PDF; some 3,000 pages."""
PAPER_SECONDS = 600
PAPER = Path(__file__).with_name("paper.py")
"""A program of its own: setting thousands of pages takes minutes, in which nothing here is to wait."""


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What was asked for."""

    id: UUID
    practice_id: UUID
    conversation_id: UUID
    form: ExportForm
    actor: Actor


class _Failed(Exception):
    """It can't be made; the argument is what the one who asked is told."""


async def export_conversation(run: JobRun) -> None:
    """Make an export; whatever it is stopped at, it begins anew. Done already, nothing happens."""
    export_id = UUID(run.payload["export_id"])
    row = await DB.fetchrow(
        """UPDATE conversation_export SET state = 'running' WHERE id = $1 AND state IN ('waiting', 'running')
        RETURNING asked_by, conversation_id, form""",
        export_id,
    )
    if row is None:
        return
    wanted = _Wanted(
        id=export_id,
        practice_id=run.practice_id,
        conversation_id=row["conversation_id"],
        form=ExportForm(row["form"]),
        actor=msgspec.convert(row["asked_by"], Actor),
    )
    detail = {"job": "chat.export_conversation", "export": str(export_id)}
    with acting(run.practice_id, wanted.actor.person_id):
        async with audit.operation(wanted.actor, via=audit.Via.JOB, detail=detail):
            try:
                await _make(run.platform, wanted)
            except _Failed as failed:
                await _fail(wanted, str(failed))


async def _make(platform: Platform, wanted: _Wanted) -> None:
    practice = await platform.people.practice(wanted.practice_id)
    if practice is None or not await _may_still(platform, wanted):
        raise _Failed("Who asked for this export may not any more.")
    async with room(platform.config.data) as folder:
        for _ in range(TRIES):
            person_id, now = wanted.actor.as_person()[1], platform.clock.now()
            receipts = await sees_members(platform, wanted.actor)
            transcript = Transcript(platform, wanted.conversation_id, practice, person_id, now, receipts=receipts)
            written = await transcript.write(folder / "conversation.json")
            if written is None:
                raise _Failed("The conversation is not there any more.")
            path = folder / "conversation.json"
            if wanted.form is ExportForm.PDF:
                path = await _on_paper(folder, written)
            if await _keep(platform, wanted, written, path):
                return
        raise _Failed("Again and again something was deleted while it was made. Ask for another one.")


async def _may_still(platform: Platform, wanted: _Wanted) -> bool:
    """Tell whether who asked still may: a member in the role of today, an account that acts for the patient."""
    actor = wanted.actor
    if actor.patient_id is None:
        return await still_may(platform, actor, PERMISSION, wanted.conversation_id)
    if not platform.provides(PortalAccounts):
        return False
    acting_for = (await platform.service(PortalAccounts).acting([actor.patient_id]))[actor.patient_id]
    active = any(holder.account_id == actor.account_id for holder in acting_for)
    return active and await platform.access.why_not(actor, PERMISSION, wanted.conversation_id) is None


async def _on_paper(folder: Path, written: Written) -> Path:
    """Have the JSON set as a PDF, in a process that knows nothing of the deployment's secrets."""
    if written.messages > MOST_ON_PAPER:
        raise _Failed(f"A PDF has at most {MOST_ON_PAPER:,} messages. Take JSON, which has no end.")
    path = folder / "conversation.pdf"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(PAPER), str(folder / "conversation.json"), str(path),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )  # fmt: skip
    try:
        async with asyncio.timeout(PAPER_SECONDS):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise RuntimeError("the PDF could not be set")
    return path


async def _keep(platform: Platform, wanted: _Wanted, written: Written, path: Path) -> bool:
    """Store a file and tell that it is ready, unless another worker was quicker.

    Returns:
        False where something in the conversation was deleted for good while it was made.
    """
    kept = await keep_made(platform.files.store, wanted.practice_id, path)
    now = platform.clock.now()
    pdf = wanted.form is ExportForm.PDF
    async with unit():
        # Whoever deletes something holds the conversation too: one of the two sees the other's.
        await DB.execute("SELECT FROM conversation WHERE id = $1 FOR NO KEY UPDATE", wanted.conversation_id)
        if await DB.fetchval("SELECT chat_export_is_stale($1, $2)", wanted.conversation_id, written.position):
            return False  # the sweep takes the bytes away
        running = await DB.fetchrow(
            "SELECT FROM conversation_export WHERE id = $1 AND state = 'running' FOR UPDATE", wanted.id
        )
        if running is None:
            return True
        file_id = await attach_made(
            kept,
            practice_id=wanted.practice_id,
            made_for=wanted.actor.as_person()[1],
            name=f"{written.name}.{wanted.form}",
            media_type="application/pdf" if pdf else "application/json",
            owner_kind=OWNER_KIND,
            owner_id=wanted.id,
            now=now,
        )
        await DB.execute(
            """UPDATE conversation_export SET state = $2, file_id = $3, size = $4, ended_at = $5, expires_at = $6,
                "position" = $7
            WHERE id = $1""",
            wanted.id,
            ExportState.READY,
            file_id,
            kept.size,
            now,
            now + LASTS,
            written.position,
        )
        patients = await subjects(wanted.conversation_id)
        audit.did("chat.exported", kind="conversation", target=wanted.conversation_id, patients=patients)
        return True


async def _fail(wanted: _Wanted, reason: str) -> None:
    async with unit():
        await DB.execute(
            "UPDATE conversation_export SET state = 'failed', reason = $2 WHERE id = $1 AND state = 'running'",
            wanted.id,
            reason,
        )
        audit.did("chat.export_failed", kind="conversation", target=wanted.conversation_id)


async def expire_exports(run: JobRun) -> None:
    """Delete the exports whose time is over, and those of which something was deleted since; fail those never made."""
    await take_away_old(run.platform)
    await give_up(run.platform)


JOBS = (
    Job(
        name="export_conversation",
        function=export_conversation,
        doc="Writes a conversation into a PDF or JSON file.",
        public=True,
    ),
    Job(
        name="expire_exports",
        function=expire_exports,
        doc="Deletes exports of conversations that were made a week ago, or of which something was deleted since, and "
        "fails those that nobody has made in three hours.",
        schedule="17 * * * *",
        public=True,
    ),
)
