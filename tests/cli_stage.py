"""What tests of the command line share."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Commands set logging up for their process, which a test's is not."""
    root = logging.getLogger()
    handlers, level, known = root.handlers[:], root.level, structlog.get_config()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**known)


@contextmanager
def server_folder() -> Iterator[Path]:
    """Give a folder for a private PostgreSQL, which as root runs as another user.

    pytest's own folder won't do: each session that starts takes it away from other users, also from a server in it.
    """
    folder = Path(tempfile.mkdtemp(prefix="bedside-cli-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
