"""PostgreSQL for everything: the engine, the private server, roles, migrations, kinds of tables, and units of work.

`DB` runs SQL and Piccolo's queries; `acting(practice_id, person_id)` says for whom; `unit()` makes one change with its
events and jobs. Migrations make their tables with `practice_table`, `shared_table` or `deployment_table`.
"""

from __future__ import annotations

from bedside_core.database.driver import Connection, DedicatedConnection, Row
from bedside_core.database.engine import DB, Engine, OldServer, acting
from bedside_core.database.faults import table_faults
from bedside_core.database.kinds import (
    APPLICATION,
    QUEUE,
    Kind,
    definer_function,
    deployment_table,
    practice_table,
    shared_table,
)
from bedside_core.database.migrate import (
    Migrated,
    MigrationRefused,
    Pending,
    migrate,
    pending,
    pending_by_app,
    sql_migration,
)
from bedside_core.database.roles import RolesMissing, check_role, prepare_roles
from bedside_core.database.scope import Scope, ScopeError, current_scope
from bedside_core.database.server import EmbeddedServer, ServerFailed
from bedside_core.database.transaction import TransactionAborted, TransactionOver
from bedside_core.database.unit import Announcement, Outlet, Work, present_work, set_outlet, unit

__all__ = [
    "APPLICATION",
    "DB",
    "QUEUE",
    "Announcement",
    "Connection",
    "DedicatedConnection",
    "EmbeddedServer",
    "Engine",
    "Kind",
    "Migrated",
    "MigrationRefused",
    "OldServer",
    "Outlet",
    "Pending",
    "RolesMissing",
    "Row",
    "Scope",
    "ScopeError",
    "ServerFailed",
    "TransactionAborted",
    "TransactionOver",
    "Work",
    "acting",
    "check_role",
    "current_scope",
    "definer_function",
    "deployment_table",
    "migrate",
    "pending",
    "pending_by_app",
    "practice_table",
    "prepare_roles",
    "present_work",
    "set_outlet",
    "shared_table",
    "sql_migration",
    "table_faults",
    "unit",
]
