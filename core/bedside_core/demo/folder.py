"""The demo's data folder: only one that the demo itself has made is ever used, and by one demo at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from bedside_core.boot import NotReady

MARKER = ".bedside-demo"
"""The file by which the demo knows its own folder."""


class Stage(StrEnum):
    """How far a folder has got; what is written in its marker."""

    NEW = "new"
    PEOPLED = "peopled"
    """Everybody is there who signs in, and every patient."""
    COMPLETE = "complete"
    """And has talked, and is on a plan."""


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
        self.postgres = path / "postgres"
        """The folder of its private server."""
        self._marker = path / MARKER

    @property
    def stage(self) -> Stage:
        """How far the folder has got; what a demo that was killed has left half-made is made anew."""
        return Stage(self._marker.read_text(encoding="utf-8"))

    @stage.setter
    def stage(self, stage: Stage) -> None:
        self._marker.write_text(stage, encoding="utf-8")


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
            marker.write(Stage.NEW)
            marker.flush()
        yield DemoFolder(path)
