"""Writes an export: a zip with the rows as JSON lines, the files, and a list of what is in it with hashes."""

from __future__ import annotations

import asyncio
import hashlib
import zipfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from bedside_core.database import DB
from bedside_core.files.names import clean_name
from bedside_core.records.catalogue import contributions, files_of, rows_of

if TYPE_CHECKING:
    from bedside_core.platform import Platform

FORMAT = 1
_LINES = 500
"""Lines that are written at once, beside the event loop."""

_README = """\
Everything that Bedside keeps {of}, as of {at}.

data/<part>/<table>.jsonl   a row in each line, as JSON; `tables` in contents.json says what each table is
files/<id>/<name>           files as they were handed in; data/core/file.jsonl says whose and when
contents.json               what is in here, with the number of rows, and SHA-256 and length of each file

This archive is not encrypted. Keep it where only those see it who may, and delete it when it has served.
"""


@dataclass
class Contents:
    """What is in an export.

    Args:
        practice_id: whose.
        patient_id: about whom; None is everybody.
        at: the instant whose state it is.
        patients: everybody whose data is in it.
        file_ids: the files whose content or name is in it.
        tables: what each list of rows is, and how many rows it has.
        files: length and hash of each.
        lost: files whose content the store has lost.
    """

    practice_id: UUID
    patient_id: UUID | None
    at: datetime
    format: int = FORMAT
    patients: list[UUID] = field(default_factory=list[UUID])
    file_ids: list[UUID] = field(default_factory=list[UUID])
    tables: dict[str, dict[str, Any]] = field(default_factory=dict[str, "dict[str, Any]"])
    files: dict[str, dict[str, Any]] = field(default_factory=dict[str, "dict[str, Any]"])
    lost: list[str] = field(default_factory=list[str])


async def write(platform: Platform, practice_id: UUID, patient_id: UUID | None, path: Path) -> Contents | None:
    """Write an export of the acting practice, or of one of its patients.

    All rows are of one instant: they are read in one transaction, which sees the database as it was at its beginning.

    Returns:
        What is in it; None where there is no such patient.

    Raises:
        errors.Unavailable: the store of files does not answer.
    """
    contents = Contents(practice_id, patient_id, platform.clock.now())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        async with DB.transaction(allow_nested=False):
            await DB.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            rows = await DB.fetch(
                "SELECT id FROM patient WHERE $1::uuid IS NULL OR id = $1 OR merged_into = $1", patient_id
            )
            contents.patients = [row["id"] for row in rows]
            if patient_id is not None and not rows:
                return None
            await _write_tables(platform, patient_id, archive, contents)
            files = await files_of(platform, patient_id)
            contents.file_ids = [file_id for file_id, _, _ in files]
        for file_id, name, key in files:
            await _write_file(platform, archive, contents, f"files/{file_id}/{clean_name(name)}", key)
        of = "of one patient" if patient_id is not None else "of one practice"
        archive.writestr("README.txt", _README.format(of=of, at=contents.at.isoformat(timespec="seconds")))
        told = {name: value for name, value in vars(contents).items() if name not in {"patients", "file_ids"}}
        archive.writestr("contents.json", msgspec.json.format(msgspec.json.encode(told)))
    return contents


async def _write_tables(
    platform: Platform, patient_id: UUID | None, archive: zipfile.ZipFile, contents: Contents
) -> None:
    for part, data in contributions(platform):
        for table in data.tables:
            if table.exported and (patient_id is None or table.patient is not None):
                name = f"data/{part}/{table.name}.jsonl"
                count = await _write_lines(archive, name, rows_of(table, patient_id))
                contents.tables[name] = {"doc": table.doc, "rows": count}
        if data.further is not None:
            lists: dict[str, list[str]] = {}
            async for name, row in data.further(platform, patient_id):
                lists.setdefault(name, []).append(msgspec.json.encode(row).decode())
            for name, lines in lists.items():
                archive.writestr(f"data/{part}/{name}.jsonl", "".join(f"{line}\n" for line in lines))
                contents.tables[f"data/{part}/{name}.jsonl"] = {"doc": "", "rows": len(lines)}


async def _write_lines(archive: zipfile.ZipFile, name: str, rows: AsyncGenerator[str]) -> int:
    count, waiting = 0, list[str]()
    with archive.open(name, "w", force_zip64=True) as out:
        async for row in rows:
            waiting.append(row)
            count += 1
            if len(waiting) == _LINES:
                await asyncio.to_thread(out.write, _lines(waiting))
                waiting.clear()
        await asyncio.to_thread(out.write, _lines(waiting))
    return count


def _lines(rows: list[str]) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


async def _write_file(
    platform: Platform, archive: zipfile.ZipFile, contents: Contents, name: str, key: str | None
) -> None:
    digest, size = hashlib.sha256(), 0
    if key is None:
        contents.lost.append(name)
        return
    pieces = platform.files.store.read(key)
    try:
        first = await anext(pieces, b"")
    except FileNotFoundError:  # lost, or deleted since
        contents.lost.append(name)
        return
    with archive.open(name, "w", force_zip64=True) as out:
        piece = first
        while piece:
            digest.update(piece)
            size += len(piece)
            await asyncio.to_thread(out.write, piece)
            piece = await anext(pieces, b"")
    contents.files[name] = {"bytes": size, "sha256": digest.hexdigest()}
