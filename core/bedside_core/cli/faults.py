"""What an operator can mend, in words: which exceptions are told without a traceback, and how."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_settings import SettingsError

from bedside_core.backup.layout import BackupFailed
from bedside_core.boot import NotReady
from bedside_core.config import told
from bedside_core.database import MigrationRefused, OldServer, RolesMissing, ServerFailed
from bedside_core.database.driver import asyncpg
from bedside_core.database.dump import DumpFailed
from bedside_core.errors import Problem
from bedside_core.plugins import PluginError
from bedside_core.watching.tracing import TracingMissing

_TOLD = (
    BackupFailed,
    DumpFailed,
    NotReady,
    PluginError,
    MigrationRefused,
    RolesMissing,
    ServerFailed,
    OldServer,
    SettingsError,
    TracingMissing,
)
_REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,  # also its wrong passwords
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


def explained(error: BaseException) -> str | None:
    """Return what to tell an operator of an exception; None where it is a fault of ours, which deserves a traceback."""
    if isinstance(error, _TOLD):
        return str(error)
    if isinstance(error, Problem):
        return _problem(error)
    if isinstance(error, ValidationError):
        return told(error)
    if isinstance(error, _REFUSED):
        return f"the database refuses: {error}"
    if isinstance(error, asyncpg.ClientConfigurationError):
        return f"a database URL can't be used: {error}"
    return None


def _problem(problem: Problem) -> str:
    words = " ".join(filter(None, [problem.message, problem.way_on]))
    return f"{words} ({problem.__cause__})" if problem.__cause__ is not None else words
