"""Looks at uploads before they become files: type, virus scan, and of photos the bare picture and a preview."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from bedside_core.files.facts import FileKind
from bedside_core.files.kinds import FileType, type_of
from bedside_core.files.problems import FileTooLarge, FileUnsafe, type_refused
from bedside_core.files.scan import Scanner
from bedside_core.files.settings import FileSettings

log = structlog.get_logger("bedside.files")

PROGRAM = Path(__file__).with_name("photos.py")
"""Run, not imported: Pillow stays out of the server."""
PHOTO_SECONDS = 60.0
"""Longest time of the program that reads photos, waiting for the processor included."""
AT_ONCE = 1
"""Photos that one process has read at the same time; each may take half a gigabyte outside of it for a moment."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What was found fit to be kept.

    Args:
        type: what it is.
        path: the local file to keep.
        preview: a JPEG of at most 512 by 512 pixels, where it is a photo.
    """

    type: FileType
    path: Path
    preview: Path | None = None


class Examiner:
    """Examines local files.

    Args:
        scanner: asked about each.
    """

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def examine(self, path: Path, settings: FileSettings) -> Examined:
        """Return what a file is and what of it is to be kept, in the folder it is in.

        Raises:
            problems.FileTypeNotAllowed: the practice does not take it.
            FileTooLarge: it is longer than files of its kind may be.
            FileUnsafe: it is damaged, or made to do harm.
            FileInfected: the scanner has found something.
            errors.Unavailable: the scanner does not answer.
        """
        found = await asyncio.to_thread(type_of, path)
        if not settings.takes(found.kind):
            raise type_refused(found.media_type)
        longest = settings.longest(found.kind)
        if await asyncio.to_thread(os.path.getsize, path) > longest:
            raise too_large(longest)
        await self._scanner.check(path)
        if found.kind is not FileKind.PHOTO:
            return Examined(type=found, path=path)
        bare, preview = path.with_name("bare"), path.with_name("preview")
        await self._prepare(path, bare, preview)
        return Examined(type=found, path=bare, preview=preview)

    async def _prepare(self, given: Path, bare: Path, preview: Path) -> None:
        async with self._turns:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", str(PROGRAM), str(given), str(bare), str(preview),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},  # nothing of the deployment's secrets
            )  # fmt: skip
            try:
                async with asyncio.timeout(PHOTO_SECONDS):
                    told, _ = await process.communicate()
            except TimeoutError:
                told = b""
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        answer = json.loads(told) if process.returncode == 0 and told else {"reason": "bomb"}
        if reason := answer.get("reason"):
            message = {
                "bomb": "The photo has more than 50 million pixels, or claims to.",
                "damaged": "The photo is damaged.",
            }[reason]
            raise FileUnsafe(message, detail={"reason": reason})


def too_large(longest: int) -> FileTooLarge:
    """Return the refusal of a file that is longer than this many bytes."""
    return FileTooLarge(
        f"The file is longer than the {longest // 1_000_000} megabytes that your practice takes.",
        detail={"limit": longest},
        field=("size",),
    )
