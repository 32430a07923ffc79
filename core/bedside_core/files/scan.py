"""Asks a ClamAV daemon about a file before anybody may have it (protocol INSTREAM of clamd(8))."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from bedside_core import errors
from bedside_core.files.problems import FileInfected, FileTooLarge

log = structlog.get_logger("bedside.files")

SCAN_SECONDS = 120.0
"""Longest time the daemon may take for one file."""
_PIECE = 1 << 18
_LONGEST_ANSWER = 4096


class Scanner:
    """The daemon of a deployment, or none.

    Args:
        url: `tcp://host:3310` or `unix:///run/clamav/clamd.ctl`; None where files are not scanned.
    """

    def __init__(self, url: str | None) -> None:
        self._parts = urlsplit(url) if url else None

    async def check(self, path: Path) -> None:
        """Return if the daemon finds nothing in a file, or if there is no daemon to be asked.

        Raises:
            FileInfected: it has found something.
            FileTooLarge: it does not take files this long, so nobody can say what is in this one.
            errors.Unavailable: it gave no clear answer; the file stays closed.
        """
        if self._parts is None:
            return
        try:
            async with asyncio.timeout(SCAN_SECONDS):
                answer = await self._answer(path)
        except (OSError, TimeoutError) as error:
            log.warning("the virus scanner does not answer", failure=type(error).__name__)
            raise _silent() from error
        if answer.endswith("OK"):
            return
        if answer.endswith("FOUND"):
            log.warning("the virus scanner has found something", answer=answer)
            raise FileInfected("The virus scanner has found something in this file.")
        log.error("the virus scanner answers with an error", answer=answer)
        if "size limit exceeded" in answer:
            raise FileTooLarge("The file is too long for the virus scanner of this deployment.")
        raise _silent()

    async def _answer(self, path: Path) -> str:
        assert self._parts is not None
        if self._parts.scheme == "unix":
            reader, writer = await asyncio.open_unix_connection(self._parts.path)
        else:
            reader, writer = await asyncio.open_connection(self._parts.hostname, self._parts.port or 3310)
        try:
            writer.write(b"zINSTREAM\0")
            with path.open("rb") as file:
                while piece := await asyncio.to_thread(file.read, _PIECE):
                    writer.write(struct.pack(">L", len(piece)) + piece)
                    try:
                        await writer.drain()
                    except ConnectionError:  # it has heard enough, and says so
                        break
            if not writer.is_closing():
                writer.write(b"\0\0\0\0")
            answer = await reader.read(_LONGEST_ANSWER)
        finally:
            writer.close()
        return answer.rstrip(b"\0\n").decode("utf-8", "replace")


def _silent() -> errors.Unavailable:
    return errors.Unavailable("The virus scanner does not answer.", way_on="Try again in a moment.")
