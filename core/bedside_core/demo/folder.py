"""The demo's data folder: only one that the demo itself has made is ever used, and by one demo at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bedside_core.boot import NotReady

MARKER = ".bedside-demo"
"""The file by which the demo knows its own folder."""

_NEW = "seeding\n"
_SEEDED = "seeded\n"


def is_demo(data: Path) -> bool:
    """Tell whether a folder is a demo's."""
    return (data / MARKER).exists()


class DemoFolder:
    """A data folder in use by this demo; `opened` gives one.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._marker = path / MARKER

    @property
    def seeded(self) -> bool:
        """Whether its people are all there."""
        return self._marker.read_text(encoding="utf-8") == _SEEDED

    def mark_seeded(self) -> None:
        """Note that its people are all there; what a demo that was killed has left half-made is made anew."""
        self._marker.write_text(_SEEDED, encoding="utf-8")


@contextmanager
def opened(data: Path) -> Generator[DemoFolder]:
    """Give a folder to the demo for the time of the block; made if absent.

    Raises:
        NotReady: the demo did not make it, or another demo uses it.
    """
    path = data.expanduser().resolve()
    if path.exists() and not path.is_dir():
        raise NotReady(f"{data} is not a folder")
    if path.is_dir() and not is_demo(path) and any(path.iterdir()):
        raise NotReady(
            f"{data} is not empty and was not made by the demo, so it stays as it is; --data names another folder"
        )
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (path / MARKER).open("a+", encoding="utf-8") as marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotReady(f"a demo already runs on {data}; --data names another folder") from error
        if (path / MARKER).stat().st_size == 0:
            marker.write(_NEW)
            marker.flush()
        yield DemoFolder(path)
