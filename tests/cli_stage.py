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
    """Commands set logging up for their process, which a test's is not; the level they set would outlive the test."""
    known = structlog.get_config()
    loggers = [logging.getLogger(name) for name in ("", "bedside", "bedside_core")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    try:
        yield
    finally:
        structlog.configure(**known)
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers


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
