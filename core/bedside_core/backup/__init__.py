"""Backups of a whole deployment: made while it serves, verified without it, restored onto an empty machine (O1)."""

from __future__ import annotations

from bedside_core.backup.create import Made, create
from bedside_core.backup.layout import BackupFailed
from bedside_core.backup.read import Verified, verify, verify_deeply
from bedside_core.backup.restore import Restored, restore

__all__ = ["BackupFailed", "Made", "Restored", "Verified", "create", "restore", "verify", "verify_deeply"]
