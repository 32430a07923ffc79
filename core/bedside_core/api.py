"""Everything of core that a plugin may import; its surface has a snapshot and grows by addition (PLUGIN_API 1.0)."""

from bedside_core import audit
from bedside_core.access import (
    EVERYONE,
    LEADERS,
    OPERATOR,
    Access,
    Entitlements,
    Feature,
    FeatureState,
    Permission,
    PlanTiers,
    Reason,
    Refusal,
    Rule,
    Tier,
    forget,
)
from bedside_core.auth import Actor, Role
from bedside_core.boot import assembled
from bedside_core.clock import Clock
from bedside_core.config import Config
from bedside_core.database import (
    DB,
    Kind,
    Row,
    acting,
    definer_function,
    deployment_table,
    practice_table,
    shared_table,
    sql_migration,
    unit,
)
from bedside_core.errors import (
    Conflict,
    FeatureNotInPlan,
    Forbidden,
    InvalidInput,
    NotFound,
    Problem,
    RateLimited,
    SwitchedOff,
    Unauthenticated,
    Unavailable,
)
from bedside_core.events import Event, Listener, fact, on
from bedside_core.hookspecs import hookimpl, hookspec
from bedside_core.ids import uuid7
from bedside_core.jobs import Job, JobRun
from bedside_core.live import Live, StreamKind, Topic, follow
from bedside_core.manifest import PLUGIN_API, Manifest
from bedside_core.paging import USUAL_PAGE, Page, cursor_of, key_of, page_of, page_size
from bedside_core.people import PRACTICE_STREAM, Member, NewPatient, Patient, People, Practice
from bedside_core.platform import Platform
from bedside_core.routes import Gate, Route, actor_of, public_route, uuid_or_none
from bedside_core.settings import Scope, Settings, SettingsChanged, setting

__all__ = [
    "DB",
    "EVERYONE",
    "LEADERS",
    "OPERATOR",
    "PLUGIN_API",
    "PRACTICE_STREAM",
    "USUAL_PAGE",
    "Access",
    "Actor",
    "Clock",
    "Config",
    "Conflict",
    "Entitlements",
    "Event",
    "Feature",
    "FeatureNotInPlan",
    "FeatureState",
    "Forbidden",
    "Gate",
    "InvalidInput",
    "Job",
    "JobRun",
    "Kind",
    "Listener",
    "Live",
    "Manifest",
    "Member",
    "NewPatient",
    "NotFound",
    "Page",
    "Patient",
    "People",
    "Permission",
    "PlanTiers",
    "Platform",
    "Practice",
    "Problem",
    "RateLimited",
    "Reason",
    "Refusal",
    "Role",
    "Route",
    "Row",
    "Rule",
    "Scope",
    "Settings",
    "SettingsChanged",
    "StreamKind",
    "SwitchedOff",
    "Tier",
    "Topic",
    "Unauthenticated",
    "Unavailable",
    "acting",
    "actor_of",
    "assembled",
    "audit",
    "cursor_of",
    "definer_function",
    "deployment_table",
    "fact",
    "follow",
    "forget",
    "hookimpl",
    "hookspec",
    "key_of",
    "on",
    "page_of",
    "page_size",
    "practice_table",
    "public_route",
    "setting",
    "shared_table",
    "sql_migration",
    "unit",
    "uuid7",
    "uuid_or_none",
]
